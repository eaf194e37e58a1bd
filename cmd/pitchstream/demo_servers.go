package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/pitchstream/pitchstream/internal/localpg"
	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

// demoServers are the three servers and the folder that holds what they and the processor write. The zero value has
// none; close may be called at any time, once.
type demoServers struct {
	dir      string
	lifeline *child.Line // removes dir when this process is killed
	kafka    *kfake.Cluster
	redis    *miniredis.Miniredis
	postgres *localpg.Server
}

func (c *demoCmd) openServers(ctx context.Context, std *stdio) (s demoServers, err error) {
	if err = s.makeFolder(); err != nil {
		return s, err
	}
	if s.kafka, err = openDemoKafka(int(c.KafkaPort), s.dir); err != nil {
		return s, fmt.Errorf("Kafka: %w", err)
	}
	redis := miniredis.NewMiniRedis()
	if err = redis.StartAddr(net.JoinHostPort("127.0.0.1", strconv.Itoa(int(c.RedisPort)))); err != nil {
		return s, fmt.Errorf("Redis: %w", err)
	}
	s.redis = redis
	s.postgres, err = openDemoPostgres(ctx, s.dir, std.Err)
	return s, err
}

func openDemoPostgres(ctx context.Context, dir string, progress io.Writer) (*localpg.Server, error) {
	s, err := localpg.Start(ctx, localpg.Options{Dir: dir, Settings: localpg.Throwaway(), Download: true, Progress: progress})
	if err == nil || ctx.Err() != nil {
		return s, err
	}
	if _, missing := localpg.Find(ctx); missing != nil { // the download failed: there is another way
		err = fmt.Errorf("%w\n%w", err, missing)
	}
	return nil, err
}

// demoUndo removes the folder $1. Postgres has a lifeline of its own; until it has ended, it may write what is removed.
const demoUndo = `
	for i in $(seq 50); do
		rm -rf "$1" && break
		sleep 0.2
	done`

func (s *demoServers) makeFolder() (err error) {
	if s.dir, err = os.MkdirTemp("", "pitchstream-demo-"); err != nil {
		return err
	}
	if s.lifeline, err = child.Tie(nil, demoUndo, s.dir); err != nil {
		return err
	}
	return os.Chmod(s.dir, 0o711) // the user that Postgres runs as, where we are root, passes through
}

// Kafka's records are on disk, and only the newest: the demo may be left alone overnight.
const (
	demoSegmentBytes   = 4 << 20
	demoRetentionBytes = 16 << 20 // of a partition
	demoRetentionEvery = time.Minute
)

func openDemoKafka(port int, dir string) (*kfake.Cluster, error) {
	return kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(dir+"/kafka"),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes":   strconv.Itoa(demoSegmentBytes),
			"log.retention.bytes": strconv.Itoa(demoRetentionBytes),
		}))
}

func (s *demoServers) kafkaAddr() string { return s.kafka.ListenAddrs()[0] }
func (s *demoServers) redisURL() string  { return "redis://" + s.redis.Addr() }
func (s *demoServers) logPath() string   { return s.dir + "/processor.log" }

// guestURL is Postgres for those who look: an address that can be typed.
func (s *demoServers) guestURL() string {
	return "postgres://demo:demo@" + s.postgres.Addr + "/postgres"
}

// addGuest makes the user of guestURL, who can only read. The schema must be there.
func (s *demoServers) addGuest(ctx context.Context, schema string) error {
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

// close ends what runs and removes what was written.
func (s *demoServers) close() error {
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
