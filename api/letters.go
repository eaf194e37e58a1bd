package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// Letters reads the topic of dead letters, and changes nothing there. // tidy: the type's own name
type Letters interface {
	// DeadLetterReport groups the dead letters. It may be some seconds old; ReadAt says when the topic was read.
	DeadLetterReport(ctx context.Context) (schemas.DeadLetterReport, error)
	// Letter returns the dead letter at this place, nil if there is none. // tidy: the method's own name
	Letter(ctx context.Context, partition int32, offset int64) (*schemas.DeadLetterView, error)
}

type letterIn struct {
	Partition int32 `path:"partition" minimum:"0" doc:"Partition of the dead-letter topic"`
	Offset    int64 `path:"offset" minimum:"0" doc:"Offset in the partition"`
}

func registerLetters(a *API, api huma.API) {
	register(a, api, "get-letters", "/v1/letters",
		"Dead letters, grouped by what is wrong with them", getLetters)
	register(a, api, "get-letter", "/v1/letters/{partition}/{offset}",
		"One dead letter, with the place of its fault", getLetter)
}

const noLetters = "dead letters cannot be read here: this server knows no Kafka"

func getLetters(ctx context.Context, a *API, _ *struct{}) (*out[schemas.DeadLetterReport], error) {
	if a.cfg.Letters == nil {
		return nil, notFound(noLetters)
	}
	report, err := a.cfg.Letters.DeadLetterReport(ctx)
	if err != nil {
		return nil, problemOf(err)
	}
	report.Groups = notNil(report.Groups)
	return &out[schemas.DeadLetterReport]{report}, nil
}

func getLetter(ctx context.Context, a *API, in *letterIn) (*out[schemas.DeadLetterView], error) {
	if a.cfg.Letters == nil {
		return nil, notFound(noLetters)
	}
	letter, err := a.cfg.Letters.Letter(ctx, in.Partition, in.Offset)
	if err != nil {
		return nil, problemOf(err)
	}
	if letter == nil {
		return nil, notFound("there is no letter at this place")
	}
	letter.Headers = notNil(letter.Headers)
	return &out[schemas.DeadLetterView]{*letter}, nil
}
