package api

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// judging is a store that judges the data.
type judging struct {
	Store
	asked []string
}

func (j *judging) Quality(_ context.Context, day string) (schemas.QualityReport, error) {
	j.asked = append(j.asked, day)
	r := schemas.QualityReport{Day: "2025-04-08", BaselineDays: []string{}, Findings: []schemas.QualityFinding{}, Venues: []schemas.QualityVenue{}}
	if day != "2025-04-09" {
		r.Games, r.Pitches, r.Abnormal, r.AsOf = 2, 600, 1, schemas.Some[schemas.TimeMS](1_700_000_000_000)
		r.Findings = append(r.Findings, schemas.QualityFinding{Check: "untracked_swings", Venue: "all", Unit: "share", Value: 0.15, Baseline: schemas.Some(0.01), Of: 200, Games: 2, Abnormal: true, What: "w", Do: "d", Limit: "l"})
		r.Venues = append(r.Venues, schemas.QualityVenue{Venue: "North Park", Games: 2, Pitches: 600})
	}
	return r, nil
}

func TestQualityOfADay(t *testing.T) {
	j := &judging{}
	k := newAsker(t, newStores(), func(c *Config) { j.Store, c.Store = c.Store, j })
	body := k.get(200, "/v1/quality", "/v1/quality")
	require.Equal(t, "2025-04-08", body["day"])
	require.EqualValues(t, 1, body["abnormal"])
	require.Equal(t, "postgres", body["source"])
	finding := body["findings"].([]any)[0].(map[string]any)
	require.Equal(t, "untracked_swings", finding["check"])
	require.Nil(t, finding["score"])
	k.get(200, "/v1/quality", "/v1/quality?day=2025-04-08")
	require.Equal(t, []string{"", "2025-04-08"}, j.asked)
	require.Equal(t, 404, k.ask("/v1/quality?day=2025-04-09").Code, "nothing is computed of that day")
	require.Equal(t, 422, k.ask("/v1/quality?day=yesterday").Code)
	require.Equal(t, 404, newAsker(t, newStores(), nil).ask("/v1/quality").Code, "no report is made there")
}
