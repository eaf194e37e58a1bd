package fileoutput

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func BenchmarkWriter(b *testing.B) {
	rows := simulatedRows(b, 2000)
	for _, f := range Formats {
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			w, err := NewWriter(f, io.Discard, 1)
			require.NoError(b, err)
			for n := 0; b.Loop(); n++ {
				require.NoError(b, w.Write(&rows[n%len(rows)]))
			}
			require.NoError(b, w.Close())
		})
	}
}

func BenchmarkSpool(b *testing.B) {
	rows := simulatedRows(b, 2000)
	file, err := os.Create(filepath.Join(b.TempDir(), "spool"))
	require.NoError(b, err)
	b.Cleanup(func() { _ = file.Close() })
	s := NewSpool(file)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		row := rows[n%len(rows)]
		row.PitchID[0], row.PitchID[1], row.PitchID[2] = byte(n), byte(n>>8), byte(n>>16)
		require.NoError(b, keep(s, &row))
		n++
	}
	require.NoError(b, s.Current(func(*Row, schemas.Version) error { return nil }))
}
