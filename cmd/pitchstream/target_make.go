package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

// openTargets opens the books of the targets, in live's database.
func (c *replayCmd) openTargets() (*pgsink.Targets, error) {
	return pgsink.OpenTargets(pgsink.Config{URL: c.Postgres.URL.Reveal(), Schema: c.Postgres.Schema, Build: buildName()}, c.Postgres.ServingSchema())
}

// makeTarget makes what a target lacks: topics as many partitions as the raw topic has, the schema, its line in the books.
func (c *replayCmd) makeTarget(ctx context.Context, admin *kadm.Client, t schemas.Target, log *slog.Logger) error {
	if err := c.makeTopics(ctx, admin, t, log); err != nil {
		return err
	}
	p := c.Postgres
	p.Schema = t.Schema
	store, err := openStore(p, "", nil)
	if err != nil {
		return err
	}
	defer store.Close()
	applied, err := store.Migrate(ctx)
	if err != nil {
		return err
	}
	if len(applied) > 0 {
		log.Info("schema migrated", "schema", t.Schema, "migrations", len(applied))
		log.Info("where Redis has users, theirs must cover the new keys", "pattern", "~"+t.Prefix+"*")
	}
	books, err := c.openTargets()
	if err != nil {
		return err
	}
	defer books.Close()
	if err := books.Ensure(ctx); err != nil {
		return err
	}
	return books.Register(ctx, t)
}

func (c *replayCmd) makeTopics(ctx context.Context, admin *kadm.Client, t schemas.Target, log *slog.Logger) error {
	raw := c.Topics.TopicRaw
	there, err := admin.ListTopics(ctx, raw)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	detail := there[raw]
	if detail.Err != nil || len(detail.Partitions) == 0 {
		return fmt.Errorf("kafka: topic %s is not there: run `pitchstream topics`", raw)
	}
	most, err := kafkasink.MaxMessageBytes(ctx, admin, raw)
	if err != nil {
		return err
	}
	topics := kafkasink.Topics(kafkasink.TopicsConfig{Raw: raw, Rows: t.Rows, Dead: t.Dead, Partitions: int32(len(detail.Partitions)),
		Replication: int16(detail.Partitions.NumReplicas()), MaxMessageBytes: int(most)})
	states, err := kafkasink.EnsureTopics(ctx, admin, topics[1:], false)
	for _, s := range states {
		if s.Created {
			log.Info("topic created", "topic", s.Topic.Name)
		}
	}
	return err
}
