package server

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/internal/recommend"
	"github.com/pitchstream/pitchstream/schemas"
)

const (
	// leagueLifetime is how long what was learned of all players is used.
	leagueLifetime = 10 * time.Minute
	// leaguePitches and playerPitches bound what is read: the newest rows of all players, and of one.
	leaguePitches = 100_000
	playerPitches = 20_000
)

// adviceReader reads what recommendations are made of.
type adviceReader interface {
	AdvicePitches(ctx context.Context, key schemas.PlayerKey, limit int) ([]schemas.AdvicePitch, error)
	LeagueAdvicePitches(ctx context.Context, limit int) ([]schemas.AdvicePitch, error)
}

// adviser recommends pitches. It keeps what it learned of all players, because that takes a second.
type adviser struct {
	pitches adviceReader

	learning chan struct{} // holds a token while a league is read, so that one request at a time does it
	kept     atomic.Pointer[knownLeague]
}

func newAdviser(pitches adviceReader) *adviser {
	return &adviser{pitches: pitches, learning: make(chan struct{}, 1)}
}

type knownLeague struct {
	league *recommend.League
	readAt time.Time
}

// Recommend ranks the types of a pitcher against a batter.
func (a *adviser) Recommend(ctx context.Context, q schemas.AdviceQuery) (advice schemas.Advice, err error) {
	batter, err := a.pitches.AdvicePitches(ctx, schemas.PlayerKey{PlayerID: q.BatterID}, playerPitches)
	if err != nil {
		return advice, err
	}
	key := schemas.PlayerKey{Side: schemas.Pitcher, PlayerID: q.PitcherID}
	pitcher, err := a.pitches.AdvicePitches(ctx, key, playerPitches)
	if err != nil {
		return advice, err
	}
	known, err := a.league(ctx)
	// Postgres has answered twice; it is only slow.
	// guard: server: a recommendation that waited says nothing about Postgres
	if err != nil && ctx.Err() != nil {
		err = schemas.ErrOccupied
	}
	if err != nil {
		return advice, err
	}
	advice = known.league.Rank(batter, pitcher, q)
	advice.LeagueReadAt = schemas.TimeMSOf(known.readAt)
	return advice, nil
}

// league returns what is known of all players. While it is read anew, or cannot be, the old one serves.
func (a *adviser) league(ctx context.Context) (*knownLeague, error) {
	old := a.kept.Load()
	isFresh := func(l *knownLeague) bool { return l != nil && time.Since(l.readAt) < leagueLifetime }
	if isFresh(old) {
		return old, nil
	}
	select {
	case a.learning <- struct{}{}:
	default:
		if old != nil {
			return old, nil
		}
		select {
		case a.learning <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	defer func() { <-a.learning }()
	if now := a.kept.Load(); isFresh(now) {
		return now, nil
	}
	at := time.Now()
	pitches, err := a.pitches.LeagueAdvicePitches(ctx, leaguePitches)
	if err != nil {
		// guard: server: a league that cannot be read anew serves on | old != nil -> false
		if old != nil {
			return old, nil
		}
		return nil, err
	}
	l := &knownLeague{recommend.NewLeague(pitches), at}
	a.kept.Store(l)
	return l, nil
}
