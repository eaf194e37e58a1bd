package bench

import (
	"cmp"
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
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// scratch creates what a stage needs on the servers, under new names, and removes it at the end.
type scratch struct {
	options processor.Options // with the new names
	remove  []func(context.Context) error
}

func newScratch(o *Options) *scratch {
	id := strings.ToLower(rand.Text()[:8])
	s := &scratch{options: o.Processor}
	name := "pitchstream-bench-" + id
	s.options.Group, s.options.Postgres.Schema = name, "pitchstream_bench_"+id
	s.options.Redis.Prefix = "ps:bench:" + id + ":"
	s.options.RawTopic, s.options.RowsTopic, s.options.DeadTopic = name+".raw", name+".rows", name+".dead"
	return s
}

// removeTimeout bounds clear, which the end of the context does not interrupt.
const removeTimeout = 30 * time.Second

// clear removes everything in reverse order, and adds to err what it could not remove.
func (s *scratch) clear(ctx context.Context, err *error) {
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
func (s *scratch) topics(ctx context.Context) error {
	o := &s.options
	client, err := kgo.NewClient(o.Kafka...)
	if err != nil {
		return err
	}
	admin := kadm.NewClient(client)
	s.remove = append(s.remove, func(ctx context.Context) error {
		defer client.Close()
		deleted, err := admin.DeleteTopics(ctx, o.RawTopic, o.RowsTopic, o.DeadTopic)
		return describe(cmp.Or(err, deleted.Error()), kerr.UnknownTopicOrPartition,
			"topics "+o.Group+".raw, .rows and .dead")
	})
	topics := kafkasink.TopicsConfig{Raw: o.RawTopic, Rows: o.RowsTopic, Dead: o.DeadTopic}
	_, err = kafkasink.EnsureTopics(ctx, admin, kafkasink.Topics(topics), false)
	return err
}

// group removes the consumer group at the end. A processor creates it.
func (s *scratch) group() {
	o := &s.options
	s.remove = append(s.remove, func(ctx context.Context) error {
		client, err := kgo.NewClient(o.Kafka...)
		if err != nil {
			return err
		}
		defer client.Close()
		deleted, err := kadm.NewClient(client).DeleteGroups(ctx, o.Group)
		return describe(cmp.Or(err, deleted.Error()), kerr.GroupIDNotFound, "group "+o.Group)
	})
}

// schema creates the tables.
func (s *scratch) schema(ctx context.Context) error {
	schema, connected := s.options.Postgres.Schema, true
	s.remove = append(s.remove, func(ctx context.Context) error {
		if !connected {
			return nil
		}
		conn, err := pgx.Connect(ctx, s.options.Postgres.URL)
		if err != nil {
			return fmt.Errorf("schema %s: postgres: no connection", schema)
		}
		defer conn.Close(ctx)
		_, err = conn.Exec(ctx, `DROP SCHEMA IF EXISTS `+pgx.Identifier{schema}.Sanitize()+` CASCADE`)
		return describe(err, nil, "schema "+schema)
	})
	store, err := s.options.OpenStore()
	if err != nil {
		return err
	}
	defer store.Close()
	_, err = pgadmin.New(store.DB()).Migrate(ctx)
	connected = !errors.As(err, new(*pgconn.ConnectError))
	return err
}

// prefix removes the keys below the prefix at the end. The processor creates them.
func (s *scratch) prefix() {
	s.remove = append(s.remove, func(ctx context.Context) error {
		_, err := redissink.Drop(ctx, s.options.Redis)
		return describe(err, nil, "keys "+s.options.Redis.Prefix+"*")
	})
}

// describe returns err with what it is about, or nil when it is harmless.
func describe(err, harmless error, what string) error {
	if err == nil || harmless != nil && errors.Is(err, harmless) {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
