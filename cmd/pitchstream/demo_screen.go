package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/simulate"
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
	API                    string // the same
	Pages                  string // for a browser
	Log                    string // file of the processor's log; "" where it is on the screen
	Game                   string // what is played
}

func (d *demo) about() demoAbout {
	redis := d.servers.redis
	about := demoAbout{
		Postgres: "psql " + d.servers.guestURL(),
		Redis:    fmt.Sprintf("redis-cli -p %s HGETALL '%sbatter:{%d}'", redis.Port(), d.run.Redis.Prefix, d.batter),
		Kafka:    fmt.Sprintf("%s  topics %s, %s, %s", d.servers.kafkaAddr(), d.run.Topics.TopicRaw, d.run.Topics.TopicRows, d.run.Topics.TopicDead),
		API:      fmt.Sprintf("curl http://%s/v1/batters/%d  (or /docs)", d.api.addr, d.batter),
		Pages:    fmt.Sprintf("http://%s/", d.api.addr),
		Game:     fmt.Sprintf("%v × life", d.speed),
	}
	if d.processor.log != nil {
		about.Log = d.servers.logPath()
	}
	return about
}

func (a demoAbout) lines() []string {
	lines := []string{"dashboard " + a.Pages, "Postgres  " + a.Postgres, "Redis     " + a.Redis, "Kafka     " + a.Kafka, "API       " + a.API}
	if a.Log != "" {
		lines = append(lines, "log       "+a.Log)
	}
	return lines
}

func (c *demoCmd) newScreen(std *stdio) demoScreen {
	if f, ok := std.Out.(*os.File); ok && terminal.IsTerminal(f) && !c.Verbose {
		return &demoLive{out: f, colours: os.Getenv("NO_COLOR") == ""}
	}
	return &demoLines{out: std.Out}
}

// counts are the numbers above the table.
func (v demoView) counts() string {
	return fmt.Sprintf("%s (%.1f/s), lag %s: %s in Postgres, %s",
		terminal.Counted(v.applied, "record"), v.rate, terminal.Count(v.lag), terminal.Counted(v.rows, "row"), terminal.Counted(v.letters, "letter"))
}

// absorbed is what was done to records on their way, without harm to the numbers.
func (v demoView) absorbed() string {
	sent := v.sent.Records
	return fmt.Sprintf("absorbed: %s sent twice, %s, %s, %s", terminal.Count(sent[simulate.KindDuplicate]),
		terminal.Counted(sent[simulate.KindCorrection], "correction"), terminal.Counted(sent[simulate.KindDelete], "delete"),
		terminal.Counted(sent[simulate.KindIdentify], "late name"))
}

// demoLinesWidth is more than a line of the table has.
const demoLinesWidth = 120

// demoLines writes lines one after the other, for files, pipes and logs.
type demoLines struct {
	out   io.Writer
	began time.Time
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
	fmt.Fprintf(s.out, "%4.0fs  %s\n", v.at.Sub(s.began).Seconds(), v.counts())
	for _, l := range (demoTable{demoLinesWidth}).lines(demoNewest(v.batters, 3), v.at, 3)[2:] {
		fmt.Fprintln(s.out, l.text)
	}
}

func (s *demoLines) end() {}

func (s *demoLines) sumUp(b demoBooks) { b.conclude(s.out, demoLinesWidth) }

// demoLastRows is how many batters are left on the screen in the end.
const demoLastRows = 18

// conclude writes the table as it ended, in which nothing is news any more, and the books.
func (b demoBooks) conclude(w io.Writer, width int) {
	fmt.Fprintln(w)
	for _, l := range (demoTable{width}).lines(b.views, time.Now().Add(demoNewsFor), demoLastRows) {
		fmt.Fprintln(w, l.text)
	}
	fmt.Fprintln(w)
	b.write(w)
}
