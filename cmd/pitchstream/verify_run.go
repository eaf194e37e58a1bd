package main

import (
	"context"
	"io"
	"slices"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/internal/verify"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// verifier is one run of verify.
type verifier struct {
	c      *verifyCmd
	err    io.Writer
	store  *pgsink.Sink
	redis  *redissink.Sink // nil: it is not compared
	report verifyReport
}

// verifyReport is what verify prints; a part that was not asked for is nil.
type verifyReport struct {
	Topic       *verify.Report    `json:"topic,omitempty"`
	Aggregates  *aggregatesReport `json:"aggregates,omitempty"`
	Redis       *redisReport      `json:"redis,omitempty"`
	Differences int               `json:"differences"`
	Repaired    int               `json:"repaired"`
	Left        int               `json:"left"` // of the differences, those that were not repaired
}

type aggregatesReport struct {
	Batters     int64                `json:"batters"`
	Rows        schemas.Sums         `json:"rows"`
	Totals      schemas.Sums         `json:"totals"`
	Differences []schemas.Difference `json:"differences,omitempty"`
}

type redisReport struct {
	Keys          int64                `json:"keys"`
	Moving        int64                `json:"moving"`
	Postgres      schemas.Sums         `json:"batters_in_postgres"`
	Redis         schemas.Sums         `json:"batters_in_redis"`
	PostgresGames schemas.Sums         `json:"batter_games_in_postgres"`
	RedisGames    schemas.Sums         `json:"batter_games_in_redis"`
	Differences   []schemas.Difference `json:"differences,omitempty"`
}

func (c *verifyCmd) open(ctx context.Context, std *stdio) (v *verifier, err error) {
	v = &verifier{c: c, err: std.Err}
	if v.store, err = openStore(c.Postgres, c.Kafka.Group, nil); err != nil {
		return nil, err
	}
	if err = v.store.Ping(ctx); err == nil && c.compares(partRedis) {
		v.redis, err = openRedis(ctx, config.Redis(c.Redis), nil)
	}
	if err != nil {
		v.close()
		return nil, err
	}
	return v, nil
}

func (v *verifier) close() {
	if v.redis != nil {
		_ = v.redis.Close()
	}
	v.store.Close()
}

// run compares the parts in the order in which each is made from the one before: what is repaired in one is right for
// the next.
func (v *verifier) run(ctx context.Context) error {
	for _, part := range []struct {
		name    string
		compare func(context.Context) error
	}{{partTopic, v.topic}, {partAggregates, v.aggregates}, {partRedis, v.compareRedis}} {
		if !v.c.compares(part.name) {
			continue
		}
		if err := part.compare(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) topic(ctx context.Context) error {
	options, err := config.Kafka(v.c.Kafka).Options()
	if err != nil {
		return err
	}
	bar := terminal.NewLateProgress(v.err, terminal.ProgressOptions{Title: "verify topic"})
	defer bar.Stop()
	report, err := verify.Topic(ctx, v.store, verify.Options{
		Client: options, Raw: v.c.Topics.TopicRaw, Dead: v.c.Topics.TopicDead, Group: v.c.Kafka.Group, Build: obs.Build(),
		Limits: features.Limits{MaxRecordBytes: int(v.c.Limits.MaxRecordBytes)}, Repair: v.c.Repair, Push: v.push, Progress: bar.Set,
	})
	v.report.Topic = &report
	v.count(report.Differences)
	return err
}

// push shows Redis what a repair changed in Postgres. Where Redis is not compared, the processors' sweep does it.
func (v *verifier) push(ctx context.Context, snaps []schemas.Snapshot) error {
	if v.redis == nil {
		return nil
	}
	_, err := v.redis.Push(ctx, snaps, nil)
	return err
}

// verifyBatters is how many batters' rows are added up in one query: a season has some 500 pitches of each.
const verifyBatters = 50

func (v *verifier) aggregates(ctx context.Context) error {
	report := &aggregatesReport{}
	v.report.Aggregates = report
	ids, err := v.store.TotalBatters(ctx)
	if err != nil {
		return err
	}
	bar := terminal.NewLateProgress(v.err, terminal.ProgressOptions{Title: "verify aggregates", Noun: "batters"})
	defer bar.Stop()
	for some := range slices.Chunk(ids, verifyBatters) {
		found, err := v.store.CompareTotals(ctx, some)
		if err != nil {
			return err
		}
		if v.c.Repair && len(found.Differences) > 0 {
			snaps, err := v.store.RepairTotals(ctx, found.Batters, found.Broken)
			if err == nil {
				err = v.push(ctx, snaps)
			}
			if err != nil {
				return err
			}
			for i := range found.Differences {
				found.Differences[i].Repaired = true
			}
		}
		report.add(found, int64(len(some)))
		bar.Set(report.Batters, int64(len(ids)))
	}
	v.count(report.Differences)
	return nil
}

func (r *aggregatesReport) add(found pgsink.TotalsReport, batters int64) {
	r.Batters += batters
	r.Rows, r.Totals = r.Rows.Plus(found.Rows), r.Totals.Plus(found.Totals)
	r.Differences = append(r.Differences, found.Differences...)
}

func (v *verifier) compareRedis(ctx context.Context) error {
	bar := terminal.NewLateProgress(v.err, terminal.ProgressOptions{Title: "verify redis", Noun: "batters"})
	defer bar.Stop()
	found, err := v.redis.Audit(ctx, v.store, redissink.AuditOptions{Repair: v.c.Repair, Progress: bar.Set})
	v.report.Redis = redisReportOf(found)
	v.count(found.Differences)
	return err
}

func redisReportOf(found redissink.AuditReport) *redisReport {
	return &redisReport{found.Keys, found.Moving, found.Postgres, found.Redis, found.PostgresGames, found.RedisGames, found.Differences}
}

func (v *verifier) count(found []schemas.Difference) {
	v.report.Differences += len(found)
	for _, d := range found {
		if d.Repaired {
			v.report.Repaired++
		} else {
			v.report.Left++
		}
	}
}
