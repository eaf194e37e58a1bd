package demo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// table formats batters as lines of at most width characters.
type table struct{ width int }

// line is one line of the screen with its style.
type line struct {
	text  string
	style style
}

type style int

const (
	plain style = iota
	faint
	bold
)

// newsSpan is how long a batter is marked after a change.
const newsSpan = 1500 * time.Millisecond

// The columns fit into 80 characters.
const (
	tableHeads = "  BATTER                 PITCHES SWINGS  WHIFF MAX EV AVG BAT ATTACK LAST PITCH"
	tableUnits = "                                             %    mph     mph    deg        mph"
	tableRow   = "%s %9d %-12s %7d %6d %6s %6s %7s %6s %s"
)

// lines returns the heads and at most limit batters, those who saw a pitch last. They are ordered by id, so
// that a batter keeps his line.
func (t table) lines(batters []schemas.PlayerState, now time.Time, limit int) []line {
	lines := []line{{t.cut(tableHeads), faint}, {t.cut(tableUnits), faint}}
	shown := newest(batters, limit)
	for _, b := range shown {
		lines = append(lines, t.row(b, now))
	}
	if left := len(batters) - len(shown); left > 0 {
		lines = append(lines, line{t.cut(fmt.Sprintf("  and %d more, whose last pitch is longer ago", left)),
			faint})
	}
	return lines
}

// newest returns the limit batters who saw a pitch last, ordered by id.
func newest(batters []schemas.PlayerState, limit int) []schemas.PlayerState {
	shown := slices.Clone(batters)
	slices.SortStableFunc(shown, func(a, b schemas.PlayerState) int {
		return cmp.Compare(lastSeen(b), lastSeen(a))
	})
	shown = shown[:min(max(limit, 0), len(shown))]
	slices.SortFunc(shown, func(a, b schemas.PlayerState) int { return cmp.Compare(a.PlayerID, b.PlayerID) })
	return shown
}

func lastSeen(b schemas.PlayerState) schemas.TimeMS {
	if b.Stats.LastPitch == nil {
		return 0
	}
	return b.Stats.LastPitch.EventTime
}

func (t table) row(b schemas.PlayerState, now time.Time) line {
	mark, style := " ", plain
	if now.Sub(time.UnixMilli(int64(b.UpdatedAt))) < newsSpan {
		mark, style = "▸", bold
	}
	s := b.Stats
	return line{t.cut(fmt.Sprintf(tableRow, mark, b.PlayerID, playerName(b.PlayerID),
		s.Pitches, s.SwingCount, figure(s.WhiffRatePct), figure(s.MaxExitVelocityMPH), figure(s.AvgBatSpeedMPH),
		figure(s.AvgAttackAngleDeg), lastPitch(s.LastPitch))), style}
}

// figure formats a number that may be missing.
func figure(f schemas.Opt[float64]) string {
	if !f.Present {
		return "-"
	}
	return fmt.Sprintf("%.1f", f.Value)
}

// lastPitch describes a pitch in a few words, because it is at the edge: "foul 87", "ball", "in play 103".
func lastPitch(p *schemas.LastPitch) string {
	if p == nil {
		return ""
	}
	text := cmp.Or(resultWords[string(p.PitchResult)], "?")
	switch p.PitchAction {
	case "Foul":
		text = "foul"
	case "FoulTip":
		text = "foul tip"
	case "HitByPitch":
		text = "hit batter"
	}
	if p.ExitVelocityMPH.Present {
		text += fmt.Sprintf(" %.0f", p.ExitVelocityMPH.Value)
	}
	return text
}

var resultWords = map[string]string{
	schemas.ResultStrike: "strike", schemas.ResultBall: "ball",
	schemas.ResultHitIntoPlay: "in play", schemas.ResultPickoff: "pickoff",
}

// cut shortens text to the width.
func (t table) cut(text string) string {
	runes := []rune(text)
	if len(runes) <= t.width {
		return text
	}
	return strings.TrimRight(string(runes[:max(t.width-1, 0)]), " ") + "…"
}
