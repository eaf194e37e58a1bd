package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/simulation"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/simulate"
)

// simulateCmd plays simulated games into files, standard output or Kafka.
type simulateCmd struct {
	Seed     uint64 `env:"-" name:"seed" default:"1" placeholder:"N" help:"Seed of the games: equal seeds give equal games, byte for byte, whatever the stress flags below do to their records. Default: 1."`
	Core     int    `env:"-" name:"core" default:"2" placeholder:"N" help:"The core that the games are made for. 2: the bat meets the ball as in real games. 1: the bat goes through the ball; the same bytes as builds before core 2. Default: 2."`
	Games    int    `env:"-" name:"games" placeholder:"N" help:"Games to play: about 310 pitches, 15 MB each. Default: one, or as many as --pitches needs."`
	Pitches  int    `env:"-" name:"pitches" placeholder:"N" help:"Pitches to throw in all, cutting the games short. Default: whole games."`
	Parallel int    `env:"-" name:"parallel" placeholder:"N" help:"Games played at the same time, 1 to 15; the others follow a day later each. Default: all, at most 15."`
	FeedIDs  bool   `env:"-" name:"feed-ids" help:"Send the game feed's batter_id, pitcher_id and team_id as headers of every pitch. Default: a batter is known only where the ball was hit, as in bare tracking records."`

	BatterSpread float64         `env:"-" name:"batter-spread" placeholder:"SHARE" group:"Cameras" help:"How much of a swing's speed is the batter's own, as a correlation, 0 to 1. Default: 0.34 as in the major leagues; with --core 1 none, all batters are equal."`
	Bias         []simulate.Bias `env:"-" name:"bias" sep:"none" placeholder:"venue=NAME,mph=X[,from=DATE]" group:"Cameras" help:"A venue that measures all bats X mph too fast, from a game date on, which quality should find. May be given several times."`
	Untracked    float64         `env:"-" name:"untracked" placeholder:"SHARE" group:"Cameras" help:"Share of the swings without bat tracking, in addition to the sensors' own faults."`

	Clean   bool    `env:"-" name:"clean" group:"Cameras" help:"Track every bat as it moved, without the faults of real tracks. Default: a seam at contact, late rises and falls, lost bats."`
	BatRate float64 `env:"-" name:"bat-rate" placeholder:"HZ" group:"Cameras" help:"Samples of the bat a second, 50 to 1000. Default: 300."`

	Duplicates    float64      `env:"-" name:"duplicates" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Sent again later, byte for byte."`
	Reorder       float64      `env:"-" name:"reorder" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Moved up to 20 pitches earlier or later."`
	Corrections   float64      `env:"-" name:"corrections" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Corrected later by a greater revision: other values, a third another batter, a tenth another game."`
	Deletes       float64      `env:"-" name:"deletes" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Deleted, three in ten before the pitch itself is sent."`
	LateIDs       float64      `env:"-" name:"late-ids" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Named by op=identify before or after, some twice, instead of by headers of their own."`
	Poison        float64      `env:"-" name:"poison" placeholder:"SHARE" group:"Stress (shares of the pitches, 0 to 1)" help:"Followed by a broken record: 23 kinds in turn, one dead letter each."`
	OversizeBytes config.Bytes `env:"-" name:"oversize-bytes" placeholder:"SIZE" group:"Stress (shares of the pitches, 0 to 1)" help:"A 24th kind: a record larger than this, for the code too_large. The topic must accept such records. Default: none."`

	Start       time.Time `env:"-" name:"start" placeholder:"TIME" help:"When the first game begins, as 2025-04-01T17:05:00Z, which is the default; with --realtime it is now."`
	FirstGamePK int64     `env:"-" name:"first-game-pk" placeholder:"N" help:"Key of the first game; the others count on. Default: 778001."`

	Output   string `env:"-" name:"output" short:"o" placeholder:"PATH" group:"Where to" help:"A folder (that exists, or ends in /): a JSON Lines file per game, GAME_0.jsonl. Otherwise a file; - is standard output, the default."`
	Envelope bool   `env:"-" name:"envelope" group:"Where to" help:"Write lines {\"key\", \"headers\", \"timestamp_ms\", \"value\"}, the value as text, as value_base64 if it is not UTF-8, or null. Default: the values alone, without keys and headers."`
	Truth    string `env:"-" name:"truth" placeholder:"FILE" group:"Where to" help:"Write what ball and bat did, a JSON object a measured record: pitch_id, revision, fault of the track, and the true value of each column of core 2. Needs --core 2."`
	JSON     bool   `env:"-" name:"json" group:"Where to" help:"Print the summary as one JSON object."`
	Produce  bool   `env:"-" name:"produce" group:"Where to" help:"Produce to the raw topic of --kafka-brokers: keyed by game, acknowledged by all replicas, compressed with zstd."`

	Rate     float64 `env:"-" name:"rate" placeholder:"N" group:"How fast" help:"Pitches per second. Default: as fast as possible."`
	Realtime bool    `env:"-" name:"realtime" group:"How fast" help:"Play at the pace of real games: pitches of a game are 23 s apart (median), 31 s with the breaks."`
	Speedup  float64 `env:"-" name:"speedup" placeholder:"X" group:"How fast" help:"Play --realtime X times as fast. Default: 1."`

	Kafka    optionalKafka `embed:"" group:"Kafka"`
	TopicRaw string        `name:"topic-raw" default:"pitches.raw" placeholder:"TOPIC" group:"Kafka" help:"Topic to produce to. Default: pitches.raw."`
}

// Help returns the text that simulate --help prints beside the flags.
func (*simulateCmd) Help() string {
	return `Plays seeded games of baseball and writes each pitch as a realistic Hawk-Eye record: bats and balls move by
physics, results have the proportions of real games, and sensors have their real faults.

One game into a file, and through the pipeline without any server:
  pitchstream simulate -o games/
  pitchstream process games/ -o out/

A full day's slate into Kafka, in game time, ten times as fast:
  pitchstream simulate --produce --kafka-brokers localhost:9092 --games 15 --realtime --speedup 10 --feed-ids

Records with the truth beside them, to measure how accurate a core is (bench accuracy does it for this one):
  pitchstream simulate --pitches 1000 -o games/ --truth truth.jsonl

Everything that a stream does to records, for inspection:
  pitchstream simulate --pitches 200 --envelope --duplicates .1 --corrections .1 --deletes .05 --late-ids .2 --poison .1

The summary's counts balance: pitches = current rows + pitches deleted, poison = dead letters.`
}

// Validate reports wrong usage. Kong calls it before Run.
func (c *simulateCmd) Validate() error {
	if err := c.options(time.Time{}).Validate(); err != nil {
		return errors.New(flagNames.Replace(err.Error()))
	}
	switch {
	case c.Rate < 0:
		return fmt.Errorf("--rate=%v: want pitches a second, or none", c.Rate)
	case c.Speedup < 0:
		return fmt.Errorf("--speedup=%v: want more than 0", c.Speedup)
	case c.Truth != "" && c.Core == 1:
		return errors.New("--truth needs --core 2: the games of core 1 have none")
	case c.Speedup > 0 && !c.Realtime:
		return errors.New("--speedup needs --realtime")
	case c.Rate > 0 && c.Realtime:
		return errors.New("give --rate or --realtime, not both")
	case c.Produce && c.Envelope:
		return errors.New("--envelope is for files: --produce sends key and headers with each record anyway")
	case c.Produce && c.Output != "":
		return errors.New("give --produce or an output, not both")
	case c.Produce:
		return config.Kafka(c.Kafka).Validate()
	case c.Envelope:
		return nil
	}
	for _, f := range []struct {
		name string
		set  bool
	}{
		{"--feed-ids", c.FeedIDs}, {"--corrections", c.Corrections > 0}, {"--deletes", c.Deletes > 0},
		{"--late-ids", c.LateIDs > 0}, {"--poison", c.Poison > 0},
	} {
		if f.set {
			return fmt.Errorf("%s needs keys and headers, which plain lines do not have: "+
				"add --envelope, or --produce", f.name)
		}
	}
	return nil
}

// flagNames replaces the names of the simulator's options in its errors by the flags.
var flagNames = strings.NewReplacer("Games ", "--games ", "Pitches ", "--pitches ",
	"Parallel ", "--parallel ", "BatterSpread ", "--batter-spread ", "Biases ", "--bias ",
	"Untracked ", "--untracked ", "Duplicates ", "--duplicates ", "Reorder ", "--reorder ",
	"Corrections ", "--corrections ", "Deletes ", "--deletes ", "LateIDs ", "--late-ids ",
	"Poison ", "--poison ", "OversizeBytes ", "--oversize-bytes ", "Start ", "--start ",
	"FirstGamePK ", "--first-game-pk ", "Core ", "--core ", "BatRate ", "--bat-rate ",
	"Clean ", "--clean ")

// options returns the simulator's options. Games in real time begin now, unless --start is given.
func (c *simulateCmd) options(now time.Time) simulate.Options {
	o := simulate.Options{
		Seed: c.Seed, Core: c.Core, Clean: c.Clean, BatRate: c.BatRate,
		Games: c.Games, Pitches: c.Pitches, Parallel: c.Parallel, FeedIDs: c.FeedIDs,
		BatterSpread: c.BatterSpread, Untracked: c.Untracked, Duplicates: c.Duplicates, Reorder: c.Reorder,
		Corrections: c.Corrections, Deletes: c.Deletes, LateIDs: c.LateIDs, Poison: c.Poison,
		OversizeBytes: int(c.OversizeBytes), Start: c.Start, FirstGamePK: c.FirstGamePK,
	}
	o.Biases = c.Bias
	if o.Games == 0 && o.Pitches == 0 {
		o.Games = 1
	}
	if c.Realtime && o.Start.IsZero() {
		o.Start = now
	}
	return o
}

// Run plays the games and prints a summary.
func (c *simulateCmd) Run(ctx context.Context, std *stdio) error {
	s, err := simulate.New(c.options(time.Now()))
	if err != nil {
		return err
	}
	o := simulation.Options{Simulator: s, ProgressTo: std.Err, Pitches: int64(c.Pitches)}
	if o.Sink, err = c.openSink(ctx, std); err != nil {
		return err
	}
	if c.Truth != "" {
		if o.Sink, err = simulation.WithTruth(ctx, o.Sink, c.Truth); err != nil {
			return err
		}
	}
	switch {
	case c.Realtime:
		o.Pace = simulation.GameTime(cmp.Or(c.Speedup, 1))
	case c.Rate > 0:
		o.Pace = simulation.Evenly(c.Rate)
	}
	begun := time.Now()
	sent, err := simulation.Run(ctx, o)
	summary := std.Out
	if !c.Produce && (c.Output == "" || c.Output == "-") {
		summary = std.Err // because the records go to Out
	}
	if c.JSON {
		return errors.Join(err, terminal.PrintJSON(summary, tallyObject(sent, time.Since(begun))))
	}
	simulation.Print(summary, sent, time.Since(begun))
	return err
}

// openSink returns the place that the records go to. Its caller ends it through simulation.Run.
func (c *simulateCmd) openSink(ctx context.Context, std *stdio) (simulation.Sink, error) {
	line := simulation.Values
	if c.Envelope {
		line = simulation.Envelopes
	}
	switch info, err := os.Stat(c.Output); {
	case c.Produce:
		client, err := config.Kafka(c.Kafka).Options()
		if err != nil {
			return nil, err
		}
		return simulation.OpenKafka(ctx, client, c.TopicRaw)
	case c.Output == "" || c.Output == "-":
		if terminal.IsTerminal(std.Out) {
			return nil, errors.New("standard output is a terminal, and records are 100 KB long: " +
				"give -o PATH, or a pipe")
		}
		return simulation.ToWriter(std.Out, line), nil
	case strings.HasSuffix(c.Output, "/") || err == nil && info.IsDir():
		return simulation.ToFolder(c.Output, line)
	}
	return simulation.ToFile(c.Output, line)
}

// tallyObject returns the summary for --json.
func tallyObject(t simulate.Tally, took time.Duration) object {
	n := t.Records
	records := object{
		"pitches": n[simulate.KindPitch], "duplicates": n[simulate.KindDuplicate],
		"corrections": n[simulate.KindCorrection], "deletes": n[simulate.KindDelete],
		"identifies": n[simulate.KindIdentify], "poison": n[simulate.KindPoison],
	}
	return object{
		"games": t.Games, "records": records, "rows": t.Standing, "deleted": t.Gone, "dead_letters": t.Letters,
		"bytes": t.Bytes, "seconds": took.Seconds(),
	}
}
