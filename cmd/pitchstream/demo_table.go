package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// demoTable draws batters as lines of text that fit a width.
type demoTable struct {
	width int
}

// line is one line of the screen, and how it looks there.
type demoLine struct {
	text string
	look demoLook
}

type demoLook int

const (
	demoPlain demoLook = iota
	demoFaint
	demoBold
)

// demoNewsFor is how long a batter is marked after his last change.
const demoNewsFor = 1500 * time.Millisecond

// The columns fit 80 characters.
const (
	demoHeads = "  BATTER                 PITCHES SWINGS  WHIFF MAX EV AVG BAT ATTACK LAST PITCH"
	demoUnits = "                                             %    mph     mph    deg        mph"
	demoRow   = "%s %9d %-12s %7d %6d %6s %6s %7s %6s %s"
)

// lines are heads and at most limit batters, in the order of ids, so that rows stay where they are. Where there are more,
// those whose pitches are the oldest are left out.
func (t demoTable) lines(batters []schemas.BatterState, now time.Time, limit int) []demoLine {
	lines := []demoLine{{t.cut(demoHeads), demoFaint}, {t.cut(demoUnits), demoFaint}}
	shown := demoNewest(batters, limit)
	for _, b := range shown {
		lines = append(lines, t.row(b, now))
	}
	if left := len(batters) - len(shown); left > 0 {
		lines = append(lines, demoLine{t.cut(fmt.Sprintf("  and %d more, whose last pitch is longer ago", left)), demoFaint})
	}
	return lines
}

// newest are at most limit batters, those who saw a pitch last, in the order of ids.
func demoNewest(batters []schemas.BatterState, limit int) []schemas.BatterState {
	shown := slices.Clone(batters)
	slices.SortStableFunc(shown, func(a, b schemas.BatterState) int { return cmp.Compare(demoLastSeen(b), demoLastSeen(a)) })
	shown = shown[:min(max(limit, 0), len(shown))]
	slices.SortFunc(shown, func(a, b schemas.BatterState) int { return cmp.Compare(a.BatterID, b.BatterID) })
	return shown
}

func demoLastSeen(b schemas.BatterState) schemas.TimeMS {
	if b.Stats.LastPitch == nil {
		return 0
	}
	return b.Stats.LastPitch.EventTime
}

func (t demoTable) row(b schemas.BatterState, now time.Time) demoLine {
	mark, look := " ", demoPlain
	if now.Sub(time.UnixMilli(int64(b.UpdatedAt))) < demoNewsFor {
		mark, look = "▸", demoBold
	}
	s := b.Stats
	return demoLine{t.cut(fmt.Sprintf(demoRow, mark, b.BatterID, demoName(b.BatterID),
		s.Pitches, s.SwingCount, demoFigure(s.WhiffRatePct), demoFigure(s.MaxExitVelocityMPH), demoFigure(s.AvgBatSpeedMPH),
		demoFigure(s.AvgAttackAngleDeg), demoLastPitch(s.LastPitch))), look}
}

// figure is a number that may be missing.
func demoFigure(f schemas.Opt[float64]) string {
	if !f.Present {
		return "-"
	}
	return fmt.Sprintf("%.1f", f.Value)
}

// demoLastPitch is short, since it stands at the edge: foul 87, ball, in play 103.
func demoLastPitch(p *schemas.LastPitch) string {
	if p == nil {
		return ""
	}
	text := demoResults[string(p.PitchResult)]
	if text == "" {
		text = "?"
	}
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

var demoResults = map[string]string{
	schemas.ResultStrike: "strike", schemas.ResultBall: "ball", schemas.ResultHitIntoPlay: "in play", schemas.ResultPickoff: "pickoff",
}

// cut leaves out what does not fit.
func (t demoTable) cut(text string) string {
	runes := []rune(text)
	if len(runes) <= t.width {
		return text
	}
	return strings.TrimRight(string(runes[:max(t.width-1, 0)]), " ") + "…"
}
