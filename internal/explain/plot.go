package explain

import (
	"fmt"
	"math"
	"strings"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// Plot draws a swing as SVG, from above, from the side and as the catcher sees it. It shows the path of the
// bat's head, coloured by the speed of the sweet spot, and some positions of the bat. It adds the flight of
// the pitch, the strike zone, bat and ball at contact, and the attack angle. ok is false if the record shows
// no swing.
func Plot(title string, value []byte, e *features.Explanation) (svg string, ok bool) {
	path, ok := features.SwingPath(value)
	if !ok || e == nil || e.BatSpeed == nil || e.Flight == nil {
		return "", false
	}
	c := &canvas{path: path, e: e}
	c.frame(title)
	return c.String(), true
}

// Sizes of the picture in pixels. A foot has the same length in both views.
const (
	plotWidth, plotHeight = 1000, 620
	panelTop, panelBottom = 96, 520
	marginLeft, panelGap  = 50, 40
)

const (
	ink      = "#1f2933"
	faint    = "#9aa5b1"
	paper    = "#ffffff"
	hitColor = "#d64545"
)

// canvas is the picture while it is drawn.
type canvas struct {
	strings.Builder
	path schemas.SwingPath
	e    *features.Explanation
	low  float64 // mph, of the scale of colours
	high float64
}

// view is one projection. across and up are indexes into a point (0 x, 1 y, 2 z); min and max bound it in
// feet.
type view struct {
	name       string
	across, up int
	acrossName string
	upName     string
	left       float64 // px
	scale      float64 // px a foot
	minA, maxA float64
	minU, maxU float64
}

func (v *view) at(p schemas.Point) (x, y float64) {
	return v.left + (p[v.across]-v.minA)*v.scale, panelBottom - (p[v.up]-v.minU)*v.scale
}

// include widens the view so that it shows a point.
func (v *view) include(p schemas.Point) {
	v.minA, v.maxA = min(v.minA, p[v.across]), max(v.maxA, p[v.across])
	v.minU, v.maxU = min(v.minU, p[v.up]), max(v.maxU, p[v.up])
}

func (c *canvas) frame(title string) {
	above := &view{
		name: "from above", across: 0, up: 1, acrossName: "x: across the plate", upName: "y: toward the pitcher",
	}
	side := &view{name: "from the side", across: 1, up: 2, acrossName: "y: toward the pitcher", upName: "z: up"}
	behind := &view{
		name: "from the catcher", across: 0, up: 2, acrossName: "x: across the plate", upName: "z: up",
	}
	views := []*view{above, side, behind}
	for _, v := range views {
		v.minA, v.minU, v.maxA, v.maxU = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
		for _, p := range c.points() {
			v.include(p)
		}
		const pad = 0.4 // ft
		v.minA, v.maxA, v.minU, v.maxU = v.minA-pad, v.maxA+pad, v.minU-pad, v.maxU+pad
	}
	scale := math.Inf(1)
	feet := 0.0
	for _, v := range views {
		feet += v.maxA - v.minA
	}
	width := float64(plotWidth-2*marginLeft-2*panelGap) / feet
	for _, v := range views {
		scale = min(scale, width, (panelBottom-panelTop)/(v.maxU-v.minU))
	}
	left := float64(marginLeft)
	for _, v := range views {
		v.scale, v.left = scale, left
		left += (v.maxA-v.minA)*scale + panelGap
	}
	c.speeds()
	fmt.Fprintf(c, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="13">`+"\n", plotWidth, plotHeight, plotWidth, plotHeight)
	fmt.Fprintf(c, `<rect width="%d" height="%d" fill="%s"/>`+"\n", plotWidth, plotHeight, paper)
	c.text(marginLeft, 32, 18, ink, "start", title)
	c.text(marginLeft, 56, 13, ink, "start", c.summary())
	for _, v := range views {
		c.panel(v)
	}
	c.legend()
	c.WriteString("</svg>\n")
}

// points returns the points that must be visible: the bat, the plate, the contact.
func (c *canvas) points() []schemas.Point {
	f := c.e.Flight
	all := []schemas.Point{{-plateFT / 2, 0, 0}, {plateFT / 2, plateFT, f.ZoneTopFT}}
	if f.PlateS.Present {
		all = append(all, f.At(f.PlateS.Value))
	}
	for _, b := range c.path.Bat {
		for _, end := range []schemas.Opt[schemas.Point]{b.Head, b.Handle} {
			if end.Present {
				all = append(all, end.Value)
			}
		}
	}
	if c.path.Contact != nil {
		all = append(all, c.path.Contact.Pos)
	}
	return all
}

const plateFT = 17.0 / 12 // wide, and deep

func (c *canvas) speeds() {
	c.low, c.high = math.Inf(1), math.Inf(-1)
	for _, b := range c.path.Bat {
		if b.SpeedMPH.Present {
			c.low, c.high = min(c.low, b.SpeedMPH.Value), max(c.high, b.SpeedMPH.Value)
		}
	}
	if c.low > c.high {
		c.low, c.high = 0, 1
	}
	c.low, c.high = math.Floor(c.low/5)*5, math.Ceil(c.high/5)*5
	if c.low == c.high {
		c.high++
	}
}

func (c *canvas) summary() string {
	parts := []string{}
	if s := c.e.BatSpeed; s.SpeedMPH.Present {
		parts = append(parts, fmt.Sprintf("bat speed %.1f mph, %s (%s)", s.SpeedMPH.Value, s.Confidence, s.Why))
	} else {
		parts = append(parts, "no bat speed: "+s.Why)
	}
	if at := c.e.Contact; at != nil && at.SpeedMPH.Present {
		parts = append(parts, fmt.Sprintf("at contact %.1f ± %.1f mph", at.SpeedMPH.Value, at.ErrorMPH.Value))
	}
	if a := c.e.AttackAngle; a.AngleDeg.Present {
		parts = append(parts, fmt.Sprintf("attack angle %.1f°", a.AngleDeg.Value))
	}
	return strings.Join(parts, "  ·  ")
}

func (c *canvas) panel(v *view) {
	c.grid(v)
	c.plate(v)
	c.strikeZone(v)
	c.flight(v)
	c.ball(v)
	c.bat(v)
	if v.across == 1 {
		c.attackAngle(v)
	}
	c.contact(v)
	if p := c.path.Contact; p != nil {
		x, y := v.at(p.Pos)
		word := map[string]string{schemas.ContactHit: "contact", schemas.ContactNearest: "nearest (missed)"}[p.Kind]
		fmt.Fprintf(c, `<circle cx="%.1f" cy="%.1f" r="7" fill="none" stroke="%s" stroke-width="2.5"/>`+"\n", x, y, hitColor)
		c.text(x+11, y-9, 13, hitColor, "start", word)
	}
}

// grid draws a line per foot, and the labels of the axes.
func (c *canvas) grid(v *view) {
	right, top := v.left+(v.maxA-v.minA)*v.scale, panelBottom-(v.maxU-v.minU)*v.scale
	for ft := math.Ceil(v.minA) + 0; ft <= v.maxA; ft++ { // + 0: no minus zero
		x := v.left + (ft-v.minA)*v.scale
		c.line(x, top, x, panelBottom, "#e4e7eb", 1, "")
		c.text(x, panelBottom+16, 11, faint, "middle", fmt.Sprintf("%.0f", ft))
	}
	for ft := math.Ceil(v.minU) + 0; ft <= v.maxU; ft++ {
		y := panelBottom - (ft-v.minU)*v.scale
		c.line(v.left, y, right, y, "#e4e7eb", 1, "")
		c.text(v.left-6, y+4, 11, faint, "end", fmt.Sprintf("%.0f", ft))
	}
	c.text(v.left, top-10, 14, ink, "start", v.name)
	c.text((v.left+right)/2, panelBottom+34, 12, faint, "middle", v.acrossName+", ft")
	c.text(right, top-10, 12, faint, "end", v.upName+", ft")
}

func (c *canvas) plate(v *view) {
	corners := []schemas.Point{
		{-plateFT / 2, plateFT, 0}, {plateFT / 2, plateFT, 0}, {plateFT / 2, plateFT / 2, 0},
		{0, 0, 0}, {-plateFT / 2, plateFT / 2, 0},
	}
	var list []string
	for _, p := range corners {
		x, y := v.at(p)
		list = append(list, fmt.Sprintf("%.1f,%.1f", x, y))
	}
	fmt.Fprintf(c, `<polygon points="%s" fill="#f5f7fa" stroke="%s" stroke-width="1.5"/>`+"\n", strings.Join(list, " "), faint)
}

// strikeZone draws the zone at the front of the plate, and where the pitch crossed it.
func (c *canvas) strikeZone(v *view) {
	f := c.e.Flight
	if v.up != 2 {
		return
	}
	x1, y1 := v.at(schemas.Point{-plateFT / 2, plateFT, f.ZoneTopFT})
	x2, y2 := v.at(schemas.Point{plateFT / 2, plateFT, f.ZoneBottomFT})
	if v.across == 1 {
		c.line(x1, y1, x2, y2, ink, 2, ` class="zone"`)
		return
	}
	fmt.Fprintf(c, `<rect class="zone" x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="none" stroke="%s" `+
		`stroke-width="2"/>`+"\n", x1, y1, x2-x1, y2-y1, ink)
	if f.PlateS.Present {
		x, y := v.at(f.At(f.PlateS.Value))
		fmt.Fprintf(c, `<circle class="plate" cx="%.1f" cy="%.1f" r="%.1f" fill="%s" opacity="0.7"/>`+"\n", x, y,
			ballFT*v.scale, faint)
	}
}

const ballFT = 1.45 / 12 // radius of a ball

// flight draws the parabola through the pitch, up to the contact or the plate.
func (c *canvas) flight(v *view) {
	f := c.e.Flight
	if !f.PlateS.Present || v.across == 0 && v.up == 2 {
		return
	}
	end := f.PlateS.Value
	if at := c.e.Contact; at != nil && at.TimeS.Present {
		end = at.TimeS.Value
	}
	const steps = 60
	var list []string
	for i := range steps + 1 {
		p := f.At(f.FromS + (end-f.FromS)*float64(i)/steps)
		if in(p[v.across], v.minA, v.maxA) && in(p[v.up], v.minU, v.maxU) {
			x, y := v.at(p)
			list = append(list, fmt.Sprintf("%.1f,%.1f", x, y))
		}
	}
	fmt.Fprintf(c, `<polyline class="flight" points="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n",
		strings.Join(list, " "), faint)
}

// contact draws the bat at contact, and the ball in its size.
func (c *canvas) contact(v *view) {
	at := c.e.Contact
	if at == nil {
		return
	}
	if at.Head.Present && at.Handle.Present {
		x1, y1 := v.at(at.Handle.Value)
		x2, y2 := v.at(at.Head.Value)
		c.line(x1, y1, x2, y2, ink, 3, ` class="bat"`)
	}
	if at.Ball.Present {
		x, y := v.at(at.Ball.Value)
		fmt.Fprintf(c, `<circle class="met" cx="%.1f" cy="%.1f" r="%.1f" fill="none" stroke="%s" `+
			`stroke-width="1.5"/>`+"\n", x, y, ballFT*v.scale, ink)
	}
}

// ball draws the end of the pitch and the start of the hit, as far as they are in the view.
func (c *canvas) ball(v *view) {
	for _, track := range []struct {
		points []schemas.BallPoint
		color  string
	}{{c.path.Pitch, faint}, {c.path.Hit, hitColor}} {
		for _, b := range track.points {
			if in(b.Pos[v.across], v.minA, v.maxA) && in(b.Pos[v.up], v.minU, v.maxU) {
				x, y := v.at(b.Pos)
				fmt.Fprintf(c, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`+"\n", x, y, track.color)
			}
		}
	}
}

func in(x, low, high float64) bool { return low <= x && x <= high }

// barEvery is the number of samples from one drawn bat to the next.
const barEvery = 12

func (c *canvas) bat(v *view) {
	for i := 0; i < len(c.path.Bat); i += barEvery {
		if b := c.path.Bat[i]; b.Head.Present && b.Handle.Present {
			x1, y1 := v.at(b.Handle.Value)
			x2, y2 := v.at(b.Head.Value)
			c.line(x1, y1, x2, y2, "#cbd2d9", 1.2, "")
		}
	}
	for i := 1; i < len(c.path.Bat); i++ {
		a, b := c.path.Bat[i-1], c.path.Bat[i]
		if !a.Head.Present || !b.Head.Present {
			continue
		}
		x1, y1 := v.at(a.Head.Value)
		x2, y2 := v.at(b.Head.Value)
		color := faint
		if b.SpeedMPH.Present {
			color = heat((b.SpeedMPH.Value - c.low) / (c.high - c.low))
		}
		c.line(x1, y1, x2, y2, color, 4, ` stroke-linecap="round"`)
	}
}

// attackAngle draws the angle against the horizontal, in the direction of the swing, where the head was
// fastest over the ground. It is the angle in space, not its projection.
func (c *canvas) attackAngle(v *view) {
	a := c.e.AttackAngle
	i := c.nearest(a)
	if i < 0 {
		return
	}
	x, y := v.at(c.path.Bat[i].Head.Value)
	forward := 1.0
	if i+1 < len(c.path.Bat) && c.path.Bat[i+1].Head.Present &&
		c.path.Bat[i+1].Head.Value[v.across] < c.path.Bat[i].Head.Value[v.across] {
		forward = -1
	}
	const reach = 90 // px
	rad := a.AngleDeg.Value * math.Pi / 180
	c.line(x, y, x+forward*reach, y, ink, 1, ` stroke-dasharray="4 4"`)
	c.line(x, y, x+forward*reach*math.Cos(rad), y-reach*math.Sin(rad), ink, 2, "")
	below := 16.0
	if a.AngleDeg.Value < 0 {
		below = -6
	}
	c.text(x+forward*(reach+6), y+below, 13, ink, map[float64]string{1: "start", -1: "end"}[forward],
		fmt.Sprintf("attack angle %.1f°", a.AngleDeg.Value))
}

// nearest returns the index of the point at which the attack angle was taken; −1 if there is none.
func (c *canvas) nearest(a *features.AttackAngleView) int {
	best, gap := -1, 0.02
	if a == nil || !a.AngleDeg.Present {
		return -1
	}
	for i, b := range c.path.Bat {
		if d := math.Abs(b.TimeS - a.FromS.Value); b.Head.Present && d < gap {
			best, gap = i, d
		}
	}
	return best
}

func (c *canvas) legend() {
	const y, height, width, steps = plotHeight - 40, 12, 300, 60
	for i := range steps {
		fmt.Fprintf(c, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`+"\n",
			marginLeft+float64(i)*width/steps, y, float64(width)/steps+0.5, height, heat(float64(i)/(steps-1)))
	}
	c.text(marginLeft, y+28, 12, ink, "start", fmt.Sprintf("%.0f mph", c.low))
	c.text(marginLeft+width, y+28, 12, ink, "end", fmt.Sprintf("%.0f mph", c.high))
	for i, line := range []string{
		"speed of the sweet spot, on the path of the head (grey: not to be believed there)",
		"thin lines: the bat, black at contact · red dots: the ball after it, grey: the pitch and its fit",
	} {
		c.text(marginLeft+width+16, float64(y+11+16*i), 10, ink, "start", line)
	}
}

// heat returns the colour of a share from 0, cold, to 1, hot.
func heat(share float64) string {
	stops := [][3]float64{{59, 76, 192}, {86, 180, 219}, {126, 200, 120}, {245, 196, 66}, {204, 51, 63}}
	share = min(max(share, 0), 1) * float64(len(stops)-1)
	i := min(int(share), len(stops)-2)
	var rgb [3]int
	for k := range rgb {
		rgb[k] = int(math.Round(stops[i][k] + (stops[i+1][k]-stops[i][k])*(share-float64(i))))
	}
	return fmt.Sprintf("#%02x%02x%02x", rgb[0], rgb[1], rgb[2])
}

func (c *canvas) line(x1, y1, x2, y2 float64, color string, width float64, more string) {
	fmt.Fprintf(c, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s" stroke-width="%g"%s/>`+"\n", x1, y1, x2, y2, color, width, more)
}

var escaped = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func (c *canvas) text(x, y float64, size int, color, anchor, text string) {
	fmt.Fprintf(c, `<text x="%.1f" y="%.1f" font-size="%d" fill="%s" text-anchor="%s">%s</text>`+"\n", x, y, size, color, anchor, escaped.Replace(text))
}
