package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/scoring"
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

// groupConfig returns the settings of Postgres for the positions of a consumer group.
func groupConfig(c config.Postgres, group string) pgsink.Config {
	cfg := storeConfig(c)
	cfg.Group, cfg.Build, cfg.CoreVersion = group, obs.Build(), features.CoreVersion
	cfg.NewScorer = scoring.New
	return cfg
}

// These groups of settings are not checked when flags are parsed: a command checks those that it needs.
type (
	optionalKafka    config.Kafka
	optionalPostgres config.Postgres
	optionalRedis    config.Redis
)

// optionalServer is a server that a command may do without.
type optionalServer struct {
	name, flag string // flag names its address
	isGiven    bool
	validate   func() error
}

func optionalServers(k optionalKafka, p optionalPostgres, r optionalRedis) []optionalServer {
	return []optionalServer{
		{"kafka", "kafka-brokers", len(k.Brokers) > 0, config.Kafka(k).Validate},
		{"postgres", "postgres-url", p.URL.Reveal() != "", config.Postgres(p).Validate},
		{"redis", "redis-url", r.URL.Reveal() != "", config.Redis(r).Validate},
	}
}

// coreLimits returns the limits of the core as the flags say.
func coreLimits(l config.Limits) features.Limits {
	return features.Limits{MaxRecordBytes: int(l.MaxRecordBytes)}
}

// object is one JSON object that a command prints.
type object map[string]any

// storeConfig returns the settings of Postgres for an engine that opens it.
func storeConfig(c config.Postgres) pgsink.Config {
	return pgsink.Config{URL: c.Address(), Schema: c.Schema}
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
	return redissink.Config{URL: c.Address(), TLS: trust, Prefix: c.Prefix}, err
}
