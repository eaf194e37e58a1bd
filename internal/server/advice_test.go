package server

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// fakePitches are the pitches of a Postgres that fails when fails is set.
type fakePitches struct {
	leagues int
	fails   error
}

func (*fakePitches) AdvicePitches(
	_ context.Context, key schemas.PlayerKey, _ int,
) ([]schemas.AdvicePitch, error) {
	return []schemas.AdvicePitch{{PitchType: "Slider", EventTime: schemas.TimeMS(key.PlayerID)}}, nil
}

func (f *fakePitches) LeagueAdvicePitches(context.Context, int) ([]schemas.AdvicePitch, error) {
	f.leagues++
	return nil, f.fails
}

// guard: server: a league that cannot be read anew serves on
func TestTheLeagueIsReadEachTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		pitches := &fakePitches{fails: errors.New("refused")}
		a := newAdviser(pitches)
		q := schemas.AdviceQuery{BatterID: 5, PitcherID: 7, Zone: schemas.ZoneAny}
		_, err := a.Recommend(t.Context(), q)
		require.ErrorIs(t, err, pitches.fails)
		pitches.fails = nil
		first, err := a.Recommend(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, schemas.Some[schemas.TimeMS](7), first.AsOf)
		require.Equal(t, schemas.TimeMSOf(time.Now()), first.LeagueReadAt)
		time.Sleep(leagueLifetime - time.Second)
		again, err := a.Recommend(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, first, again)
		require.Equal(t, 2, pitches.leagues)
		time.Sleep(2 * time.Second)
		pitches.fails = errors.New("refused")
		old, err := a.Recommend(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, first, old)
		pitches.fails = nil
		anew, err := a.Recommend(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, schemas.TimeMSOf(time.Now()), anew.LeagueReadAt)
		require.Equal(t, 4, pitches.leagues)
	})
}

// slowPitches answer about a player at once, and about the league when ctx ends.
type slowPitches struct{ fakePitches }

func (*slowPitches) LeagueAdvicePitches(ctx context.Context, _ int) ([]schemas.AdvicePitch, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// slowFacts take as long as they may.
type slowFacts struct{}

func (slowFacts) QualityFacts(ctx context.Context, _ string, _ int) ([]schemas.QualityFacts, error) {
	t := time.NewTimer(3 * time.Second)
	defer t.Stop()
	select {
	case <-t.C:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A read that ends because others took its time must not look as if Postgres did not answer: the gate of all
// reads would close.
//
// guard: server: a recommendation that waited says nothing about Postgres
// guard: server: a report that waited says nothing about Postgres
func TestReadsThatWaitForOthersSayNothingAboutPostgres(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := func() context.Context {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			t.Cleanup(cancel)
			return ctx
		}
		a := newAdviser(&slowPitches{})
		errs := make(chan error, 6)
		for range cap(errs) {
			go func() {
				_, err := a.Recommend(limited(), schemas.AdviceQuery{})
				errs <- err
			}()
		}
		for range cap(errs) {
			require.ErrorIs(t, <-errs, schemas.ErrOccupied)
		}
		c := &qualityCache{books: slowFacts{}, turn: make(chan struct{}, 1)}
		for i := range cap(errs) {
			go func() {
				_, err := c.day(limited(), fmt.Sprintf("2025-04-0%d", i+1))
				errs <- err
			}()
		}
		answered := 0
		for range cap(errs) {
			err := <-errs
			if err == nil {
				answered++
				continue
			}
			require.ErrorIs(t, err, schemas.ErrOccupied)
		}
		require.Equal(t, 1, answered)
		began := time.Now()
		_, err := c.day(limited(), "2025-04-01")
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(began), 3*time.Second)
	})
}
