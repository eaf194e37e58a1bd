package obs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// guard: metrics: an alert names the path
func TestMetricsNameThePathsOfFindings(t *testing.T) {
	m := NewMetrics("test")
	m.Quality().Show(&schemas.QualityReport{Day: "2025-04-01", Games: 1, Findings: []schemas.QualityFinding{
		{Check: "lost_paths", Venue: "all", Item: "a.b", Unit: "share", Value: 0.25, Baseline: schemas.Some(1.0), Abnormal: true},
		{Check: "new_paths", Venue: "Park", Item: "a.\xffc", Unit: "share", Value: 0.5, Baseline: schemas.Some(0.0), Abnormal: true},
		{Check: "path_scale", Venue: "all", Item: "a.d", Unit: "rms", Value: 3, Baseline: schemas.Some(2.0), Abnormal: true},
	}})
	families, err := m.Registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		for _, metric := range f.GetMetric() {
			for _, l := range metric.GetLabel() {
				if l.GetName() == "path" {
					values[f.GetName()+" "+l.GetValue()] = metric.GetGauge().GetValue()
				}
			}
		}
	}
	require.Equal(t, map[string]float64{
		"pitchstream_quality_path_ratio a.b": 0.25, "pitchstream_quality_path_baseline_ratio a.b": 1,
		"pitchstream_quality_path_ratio a.�c": 0.5, "pitchstream_quality_path_baseline_ratio a.�c": 0,
		"pitchstream_quality_path_scale_factor a.d": 1.5,
	}, values)
}

// The registry refuses all metrics if two have the same labels.
// guard: metrics: two findings with the same labels hide no other metric
func TestTwoFindingsWithTheSameLabelsHideNoMetric(t *testing.T) {
	m := NewMetrics("test")
	f := schemas.QualityFinding{Check: "path_kinds", Venue: "all", Item: "a", Unit: "share", Value: 0.5,
		Baseline: schemas.Some(0.0), Abnormal: true}
	other := f
	other.Value = 0.25
	m.Quality().Show(&schemas.QualityReport{Day: "2025-04-01", Games: 1, Findings: []schemas.QualityFinding{f, other}})
	_, err := m.Registry.Gather()
	require.NoError(t, err)
}
