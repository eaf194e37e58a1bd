package target

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// CreateOptions say what to create.
type CreateOptions struct {
	Live   Options
	Admin  *kadm.Client
	Target schemas.Target // with all its names
	Log    *slog.Logger
}

// Create makes what a target lacks: topics with as many partitions and replicas as the raw topic, the schema,
// and its line in the list of targets. It may be called again for a target that exists.
func Create(ctx context.Context, o CreateOptions) error {
	if err := createTopics(ctx, o); err != nil {
		return err
	}
	url := o.Live.Postgres.Address()
	store, err := pgsink.Open(pgsink.Config{URL: url, Schema: o.Target.Schema, Log: o.Log})
	if err != nil {
		return err
	}
	defer store.Close()
	applied, err := pgadmin.New(store.DB()).Migrate(ctx)
	if err != nil {
		return err
	}
	if len(applied) > 0 {
		o.Log.Info("schema migrated", "schema", o.Target.Schema, "migrations", len(applied))
		o.Log.Info("users of Redis need rights on the keys of the target", "pattern", "~"+o.Target.Prefix+"*")
	}
	c, err := open(o.Live)
	if err != nil {
		return err
	}
	defer c.close()
	if err := c.books.Ensure(ctx); err != nil {
		return err
	}
	return c.books.Register(ctx, o.Target)
}

func createTopics(ctx context.Context, o CreateOptions) error {
	raw := o.Live.TopicRaw
	listed, err := o.Admin.ListTopics(ctx, raw)
	if err != nil {
		return fmt.Errorf("kafka: list topic %s: %w", raw, err)
	}
	detail := listed[raw]
	if detail.Err != nil || len(detail.Partitions) == 0 {
		return fmt.Errorf("kafka: topic %s does not exist: run `pitchstream topics`", raw)
	}
	maxBytes, err := kafkasink.MaxMessageBytes(ctx, o.Admin, raw)
	if err != nil {
		return err
	}
	topics := kafkasink.Topics(kafkasink.TopicsConfig{
		Raw: raw, Rows: o.Target.Rows, Dead: o.Target.Dead, MaxMessageBytes: int(maxBytes),
		Partitions: int32(len(detail.Partitions)), Replication: int16(detail.Partitions.NumReplicas()),
	})
	states, err := kafkasink.EnsureTopics(ctx, o.Admin, topics[1:], false)
	for _, s := range states {
		if s.Created {
			o.Log.Info("topic created", "topic", s.Topic.Name)
		}
	}
	return err
}

// DropOptions say which target to drop.
type DropOptions struct {
	Kafka    config.Kafka
	Postgres config.Postgres
	Redis    config.Redis
	Name     string
}

// Dropped says what a Drop removed.
type Dropped struct {
	Target schemas.Target
	Keys   int64 // in Redis
}

// Drop removes the topics, the group, the keys, and at last the schema with the line in the list of targets,
// so that a drop that failed can be repeated. It refuses a target that readers see, or that a processor
// feeds.
func Drop(ctx context.Context, o DropOptions) (d Dropped, err error) {
	c, err := open(Options{Postgres: o.Postgres, Group: o.Kafka.Group})
	if err != nil {
		return d, err
	}
	defer c.close()
	if d.Target, err = c.find(ctx, o.Name); err != nil {
		return d, err
	}
	feeding, err := FeedingOf(ctx, c.live, d.Target)
	// An error is no obstacle, because a schema that an earlier drop has half removed cannot be read.
	// guard: target: one that is fed is not dropped | feeding.Processors > 0 -> feeding.Processors < 0
	if err == nil && feeding.Processors > 0 {
		const text = "a processor feeds %s: stop it first; one that was killed counts for another %v"
		return d, fmt.Errorf(text, o.Name, AliveFor)
	}
	pointer, err := c.books.Pointer(ctx)
	if err != nil {
		return d, err
	}
	// guard: target: one that readers see is not dropped
	if pointer.Target.Name == o.Name {
		return d, fmt.Errorf("readers see %s: promote another target first, or roll back", o.Name)
	}
	if err := dropKafka(ctx, o.Kafka, d.Target); err != nil {
		return d, err
	}
	trust, err := o.Redis.TLSConfig()
	if err != nil {
		return d, err
	}
	below := redissink.Config{URL: o.Redis.Address(), TLS: trust, Prefix: d.Target.Prefix}
	if d.Keys, err = redissink.Drop(ctx, below); err != nil {
		return d, err
	}
	return d, c.books.Drop(ctx, d.Target)
}

func dropKafka(ctx context.Context, settings config.Kafka, t schemas.Target) error {
	options, err := settings.Options()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	deleted, err := admin.DeleteTopics(ctx, t.Rows, t.Dead)
	if err != nil {
		return fmt.Errorf("kafka: delete topics %s and %s: %w", t.Rows, t.Dead, err)
	}
	for _, topic := range deleted {
		if topic.Err != nil && !errors.Is(topic.Err, kerr.UnknownTopicOrPartition) {
			return fmt.Errorf("kafka: delete topic %s: %w", topic.Topic, topic.Err)
		}
	}
	group, err := admin.DeleteGroup(ctx, t.Group)
	if err = errors.Join(err, group.Err); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("kafka: delete group %s: %w", t.Group, err)
	}
	return nil
}
