package world

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
)

// Books are what must stand after everything in the raw topic was read.
type Books struct {
	Rows    []schemas.StoredRow
	Batters map[int64]schemas.Stats
	Games   map[schemas.BatterGame]schemas.Stats
	Letters map[string]Failed // by partition, offset and code of the record that failed
}

// Failed is a record that became a letter, of which nothing is to be missing there.
type Failed struct{ Key, Value [sha256.Size]byte }

// FailedRecord is what is to be in the letter of a record.
func FailedRecord(r *kgo.Record) Failed { return failed(r) }

func failed(r *kgo.Record) Failed { return Failed{sha256.Sum256(r.Key), sha256.Sum256(r.Value)} }

// Expected computes the books from the raw topic with the plain models.
func (w *World) Expected() Books {
	w.T.Helper()
	b := Books{Letters: map[string]Failed{}}
	var changes []schemas.Change
	w.Each(w.Raw(), func(r *kgo.Record) {
		c, rej := features.Transform(consumer.RecordOf(r), features.Limits{})
		if rej != nil {
			b.Letters[fmt.Sprintf("%d/%d %s", r.Partition, r.Offset, rej.Code)] = failed(r)
			return
		}
		changes = append(changes, c)
	})
	b.Rows = reference.Resolve(changes)
	b.Batters, b.Games = reference.Fold(b.Rows)
	return b
}

// RequireBooks balances the raw topic against Postgres, Redis, the letters and the rows topic; lettersTimes is how often
// the topic was read with letters sent.
func (w *World) RequireBooks(lettersTimes int) Books {
	w.T.Helper()
	want := w.Expected()
	w.Require(want, lettersTimes)
	return want
}

// Require holds everything against books that were computed before.
func (w *World) Require(want Books, lettersTimes int) {
	w.T.Helper()
	rows, err := w.Store().Rows(w.T.Context())
	require.NoError(w.T, err)
	SameRows(w.T, "rows in Postgres", want.Rows, rows)
	batters, games := StatsViews(w.T, w.Postgres)
	Same(w.T, "batter_stats", want.Batters, batters)
	Same(w.T, "batter_game_stats", want.Games, games)
	if err := w.RedisDiffers(want); err != nil { // it is written before the offsets are committed, so it is there by now
		w.T.Fatal(err)
	}
	w.requireLetters(want, lettersTimes)
	SameRows(w.T, "rows topic", want.Rows, w.published())
}

// Letters counts the letters by the record that they are of; one that should not be, or is not that record, ends the test.
func (w *World) Letters(want Books) map[string]int {
	w.T.Helper()
	found := map[string]int{}
	w.Each(w.Dead(), func(l *kgo.Record) {
		h := Headers(l)
		require.Equal(w.T, len(h), len(l.Headers), "each header stands once")
		key := fmt.Sprintf("%s/%s %s", h["dlq.partition"], h["dlq.offset"], h["dlq.code"])
		found[key]++
		of, ok := want.Letters[key]
		require.True(w.T, ok, "letter %s (%s) of a record that should not fail", key, h["dlq.message"])
		require.Equal(w.T, of, failed(l), "key and value of letter %s, byte for byte", key)
		require.NotEmpty(w.T, h["dlq.message"])
	})
	return found
}

func (w *World) requireLetters(want Books, times int) {
	w.T.Helper()
	found := w.Letters(want)
	for key := range want.Letters {
		require.Equal(w.T, times, found[key], "letters of %s", key)
	}
}

// published are the rows of the rows topic as a reader keeps them: the highest version of each pitch.
func (w *World) published() []schemas.StoredRow {
	w.T.Helper()
	type state struct {
		version schemas.Version
		row     *schemas.StoredRow
	}
	states := map[string]state{}
	w.Each(w.Rows(), func(r *kgo.Record) {
		var s state
		h := Headers(r)
		_, err := fmt.Sscan(h["revision"]+" "+h["record_ts_ms"]+" "+h["source_offset"]+" "+h["source_partition"],
			&s.version.Revision, &s.version.TimestampMS, &s.version.Offset, &s.version.Partition)
		require.NoError(w.T, err)
		if r.Value != nil {
			s.row = &schemas.StoredRow{}
			require.NoError(w.T, unmarshal(r.Value, s.row))
			require.Equal(w.T, s.version, s.row.Version())
		}
		if old, ok := states[string(r.Key)]; !ok || s.version.Compare(old.version) >= 0 {
			states[string(r.Key)] = s
		}
	})
	var rows []schemas.StoredRow
	for _, s := range states {
		if s.row != nil {
			rows = append(rows, *s.row)
		}
	}
	slices.SortFunc(rows, func(a, b schemas.StoredRow) int { return slices.Compare(a.PitchID[:], b.PitchID[:]) })
	return rows
}

func unmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }
