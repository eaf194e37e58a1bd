package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/simulation"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/simulate"
)

type simulateCmd struct {
	Seed     uint64 `name:"seed" default:"1" placeholder:"N" help:"The same seed plays the same games, byte for byte, whatever is done to their records below. Default: 1."`
	Games    int    `name:"games" placeholder:"N" help:"Games to play: about 310 pitches, 15 MB each. Default: one, or as many as --pitches takes."`
	Pitches  int    `name:"pitches" placeholder:"N" help:"Pitches to throw in all, cutting the games short. Default: whole games."`
	Parallel int    `name:"parallel" placeholder:"N" help:"Games played at the same time, 1 to 15; the others follow a day later each. Default: as many as there are, at most 15."`
	FeedIDs  bool   `name:"feed-ids" help:"Every pitch carries the game feed's batter_id, pitcher_id and team_id as headers. Without: a batter is known only where the ball was hit, as in bare tracking records."`

	BatterSpread float64    `name:"batter-spread" placeholder:"SHARE" group:"Cameras" help:"How much of a swing's speed is the batter's own, as a correlation, 0 to 1; about 0.5 in the major leagues. Default: 0, all batters are alike."`
	Bias         []biasFlag `name:"bias" sep:"none" placeholder:"venue=NAME,mph=X[,from=DATE]" group:"Cameras" help:"A venue that measures all bats so much too fast, from a game date on: what quality is to find. May be given several times."`
	Untracked    float64    `name:"untracked" placeholder:"SHARE" group:"Cameras" help:"Share of the swings whose bat nobody tracked, beside the sensors' own faults."`

	Duplicates    float64      `name:"duplicates" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Sent again later, byte for byte."`
	Reorder       float64      `name:"reorder" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Moved up to 20 pitches earlier or later."`
	Corrections   float64      `name:"corrections" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Corrected later by a greater revision: other values, a third another batter, a tenth another game."`
	Deletes       float64      `name:"deletes" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Deleted, three in ten before the pitch itself comes."`
	LateIDs       float64      `name:"late-ids" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Named by op=identify before or after, some twice, instead of by headers of their own."`
	Poison        float64      `name:"poison" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Followed by a record that no row can be made of: 23 flavours in turn, one dead letter each."`
	OversizeBytes config.Bytes `name:"oversize-bytes" placeholder:"SIZE" group:"Stress (shares of the pitches, 0 to 1)" help:"A 24th flavour: a record larger than this, for the code too_large. None unless given; the topic must take such records."`

	Start       time.Time `name:"start" placeholder:"TIME" help:"When the first game begins, as 2025-04-01T17:05:00Z, which is the default; with --realtime it is now."`
	FirstGamePK int64     `name:"first-game-pk" placeholder:"N" help:"Key of the first game; the others count on. Default: 778001."`

	Output   string `name:"output" short:"o" placeholder:"PATH" group:"Where to" help:"A folder (that is there, or ends in /): a JSON Lines file a game, GAME_0.jsonl. Else a file; - is standard output, the default."`
	Envelope bool   `name:"envelope" group:"Where to" help:"Write lines {\"key\", \"headers\", \"timestamp_ms\", \"value\"}, the value as text, as value_base64 where it is not UTF-8, or null. Without: the values alone, which cannot hold what is told by headers."`
	Produce  bool   `name:"produce" group:"Where to" help:"Produce to the raw topic of --kafka-brokers: keyed by game, acknowledged by all replicas, packed with zstd."`

	Rate     float64 `name:"rate" placeholder:"N" group:"How fast" help:"Pitches a second. Default: as fast as it goes."`
	Realtime bool    `name:"realtime" group:"How fast" help:"As in the ball park: some 22 s between a game's pitches."`
	Speedup  float64 `name:"speedup" placeholder:"X" group:"How fast" help:"Play --realtime X times as fast. Default: 1."`

	Kafka    optionalKafka `embed:"" group:"Kafka"`
	TopicRaw string        `name:"topic-raw" default:"pitches.raw" placeholder:"TOPIC" group:"Kafka" help:"Topic to produce to. Default: pitches.raw."`
}

// optionalKafka is config.Kafka without its checks: they count only where something is produced.
type optionalKafka config.Kafka

// Help is what --help says beside the flags.
func (*simulateCmd) Help() string {
	return `Plays seeded games of baseball and writes each pitch as a real-looking Hawk-Eye record: bats and balls that move by
physics, results in the proportions of real games, the sensors' real faults.

One game into a file, and through the pipeline without any server:
  pitchstream simulate -o games/
  pitchstream process games/ -o out/

A full day's slate into Kafka, in game time, ten times as fast:
  pitchstream simulate --produce --kafka-brokers localhost:9092 --games 15 --realtime --speedup 10 --feed-ids

Everything that a stream does to records, to be looked at:
  pitchstream simulate --pitches 200 --envelope --duplicates .1 --corrections .1 --deletes .05 --late-ids .2 --poison .1

The summary's counts balance: pitches = rows that stand + pitches deleted, poison = dead letters.`
}

// Validate says what is wrong and what would be right.
func (c *simulateCmd) Validate() error {
	if err := c.options(time.Time{}).Validate(); err != nil {
		return errors.New(flagNames.Replace(err.Error()))
	}
	switch {
	case c.Rate < 0:
		return fmt.Errorf("--rate=%v: want pitches a second, or none", c.Rate)
	case c.Speedup < 0:
		return fmt.Errorf("--speedup=%v: want more than 0", c.Speedup)
	case c.Speedup > 0 && !c.Realtime:
		return errors.New("--speedup needs --realtime")
	case c.Rate > 0 && c.Realtime:
		return errors.New("give --rate or --realtime, not both")
	case c.Produce && (c.Output != "" || c.Envelope):
		return errors.New("give --produce or an output, not both")
	case c.Produce:
		return config.Kafka(c.Kafka).Validate()
	case !c.Envelope && c.needsHeaders() != "":
		return fmt.Errorf("%s is told by keys and headers, which plain lines have not: add --envelope, or --produce", c.needsHeaders())
	}
	return nil
}

// flagNames are the flags of the simulator's options, for its error messages.
var flagNames = strings.NewReplacer("Games ", "--games ", "Pitches ", "--pitches ", "Parallel ", "--parallel ",
	"BatterSpread ", "--batter-spread ", "Biases ", "--bias ", "Untracked ", "--untracked ",
	"Duplicates ", "--duplicates ", "Reorder ", "--reorder ", "Corrections ", "--corrections ", "Deletes ", "--deletes ",
	"LateIDs ", "--late-ids ", "Poison ", "--poison ", "OversizeBytes ", "--oversize-bytes ", "Start ", "--start ",
	"FirstGamePK ", "--first-game-pk ")

// needsHeaders names a flag that asks for what plain lines cannot hold.
func (c *simulateCmd) needsHeaders() string {
	switch {
	case c.FeedIDs:
		return "--feed-ids"
	case c.Corrections > 0:
		return "--corrections"
	case c.Deletes > 0:
		return "--deletes"
	case c.LateIDs > 0:
		return "--late-ids"
	case c.Poison > 0:
		return "--poison"
	}
	return ""
}

// options are the simulator's. now is when games in real time begin, if nothing else was said.
func (c *simulateCmd) options(now time.Time) simulate.Options {
	o := simulate.Options{
		Seed: c.Seed, Games: c.Games, Pitches: c.Pitches, Parallel: c.Parallel, FeedIDs: c.FeedIDs,
		Duplicates: c.Duplicates, Reorder: c.Reorder, Corrections: c.Corrections, Deletes: c.Deletes, LateIDs: c.LateIDs,
		BatterSpread: c.BatterSpread, Untracked: c.Untracked, Poison: c.Poison, OversizeBytes: int(c.OversizeBytes), Start: c.Start, FirstGamePK: c.FirstGamePK,
	}
	for _, b := range c.Bias {
		o.Biases = append(o.Biases, simulate.Bias(b))
	}
	if o.Games == 0 && o.Pitches == 0 {
		o.Games = 1
	}
	if c.Realtime && o.Start.IsZero() {
		o.Start = now
	}
	return o
}

// Run plays the games and prints a summary: on Out, or on Err if the records go to Out.
func (c *simulateCmd) Run(ctx context.Context, std *stdio) error {
	s, err := simulate.New(c.options(time.Now()))
	if err != nil {
		return err
	}
	sink, summary, err := c.openSink(ctx, std)
	if err != nil {
		return err
	}
	begun := time.Now()
	sent, err := simulation.Run(ctx, simulation.Options{
		Simulator: s, Sink: sink, Pace: c.pace(), ProgressTo: std.Err, Pitches: int64(c.Pitches),
	})
	printTally(summary, sent, time.Since(begun))
	return err
}

// openSink opens the sink, and returns where the summary is printed.
func (c *simulateCmd) openSink(ctx context.Context, std *stdio) (sink simulation.Sink, summary io.Writer, err error) {
	line := simulation.Values
	if c.Envelope {
		line = simulation.Envelopes
	}
	switch info, statErr := os.Stat(c.Output); {
	case c.Produce:
		client, err := config.Kafka(c.Kafka).Options()
		if err != nil {
			return nil, nil, err
		}
		sink, err = simulation.OpenKafka(ctx, client, c.TopicRaw)
		return sink, std.Out, err
	case c.Output == "" || c.Output == "-":
		if terminal.IsTerminal(std.Out) {
			return nil, nil, errors.New("standard output is a terminal, and records are 100 KB long: give -o PATH, or a pipe")
		}
		return simulation.ToWriter(std.Out, line), std.Err, nil
	case strings.HasSuffix(c.Output, "/") || statErr == nil && info.IsDir():
		sink, err = simulation.ToFolder(c.Output, line)
	default:
		sink, err = simulation.ToFile(c.Output, line)
	}
	return sink, std.Out, err
}

func (c *simulateCmd) pace() simulation.Pace {
	switch {
	case c.Realtime:
		return simulation.GameTime(cmp.Or(c.Speedup, 1))
	case c.Rate > 0:
		return simulation.Evenly(c.Rate)
	}
	return nil
}

// printTally prints what was sent and what a processor should make of it.
func printTally(w io.Writer, t simulate.Tally, took time.Duration) {
	count := func(k simulate.Kind) string { return terminal.Count(t.Records[k]) }
	fmt.Fprintf(w, "games     %s\n", terminal.Count(int64(t.Games)))
	fmt.Fprintf(w, "records   %s = pitches %s + duplicates %s + corrections %s + deletes %s + identifies %s + poison %s\n",
		terminal.Count(t.Total()), count(simulate.KindPitch), count(simulate.KindDuplicate), count(simulate.KindCorrection),
		count(simulate.KindDelete), count(simulate.KindIdentify), count(simulate.KindPoison))
	fmt.Fprintf(w, "pitches   %s = rows that stand %s + deleted %s\n",
		count(simulate.KindPitch), terminal.Count(t.Standing), terminal.Count(t.Gone))
	var codes []string
	for _, code := range slices.Sorted(maps.Keys(t.Letters)) {
		codes = append(codes, fmt.Sprintf("%s %s", code, terminal.Count(t.Letters[code])))
	}
	fmt.Fprintf(w, "letters   %s", count(simulate.KindPoison))
	if len(codes) > 0 {
		fmt.Fprintf(w, " = %s", strings.Join(codes, " + "))
	}
	perSecond := float64(t.Bytes) / max(took.Seconds(), 1e-3)
	fmt.Fprintf(w, "\nvalues    %s in %.1fs (%s/s)\n", terminal.Bytes(t.Bytes), took.Seconds(), terminal.Bytes(int64(perSecond)))
}

// biasFlag is one --bias.
type biasFlag simulate.Bias

// UnmarshalText reads venue=NAME,mph=X,from=DATE, the date left out where the bias is from the beginning.
func (b *biasFlag) UnmarshalText(text []byte) (err error) {
	*b = biasFlag{}
	for _, part := range strings.Split(string(text), ",") {
		name, value, _ := strings.Cut(part, "=")
		switch name {
		case "venue":
			b.Venue = value
		case "mph":
			if b.MPH, err = strconv.ParseFloat(value, 64); err != nil {
				return fmt.Errorf("mph=%s: want a number", value)
			}
		case "from":
			if _, err = time.Parse(time.DateOnly, value); err != nil {
				return fmt.Errorf("from=%s: want a date as 2025-04-07", value)
			}
			b.From = value
		default:
			return fmt.Errorf("%q: want venue=NAME,mph=X, and from=DATE if it begins later", part)
		}
	}
	if known := simulate.Venues(); !slices.Contains(known, b.Venue) {
		return fmt.Errorf("venue %q: want one of %s", b.Venue, strings.Join(known, ", "))
	}
	return nil
}
