package obs

import (
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pitchstream/pitchstream/schemas"
)

// Quality shows the newest report about the quality of the data as metrics. Only the process that computes
// the report shows its figures, so that each is there once. docs/METRICS.md has the names and labels.
type Quality struct {
	mu       sync.Mutex // guards what follows
	report   *schemas.QualityReport
	up       float64
	errors   float64
	computed float64
}

// Show shows a report that was just computed.
func (q *Quality) Show(r *schemas.QualityReport) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.report, q.up, q.computed = r, 1, float64(time.Now().UnixMilli())/1000
}

// Rest hides the figures, because another process computes them now.
func (q *Quality) Rest() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.report, q.up = nil, 0
}

// Failed counts a computation that failed; the figures shown stay.
func (q *Quality) Failed() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.errors++
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("pitchstream_quality_"+name, help, labels, nil)
}

var (
	qUp       = desc("up", "1 while this process computes the quality of the data.")
	qErrors   = desc("errors_total", "Computings of the quality that failed.")
	qComputed = desc("computed_timestamp_seconds", "Unix time of the last computing that succeeded, 0 before.")
	qDay      = desc("day_timestamp_seconds", "Unix time of the current game day, midnight UTC.")
	qGames    = desc("games", "Games of the current day.")
	qPitches  = desc("pitches", "Pitches of the current day.", "venue")
	qBeyond   = desc("beyond_limit",
		"1 where a figure is beyond its limit, and chance does not explain it.", "check", "venue")
	qAffected = desc("games_affected",
		"Games of the current day that are above the baseline of a check, or have its fault.", "check")
	qRatio     = desc("ratio", "Share of the current day that has the fault of a check.", "check", "venue")
	qBaseRatio = desc("baseline_ratio", "The same share over the baseline days.", "check", "venue")
	qOf        = desc("ratio_observations", "What the share is of, on the current day.", "check", "venue")
	qIssues    = desc("issues", "Rows of the current day with an issue.", "issue")
	qIssue     = desc("issue_ratio", "Share of the current day's rows with an issue.", "issue")
	qBaseIssue = desc("issue_baseline_ratio", "The same share over the baseline days.", "issue")
	qMean      = desc("column_mean",
		"Mean of a column on the current day, in the column's unit.", "column", "venue")
	qBaseMean = desc("column_baseline_mean",
		"The same mean over the baseline days, of a venue over its own.", "column", "venue")
	qShift   = desc("column_shift_sigmas", "Standard errors between the two means.", "column", "venue")
	qMissing = desc("column_missing_ratio",
		"Share of the current day's rows without a column that lost its values.", "column", "venue")
	qBaseMissing = desc("column_missing_baseline_ratio", "The same share over the baseline days.",
		"column", "venue")
	qNewWord = desc("column_new_value_ratio",
		"Share of the current day's rows with a value that no baseline day has.", "column", "value")
	qPath = desc("path_ratio",
		"Share of the current day's records with a path that is lost, new, or of another kind.",
		"check", "path", "venue")
	qBasePath = desc("path_baseline_ratio", "The same share over the baseline days.", "check", "path", "venue")
	qScale    = desc("path_scale_factor", "How many times as large as before the numbers of a path are.",
		"path", "venue")
	qStray = desc("stray_date_pitches",
		"Pitches dated far from their game, or after the newest day of the stream.")
	qDelay = desc("delay_seconds",
		"How late records, or rows, of the current day came; 0.95: in the slowest game.", "stage", "quantile")
	qDrift = desc("drift_mph",
		"Estimated bias of a venue's bat speeds, against each batter's own baseline.", "venue")
	qScore  = desc("drift_score", "The sequential statistic of that bias.", "venue")
	qSwings = desc("drift_swings", "Swings that the estimate is about.", "venue")
)

// Describe sends one description only, because the metrics depend on the report.
func (q *Quality) Describe(ch chan<- *prometheus.Desc) { ch <- qUp }

// Collect sends all figures of one report.
func (q *Quality) Collect(ch chan<- prometheus.Metric) {
	q.mu.Lock()
	report, up, failed, computed := q.report, q.up, q.errors, q.computed
	q.mu.Unlock()
	ch <- prometheus.MustNewConstMetric(qUp, prometheus.GaugeValue, up)
	ch <- prometheus.MustNewConstMetric(qErrors, prometheus.CounterValue, failed)
	ch <- prometheus.MustNewConstMetric(qComputed, prometheus.GaugeValue, computed)
	if report == nil || report.Games == 0 {
		return
	}
	g := gauges{ch, map[sent]bool{}}
	if day, err := time.Parse(time.DateOnly, report.Day); err == nil {
		g.set(qDay, float64(day.Unix()))
	}
	g.set(qGames, float64(report.Games))
	g.set(qPitches, float64(report.Pitches), "all")
	for _, v := range report.Venues {
		if v.Venue != "all" {
			g.set(qPitches, float64(v.Pitches), v.Venue)
		}
	}
	g.judgements(report.Findings)
	for _, f := range report.Findings {
		g.finding(&f)
	}
}

// gauges sends each metric once with the same labels, because two make the registry refuse all metrics.
type gauges struct {
	ch   chan<- prometheus.Metric
	sent map[sent]bool
}

// sent is a metric and its labels.
type sent struct {
	desc   *prometheus.Desc
	labels string
}

func (g gauges) set(d *prometheus.Desc, v float64, labels ...string) {
	for i := range labels {
		labels[i] = strings.ToValidUTF8(labels[i], "�")
	}
	key := sent{d, strings.Join(labels, "\xff")}
	// guard: metrics: two findings with the same labels hide no other metric | g.sent[key] -> false
	if g.sent[key] {
		return
	}
	g.sent[key] = true
	g.ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (g gauges) opt(d *prometheus.Desc, v schemas.Opt[float64], labels ...string) {
	if v.Present {
		g.set(d, v.Value, labels...)
	}
}

// judgements sums up the findings of each check and venue.
func (g gauges) judgements(findings []schemas.QualityFinding) {
	type place struct{ check, venue string }
	beyond, affected := map[place]float64{}, map[string]float64{}
	for _, f := range findings {
		at := place{f.Check, f.Venue}
		if beyond[at] += 0; f.Abnormal {
			beyond[at] = 1
		}
		affected[f.Check] = max(affected[f.Check], float64(f.Games))
	}
	for at, v := range beyond {
		g.set(qBeyond, v, at.check, at.venue)
	}
	for check, v := range affected {
		g.set(qAffected, v, check)
	}
}

func (g gauges) finding(f *schemas.QualityFinding) {
	switch {
	case f.Check == "issues":
		g.set(qIssues, float64(int64(f.Value*float64(f.Of)+0.5)), f.Item)
		g.set(qIssue, f.Value, f.Item)
		g.opt(qBaseIssue, f.Baseline, f.Item)
	case f.Check == "column_shift":
		g.set(qMean, f.Value, f.Item, f.Venue)
		g.opt(qBaseMean, f.Baseline, f.Item, f.Venue)
		// guard: metrics: each venue has a column's shift | f.Item, f.Venue -> f.Item, "all"
		g.opt(qShift, f.Score, f.Item, f.Venue)
	case f.Check == "delay":
		stage, is50 := strings.CutSuffix(f.Item, "_median")
		quantile := "0.95"
		if is50 {
			quantile = "0.5"
		}
		g.set(qDelay, f.Value, stage, quantile)
	case f.Check == "drift":
		g.set(qDrift, f.Value, f.Venue)
		g.opt(qScore, f.Score, f.Venue)
		g.set(qSwings, float64(f.Of), f.Venue)
	case f.Check == "missing_values":
		g.set(qMissing, f.Value, f.Item, f.Venue)
		g.opt(qBaseMissing, f.Baseline, f.Item, f.Venue)
	case f.Check == "new_values":
		column, word, _ := strings.Cut(f.Item, "=")
		g.set(qNewWord, f.Value, column, word)
	case f.Check == "lost_paths" || f.Check == "new_paths" || f.Check == "path_kinds":
		// guard: metrics: an alert names the path | f.Item, f.Venue -> "", f.Venue
		g.set(qPath, f.Value, f.Check, f.Item, f.Venue)
		g.opt(qBasePath, f.Baseline, f.Check, f.Item, f.Venue)
	case f.Check == "path_scale":
		g.set(qScale, f.Value/f.Baseline.Value, f.Item, f.Venue)
	case f.Check == "stray_dates":
		g.set(qStray, f.Value)
	case f.Unit == "share":
		g.set(qRatio, f.Value, f.Check, f.Venue)
		g.opt(qBaseRatio, f.Baseline, f.Check, f.Venue)
		g.set(qOf, float64(f.Of), f.Check, f.Venue)
	}
}
