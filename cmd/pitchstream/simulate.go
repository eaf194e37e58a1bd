package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
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

// Run plays the games and sums up what it sent: on Out, or on Err where Out is the records'.
func (c *simulateCmd) Run(ctx context.Context, std *stdio) error {
	s, err := simulate.New(c.options(time.Now()))
	if err != nil {
		return err
	}
	sink, summary, err := c.openSink(ctx, std)
	if err != nil {
		return err
	}
	p := terminal.StartProgress(std.Err, terminal.ProgressOptions{Title: "simulate", Noun: "pitches", TotalRecords: int64(c.Pitches)})
	begun := time.Now()
	sent, err := playAll(ctx, s, c.pace(), sink, p)
	closeErr := sink.close(ctx)
	p.Stop()
	sumUp(summary, sent, time.Since(begun))
	return cmp.Or(err, closeErr)
}

// playAll hands every message to the sink, at the pace's times, and counts those that it took.
func playAll(ctx context.Context, s *simulate.Simulator, pace pace, sink messageSink, p *terminal.Progress) (sent simulate.Tally, err error) {
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		if err := pace(ctx, &m); err != nil {
			return sent, fmt.Errorf("stopped before the end: %w", err)
		}
		if err := sink.put(ctx, &m); err != nil {
			return sent, err
		}
		sent.Games = s.Tally().Games
		sent.Add(&m)
		p.AddBytes(int64(len(m.Value)))
		if m.Want.Kind == simulate.KindPitch {
			p.AddRecords(1)
		}
	}
	return sent, nil
}

// pace waits until a message is to be sent.
type pace func(context.Context, *simulate.Message) error

func (c *simulateCmd) pace() pace {
	switch {
	case c.Realtime:
		return gameTime(cmp.Or(c.Speedup, 1))
	case c.Rate > 0:
		limiter := rate.NewLimiter(rate.Limit(c.Rate), max(1, int(c.Rate/10)))
		return func(ctx context.Context, m *simulate.Message) error {
			if m.Want.Kind == simulate.KindPitch {
				return limiter.Wait(ctx)
			}
			return ctx.Err()
		}
	}
	return func(ctx context.Context, _ *simulate.Message) error { return ctx.Err() }
}

// gameTime sends as the games go, speedup times as fast, from the first message on.
func gameTime(speedup float64) pace {
	var begun time.Time
	var first schemas.TimeMS
	return func(ctx context.Context, m *simulate.Message) error {
		if begun.IsZero() {
			begun, first = time.Now(), m.Timestamp
		}
		due := begun.Add(time.Duration(float64(m.Timestamp-first) / speedup * float64(time.Millisecond)))
		timer := time.NewTimer(time.Until(due))
		defer timer.Stop()
		select {
		case <-timer.C:
			return ctx.Err()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sumUp tells what was sent and what a processor should make of it.
func sumUp(w io.Writer, t simulate.Tally, took time.Duration) {
	count := func(k simulate.Kind) string { return terminal.Count(t.Records[k]) }
	fmt.Fprintf(w, "games     %s\n", terminal.Count(int64(t.Games)))
	fmt.Fprintf(w, "records   %s = pitches %s + duplicates %s + corrections %s + deletes %s + identifies %s + poison %s\n",
		terminal.Count(t.Total()), count(simulate.KindPitch), count(simulate.KindDuplicate), count(simulate.KindCorrection),
		count(simulate.KindDelete), count(simulate.KindIdentify), count(simulate.KindPoison))
	fmt.Fprintf(w, "pitches   %s = rows that stand %s + deleted %s\n", count(simulate.KindPitch), terminal.Count(t.Standing), terminal.Count(t.Gone))
	var codes []string
	for _, code := range slices.Sorted(maps.Keys(t.Letters)) {
		codes = append(codes, fmt.Sprintf("%s %s", code, terminal.Count(t.Letters[code])))
	}
	fmt.Fprintf(w, "letters   %s", count(simulate.KindPoison))
	if len(codes) > 0 {
		fmt.Fprintf(w, " = %s", strings.Join(codes, " + "))
	}
	fmt.Fprintf(w, "\nvalues    %s in %.1fs (%s/s)\n", terminal.Bytes(t.Bytes), took.Seconds(), terminal.Bytes(int64(float64(t.Bytes)/max(took.Seconds(), 1e-3))))
}
