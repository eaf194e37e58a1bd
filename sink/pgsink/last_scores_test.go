package pgsink

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// lastPitches is a copy of the last pitches, as Redis has one: of two states, that with the greater sequence
// number. whole is up to which number it has missed none of a player.
type lastPitches struct {
	mu          sync.Mutex
	seqs, whole map[schemas.PlayerKey]int64
	last        map[schemas.PlayerKey]string
}

func newLastPitches() *lastPitches {
	return &lastPitches{
		seqs: map[schemas.PlayerKey]int64{}, whole: map[schemas.PlayerKey]int64{},
		last: map[schemas.PlayerKey]string{},
	}
}

func (c *lastPitches) push(t *testing.T, snaps []schemas.Snapshot) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range snaps {
		player := schemas.PlayerKey{Side: s.Side, PlayerID: s.PlayerID}
		if s.PrevSeq == 0 || s.PrevSeq == c.whole[player] {
			c.whole[player] = max(s.Seq, c.whole[player])
		}
		for _, g := range append([]schemas.GameStats{s.Overall()}, s.Games...) {
			key := schemas.PlayerKey{Side: s.Side, PlayerID: s.PlayerID, GamePK: g.GamePK}
			if g.Seq >= c.seqs[key] {
				c.seqs[key], c.last[key] = g.Seq, lastPitchOf(t, g)
			}
		}
	}
}

func lastPitchOf(t *testing.T, g schemas.GameStats) string {
	t.Helper()
	if g.LastPitch() == nil {
		return "none"
	}
	text, err := json.Marshal(g.LastPitch())
	require.NoError(t, err)
	return string(text)
}

// current returns the whole state of all players.
func current(t *testing.T, s *Sink) (all []schemas.Snapshot) {
	t.Helper()
	books := pgbooks.New(s.DB())
	for _, side := range schemas.Sides {
		seqs, err := books.PlayerSeqs(t.Context(), side)
		require.NoError(t, err)
		ids := schemas.Map(seqs, func(p schemas.PlayerSeq) int64 { return p.PlayerID })
		snaps, err := books.PlayerSnapshots(t.Context(), side, ids)
		require.NoError(t, err)
		all = append(all, snaps...)
	}
	return all
}

// require fails unless the copy differs from Postgres only where its sequence number is smaller, because a
// sweep finds nothing else. It fails also unless the views and pitch_scores say the same. It then makes the
// copy equal, and returns how many keys were behind.
func (c *lastPitches) require(t *testing.T, s *Sink, models pgbooks.Models) (behind int) {
	t.Helper()
	scores, err := models.AllScores(t.Context())
	require.NoError(t, err)
	now := newLastPitches()
	all := current(t, s)
	now.push(t, all)
	for key, text := range now.last {
		if c.seqs[key] == now.seqs[key] {
			require.Equal(t, text, c.last[key], "%v with an equal sequence number", key)
			continue
		}
		behind++
		require.Less(t, c.seqs[key], now.seqs[key])
		player := key
		player.GamePK = ""
		require.Less(t, min(c.seqs[player], c.whole[player]), now.seqs[player], "a sweep compares players only")
	}
	r, err := pgread.Open(*s.cfg)
	require.NoError(t, err)
	defer r.Close()
	keys := slices.Collect(maps.Keys(now.last))
	states, err := r.States(t.Context(), keys)
	require.NoError(t, err)
	for i, key := range keys {
		text := now.last[key]
		if states[i] == nil {
			require.Equal(t, "none", text)
			continue
		}
		last := states[i].LastPitch()
		shown, err := json.Marshal(last)
		require.NoError(t, err)
		require.Equal(t, text, string(shown), "the view has what Redis has")
		require.Len(t, last.Scores, len(scores[last.PitchID]))
		for _, s := range scores[last.PitchID] {
			require.Equal(t, schemas.ScoreValues{
				Version: s.Version, Label: s.Label, Value: s.Value, Margin: s.Margin, PValue: s.PValue, Shift: s.Shift,
			}, last.Scores[s.Model])
		}
	}
	c.push(t, all)
	return behind
}

// scorePast scores all pitches again.
func scorePast(t *testing.T, s *Sink, version int32) {
	t.Helper()
	p, all := NewPast(s), Scoring{Model: "m", Version: version, Since: time.Unix(0, 0)}
	_, err := p.Start(t.Context(), all)
	require.NoError(t, err)
	for isFinished := false; !isFinished; {
		_, isFinished, err = p.Step(t.Context(), all, 30)
		require.NoError(t, err)
	}
}

func rescored(t *testing.T, s *Sink) (n int64) {
	t.Helper()
	require.NoError(t, pg.ScanOne(t.Context(), s.db, []any{&n}, `SELECT rescored FROM {schema}.model_generation`))
	return n
}

// Corrections, deletes, late identifies, promotes, rollbacks, retires and scorings of the past: a copy with
// the newest sequence numbers has the scores of the last pitches.
// guard: scores: a last pitch is sent with its scores
// guard: scores: the players of a pitch that is scored again follow
// guard: scores: last pitches follow a model that gets or loses its live version
func TestLastPitchesHaveTheirScores(t *testing.T) {
	s, books := scored(t)
	for _, content := range []string{"1", "2"} {
		addVersion(t, books, content)
	}
	c := newLastPitches()
	g := sinktest.NewGenerator(7, 60)
	batches := g.Batches(g.Changes(600))
	write := func(n int) {
		for range min(n, len(batches)) {
			out, err := s.Apply(t.Context(), batches[0])
			require.NoError(t, err)
			batches = batches[1:]
			c.push(t, out.Snapshots)
			require.Zero(t, c.require(t, s, books), "a batch sends all that it changes")
		}
	}
	write(5)
	require.Zero(t, rescored(t, s))
	setState(t, books, 1, schemas.ModelLive)
	require.Zero(t, c.require(t, s, books), "nothing was scored yet")
	write(5)
	before := rescored(t, s)
	scorePast(t, s, 1)
	require.Greater(t, rescored(t, s), before)
	require.Positive(t, c.require(t, s, books))
	setState(t, books, 2, schemas.ModelShadow)
	write(3)
	setState(t, books, 2, schemas.ModelLive)
	require.Zero(t, c.require(t, s, books), "rows keep the scores of the former version")
	write(5)
	scorePast(t, s, 2)
	require.Positive(t, c.require(t, s, books))
	_, _, err := books.Rollback(t.Context(), "m", "test", anyFile)
	require.NoError(t, err)
	write(3)
	before = rescored(t, s)
	setState(t, books, 1, schemas.ModelRetired)
	require.Greater(t, rescored(t, s), before)
	require.Positive(t, c.require(t, s, books), "a model without a live version says nothing")
	write(5)
	setState(t, books, 1, schemas.ModelLive)
	require.Positive(t, c.require(t, s, books), "it says again what it said")
	var r ScoreReport
	for last, more, err := (schemas.PitchID{}), true, error(nil); more; {
		last, more, err = NewPast(s).Compare(t.Context(), last, 1000, true, &r)
		require.NoError(t, err)
	}
	require.NotEmpty(t, r.Differences, "rows that changed meanwhile")
	c.require(t, s, books)
	write(len(batches))
	players, games := []int64{}, []schemas.PlayerGame{}
	for _, snap := range current(t, s) {
		if snap.Side == schemas.Batter {
			players = append(players, snap.PlayerID)
			for _, g := range snap.Games {
				games = append(games, schemas.PlayerGame{PlayerID: snap.PlayerID, GamePK: g.GamePK})
			}
		}
	}
	snaps, err := s.RepairTotals(t.Context(), schemas.Batter, players, games)
	require.NoError(t, err)
	c.push(t, snaps)
	require.Zero(t, c.require(t, s, books), "a repair sends all that it changes")
}

// Batches, scorings of the past, promotes, rollbacks and retires run beside each other.
func TestLastPitchesHaveTheirScoresWhateverRunsBeside(t *testing.T) {
	s, books := scored(t)
	for _, content := range []string{"1", "2"} {
		addVersion(t, books, content)
	}
	setState(t, books, 1, schemas.ModelLive)
	c := newLastPitches()
	var writers, others sync.WaitGroup
	ctx, stop := context.WithCancel(t.Context())
	for w := range 3 {
		writers.Go(func() {
			g := sinktest.NewGenerator(uint64(w), 40)
			for _, b := range g.Batches(g.Changes(500)) {
				b.Positions = nil
				out, err := s.Apply(t.Context(), b)
				if err != nil {
					t.Error(err)
					return
				}
				c.push(t, out.Snapshots)
			}
		})
	}
	others.Go(func() {
		random := rand.New(rand.NewPCG(1, 2))
		for ctx.Err() == nil {
			state := []string{schemas.ModelLive, schemas.ModelLive, schemas.ModelRetired}[random.IntN(3)]
			if _, err := books.SetState(t.Context(), "m", int32(1+random.IntN(2)), state, "test"); err != nil {
				t.Error(err)
			}
		}
	})
	others.Go(func() {
		for version := int32(1); ctx.Err() == nil; version = 3 - version {
			all := Scoring{Model: "m", Version: version, Since: time.Unix(0, 0)}
			past := NewPast(s)
			_, err := past.Start(t.Context(), all)
			for isFinished := false; err == nil && !isFinished; {
				_, isFinished, err = past.Step(t.Context(), all, 5)
			}
		}
	})
	writers.Wait()
	stop()
	others.Wait()
	setState(t, books, 2, schemas.ModelLive)
	c.require(t, s, books)
	scorePast(t, s, 2)
	c.require(t, s, books)
	require.Zero(t, c.require(t, s, books))
}

// waits fails unless f waits for a lock of this kind. It calls release when f does, and f must end then.
func waits(t *testing.T, s *Sink, kind string, release func(), f func() error) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	for waiting := 0; waiting == 0; {
		select {
		case err := <-done:
			t.Fatalf("it did not wait: %v", err)
		default:
		}
		require.NoError(t, pg.ScanOne(t.Context(), s.db, []any{&waiting}, `SELECT count(*) FROM pg_locks AS l
			JOIN pg_stat_activity AS a USING (pid) WHERE a.datname = current_database() AND NOT l.granted AND l.locktype = $1`, kind))
	}
	release()
	require.NoError(t, <-done)
}

// held runs a statement in a transaction that stays open until release is called.
func held(t *testing.T, s *Sink, sql string, args ...any) (release func()) {
	t.Helper()
	tx, err := raw(t, s).Begin(t.Context())
	require.NoError(t, err)
	_, err = tx.Exec(t.Context(), sql, args...)
	require.NoError(t, err)
	return func() { require.NoError(t, tx.Rollback(t.Context())) }
}

// guard: scores: rows are written while the live models are what they are
// guard: scores: few rows are written while the live models are what they are
// guard: scores: pitches are scored again while the live models are what they are
// guard: scores: a model that is not shown any more waits for the batches that show it
func TestAModelIsShownOrNotForAWholeTransaction(t *testing.T) {
	s, books := scored(t)
	addVersion(t, books, "1")
	key := pg.LockKey(s.cfg.Schema, "scores")
	own := func() func() { return held(t, s, `SELECT pg_advisory_xact_lock($1)`, key) }
	g := sinktest.NewGenerator(7, 60)
	for i, steps := range []bool{false, true} {
		t.Run(fmt.Sprint("in steps: ", steps), func(t *testing.T) {
			s.steps = steps
			waits(t, s, "advisory", own(), func() error {
				_, err := s.Apply(t.Context(), sinktest.BatchOf(g.Upsert(i, 1)))
				return err
			})
		})
	}
	setState(t, books, 1, schemas.ModelLive)
	p, all := NewPast(s), Scoring{Model: "m", Version: 1, Since: time.Unix(0, 0)}
	_, err := p.Start(t.Context(), all)
	require.NoError(t, err)
	waits(t, s, "advisory", own(), func() error {
		_, _, err := p.Step(t.Context(), all, 30)
		return err
	})
	batch := held(t, s, `SELECT pg_advisory_xact_lock_shared($1)`, key)
	waits(t, s, "advisory", batch, func() error {
		_, err := books.SetState(t.Context(), "m", 1, schemas.ModelRetired, "test")
		return err
	})
}

// A batch may make a pitch the last one that is being scored again, so the players are locked before it is
// known whose last pitches are scored.
// guard: scores: a pitch that becomes the last one meanwhile has its new scores
func TestPlayersAreLockedWhenTheirPitchesAreScoredAgain(t *testing.T) {
	s, books := scored(t)
	addVersion(t, books, "1")
	setState(t, books, 1, schemas.ModelLive)
	writeSwings(t, s, sinktest.NewGenerator(3, 200), 0, 100, 1)
	for _, side := range schemas.Sides {
		p, all := NewPast(s), Scoring{Model: "m", Version: 1, Since: time.Unix(0, 0)}
		_, err := p.Start(t.Context(), all)
		require.NoError(t, err)
		batch := held(t, s, fillSide(side, `SELECT FROM {side}_totals FOR UPDATE`))
		waits(t, s, "transactionid", batch, func() error {
			_, _, err := p.Step(t.Context(), all, 200)
			return err
		})
	}
}
