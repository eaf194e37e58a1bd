package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// Letters reads the topic of dead letters, and changes nothing there.
type Letters interface {
	// DeadLetterReport groups the dead letters. It may be some seconds old; ReadAt says when the topic was read.
	DeadLetterReport(ctx context.Context) (schemas.DeadLetterReport, error)
	// Letter returns the dead letter at this place, nil if there is none.
	Letter(ctx context.Context, partition int32, offset int64) (*schemas.DeadLetterView, error)
}

type letterIn struct {
	Partition int32 `path:"partition" minimum:"0" doc:"Partition of the dead-letter topic"`
	Offset    int64 `path:"offset" minimum:"0" doc:"Offset in the partition"`
}

// errNoLetters is the answer of a server without Kafka.
func errNoLetters() error {
	return huma.Error404NotFound("dead letters cannot be read here: this server knows no Kafka")
}

// errLettersUnavailable reports that the topic, or what was decided about its dead letters, cannot be read.
var errLettersUnavailable = errors.New("dead letters need Kafka and Postgres: one of them cannot be read now")

// ofLetters marks an error of reading dead letters.
func ofLetters(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", errLettersUnavailable, err)
}

func getLetters(ctx context.Context, a *API, _ *struct{}) (report schemas.DeadLetterReport, err error) {
	if a.cfg.Letters == nil {
		return report, errNoLetters()
	}
	back := stepAside(ctx)
	report, err = a.cfg.Letters.DeadLetterReport(ctx)
	back()
	report.Groups = notNil(report.Groups)
	return report, ofLetters(err)
}

func getLetter(ctx context.Context, a *API, in *letterIn) (*schemas.DeadLetterView, error) {
	if a.cfg.Letters == nil {
		return nil, errNoLetters()
	}
	var letter *schemas.DeadLetterView
	// guard: api: clients read dead letters in turn | turnOf(ctx).read( -> func(ctx context.Context, _ *fairQueue, f func() error) error { defer stepAside(ctx)(); return f() }(
	err := turnOf(ctx).read(ctx, &a.cfg.turns.letters, func() (err error) {
		letter, err = a.cfg.Letters.Letter(ctx, in.Partition, in.Offset)
		return ofLetters(err)
	})
	if err == nil && letter == nil {
		err = huma.Error404NotFound("there is no dead letter at this place")
	}
	if err != nil {
		return nil, err
	}
	letter.Headers = notNil(letter.Headers)
	return letter, nil
}
