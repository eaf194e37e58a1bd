package main

import (
	"maps"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	selector   = regexp.MustCompile(`\b((?:pitchstream|process|go)_[a-z0-9_]+)\b(?:\{([^}]*)\})?`)
	labelAsked = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	grouping   = regexp.MustCompile(`\b(?:by|on)\s*\(([^)]*)\)`)
	suffix     = regexp.MustCompile(`_(?:bucket|sum|count)$`)
)

// Alerts, annotations and panels select and group only by labels that the program's own registries show on
// that metric, because a missing label silently selects nothing.
// guard: alerts: a label by which is chosen is there
func TestLabelsThatAreAskedForAreThere(t *testing.T) {
	w := newOnCall(t)
	w.live(time.Minute, fault{})
	shown := w.gathered(w.watch.Metrics.Registry)
	maps.Copy(shown, w.gathered(w.served.Registry))
	labels := map[string]map[string]bool{}
	for name, f := range shown {
		labels[name] = map[string]bool{"instance": true, "job": true}
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels[name][l.GetName()] = true
			}
		}
	}
	chosen := 0
	for who, expr := range everyQuestion(t) {
		there := map[string]bool{"le": true, "instance": true, "job": true}
		for _, s := range selector.FindAllStringSubmatch(expr, -1) {
			name := s[1]
			if labels[name] == nil {
				name = suffix.ReplaceAllString(name, "")
			}
			if labels[name] == nil { // a recording, or the Kafka client's own
				there = nil
				continue
			}
			for _, l := range labelAsked.FindAllStringSubmatch(s[2], -1) {
				require.True(t, labels[name][l[1]], "%s chooses %s by %s", who, name, l[1])
				chosen++
			}
			if there != nil {
				maps.Copy(there, labels[name])
			}
		}
		for _, g := range grouping.FindAllStringSubmatch(expr, -1) {
			for l := range strings.SplitSeq(g[1], ",") {
				require.True(t, there == nil || there[strings.TrimSpace(l)], "%s groups by %s", who, l)
			}
		}
	}
	require.Greater(t, chosen, 30)
}
