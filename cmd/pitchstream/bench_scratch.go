package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// benchScratch is what a run creates on the servers: under names of its own, and gone afterwards.
type benchScratch struct {
	name   string // of topics and groups; the schema's and the prefix have its last part
	c      *benchCmd
	remove []func(context.Context) error
}

func newBenchScratch(c *benchCmd) *benchScratch {
	return &benchScratch{name: "pitchstream-bench-" + strings.ToLower(rand.Text()[:8]), c: c}
}

func (s *benchScratch) id() string { return s.name[len("pitchstream-bench-"):] }

// removeTimeout bounds the clearing away, which an interrupt does not stop.
const removeTimeout = 30 * time.Second

// clear removes everything, the last first, and adds what could not be to err.
func (s *benchScratch) clear(ctx context.Context, err *error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	for i := len(s.remove) - 1; i >= 0; i-- {
		if failed := s.remove[i](ctx); failed != nil {
			*err = errors.Join(*err, fmt.Errorf("not removed: %w", failed))
		}
	}
	s.remove = nil
}

// topics creates the three topics.
func (s *benchScratch) topics(ctx context.Context) (config.Topics, error) {
	t := config.Topics{TopicRaw: s.name + ".raw", TopicRows: s.name + ".rows", TopicDead: s.name + ".dead"}
	client, err := connect(config.Kafka(s.c.Kafka))
	if err != nil {
		return t, err
	}
	s.remove = append(s.remove, func(ctx context.Context) error {
		defer client.Close()
		gone, err := kadm.NewClient(client).DeleteTopics(ctx, t.TopicRaw, t.TopicRows, t.TopicDead)
		if err == nil {
			err = gone.Error()
		}
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil
		}
		return inWords(err, "topics "+s.name+".raw, .rows and .dead")
	})
	want := kafkasink.Topics(kafkasink.TopicsConfig{Raw: t.TopicRaw, Rows: t.TopicRows, Dead: t.TopicDead})
	_, err = kafkasink.EnsureTopics(ctx, kadm.NewClient(client), want, false)
	return t, err
}

// group is a consumer group, whose name is all that there is of it yet.
func (s *benchScratch) group() config.Kafka {
	k := config.Kafka(s.c.Kafka)
	k.Group = s.name
	s.remove = append(s.remove, func(ctx context.Context) error {
		client, err := connect(k)
		if err != nil {
			return err
		}
		defer client.Close()
		gone, err := kadm.NewClient(client).DeleteGroups(ctx, k.Group)
		if err == nil {
			err = gone.Error()
		}
		if errors.Is(err, kerr.GroupIDNotFound) {
			return nil
		}
		return inWords(err, "group "+k.Group)
	})
	return k
}

// schema creates the tables.
func (s *benchScratch) schema(ctx context.Context) (config.Postgres, error) {
	p := config.Postgres(s.c.Postgres)
	p.Schema = "pitchstream_bench_" + s.id()
	reached := true
	s.remove = append(s.remove, func(ctx context.Context) error {
		if !reached {
			return nil
		}
		conn, err := pgx.Connect(ctx, p.URL.Reveal())
		if err != nil {
			return inWords(errors.New("postgres: no connection"), "schema "+p.Schema)
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{p.Schema}.Sanitize()+` CASCADE`)
		return inWords(err, "schema "+p.Schema)
	})
	store, err := openStore(p, s.name, nil)
	if err != nil {
		return p, err
	}
	defer store.Close()
	_, err = store.Migrate(ctx)
	if refused := (*pgconn.ConnectError)(nil); errors.As(err, &refused) {
		reached = false
	}
	return p, err
}

// prefix is a part of Redis that is empty.
func (s *benchScratch) prefix() config.Redis {
	r := config.Redis(s.c.Redis)
	r.Prefix = "ps:bench:" + s.id() + ":"
	s.remove = append(s.remove, func(ctx context.Context) error { return inWords(removeKeys(ctx, r), "keys "+r.Prefix+"*") })
	return r
}

func removeKeys(ctx context.Context, r config.Redis) error {
	cfg, err := redisConfig(r)
	if err != nil {
		return err
	}
	_, err = redissink.Drop(ctx, cfg)
	return err
}

func inWords(err error, what string) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
