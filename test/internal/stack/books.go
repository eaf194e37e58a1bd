package stack

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// Books is the content that the stores and topics must have after every record of the raw topic was
// processed.
type Books struct {
	Rows        []schemas.StoredRow
	States      map[schemas.PlayerKey]schemas.GameStats // of batters and pitchers, overall and in each game
	DeadLetters map[string]Contents                     // by "partition/offset code" of the rejected record
}

// Contents is the checksum of a record's key and value, which a dead letter must repeat byte for byte.
type Contents struct{ Key, Value [sha256.Size]byte }

// ContentsOf returns the checksums of a record.
func ContentsOf(r *kgo.Record) Contents {
	return Contents{sha256.Sum256(r.Key), sha256.Sum256(r.Value)}
}

// Expected computes the books from the raw topic with the reference models.
func (s *Stack) Expected() Books {
	s.T.Helper()
	b := Books{DeadLetters: map[string]Contents{}}
	var changes []schemas.Change
	s.Each(s.Raw(), func(r *kgo.Record) {
		c, rej := features.Transform(kafkaread.Record(r), features.Limits{})
		if rej != nil {
			b.DeadLetters[fmt.Sprintf("%d/%d %s", r.Partition, r.Offset, rej.Code)] = ContentsOf(r)
			return
		}
		changes = append(changes, c)
	})
	b.Rows = reference.Resolve(changes)
	b.States = reference.States(b.Rows)
	return b
}

// Require checks Postgres, Redis and the topics against the books. Each rejected record must have this number
// of dead letters: as many as the raw topic was read by a processor that writes them.
func (s *Stack) Require(want Books, deadLettersEach int) {
	s.T.Helper()
	rows, err := pgbooks.New(s.Store().DB()).Rows(s.T.Context())
	require.NoError(s.T, err)
	SameRows(s.T, "rows in Postgres", want.Rows, rows)
	Same(s.T, "aggregates in Postgres", want.States, StatsViews(s.T, s.Postgres))
	// No wait is needed for Redis, because a batch is pushed before its offsets are committed.
	require.NoError(s.T, s.RedisDiffers(want))
	found := s.DeadLetters(want)
	for key := range want.DeadLetters {
		require.Equal(s.T, deadLettersEach, found[key], "dead letters of %s", key)
	}
	SameRows(s.T, "rows topic", want.Rows, s.published())
}

// RedisDiffers returns the first difference between the books and what an application reads from Redis, or
// nil. A batter or game that is not in the books is a difference too.
func (s *Stack) RedisDiffers(want Books) error {
	s.T.Helper()
	r, err := redissink.OpenReader(redissink.Config{URL: "redis://" + s.Redis, Prefix: s.Name + ":"})
	if err != nil {
		return err
	}
	defer r.Close()
	for key, state := range want.States {
		got, err := r.States(s.T.Context(), []schemas.PlayerKey{key})
		if err != nil || got[0] == nil {
			return fmt.Errorf("%+v is not in Redis: %v", key, err)
		}
		if d := diff(state, InRedis(got[0])); d != "" {
			return fmt.Errorf("%+v in Redis differs:\n%s", key, d)
		}
	}
	client := redis.NewClient(&redis.Options{Addr: s.Redis})
	defer client.Close()
	found := map[string]bool{} // a scan may return a key twice
	for _, side := range schemas.Sides {
		keys := client.Scan(s.T.Context(), 0, s.Name+":"+side.String()+":*", 1000).Iterator()
		for keys.Next(s.T.Context()) {
			found[keys.Val()] = true
		}
		if keys.Err() != nil {
			return keys.Err()
		}
	}
	if len(found) != len(want.States) {
		return fmt.Errorf("Redis has %d keys of players and games, want %d", len(found), len(want.States))
	}
	return nil
}

// InRedis returns the aggregates of a state without its sequence number, and without what models say.
func InRedis(state *schemas.PlayerState) schemas.GameStats {
	g := schemas.GameStats{GamePK: state.GamePK, Pitching: state.Pitching}
	if state.Side == schemas.Batter {
		g.Stats = &state.Stats
	}
	if last := g.LastPitch(); last != nil { // a state that cannot be read has none
		last.Scores = nil
	}
	return g
}

// DeadLetters counts the dead letters of each record. It fails the test at a dead letter that want does not
// have, or that does not repeat its record.
func (s *Stack) DeadLetters(want Books) map[string]int {
	s.T.Helper()
	found := map[string]int{}
	s.Each(s.Dead(), func(l *kgo.Record) {
		h := Headers(l)
		require.Equal(s.T, len(h), len(l.Headers), "each header occurs once")
		key := fmt.Sprintf("%s/%s %s", h["dlq.partition"], h["dlq.offset"], h["dlq.code"])
		found[key]++
		of, ok := want.DeadLetters[key]
		require.True(s.T, ok, "dead letter %s (%s) of a record that must not fail", key, h["dlq.message"])
		require.Equal(s.T, of, ContentsOf(l), "key and value of dead letter %s", key)
		require.NotEmpty(s.T, h["dlq.message"])
	})
	return found
}

// published returns the current rows of the rows topic: the highest version of each pitch, ordered by id.
func (s *Stack) published() []schemas.StoredRow {
	s.T.Helper()
	type published struct {
		version schemas.Version
		row     *schemas.StoredRow // nil: a tombstone
	}
	newest := map[string]published{}
	s.Each(s.Rows(), func(r *kgo.Record) {
		var p published
		h := Headers(r)
		_, err := fmt.Sscan(h["revision"]+" "+h["record_ts_ms"]+" "+h["source_offset"]+" "+h["source_partition"],
			&p.version.Revision, &p.version.TimestampMS, &p.version.Offset, &p.version.Partition)
		require.NoError(s.T, err)
		if r.Value != nil {
			p.row = &schemas.StoredRow{}
			require.NoError(s.T, json.Unmarshal(r.Value, p.row))
			require.Equal(s.T, p.version, p.row.Version())
		}
		if old, ok := newest[string(r.Key)]; !ok || p.version.Compare(old.version) >= 0 {
			newest[string(r.Key)] = p
		}
	})
	var rows []schemas.StoredRow
	for _, p := range newest {
		if p.row != nil {
			rows = append(rows, *p.row)
		}
	}
	slices.SortFunc(rows, func(a, b schemas.StoredRow) int { return slices.Compare(a.PitchID[:], b.PitchID[:]) })
	return rows
}

// StatsViews reads the views of aggregates of Postgres, without what models say.
func StatsViews(t *testing.T, url string) map[schemas.PlayerKey]schemas.GameStats {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	states := map[schemas.PlayerKey]schemas.GameStats{}
	for _, side := range schemas.Sides {
		rows, err := conn.Query(t.Context(), strings.ReplaceAll(`
			SELECT {side}_id, '', to_json(s) FROM pitchstream.{side}_stats s
			UNION ALL
			SELECT {side}_id, game_pk, to_json(s) FROM pitchstream.{side}_game_stats s`, "{side}", side.String()))
		require.NoError(t, err)
		key := schemas.PlayerKey{Side: side}
		var doc []byte
		_, err = pgx.ForEachRow(rows, []any{&key.PlayerID, &key.GamePK, &doc}, func() error {
			g := schemas.GameStats{GamePK: key.GamePK}
			if side == schemas.Batter {
				g.Stats = &schemas.Stats{}
				err = json.Unmarshal(doc, g.Stats)
			} else {
				g.Pitching = &schemas.PitcherStats{}
				err = json.Unmarshal(doc, g.Pitching)
			}
			if last := g.LastPitch(); last != nil {
				last.Scores = nil
			}
			states[key] = g
			return err
		})
		require.NoError(t, err)
	}
	return states
}

// SameRows compares rows that are ordered by id. It ignores which build wrote them and when.
func SameRows(t *testing.T, what string, want, got []schemas.StoredRow) {
	t.Helper()
	for i := range min(len(want), len(got)) { // one by one: there may be many
		Same(t, what, withoutWriter(want[i]), withoutWriter(got[i]))
	}
	require.Len(t, got, len(want), what)
}

func withoutWriter(r schemas.StoredRow) schemas.StoredRow {
	r.CoreVersion, r.Build, r.ProcessedAt = 0, "", 0
	return r
}

// Same compares exactly, except for floating-point numbers: within a relative 1e-9, because an average may
// sum its values in any order.
func Same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if d := diff(want, got); d != "" {
		t.Fatalf("%s differ (-want +got):\n%s", what, d)
	}
}

func diff[T any](want, got T) string {
	options := cmp.Options{cmpopts.EquateApprox(1e-9, 1e-9), cmpopts.EquateEmpty()}
	if cmp.Equal(want, got, options) {
		return ""
	}
	d := cmp.Diff(want, got, options)
	if len(d) > 4000 {
		d = d[:4000] + "…"
	}
	return d
}
