package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

type targetDropCmd struct {
	Name string `arg:"" help:"The target: not live, and not the one that readers see."`
	Yes  bool   `env:"-" help:"It is meant: what is dropped is gone, and only another replay brings it back."`

	Kafka    config.Kafka    `embed:"" group:"Kafka"`
	Postgres config.Postgres `embed:"" group:"Postgres"`
	Redis    config.Redis    `embed:"" group:"Redis"`
}

// Validate says what is wrong and what would be right.
func (c *targetDropCmd) Validate() error {
	if c.Name == config.Live {
		return errors.New("live is what the settings say: it is not dropped")
	}
	if err := config.CheckTarget("name", c.Name); err != nil {
		return err
	}
	if !c.Yes {
		return fmt.Errorf("this removes the schema, the keys, the topics and the group of %s: give --yes", c.Name)
	}
	return nil
}

// Run drops: first what readers of the target would miss last, at the end its line in the books, so that a drop that
// failed can be repeated.
func (c *targetDropCmd) Run(ctx context.Context, std *stdio) error {
	settings := targetSettings{Postgres: c.Postgres, Group: c.Kafka.Group, TopicRaw: ""}
	books, err := settings.open()
	if err != nil {
		return err
	}
	defer books.Close()
	t, err := settings.find(ctx, books, c.Name)
	if err != nil {
		return err
	}
	if err := c.refuse(ctx, &settings, t); err != nil {
		return err
	}
	p, err := books.Pointer(ctx)
	if err != nil {
		return err
	}
	// guard: target: one that readers see is not dropped
	if p.Target.Name == c.Name {
		return fmt.Errorf("readers see %s: promote another target first, or roll back", c.Name)
	}
	if err := c.dropKafka(ctx, t); err != nil {
		return err
	}
	conf := c.Redis
	conf.Prefix = t.Prefix
	below, err := redisConfig(conf)
	if err != nil {
		return err
	}
	keys, err := redissink.Drop(ctx, below)
	if err != nil {
		return err
	}
	if err := books.Drop(ctx, t); err != nil {
		return err
	}
	fmt.Fprintf(std.Out, "dropped %s: schema %s, %s below %s, topics %s and %s, group %s\n", t.Name, t.Schema, terminal.Counted(keys, "key"), t.Prefix, t.Rows, t.Dead, t.Group)
	return nil
}

// refuse says that a processor still feeds the target: it would write again what is dropped.
func (c *targetDropCmd) refuse(ctx context.Context, settings *targetSettings, t schemas.Target) error {
	fed, err := settings.feeding(ctx, t)
	// guard: target: one that is fed is not dropped | fed.Processors > 0 -> false
	if err == nil && fed.Processors > 0 {
		return fmt.Errorf("%s of %s: stop it first (a processor that was killed is forgotten after %v)", terminal.Counted(int64(fed.Processors), "processor"), t.Name, aliveFor)
	}
	return nil // a schema that is half gone cannot be asked
}

func (c *targetDropCmd) dropKafka(ctx context.Context, t schemas.Target) error {
	client, err := connect(c.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	gone, err := admin.DeleteTopics(ctx, t.Rows, t.Dead)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	for _, topic := range gone {
		if topic.Err != nil && !errors.Is(topic.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("kafka: topic %s: %w", topic.Topic, topic.Err)
		}
	}
	group, err := admin.DeleteGroup(ctx, t.Group)
	if err = errors.Join(err, group.Err); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("kafka: group %s: %w", t.Group, err)
	}
	return nil
}
