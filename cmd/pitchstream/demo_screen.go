package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"pitchstream/simulate"
)

// demoScreen is where the demo is seen: begin, any number of draws, end, and sumUp if all went well.
type demoScreen interface {
	begin(about demoAbout, took time.Duration)
	every() time.Duration
	draw(v demoView)
	end()
	sumUp(b demoBooks)
}

// demoAbout is what does not change while a demo runs.
type demoAbout struct {
	Postgres, Redis, Kafka string // commands and addresses to look with
	Log                    string // file of the processor's log; "" where it is on the screen
	Game                   string // what is played
}

func (d *demo) about() demoAbout {
	redis := d.servers.redis
	about := demoAbout{
		Postgres: "psql " + d.servers.guestURL(),
		Redis:    fmt.Sprintf("redis-cli -p %s HGETALL '%sbatter:{%d}'", redis.Port(), d.run.Redis.Prefix, d.batter),
		Kafka:    fmt.Sprintf("%s  topics %s, %s, %s", d.servers.kafkaAddr(), d.run.Topics.TopicRaw, d.run.Topics.TopicRows, d.run.Topics.TopicDead),
		Game:     fmt.Sprintf("%v × life", d.speed),
	}
	if d.processor.log != nil {
		about.Log = d.servers.logPath()
	}
	return about
}

func (a demoAbout) lines() []string {
	lines := []string{"Postgres  " + a.Postgres, "Redis     " + a.Redis, "Kafka     " + a.Kafka}
	if a.Log != "" {
		lines = append(lines, "log       "+a.Log)
	}
	return lines
}

func (c *demoCmd) newScreen(std *stdio) demoScreen {
	if f, ok := std.Out.(*os.File); ok && isTerminal(f) && !c.Verbose {
		return &demoLive{out: f, colours: os.Getenv("NO_COLOR") == ""}
	}
	return &demoLines{out: std.Out}
}

// counts are the numbers above the table.
func (v demoView) counts() string {
	return fmt.Sprintf("%s records (%.1f/s), lag %s: %s in Postgres, %s",
		countText(v.applied), v.rate, countText(v.lag), counted(v.rows, "row"), counted(v.letters, "letter"))
}

// absorbed is what the stream did to records, and had no effect on the numbers.
func (v demoView) absorbed() string {
	sent := v.sent.Records
	return fmt.Sprintf("absorbed: %s sent twice, %s, %s, %s", countText(sent[simulate.KindDuplicate]),
		counted(sent[simulate.KindCorrection], "correction"), counted(sent[simulate.KindDelete], "delete"),
		counted(sent[simulate.KindIdentify], "late name"))
}

// demoLive draws a table in place on a terminal, on its second page: the first one stays as it was.
type demoLive struct {
	out     *os.File
	colours bool
	about   demoAbout
	title   string
	began   time.Time
	last    demoView
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
	s.last = v
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
	s.last.conclude(s.out, width, b)
}

// demoLastRows is how many batters are left on the screen in the end.
const demoLastRows = 18

// demoLinesWidth is more than a line of the table has.
const demoLinesWidth = 120

// demoLines writes lines one after the other, for files, pipes and logs.
type demoLines struct {
	out   io.Writer
	began time.Time
	last  demoView
}

func (s *demoLines) begin(about demoAbout, took time.Duration) {
	s.began = time.Now()
	fmt.Fprintf(s.out, "ready after %.1f s, playing at %s\n", took.Seconds(), about.Game)
	for _, text := range about.lines() {
		fmt.Fprintln(s.out, "  "+text)
	}
	fmt.Fprintln(s.out, demoHeads)
}

func (s *demoLines) every() time.Duration { return 2 * time.Second }

// draw writes the counts and the batters who saw the last pitches.
func (s *demoLines) draw(v demoView) {
	s.last = v
	fmt.Fprintf(s.out, "%4.0fs  %s\n", v.at.Sub(s.began).Seconds(), v.counts())
	for _, l := range (demoTable{demoLinesWidth}).lines(demoNewest(v.batters, 3), v.at, 3)[2:] {
		fmt.Fprintln(s.out, l.text)
	}
}

func (s *demoLines) end() {}

func (s *demoLines) sumUp(b demoBooks) { s.last.conclude(s.out, demoLinesWidth, b) }

// conclude writes the last table, in which nothing is news any more, and the books.
func (v demoView) conclude(w io.Writer, width int, b demoBooks) {
	fmt.Fprintln(w)
	for _, l := range (demoTable{width}).lines(v.batters, v.at.Add(demoNewsFor), demoLastRows) {
		fmt.Fprintln(w, l.text)
	}
	fmt.Fprintln(w)
	b.write(w)
}
