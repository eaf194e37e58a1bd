package fileinput

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkReader reads 64 MB of records as large as the sensors', from a file.
func BenchmarkReader(b *testing.B) {
	record := sampleRecord(someUUID, 370)
	for name, text := range map[string][]byte{
		"lines": bytes.Repeat(append(bytes.Clone(record), '\n'), 900),
		"array": append(append([]byte{'['}, bytes.Repeat(append(bytes.Clone(record), ','), 900)...), ']'),
	} {
		for pack, packed := range map[string]string{"plain": string(text), "gzip": gzipped(string(text)), "zstd": zstded(string(text))} {
			b.Run(name+"/"+pack, func(b *testing.B) {
				path := filepath.Join(b.TempDir(), "f.json")
				require.NoError(b, os.WriteFile(path, []byte(packed), 0o644))
				b.SetBytes(int64(len(text)))
				for b.Loop() {
					readOnly(b, path)
				}
			})
		}
	}
}

func readOnly(b *testing.B, path string) {
	r, err := Open(b.Context(), Options{Paths: []string{path}})
	require.NoError(b, err)
	defer r.Close()
	n := 0
	for ; ; n++ {
		if _, err := r.Next(); err == io.EOF {
			break
		}
	}
	require.Equal(b, 900, n)
}
