package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// connect returns a Kafka client. It does not connect yet.
func connect(k config.Kafka, more ...kgo.Opt) (*kgo.Client, error) {
	opts, err := k.Options()
	if err != nil {
		return nil, err
	}
	client, err := kgo.NewClient(append(opts, more...)...)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return client, nil
}

// openStore opens Postgres for the positions of a consumer group. log may be nil.
func openStore(c config.Postgres, group string, log *slog.Logger) (*pgsink.Sink, error) {
	cfg := storeConfig(c)
	cfg.Group, cfg.Build, cfg.CoreVersion, cfg.Log = group, obs.Build(), features.CoreVersion, log
	return pgsink.Open(cfg)
}

// object is one JSON object that a command prints.
type object map[string]any

// storeConfig returns the settings of Postgres for an engine that opens it.
func storeConfig(c config.Postgres) pgsink.Config {
	return pgsink.Config{URL: c.URL.Reveal(), Schema: c.Schema}
}

// openRedis opens the live values. log may be nil.
func openRedis(ctx context.Context, c config.Redis, log *slog.Logger) (*redissink.Sink, error) {
	cfg, err := redisConfig(c)
	if err != nil {
		return nil, err
	}
	cfg.Log = log
	return redissink.Open(ctx, cfg)
}

func redisConfig(c config.Redis) (redissink.Config, error) {
	trust, err := c.TLSConfig()
	return redissink.Config{URL: c.URL.Reveal(), TLS: trust, Prefix: c.Prefix}, err
}
