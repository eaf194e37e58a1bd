package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/identify"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// identifyCmd names who batted and pitched.
type identifyCmd struct {
	Feed   string `env:"-" name:"feed" placeholder:"FILE|URL" help:"The league's game feed (feed/live), as a file or by HTTP."`
	Follow bool   `env:"-" name:"follow" help:"Go on asking for changes until the game has ended. Needs a URL."`
	File   string `env:"-" name:"file" placeholder:"FILE.csv" help:"Instead of a feed, a CSV file with event_id, batter_id, pitcher_id, team_id and game_pk, as load --ids takes it, and with at_bat_number, pitch_number, batter_side and pitcher_hand."`
	Game   string `env:"-" name:"game" placeholder:"PK" help:"Of --file: the game of lines that name none."`
	DryRun bool   `env:"-" name:"dry-run" help:"Send nothing: list what would be sent. Without --kafka-brokers that is everything, and no server is needed."`
	JSON   bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`

	MaxFeedBytes config.Bytes `env:"-" name:"max-feed-bytes" default:"32MiB" placeholder:"SIZE" help:"The largest answer of the feed that is read. Default: 32MiB."`

	Kafka    optionalKafka    `embed:"" group:"Kafka"`
	Topics   config.Topics    `embed:"" group:"Kafka"`
	Postgres optionalPostgres `embed:"" group:"Postgres"`
	Log      config.Log       `embed:"" group:"Operation"`
}

// Help returns the text of identify --help below its first line.
func (*identifyCmd) Help() string {
	return `
Tracking records name a batter only where the ball was hit. The game feed knows batter, pitcher and team of every pitch by its
play id, which is the pitch_id. This command sends them to the raw topic as records with op=identify. Substitutions within an
at-bat count from their pitch on. A corrected feed sends the pitches whose names changed.

It may be repeated, killed and started on another machine: what Postgres or the topic knows already is not sent again, and a
second run for a game takes over from the first. The revision of a record is the time code of the feed, so an older feed never
undoes a newer one. The names of --file count over all that were known, until a newer feed says otherwise. A feed of a game that
has ended is not newer. Names replace all names of a pitch: a column that the file lacks is cleared.

  pitchstream identify --feed https://statsapi.mlb.com/api/v1.1/game/745804/feed/live --follow
  pitchstream identify --feed 745804.json --dry-run
  pitchstream identify --file names.csv

With --follow it asks as often as the feed wants (metaData.wait), for what changed since (diffPatch), and waits longer and
longer after failures, up to two minutes. Corrections after the game's end: run it again without --follow.

A principal of Kafka needs Write and Describe on the transactional ids pitchstream-identify/*, and Read and Write on the topic.

Exit status: 0 well; 1 it failed, another run took over, or it was interrupted; 2 wrong usage.`
}

// Validate checks the flags.
func (c *identifyCmd) Validate() error {
	switch {
	case (c.Feed == "") == (c.File == ""):
		return errors.New("give one of --feed and --file")
	case c.Follow && !identify.IsURL(c.Feed):
		return errors.New("--follow needs a URL of a feed")
	case c.Follow && c.DryRun:
		return errors.New("--follow and --dry-run: give one")
	case c.Game != "" && c.File == "":
		return errors.New("--game is for --file: a feed names its game")
	case fileinput.CheckGame(c.Game) != nil:
		return fileinput.CheckGame(c.Game)
	case c.MaxFeedBytes < 1<<10 || c.MaxFeedBytes > 1<<30:
		return fmt.Errorf("--max-feed-bytes=%v: want 1KiB to 1GiB", c.MaxFeedBytes)
	case c.isAlone():
		return nil
	}
	return cmp.Or(config.Kafka(c.Kafka).Validate(), config.Postgres(c.Postgres).Validate())
}

// isAlone reports whether no server is asked.
func (c *identifyCmd) isAlone() bool { return c.DryRun && len(c.Kafka.Brokers) == 0 }

// PostgresRole returns a reader, which this command connects as.
func (*identifyCmd) PostgresRole() config.Role { return config.Reader }

// Run names the pitches. It prints a summary however it ends.
func (c *identifyCmd) Run(ctx context.Context, std *stdio) (err error) {
	o := identify.Options{
		Feed: c.Feed, Follow: c.Follow, MaxFeedBytes: int64(c.MaxFeedBytes), File: c.File, Game: c.Game,
		DryRun: c.DryRun, Topic: c.Topics.TopicRaw,
	}
	if o.Log, err = newLogger(std, c.Log, c); err != nil {
		return err
	}
	if !c.isAlone() {
		if o.Client, err = config.Kafka(c.Kafka).Options(); err != nil {
			return err
		}
		o.Postgres = pgread.Config{URL: c.Postgres.URL.Reveal(), Schema: c.Postgres.Schema, Group: c.Kafka.Group}
	}
	r, err := identify.Run(ctx, o)
	if err != nil && r.At.IsZero() && r.Pitches == 0 { // nothing was read: a summary would be of no game
		return err
	}
	return errors.Join(err, r.Print(std.Out, o, c.JSON))
}
