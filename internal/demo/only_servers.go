package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/jackc/pgx/v5"
)

// OnlyServers runs empty servers at the ports of the options until ctx ends, and plays nothing. It prints the
// settings for other commands. The login and the database of Postgres are named pitchstream, as in
// docker-compose.yml.
func OnlyServers(ctx context.Context, o Options) (err error) {
	fmt.Fprintln(o.Err, "starting Postgres, Redis and Kafka")
	var s servers
	defer func() { err = errors.Join(err, s.close()) }()
	o.addOwner = true
	err = s.open(ctx, o)
	if ctx.Err() != nil {
		return errors.New("stopped before the servers were ready")
	}
	if err != nil {
		return err
	}
	s.printSettings(o.Out)
	tick := time.Tick(retentionInterval)
	for {
		select {
		case <-tick:
			s.kafka.ApplyRetention()
		case <-s.postgres.Done():
			return fmt.Errorf("Postgres ended on its own; the end of its log:\n%s", s.postgres.Log())
		case <-ctx.Done():
			return nil
		}
	}
}

// addOwner creates the login pitchstream and its database.
func (s *servers) addOwner(ctx context.Context) error {
	conn, err := pgx.Connect(ctx, s.postgres.URL)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for _, statement := range []string{
		"CREATE ROLE pitchstream LOGIN SUPERUSER PASSWORD 'pitchstream'",
		"CREATE DATABASE pitchstream OWNER pitchstream",
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func (s *servers) printSettings(to io.Writer) {
	fmt.Fprintf(to, `ready, until Ctrl-C; nothing is kept after it. The settings for other commands:
  export PITCHSTREAM_KAFKA_BROKERS=%s
  export PITCHSTREAM_POSTGRES_URL='postgres://pitchstream:pitchstream@%s/pitchstream?sslmode=disable'
  export PITCHSTREAM_REDIS_URL=redis://%s
`, s.kafka.ListenAddrs()[0], s.postgres.Addr, s.redis.Addr())
}
