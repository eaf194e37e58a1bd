package obs

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/pitchstream/pitchstream/schemas"
)

// Moved is a change of a player's mechanics.
type Moved struct {
	Player schemas.PlayerKey
	Name   string // "" where it is not known
	schemas.DriftChange
}

// MostMoved is how many changes are shown with the player and both numbers, because each is a series.
const MostMoved = 10

// Mechanics shows as metrics whose mechanics have changed. Only the process that looks for changes shows
// them, so that each is there once.
type Mechanics struct {
	mu    sync.Mutex // guards what follows
	up    bool
	moved []Moved
}

// Farthest returns the changes that are shown with both numbers: those of the most standard errors.
func Farthest(moved []Moved) []Moved {
	moved = slices.Clone(moved)
	slices.SortStableFunc(moved, func(a, b Moved) int {
		return cmp.Compare(math.Abs(b.Score), math.Abs(a.Score))
	})
	// guard: metrics: ten players are shown | moved[:min(len(moved), MostMoved)] -> moved
	return moved[:min(len(moved), MostMoved)]
}

// Show shows these changes from now on. Each is of another player, scope or measure.
func (c *Mechanics) Show(moved []Moved) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up, c.moved = true, moved
}

// Rest hides the changes, because another process looks for them now.
func (c *Mechanics) Rest() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up, c.moved = false, nil
}

var (
	movedLabels = []string{"side", "player", "name", "scope", "measure", "pitch_type"}

	movedPlayers = prometheus.NewDesc("pitchstream_mechanics_drifting_players",
		"Players of the last half hour whose mechanics have changed.", []string{"side", "scope"}, nil)
	movedBefore = prometheus.NewDesc("pitchstream_mechanics_before",
		"Mean before a change of mechanics, in the unit of the measure, of ten at most.", movedLabels, nil)
	movedAfter = prometheus.NewDesc("pitchstream_mechanics_after",
		"Mean since a change of mechanics, in the unit of the measure, of ten at most.", movedLabels, nil)
)

// Describe sends the descriptions of all metrics.
func (c *Mechanics) Describe(ch chan<- *prometheus.Desc) {
	ch <- movedPlayers
	ch <- movedBefore
	ch <- movedAfter
}

// Collect sends the number of players that drift, and both numbers of the farthest changes.
func (c *Mechanics) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	up, moved := c.up, c.moved
	c.mu.Unlock()
	if !up {
		return
	}
	for _, side := range schemas.Sides {
		for _, scope := range []string{"game", "days"} {
			players := map[int64]bool{}
			for _, m := range moved {
				if m.Player.Side == side && m.Scope == scope {
					players[m.Player.PlayerID] = true
				}
			}
			ch <- prometheus.MustNewConstMetric(movedPlayers, prometheus.GaugeValue,
				float64(len(players)), side.String(), scope)
		}
	}
	for _, m := range Farthest(moved) {
		labels := []string{
			m.Player.Side.String(), strconv.FormatInt(m.Player.PlayerID, 10), m.Name, m.Scope, m.Measure,
			string(m.PitchType),
		}
		ch <- prometheus.MustNewConstMetric(movedBefore, prometheus.GaugeValue, m.Before, labels...)
		ch <- prometheus.MustNewConstMetric(movedAfter, prometheus.GaugeValue, m.After, labels...)
	}
}
