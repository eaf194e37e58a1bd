package demo

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/simulate"
)

// screen shows a demo. The calls are begin, any number of draws, end, and sumUp if there was no error.
type screen interface {
	begin(a about, took time.Duration)
	interval() time.Duration // between two draws
	draw(v view)
	end()
	sumUp(b books)
}

// newScreen returns a screen that redraws a terminal in place, or one that prints lines.
func newScreen(o Options) screen {
	if f, ok := o.Out.(*os.File); ok && terminal.IsTerminal(f) && !o.Verbose {
		return &liveScreen{out: f, colours: os.Getenv("NO_COLOR") == ""}
	}
	return &lineScreen{out: o.Out}
}

// about is what does not change while a demo runs.
type about struct {
	game  string   // what is played
	hints []string // how to look at the servers, one line each
}

func (d *demo) about() about {
	s := &d.settings
	kafka := d.servers.addresses().KafkaAddr
	a := about{
		game: fmt.Sprintf("%v × life", d.o.Speed),
		hints: []string{
			fmt.Sprintf("dashboard http://%s/", d.apiAddr),
			"Postgres  psql " + d.servers.guestURL(),
			fmt.Sprintf("Redis     redis-cli -p %s HGETALL '%sbatter:{%d}'", d.servers.redis.Port(), s.Redis.Prefix,
				d.batter),
			fmt.Sprintf("Kafka     %s  topics %s, %s, %s", kafka, s.RawTopic, s.RowsTopic, s.DeadTopic),
			fmt.Sprintf("API       curl http://%s/v1/batters/%d  (or /docs)", d.apiAddr, d.batter),
		},
	}
	if d.log.file != nil {
		a.hints = append(a.hints, "log       "+d.log.file.Name())
	}
	return a
}

// counts returns the line with the numbers above the table.
func (v view) counts() string {
	return fmt.Sprintf("%s (%.1f/s), lag %s: %s in Postgres, %s", terminal.Counted(v.applied, "record"), v.rate,
		terminal.Count(v.lag), terminal.Counted(v.rows, "row"), terminal.Counted(v.deadLetters, "dead letter"))
}

// absorbed returns the line with the disorder in the stream that did not change the results.
func (v view) absorbed() string {
	sent := v.sent.Records
	return fmt.Sprintf("absorbed: %s sent twice, %s, %s, %s", terminal.Count(sent[simulate.KindDuplicate]),
		terminal.Counted(sent[simulate.KindCorrection], "correction"),
		terminal.Counted(sent[simulate.KindDelete], "delete"),
		terminal.Counted(sent[simulate.KindIdentify], "late name"))
}

// conclude writes the final table, in which no batter is marked as changed, and the books.
func (b books) conclude(w io.Writer, width int) {
	const rows = 18
	fmt.Fprintln(w)
	for _, l := range (table{width}).lines(b.batters, time.Now().Add(newsSpan), rows) {
		fmt.Fprintln(w, l.text)
	}
	fmt.Fprintln(w)
	b.write(w)
}

// lineScreen prints lines one after the other, for files, pipes and logs.
type lineScreen struct {
	out   io.Writer
	began time.Time
}

const lineScreenWidth = 120 // more than any line of the table

func (s *lineScreen) begin(a about, took time.Duration) {
	s.began = time.Now()
	fmt.Fprintf(s.out, "ready after %.1f s, playing at %s\n", took.Seconds(), a.game)
	for _, hint := range a.hints {
		fmt.Fprintln(s.out, "  "+hint)
	}
	fmt.Fprintln(s.out, tableHeads)
}

func (s *lineScreen) interval() time.Duration { return 2 * time.Second }

// draw prints the counts and the three batters who saw a pitch last.
func (s *lineScreen) draw(v view) {
	fmt.Fprintf(s.out, "%4.0fs  %s\n", v.at.Sub(s.began).Seconds(), v.counts())
	for _, l := range (table{lineScreenWidth}).lines(newest(v.batters, 3), v.at, 3)[2:] {
		fmt.Fprintln(s.out, l.text)
	}
}

func (s *lineScreen) end() {}

func (s *lineScreen) sumUp(b books) { b.conclude(s.out, lineScreenWidth) }

// liveScreen redraws a table in place. It uses the alternate screen of the terminal, so that the end restores
// what was there before.
type liveScreen struct {
	out     *os.File
	colours bool
	about   about
	title   string
	began   time.Time
	isOpen  bool
}

const (
	openScreen  = "\x1b[?1049h\x1b[?25l" // the alternate screen, without a cursor
	closeScreen = "\x1b[?25h\x1b[?1049l"
	cursorHome  = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

var styleCodes = [...]string{plain: "", faint: "\x1b[2m", bold: "\x1b[1m"}

func (s *liveScreen) begin(a about, took time.Duration) {
	s.about, s.isOpen = a, true
	s.began = time.Now()
	s.title = fmt.Sprintf("ready after %.1f s", took.Seconds())
	fmt.Fprintln(s.out, s.title)
	io.WriteString(s.out, openScreen)
}

func (s *liveScreen) interval() time.Duration { return 250 * time.Millisecond }

func (s *liveScreen) draw(v view) {
	width, height := s.size()
	var lines []string
	for _, l := range s.frame(v, width, height) {
		text := l.text
		if s.colours && l.style != plain {
			text = styleCodes[l.style] + text + "\x1b[0m"
		}
		lines = append(lines, text)
	}
	io.WriteString(s.out, cursorHome+strings.Join(lines, clearLine+"\n")+clearLine+clearBelow)
}

func (s *liveScreen) size() (width, height int) {
	width, height, err := term.GetSize(int(s.out.Fd()))
	if err != nil || width <= 0 || height <= 0 {
		return 80, 24
	}
	return width, height
}

// frame returns the lines of the whole screen, at most height.
func (s *liveScreen) frame(v view, width, height int) []line {
	t := table{width}
	running := v.at.Sub(s.began).Round(time.Second)
	lines := []line{
		{t.cut(fmt.Sprintf("pitchstream demo (Ctrl-C ends it): %s, %s, running %v", s.about.game, s.title,
			running)), bold},
		{t.cut(v.counts()), plain},
		{t.cut(v.absorbed()), plain},
		{t.cut("newest dead letter: " + cmp.Or(v.newest, "none yet")), plain},
		{"", plain},
	}
	for _, hint := range s.about.hints {
		lines = append(lines, line{t.cut(hint), faint})
	}
	lines = append(lines, line{"", plain})
	const headsAndRest = 3
	lines = append(lines, t.lines(v.batters, v.at, height-len(lines)-headsAndRest)...)
	return lines[:min(len(lines), height)]
}

func (s *liveScreen) end() {
	if s.isOpen {
		s.isOpen = false
		io.WriteString(s.out, closeScreen)
	}
}

// sumUp prints the final table and the books below what was on the terminal before the demo.
func (s *liveScreen) sumUp(b books) {
	width, _ := s.size()
	b.conclude(s.out, width)
}
