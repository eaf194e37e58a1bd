package api

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// QualityStore is a Store that can judge the data. With another Store /v1/quality answers 404.
type QualityStore interface {
	// Quality judges a day (YYYY-MM-DD), "" for the newest. A day without pitches has no games.
	Quality(ctx context.Context, day string) (schemas.QualityReport, error)
}

type qualityIn struct {
	Day string `query:"day" format:"date" example:"2025-04-07" doc:"The game day; without it the newest"`
}

// Quality is the data of one day, compared with the days before it.
type Quality struct {
	schemas.QualityReport
	Condition
}

func getQuality(ctx context.Context, a *API, in *qualityIn) (body Quality, err error) {
	store, ok := a.cfg.Store.(QualityStore)
	if !ok {
		return body, huma.Error404NotFound("nobody judges the data here")
	}
	if _, err := time.Parse(time.DateOnly, in.Day); in.Day != "" && err != nil {
		return body, huma.Error422UnprocessableEntity("day: want a date as 2025-04-07")
	}
	read := func(ctx context.Context, _ Store) (schemas.QualityReport, error) {
		return store.Quality(ctx, in.Day)
	}
	body.QualityReport, body.Condition, err = readStore(ctx, a, "quality/"+in.Day, "", read)
	if err == nil && body.Games == 0 {
		err = huma.Error404NotFound("no pitch of this day is stored, or its figures are not computed yet")
	}
	return body, err
}
