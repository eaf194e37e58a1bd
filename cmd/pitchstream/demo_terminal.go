package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"
)

// demoLive draws a table in place on a terminal, on its second page: the first one stays as it was.
type demoLive struct {
	out     *os.File
	colours bool
	about   demoAbout
	title   string
	began   time.Time
	open    bool
}

const (
	demoOpen    = "\x1b[?1049h\x1b[?25l" // the second page, without a cursor
	demoClose   = "\x1b[?25h\x1b[?1049l"
	demoHome    = "\x1b[H"
	demoEndLine = "\x1b[K\n" // clears what stood there before
	demoBelow   = "\x1b[J"   // clears the rest of the screen
)

var demoLooks = [...]string{demoPlain: "", demoFaint: "\x1b[2m", demoBold: "\x1b[1m"}

func (s *demoLive) begin(about demoAbout, took time.Duration) {
	s.about, s.began, s.open = about, time.Now(), true
	s.title = fmt.Sprintf("ready after %.1f s", took.Seconds())
	fmt.Fprintln(s.out, s.title)
	io.WriteString(s.out, demoOpen)
}

func (s *demoLive) every() time.Duration { return 250 * time.Millisecond }

func (s *demoLive) draw(v demoView) {
	width, height := s.size()
	var b strings.Builder
	b.WriteString(demoHome)
	for i, l := range s.frame(v, width, height) {
		if i > 0 {
			b.WriteString(demoEndLine)
		}
		b.WriteString(s.styled(l))
	}
	b.WriteString("\x1b[K" + demoBelow)
	io.WriteString(s.out, b.String())
}

func (s *demoLive) size() (width, height int) {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

func (s *demoLive) styled(l demoLine) string {
	if !s.colours || l.look == demoPlain {
		return l.text
	}
	return demoLooks[l.look] + l.text + "\x1b[0m"
}

// frame is the whole screen, at most height lines.
func (s *demoLive) frame(v demoView, width, height int) []demoLine {
	t := demoTable{width}
	running := v.at.Sub(s.began).Round(time.Second)
	lines := []demoLine{
		{t.cut(fmt.Sprintf("pitchstream demo (Ctrl-C ends it): %s, %s, running %v", s.about.Game, s.title, running)), demoBold},
		{t.cut(v.counts()), demoPlain},
		{t.cut(v.absorbed()), demoPlain},
		{t.cut("newest letter: " + cmp.Or(v.letter, "none yet")), demoPlain},
		{"", demoPlain},
	}
	for _, text := range s.about.lines() {
		lines = append(lines, demoLine{t.cut(text), demoFaint})
	}
	lines = append(lines, demoLine{"", demoPlain})
	const headsAndRest = 3
	lines = append(lines, t.lines(v.batters, v.at, height-len(lines)-headsAndRest)...)
	return lines[:min(len(lines), height)]
}

func (s *demoLive) end() {
	if s.open {
		s.open = false
		io.WriteString(s.out, demoClose)
	}
}

// sumUp leaves the last table on the first page.
func (s *demoLive) sumUp(b demoBooks) {
	width, _ := s.size()
	b.conclude(s.out, width)
}
