package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/pitchstream/pitchstream/api"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// servedTargets opens what the API reads of each target. Names of players are live's, whatever readers see.
type servedTargets struct {
	c     *serveCmd
	log   *slog.Logger
	live  *pgsink.Reader    // of live's schema, for the pointer and the names
	redis *redissink.Reader // of live's prefix, for the copy of the pointer
}

func (c *serveCmd) openServed(log *slog.Logger) (*servedTargets, error) {
	live, err := pgsink.OpenReader(pgsink.Config{URL: c.Postgres.URL.Reveal(), Schema: c.Postgres.Schema, Group: c.Kafka.Group})
	if err != nil {
		return nil, err
	}
	s := &servedTargets{c: c, log: log, live: live}
	if s.redis, err = s.openRedis(c.Redis.Prefix); err != nil {
		live.Close()
		return nil, err
	}
	return s, nil
}

func (s *servedTargets) close() {
	_ = s.redis.Close()
	s.live.Close()
}

func (s *servedTargets) openRedis(prefix string) (*redissink.Reader, error) {
	conf, err := redisConfig(s.c.Redis)
	if err != nil {
		return nil, err
	}
	conf.Prefix, conf.IOTimeout, conf.Log = prefix, time.Second, s.log
	return redissink.OpenReader(conf)
}

func (s *servedTargets) pointer(ctx context.Context) (schemas.Pointer, error) {
	return s.live.Pointer(ctx, s.c.Postgres.ServingSchema())
}

// open opens the stores of a target; live's are where the settings say, those of the others where their books say.
func (s *servedTargets) open(t schemas.Target) (api.Live, api.Store, func(), error) {
	if t.Name == config.Live {
		t.Schema, t.Group, t.Prefix = s.c.Postgres.Schema, s.c.Kafka.Group, s.c.Redis.Prefix
	}
	store, err := pgsink.OpenReader(pgsink.Config{URL: s.c.Postgres.URL.Reveal(), Schema: t.Schema, Group: t.Group})
	if err != nil {
		return nil, nil, nil, err
	}
	redis, err := s.openRedis(t.Prefix)
	if err != nil {
		store.Close()
		return nil, nil, nil, err
	}
	return redis, namedByLive{store, s.live, &judged{of: store}}, func() { _ = redis.Close(); store.Close() }, nil
}

// namedByLive is a target's store with the names of live's players.
type namedByLive struct {
	*pgsink.Reader
	live   *pgsink.Reader
	judged *judged
}

// Quality judges a day of this target's.
func (s namedByLive) Quality(ctx context.Context, day string) (schemas.QualityReport, error) {
	return s.judged.day(ctx, day)
}

// Players are live's.
func (s namedByLive) Players(ctx context.Context, version string) ([]schemas.Player, string, error) {
	return s.live.Players(ctx, version)
}
