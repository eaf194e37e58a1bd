package models

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/pitchstream/pitchstream/internal/replay"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// ScoreOptions say which pitches a version scores again.
type ScoreOptions struct {
	Name    string
	Version int32 // 0: the live one
	Since   time.Time
	Until   time.Time // zero: no end
	// MaxLiveLag is for how long a live record may have waited before the scoring pauses; 0: it does not give
	// way to the live stream.
	MaxLiveLag time.Duration
	Log        *slog.Logger
	Progress   func(done int64) // nil: not called
}

// Scored is the result of Score.
type Scored struct {
	Name    string `json:"name"`
	Version int32  `json:"version"`
	Pitches int64  `json:"pitches"` // that were looked at, of all runs
	Resumed int64  `json:"resumed"` // of them, by runs before this one
}

// scoredAtOnce is the number of pitches of one transaction, whose locks a live batch may wait for.
const scoredAtOnce = 200

// Score has a live or shadow version score the pitches of a time again. Each transaction scores some, and
// notes how far it came. The same call goes on there after an interruption.
func Score(ctx context.Context, o Options, s ScoreOptions) (r Scored, err error) {
	e, err := o.open(ctx)
	if err != nil {
		return r, err
	}
	defer e.store.Close()
	m, err := e.find(ctx, s.Name, s.Version)
	if err != nil {
		return r, err
	}
	if m.State != schemas.ModelLive && m.State != schemas.ModelShadow {
		return r, fmt.Errorf("%s %d is %s: %w", m.Name, m.Version, m.State, pgsink.ErrNotScoring)
	}
	r = Scored{Name: m.Name, Version: m.Version}
	past := pgsink.NewPast(e.store)
	g := pgsink.Scoring{Model: m.Name, Version: m.Version, Since: s.Since, Until: s.Until}
	if r.Resumed, err = past.Start(ctx, g); err != nil {
		return r, err
	}
	step := func(ctx context.Context) (isDone bool, err error) {
		r.Pitches, isDone, err = past.Step(ctx, g, scoredAtOnce)
		if err == nil && s.Progress != nil {
			s.Progress(r.Pitches)
		}
		return isDone, err
	}
	if s.MaxLiveLag > 0 {
		live := pgread.Config{URL: o.Postgres.URL, Schema: o.Postgres.Schema, MaxConns: 1}
		return r, replay.GiveWay(ctx, live, s.MaxLiveLag, s.Log, step)
	}
	for isDone := false; !isDone && err == nil; {
		isDone, err = step(ctx)
	}
	return r, err
}
