package main

import (
	"context"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/internal/quality"
	"github.com/pitchstream/pitchstream/schemas"
)

// judged remembers reports for a moment: each is made of thirty days of facts, and processors renew those twice a minute.
type judged struct {
	of interface {
		QualityFacts(ctx context.Context, last string, days int) ([]schemas.QualityFacts, error)
	}

	mu      sync.Mutex // held while a report is made: one at a time
	reports map[string]judgedDay
}

type judgedDay struct {
	at     time.Time
	report schemas.QualityReport
}

const judgedFor, judgedMost = 10 * time.Second, 100

func (j *judged) day(ctx context.Context, day string) (schemas.QualityReport, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r, ok := j.reports[day]; ok && time.Since(r.at) < judgedFor {
		return r.report, nil
	}
	if err := ctx.Err(); err != nil { // gave up while others were served
		return schemas.QualityReport{}, err
	}
	facts, err := j.of.QualityFacts(ctx, day, quality.History)
	if err != nil {
		return schemas.QualityReport{}, err
	}
	report := quality.Judge(facts, day)
	if j.reports == nil || len(j.reports) >= judgedMost {
		j.reports = map[string]judgedDay{}
	}
	j.reports[day] = judgedDay{time.Now(), report}
	return report, nil
}
