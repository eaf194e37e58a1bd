package target

import (
	"fmt"
	"html"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
)

// WriteHTML writes a comparison as one page that needs nothing else.
func WriteHTML(out io.Writer, d schemas.TargetDiff, at time.Time) error {
	p := &page{a: d.A, b: d.B}
	p.add(`<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">`+
		`<title>%s → %s</title><style>%s</style></head><body><h1>What changed from %s to %s</h1><p class="muted">%s</p>`,
		p.a, p.b, pageStyle, p.a, p.b, at.UTC().Format("2 January 2006, 15:04 UTC"))
	p.summary(d)
	if r := d.Report; r != nil {
		p.columns(r.Columns)
		p.transitions(r.Transitions)
		p.pitches(r.Pitches)
		p.places("Games", r.Games)
		p.places("Venues", r.Venues)
	}
	p.add("</body></html>\n")
	_, err := io.WriteString(out, p.String())
	return err
}

// WriteHTMLFile writes the page to a file.
func WriteHTMLFile(path string, d schemas.TargetDiff, at time.Time) error {
	var b strings.Builder
	if err := WriteHTML(&b, d, at); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(b.String()), 0o644)
}

// page is a page that is written. add escapes each text.
type page struct {
	text strings.Builder
	a, b string // names of the targets
}

func (p *page) String() string { return p.text.String() }

// markup is a text that is HTML already.
type markup string

func (p *page) add(format string, args ...any) {
	for i, arg := range args {
		if s, ok := arg.(string); ok && s != pageStyle {
			args[i] = html.EscapeString(s)
		}
	}
	fmt.Fprintf(&p.text, format, args...)
}

func (p *page) summary(d schemas.TargetDiff) {
	p.add(`<div class="tiles">`)
	tile := func(label string, n, of int64) {
		share := ""
		if of > 0 {
			share = fmt.Sprintf("%.3g %% of %s", 100*float64(n)/float64(of), terminal.Count(of))
		}
		p.add(`<div class="tile"><b>%s</b><span>%s</span><small>%s</small></div>`, terminal.Count(n), label, share)
	}
	r := d.Rows
	tile("pitches differ", r.Differ, r.InA-r.OnlyA)
	tile("pitches only in "+p.a, r.OnlyA, r.InA)
	tile("pitches only in "+p.b, r.OnlyB, r.InB)
	tile("batters differ", d.Batters.Differ, d.Batters.InA)
	tile("batters only in "+p.a, d.Batters.OnlyA, d.Batters.InA)
	if r.Moving > 0 {
		tile("left out: not read by both yet", r.Moving, 0)
	}
	p.add(`</div>`)
}

// shownShift is the least shift of a column that is shown before the others.
const shownShift = 0.02

func (p *page) columns(all []schemas.ColumnReport) {
	p.add(`<h2>Measures</h2><p class="legend"><i class="was"></i> %s <i class="is"></i> %s. Those that moved most come `+
		`first. The size of a move is in standard deviations.</p>`, p.a, p.b)
	same := 0
	p.add(`<div class="cards">`)
	for _, c := range all {
		if c.Up+c.Down+c.Lost+c.Gained == 0 && math.Abs(c.Shift) < shownShift {
			same++
			continue
		}
		p.column(c)
	}
	p.add(`</div>`)
	if same > 0 {
		p.add(`<p class="muted">%s the same in both.</p>`, terminal.Counted(int64(same), "measure is", "measures are"))
	}
}

func (p *page) column(c schemas.ColumnReport) {
	p.add(`<section class="card"><h3>%s <small>%s</small></h3><p>%s</p>`, c.Name, c.Unit, inWords(c))
	p.histogram(c)
	p.add(`<table><tr><th></th><th>%s</th><th>%s</th><th>change</th></tr>`, p.a, p.b)
	missing := func(c schemas.ColumnProfile) string { return fmt.Sprintf("%.3g %%", 100*c.MissingShare()) }
	p.add(`<tr><th>missing</th><td>%s</td><td>%s</td><td>%s</td></tr>`, missing(c.A), missing(c.B),
		signed(100*(c.B.MissingShare()-c.A.MissingShare()))+" points")
	for _, line := range []struct {
		name string
		a, b schemas.Opt[float64]
	}{
		{"mean", c.A.Mean, c.B.Mean}, {"5 %", c.A.P05, c.B.P05}, {"25 %", c.A.P25, c.B.P25},
		{"median", c.A.P50, c.B.P50}, {"75 %", c.A.P75, c.B.P75}, {"95 %", c.A.P95, c.B.P95},
	} {
		change := ""
		if line.a.Present && line.b.Present {
			change = signed(line.b.Value - line.a.Value)
		}
		p.add(`<tr><th>%s</th><td>%s</td><td>%s</td><td>%s</td></tr>`, line.name, number(line.a), number(line.b), change)
	}
	p.add(`</table></section>`)
}

// inWords says in which direction a measure moved.
func inWords(c schemas.ColumnReport) string {
	var parts []string
	if c.Shift != 0 {
		if c.A.Mean.Present && c.B.Mean.Present && c.A.Mean != c.B.Mean {
			move := c.B.Mean.Value - c.A.Mean.Value
			word := "higher"
			if move < 0 {
				word = "lower"
			}
			text := "mean " + word + " by " + strings.TrimLeft(signed(move), "+−")
			if c.A.SD.Value > 0 {
				text += fmt.Sprintf(" (%.2g standard deviations)", math.Abs(move)/c.A.SD.Value)
			}
			parts = append(parts, text)
		}
	}
	for _, n := range []struct {
		n    int64
		what string
	}{{c.Up, "up"}, {c.Down, "down"}, {c.Lost, "lost"}, {c.Gained, "gained"}} {
		if n.n > 0 {
			parts = append(parts, terminal.Count(n.n)+" "+n.what)
		}
	}
	return strings.Join(parts, ", ")
}

const (
	plotWidth  = 360
	plotHeight = 90
)

// histogram draws both distributions as shares of the rows with a value.
func (p *page) histogram(c schemas.ColumnReport) {
	if len(c.A.Bars) == 0 {
		return
	}
	share := func(bars []int64) (shares []float64, most float64) {
		total := int64(0)
		for _, n := range bars {
			total += n
		}
		for _, n := range bars {
			shares = append(shares, float64(n)/float64(max(total, 1)))
			most = max(most, shares[len(shares)-1])
		}
		return shares, most
	}
	was, mostWas := share(c.A.Bars)
	is, mostIs := share(c.B.Bars)
	scale := plotHeight / max(mostWas, mostIs, 1e-9)
	width := float64(plotWidth) / float64(len(was))
	p.add(`<svg viewBox="0 0 %d %d" role="img" aria-label="distributions of %s">`, plotWidth, plotHeight+16, c.Name)
	for i, s := range was {
		p.add(`<rect class="was" x="%.1f" y="%.1f" width="%.1f" height="%.1f"/>`,
			float64(i)*width+0.5, plotHeight-s*scale, width-1, s*scale)
	}
	var line strings.Builder
	for i, s := range is {
		fmt.Fprintf(&line, "%s%.1f %.1fH%.1f", [...]string{"L", "M"}[1-min(i, 1)], float64(i)*width,
			plotHeight-s*scale, float64(i+1)*width)
	}
	p.add(`<path class="is" d="%s"/>`, line.String())
	edges := c.Edges
	p.add(`<text x="0" y="%d">%s</text><text x="%d" y="%d" text-anchor="end">%s %s</text></svg>`, plotHeight+13,
		short(edges[0]), plotWidth, plotHeight+13, short(edges[len(edges)-1]), c.Unit)
}

func (p *page) transitions(all []schemas.Transition) {
	if len(all) == 0 {
		return
	}
	p.add(`<h2>Texts that changed</h2><table class="wide"><tr><th>column</th><th>%s</th><th></th><th>%s</th>`+
		`<th>pitches</th><th></th></tr>`, p.a, p.b)
	for _, t := range all[:min(len(all), 40)] {
		share := float64(t.Pitches) / float64(all[0].Pitches)
		p.add(`<tr><td>%s</td><td>%s</td><td>→</td><td>%s</td><td class="n">%s</td>`+
			`<td class="bar"><i style="width:%.1f%%"></i></td></tr>`,
			t.Column, p.word(t.A), p.word(t.B), terminal.Count(t.Pitches), 100*share)
	}
	p.add(`</table>`)
	if more := len(all) - 40; more > 0 {
		p.add(`<p class="muted">and %d more kinds, in --json</p>`, more)
	}
}

func (p *page) word(text string) markup {
	if text == "" {
		return `<em>missing</em>`
	}
	return markup(html.EscapeString(text))
}

func (p *page) pitches(all []schemas.PitchChange) {
	if len(all) == 0 {
		return
	}
	p.add(`<h2>Pitches that changed most</h2><table class="wide"><tr><th>pitch</th><th>game</th><th>values</th></tr>`)
	for _, c := range all {
		p.add(`<tr><td><code>%s</code></td><td>%s<br><small>%s %s</small></td><td>`, c.PitchID, c.GamePK, c.Date, c.Venue)
		for _, v := range c.Values {
			p.add(`<span class="value">%s: %s → %s</span> `, v.Column, p.word(rounded(v.A)), p.word(rounded(v.B)))
		}
		p.add(`</td></tr>`)
	}
	p.add(`</table><p class="muted">pitchstream explain PITCH shows everything that is known of one.</p>`)
}

func (p *page) places(title string, all []schemas.PlaceReport) {
	if len(all) == 0 {
		return
	}
	p.add(`<h2>%s</h2><table class="wide"><tr><th></th><th>changed</th><th></th><th>only in %s</th><th>only in %s</th>`+
		`<th>moved most</th></tr>`, title, p.a, p.b)
	for _, g := range all {
		share := float64(g.Changed) / float64(max(g.Both, 1))
		name, moved := g.Name, ""
		if name == "" {
			name = "none"
		}
		if g.Column != "" {
			moved = g.Column + " " + signed(g.MeanChange)
		}
		p.add(`<tr><td>%s <small>%s %s</small></td><td class="n">%s of %s</td><td class="bar"><i style="width:%.1f%%"></i></td>`+
			`<td class="n">%d</td><td class="n">%d</td><td>%s</td></tr>`, name, g.Date, g.Venue, terminal.Count(g.Changed),
			terminal.Count(g.Both), 100*share, g.OnlyA, g.OnlyB, moved)
	}
	p.add(`</table>`)
}

func number(v schemas.Opt[float64]) string {
	if !v.Present {
		return "none"
	}
	return short(v.Value)
}

// short formats a number with three digits after its leading ones at the most.
func short(v float64) string {
	switch size := math.Abs(v); {
	case size >= 1000:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 0.01 || v == 0:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'g', 2, 64)
}

func signed(v float64) string {
	switch {
	case math.Abs(v) < 1e-9:
		return "0"
	case v < 0:
		return "−" + short(-v)
	}
	return "+" + short(v)
}

// rounded shortens the text of a number.
func rounded(text string) string {
	if v, err := strconv.ParseFloat(text, 64); err == nil && strings.Contains(text, ".") {
		return short(v)
	}
	return text
}

const pageStyle = `:root{color-scheme:light dark;--bg:#fff;--fg:#1c1f24;--muted:#667;--line:#dde1e7;--card:#f6f7f9;--was:#b3bac4;--is:#1f6feb}
@media(prefers-color-scheme:dark){:root{--bg:#14171c;--fg:#e6e9ee;--muted:#98a2b3;--line:#2c323b;--card:#1c2128;--was:#5b6472;--is:#6cb0ff}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1240px;padding:24px;background:var(--bg);color:var(--fg);font:15px/1.45 system-ui,sans-serif}
h1{font-size:24px;margin:0}h2{font-size:19px;margin:36px 0 8px}h3{font-size:15px;margin:0}small,.muted,.legend{color:var(--muted)}small{font-weight:400}
.tiles{display:flex;flex-wrap:wrap;gap:12px;margin-top:16px}.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px 16px;min-width:150px}
.tile b{display:block;font-size:22px;font-variant-numeric:tabular-nums}.tile span,.tile small{display:block}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(340px,1fr));gap:16px}.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:14px}
.card p{margin:2px 0 8px;min-height:2.9em}svg{width:100%;display:block}svg text{fill:var(--muted);font-size:11px}rect.was{fill:var(--was)}path.is{fill:none;stroke:var(--is);stroke-width:2}
.legend i{display:inline-block;width:14px;height:10px;margin-left:8px}.legend i.was{background:var(--was)}.legend i.is{border-top:3px solid var(--is);height:0;vertical-align:middle}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}th,td{padding:3px 8px;text-align:right;border-top:1px solid var(--line);font-weight:400}
tr:first-child th{border-top:0;color:var(--muted)}th:first-child{text-align:left;color:var(--muted)}
.wide th,.wide td{text-align:left;vertical-align:top}.wide .n{text-align:right;white-space:nowrap}.bar{width:140px}.bar i{display:block;height:10px;margin-top:6px;background:var(--is);border-radius:2px}
.value{display:inline-block;margin-right:12px}em{color:var(--muted)}code{font-size:12px}
@media(max-width:700px){body{padding:14px}.bar{width:50px}code{word-break:break-all}}`
