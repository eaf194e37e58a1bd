package main

import (
	"context"
	"errors"
	"slices"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/target"
)

// verifyCmd compares what the servers hold. Which of them it needs depends on the parts, so it checks their settings itself.
type verifyCmd struct {
	Parts []string `arg:"" optional:"" name:"part" enum:"topic,aggregates,redis" help:"What to compare: topic (Kafka and Postgres), aggregates (Postgres in itself), redis (Postgres and Redis). Default: all three."`

	NoKafka bool `env:"-" name:"no-kafka" help:"All parts but topic: no broker is needed."`
	Repair  bool `env:"-" name:"repair" help:"Mend what differs, and nothing else: see below."`
	JSON    bool `env:"-" name:"json" help:"Print one JSON object instead of text, with every difference."`
	Show    int  `env:"-" name:"show" default:"20" placeholder:"N" help:"Differences to print of each part; 0: all. Default: 20."`

	Kafka    uncheckedKafka    `embed:"" group:"Kafka"`
	Topics   config.Topics     `embed:"" group:"Kafka"`
	Postgres config.Postgres   `embed:"" group:"Postgres"`
	Redis    uncheckedRedis    `embed:"" group:"Redis"`
	Limits   config.Limits     `embed:"" group:"Processing"`
	Target   config.TargetName `embed:"" group:"Processing"`
}

// Settings of servers that a command may do without.
type (
	uncheckedKafka config.Kafka
	uncheckedRedis config.Redis
)

// Parts of verify.
const (
	partTopic      = "topic"
	partAggregates = "aggregates"
	partRedis      = "redis"
)

// Help is what verify --help says below its first line.
func (*verifyCmd) Help() string {
	return `
Three comparisons, each from a truth to what is made of it:

  topic        pitches.raw, up to the positions that Postgres has stored, is read again and run through the core. Every
               pitch's winning version and its content are held against the registers in Postgres: lost, older, newer,
               otherwise. Rejected records are held against the dead letters, one for one.
  aggregates   batter_totals and batter_game_totals are held against what their rows add up to.
  redis        every field of every batter's and batter-game's key is held against Postgres; keys that are missing, and
               keys that should not be there.

It may run beside processors: what they move meanwhile is looked at again and is no difference. A pitch whose record the
topic no longer has (retention) is counted as not checkable. Memory: some 200 bytes a pitch for topic, little otherwise.

--repair mends, in this order, and touches nothing else:
  topic        lost, older and changed pitches are written again from the topic; positions do not move, and what stands
               in Postgres newer than the topic knows is never overwritten: that stays a difference, for a person.
               Dead letters are not sent again.
  aggregates   the batter-games that differ are computed anew from their rows, and their batters.
  redis        the keys that differ are written anew, or removed; each only if nobody has written it meanwhile.
To write all of Redis anew, whatever stands there: pitchstream rebuild redis.

  pitchstream verify                    everything
  pitchstream verify redis --repair     Redis only, and mend it
  pitchstream verify --no-kafka --json  without the topic, for a script

Exit status: 0 no difference, or --repair has mended all of them; 1 a difference is left, or it failed; 2 wrong usage. The
last line says which.`
}

// Validate says what is wrong and what would be right.
func (c *verifyCmd) Validate() error {
	if c.NoKafka && slices.Contains(c.Parts, partTopic) {
		return errors.New("--no-kafka and the part topic: give one of them")
	}
	if c.Show < 0 {
		return errors.New("--show: want 0 (all) or more")
	}
	if c.compares(partTopic) {
		if err := config.Kafka(c.Kafka).Validate(); err != nil {
			return err
		}
	}
	if c.compares(partRedis) {
		return config.Redis(c.Redis).Validate()
	}
	return nil
}

// compares says whether a part was asked for.
func (c *verifyCmd) compares(part string) bool {
	if len(c.Parts) == 0 {
		return part != partTopic || !c.NoKafka
	}
	return slices.Contains(c.Parts, part)
}

// Run compares, and prints what was found.
func (c *verifyCmd) Run(ctx context.Context, std *stdio) error {
	live := config.Targets{Kafka: (*config.Kafka)(&c.Kafka), Topics: &c.Topics, Postgres: &c.Postgres, Redis: (*config.Redis)(&c.Redis)}
	if err := target.Use(ctx, live, c.Target.Target); err != nil {
		return err
	}
	v, err := c.open(ctx, std)
	if err != nil {
		return err
	}
	defer v.close()
	if err := v.run(ctx); err != nil {
		return err
	}
	if err := v.print(std.Out); err != nil {
		return err
	}
	// guard: verify: what is left ends with 1
	if v.report.Left > 0 {
		return &differenceError{}
	}
	return nil
}
