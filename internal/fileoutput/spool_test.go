package fileoutput

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pitchstream/pitchstream/schemas"
)

func newSpool(t testing.TB) *Spool {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return NewSpool(file)
}

func standing(t testing.TB, s *Spool) (rows []Row) {
	t.Helper()
	require.NoError(t, s.Current(func(r *Row) error { rows = append(rows, *r); return nil }))
	return rows
}

func TestASpoolReturnsItsRows(t *testing.T) {
	rows := simulatedRows(t, 100)
	rows = append(rows, distinctRow(t), Row{Source: "-"})
	rows[0].Issues = []string{"a:type", "b:range"}
	s := newSpool(t)
	for i := range rows {
		require.NoError(t, s.Add(&rows[i]))
	}
	read := standing(t, s)
	require.Len(t, read, len(rows))
	for i := range rows {
		require.ElementsMatch(t, rows[i].Issues, read[i].Issues)
		rows[i].Issues, read[i].Issues = nil, nil
		require.Equal(t, rows[i], read[i])
	}
	require.EqualValues(t, len(rows), s.Rows())
	require.Zero(t, s.Superseded())
}

// The last row of each pitch is current and keeps its place.
func TestTheLastRowOfAPitchIsCurrent(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ids := rapid.SliceOf(rapid.ByteRange(0, 9)).Draw(rt, "ids")
		last := map[byte]int64{}
		for n, id := range ids {
			last[id] = int64(n)
		}
		var want []int64
		s := newSpool(t)
		for n, id := range ids {
			require.NoError(rt, s.Add(&Row{Row: schemas.Row{PitchID: schemas.PitchID{id}}, Record: int64(n)}))
			if last[id] == int64(n) {
				want = append(want, int64(n))
			}
		}
		var got []int64
		for _, r := range standing(t, s) {
			got = append(got, r.Record)
		}
		require.Equal(rt, want, got)
		require.EqualValues(rt, len(want), s.Rows())
		require.EqualValues(rt, len(ids)-len(want), s.Superseded())
	})
}

func TestASpoolThatCannotBeReadIsReported(t *testing.T) {
	s := newSpool(t)
	for _, r := range simulatedRows(t, 20) {
		require.NoError(t, s.Add(&r))
	}
	require.NoError(t, s.buffer.Flush())
	require.NoError(t, s.file.Truncate(3000))
	require.Error(t, s.Current(func(*Row) error { return nil }))

	s = newSpool(t)
	require.NoError(t, s.file.Close())
	require.NoError(t, s.Add(&Row{}), "it is held for a while")
	require.ErrorIs(t, s.Current(func(*Row) error { return nil }), os.ErrClosed)

	s = newSpool(t)
	require.NoError(t, s.Add(&Row{}))
	stop := errors.New("stop")
	require.ErrorIs(t, s.Current(func(*Row) error { return stop }), stop)
}
