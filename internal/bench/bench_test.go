package bench

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestRunMeasuresTheNamedStagesAndSkipsOthers(t *testing.T) {
	var out, log bytes.Buffer
	skip := func(s Stage) string {
		if s.Kafka {
			return "no Kafka"
		}
		return ""
	}
	report, err := Run(t.Context(), Options{
		Stages: []string{"decode", "transform",
			"stream"}, Skip: skip, Pitches: 20, Seed: 1, Rounds: 2, Out: &out, Log: &log,
	})
	require.NoError(t, err)
	require.Len(t, report.Stages, 3)
	for _, stage := range report.Stages[:2] {
		for _, m := range stage.Measures {
			assert.Len(t, m.Runs, 2, "%s %s", stage.Stage, m.Name)
			assert.True(t, m.Least <= m.Median && m.Median <= m.Most && m.Most > 0, "%s %+v", stage.Stage, m)
		}
	}
	assert.Equal(t, "no Kafka", report.Stages[2].Skipped)
	assert.Contains(t, out.String(), "\nstream: skipped: no Kafka\n")
	assert.Equal(t, 4, strings.Count(log.String(), "bench: "))
}

func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := Run(ctx, Options{
		Stages: []string{"decode"}, Skip: func(Stage) string { return "" }, Pitches: 20, Rounds: 1,
		Log: new(bytes.Buffer),
	})
	require.ErrorIs(t, err, context.Canceled)
}

func TestMedianIsInTheMiddle(t *testing.T) {
	r := &Result{}
	for _, v := range []float64{3, 1, 2, 10} {
		r.add("x", "ms", v)
	}
	assert.Equal(t, Measure{Name: "x", Unit: "ms", Median: 2.5, Least: 1, Most: 10,
		Runs: []float64{3, 1, 2, 10}}, *r.Measures[0])
}
