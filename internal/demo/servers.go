package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/pitchstream/pitchstream/internal/localpg"
	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

// servers are the three servers, and the folder of everything that they and the processor write. close may be
// called however far open came.
type servers struct {
	dir      string
	lifeline *child.Line // removes dir when this process is killed
	kafka    *kfake.Cluster
	redis    *miniredis.Miniredis
	postgres *localpg.Server
}

// removeFolder removes the folder $1. It tries again, because Postgres may write into the folder until its
// own lifeline has ended it.
const removeFolder = `
	for i in $(seq 50); do
		rm -rf "$1" && break
		sleep 0.2
	done`

// Kafka keeps only the newest records on disk, because the demo may run overnight.
const (
	segmentBytes   = 4 << 20
	retentionBytes = 16 << 20 // of one partition
)

func (s *servers) open(ctx context.Context, o Options) (err error) {
	if s.dir, err = os.MkdirTemp("", "pitchstream-demo-"); err != nil {
		return err
	}
	if s.lifeline, err = child.Tie(nil, removeFolder, s.dir); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o711); err != nil { // the user that Postgres runs as must be able to enter it
		return err
	}
	if err := s.openPostgres(ctx, o); err != nil {
		return err
	}
	if o.addOwner {
		if err := s.addOwner(ctx); err != nil {
			return err
		}
	}
	redis := miniredis.NewMiniRedis()
	if err := redis.StartAddr(net.JoinHostPort("127.0.0.1", strconv.Itoa(int(o.RedisPort)))); err != nil {
		return fmt.Errorf("Redis: %w", err)
	}
	s.redis = redis
	// Kafka comes last, because a command that waits for it finds the others then.
	s.kafka, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(int(o.KafkaPort)),
		kfake.DataDir(s.dir+"/kafka"),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes":   strconv.Itoa(segmentBytes),
			"log.retention.bytes": strconv.Itoa(retentionBytes),
		}))
	if err != nil {
		return fmt.Errorf("Kafka: %w", err)
	}
	return nil
}

func (s *servers) openPostgres(ctx context.Context, o Options) (err error) {
	s.postgres, err = localpg.Start(ctx, localpg.Options{
		Dir: s.dir, Port: o.PostgresPort, Settings: o.postgres, Download: true, Progress: o.Err,
	})
	if err != nil && ctx.Err() == nil {
		if _, missing := localpg.Find(ctx); missing != nil { // the download failed: say what to install instead
			err = fmt.Errorf("%w\n%w", err, missing)
		}
	}
	return err
}

func (s *servers) addresses() Servers {
	return Servers{s.kafka.ListenAddrs()[0], s.postgres.URL, "redis://" + s.redis.Addr()}
}

// guestURL returns the address of Postgres for users of the demo, which is short enough to type.
func (s *servers) guestURL() string { return "postgres://demo:demo@" + s.postgres.Addr + "/postgres" }

// addGuest creates the user of guestURL, who can only read. The schema must exist.
func (s *servers) addGuest(ctx context.Context, schema string) error {
	conn, err := pgx.Connect(ctx, s.postgres.URL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	_, err = conn.Exec(ctx, `
		CREATE ROLE demo LOGIN PASSWORD 'demo' CONNECTION LIMIT 20 IN ROLE pg_read_all_data;
		ALTER ROLE demo SET search_path = `+pgx.Identifier{schema}.Sanitize()+`;
		ALTER ROLE demo SET default_transaction_read_only = on`)
	return err
}

// close ends the servers and removes the folder.
func (s *servers) close() error {
	var errs []error
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop())
	}
	if s.redis != nil {
		s.redis.Close()
	}
	if s.kafka != nil {
		s.kafka.Close()
	}
	if s.dir != "" {
		errs = append(errs, os.RemoveAll(s.dir), s.lifeline.Cut())
	}
	return errors.Join(errs...)
}
