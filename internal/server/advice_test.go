package server

import (
	"context"
	"errors"
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
		a := &adviser{pitches: pitches}
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
