package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/internal/verify"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

// verifyCmd compares what the servers hold. It checks the settings of Kafka and Redis itself, because only
// some of the parts need them.
type verifyCmd struct {
	Parts []string `arg:"" optional:"" name:"PART" enum:"topic,aggregates,redis,scores" help:"What to compare: topic (Kafka and Postgres), aggregates (Postgres in itself), redis (Postgres and Redis), scores (rows and models). Default: all four."`

	NoKafka bool            `env:"-" name:"no-kafka" help:"All parts but topic: no broker is needed."`
	Repair  bool            `env:"-" name:"repair" help:"Repair what differs, and nothing else: see above."`
	Wait    config.Duration `env:"-" name:"wait" placeholder:"TIME" help:"Before topic is compared, wait this long at most until processors have processed every record that it has. Default: not at all."`
	JSON    bool            `env:"-" name:"json" help:"Print one JSON object instead of text, with every difference."`
	Show    int             `env:"-" name:"show" default:"20" placeholder:"N" help:"Differences to print of each part; 0: all. Default: 20."`

	Kafka    optionalKafka         `embed:"" group:"Kafka"`
	Topics   config.Topics         `embed:"" group:"Kafka"`
	Archive  config.Archive        `embed:"" group:"Kafka"`
	Postgres config.Postgres       `embed:"" group:"Postgres"`
	Redis    optionalRedis         `embed:"" group:"Redis"`
	Registry config.SchemaRegistry `embed:"" group:"Schema registry"`
	Limits   config.Limits         `embed:"" group:"Processing"`
	Target   config.TargetName     `embed:"" group:"Processing"`
}

// Help is the text of verify --help below its first line.
func (*verifyCmd) Help() string {
	return `
Compares each copy with its source, in four parts:

  topic        pitches.raw, up to the positions stored in Postgres, is read again and run through the core. The winning
               version and the content of every pitch are compared with the registers in Postgres: missing, older,
               newer, other content. Rejected records are compared with the dead letters, one by one.
  aggregates   the totals of batters and pitchers, and of each in each game, are compared with the sums of their rows.
  redis        every field of every key of a batter or batter-game is compared with Postgres; also finds keys that are
               missing, and keys that should not exist.
  scores       what live versions of models said about pitches is compared with what they say about the rows; also finds
               scores that are missing, and scores that should not exist. Rows from before a model scored have none.

Records that no processor has processed yet are not compared, and are counted as behind. --wait waits for those that
the topic has at the start; it fails if they are not processed in time. Processors may run meanwhile: what
they are writing is looked at again and is no difference. A pitch whose record is no longer in the topic
(retention) is counted as not checkable. Partitions that a gap holds are named (held), and so says the last line,
but they are not waited for, and do not change the exit status. Memory: some 200 bytes a pitch for topic, little otherwise.

--repair repairs, in this order, and changes nothing else:
  topic        missing, older and changed pitches are written again from the topic. Positions do not move. A version in
               Postgres that is newer than the topic's is never overwritten: decide about it yourself. Dead letters are
               not sent again, and rows are not sent to their topic: the report names the replay that sends them.
  aggregates   the batter-games that differ are computed again from their rows, and then their batters.
  redis        the keys that differ are written again, or removed, unless somebody has written them in the meantime.
  scores       the live version scores the pitches again whose scores differ.
To write all of Redis again, whatever it holds: pitchstream rebuild redis.

  pitchstream verify                    all parts
  pitchstream verify redis --repair     Redis only, and repair it
  pitchstream verify --no-kafka --json  without the topic, for a script

Exit status: 0 no difference, or --repair has repaired all of them; 1 a difference is left, or it failed; 2 wrong usage.
The last line says which.`
}

// Validate checks the settings of the servers that the parts need.
func (c *verifyCmd) Validate() error {
	if c.NoKafka && slices.Contains(c.Parts, string(verify.Topic)) {
		return errors.New("--no-kafka and the part topic: give one of them")
	}
	if c.Show < 0 {
		return errors.New("--show: want 0 (all) or more")
	}
	if c.compares(verify.Topic) {
		if err := config.Kafka(c.Kafka).Validate(); err != nil {
			return err
		}
	}
	if c.compares(verify.Redis) {
		return config.Redis(c.Redis).Validate()
	}
	return nil
}

// compares reports whether a part was asked for.
func (c *verifyCmd) compares(part verify.Part) bool {
	if len(c.Parts) == 0 {
		return part != verify.Topic || !c.NoKafka
	}
	return slices.Contains(c.Parts, string(part))
}

// PostgresRole returns a reader unless differences are repaired.
func (c *verifyCmd) PostgresRole() config.Role {
	if c.Repair {
		return config.Writer
	}
	return config.Reader
}

// Run compares, and prints the report.
func (c *verifyCmd) Run(ctx context.Context, std *stdio) error {
	kafka, redis := (*config.Kafka)(&c.Kafka), (*config.Redis)(&c.Redis)
	live := config.Targets{Kafka: kafka, Topics: &c.Topics, Postgres: &c.Postgres, Redis: redis}
	if err := target.Use(ctx, live, c.Target.Target); err != nil {
		return err
	}
	store, err := pgsink.Reach(ctx, groupConfig(c.Postgres, c.Kafka.Group))
	if err != nil {
		return err
	}
	defer store.Close()
	o := verify.Options{Postgres: store, Repair: c.Repair}
	for _, part := range []verify.Part{verify.Topic, verify.Aggregates, verify.Redis, verify.Scores} {
		if c.compares(part) {
			o.Parts = append(o.Parts, part)
		}
	}
	if c.compares(verify.Redis) {
		if o.Redis, err = openRedis(ctx, *redis, nil); err != nil {
			return err
		}
		defer o.Redis.Close()
	}
	o.Kafka = verify.Kafka{
		Raw: c.Topics.TopicRaw, Dead: c.Topics.TopicDead, Group: c.Kafka.Group, Build: obs.Build(),
		Limits: coreLimits(c.Limits), Archive: c.Archive.Place(), Wait: time.Duration(c.Wait),
	}
	if o.Kafka.Client, err = kafka.Options(); err != nil {
		return err
	}
	if o.Kafka.Registry, err = c.Registry.Open(); err != nil {
		return err
	}
	bars := partProgress{w: std.Err}
	o.Progress = bars.set
	r, err := verify.Run(ctx, o)
	bars.stop()
	if err != nil {
		return err
	}
	if err := c.print(std, r); err != nil {
		return err
	}
	// guard: verify: what is left ends with 1
	if r.Left > 0 {
		return &differenceError{}
	}
	// guard: verify: records that do not come in time end with 1 | r.Topic.Late > 0 -> false
	if r.Topic != nil && r.Topic.Late > 0 {
		return fmt.Errorf("--wait=%v: %s not processed in time", time.Duration(c.Wait),
			terminal.Counted(r.Topic.Late, "record was", "records were"))
	}
	return nil
}

func (c *verifyCmd) print(std *stdio, r verify.Report) error {
	if c.JSON {
		return terminal.PrintJSON(std.text(), r)
	}
	o := verify.PrintOptions{
		RawTopic: c.Topics.TopicRaw, RedisPrefix: c.Redis.Prefix, Show: c.Show, Repair: c.Repair,
		Target: c.Target.Target,
	}
	o.Hints.Wait, o.Hints.All = "--wait TIME waits for them", "--show 0 prints all"
	o.Hints.Left = "which --repair cannot repair"
	return verify.Print(std.text(), r, o)
}

// partProgress shows the progress of one part after the other.
type partProgress struct {
	w    io.Writer
	part verify.Part
	bar  *terminal.LateProgress // nil before the first part
}

func (p *partProgress) set(part verify.Part, done, total int64) {
	if part != p.part {
		p.stop()
		o := terminal.ProgressOptions{Title: "verify " + string(part), Noun: "batters"}
		switch part {
		case verify.Topic:
			o.Noun = "records"
		case verify.Scores:
			o.Noun = "pitches"
		}
		p.part, p.bar = part, terminal.NewLateProgress(p.w, o)
	}
	p.bar.Set(done, total)
}

func (p *partProgress) stop() {
	if p.bar != nil {
		p.bar.Stop()
	}
}
