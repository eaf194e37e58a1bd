package fileoutput

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
)

func newSpool(t testing.TB) *Spool {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "spool"))
	require.NoError(t, err)
	t.Cleanup(func() { _ = file.Close() })
	return NewSpool(file)
}

// keep adds the row of a record without a version of its own.
func keep(s *Spool, r *Row) error { return s.Add(schemas.Change{PitchID: r.PitchID}, r) }

func standing(t testing.TB, s *Spool) (rows []Row) {
	t.Helper()
	require.NoError(t, s.Current(func(r *Row, _ schemas.Version) error { rows = append(rows, *r); return nil }))
	return rows
}

func TestASpoolReturnsItsRows(t *testing.T) {
	rows := simulatedRows(t, 100)
	rows = append(rows, distinctRow(t), Row{Source: "-"})
	rows[0].Issues = []string{"a:type", "b:range"}
	s := newSpool(t)
	for i := range rows {
		require.NoError(t, keep(s, &rows[i]))
	}
	read := standing(t, s)
	require.Len(t, read, len(rows))
	for i := range rows {
		require.ElementsMatch(t, rows[i].Issues, read[i].Issues)
		rows[i].Issues, read[i].Issues = nil, nil
		require.ElementsMatch(t, rows[i].ContactDoubts, read[i].ContactDoubts)
		rows[i].ContactDoubts, read[i].ContactDoubts = nil, nil
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
			require.NoError(rt, keep(s, &Row{Row: schemas.Row{PitchID: schemas.PitchID{id}}, Record: int64(n)}))
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
		require.NoError(t, keep(s, &r))
	}
	require.NoError(t, s.buffer.Flush())
	require.NoError(t, s.file.Truncate(3000))
	require.Error(t, s.Current(func(*Row, schemas.Version) error { return nil }))

	s = newSpool(t)
	require.NoError(t, s.file.Close())
	require.NoError(t, keep(s, &Row{}), "it is held for a while")
	require.ErrorIs(t, s.Current(func(*Row, schemas.Version) error { return nil }), os.ErrClosed)

	s = newSpool(t)
	require.NoError(t, keep(s, &Row{}))
	stop := errors.New("stop")
	require.ErrorIs(t, s.Current(func(*Row, schemas.Version) error { return stop }), stop)
}

// The rows of records with versions are those that the stores would have after them, in any order.
//
// guard: files: an older change supersedes none
// guard: files: an older identify supersedes none
func TestVersionsOfRecordsDecideAsInTheStores(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := newSpool(t)
		var changes []schemas.Change
		for n := range rapid.IntRange(0, 30).Draw(rt, "changes") {
			c := schemas.Change{
				PitchID: schemas.PitchID{rapid.ByteRange(0, 3).Draw(rt, "pitch")},
				Op:      rapid.SampledFrom([]schemas.Op{schemas.OpUpsert, schemas.OpUpsert, schemas.OpDelete, schemas.OpIdentify}).Draw(rt, "op"),
				Version: schemas.Version{
					Revision: rapid.Int64Range(0, 2).Draw(rt, "revision"), TimestampMS: rapid.Int64Range(1, 3).Draw(rt, "time"), Offset: int64(n),
				},
			}
			row := &Row{Row: schemas.Row{PitchID: c.PitchID, BatterID: schemas.Some(int64(n))}}
			switch c.Op {
			case schemas.OpUpsert:
				c.Row = &row.Row
			case schemas.OpIdentify:
				c.IDs.BatterID = schemas.Some(int64(1000 + n))
			}
			changes = append(changes, c)
			require.NoError(rt, s.Add(c, row))
		}
		want := map[schemas.PitchID]schemas.Opt[int64]{}
		for _, r := range reference.Resolve(changes) {
			want[r.PitchID] = r.BatterID
		}
		got := map[schemas.PitchID]schemas.Opt[int64]{}
		for _, r := range standing(t, s) {
			got[r.PitchID] = r.BatterID
		}
		require.Equal(rt, want, got)
		require.EqualValues(rt, len(want), s.Rows())
	})
}

// A record without a version is sent by load now: it supersedes every timestamp, and no revision.
func TestARecordWithoutAVersionIsTheNewestOfItsRevision(t *testing.T) {
	for name, c := range map[string]struct {
		revision int64
		want     []int64
	}{"timestamp": {0, []int64{2}}, "revision": {1, []int64{1}}} {
		t.Run(name, func(t *testing.T) {
			for _, plainFirst := range []bool{false, true} {
				s := newSpool(t)
				plain := func() { require.NoError(t, keep(s, &Row{Record: 2})) }
				if plainFirst {
					plain()
				}
				versioned := schemas.Change{Version: schemas.Version{Revision: c.revision, TimestampMS: 5}}
				require.NoError(t, s.Add(versioned, &Row{Record: 1}))
				if !plainFirst {
					plain()
				}
				var got []int64
				for _, r := range standing(t, s) {
					got = append(got, r.Record)
				}
				require.Equal(t, c.want, got, "plain first: %v", plainFirst)
			}
		})
	}
}
