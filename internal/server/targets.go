package server

import (
	"context"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/api"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/quality"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// targets opens the stores of the target that readers see. The live target's readers stay open: they read the
// pointer, and the players' names, which are kept in the live target only.
type targets struct {
	o     Options
	live  *pgread.Reader
	redis *redissink.Reader // of the live prefix, for the copy of the pointer
}

func openTargets(o Options) (*targets, error) {
	live, err := pgread.Open(o.Postgres)
	if err != nil {
		return nil, err
	}
	s := &targets{o: o, live: live}
	if s.redis, err = s.openRedis(o.Redis.Prefix); err != nil {
		live.Close()
		return nil, err
	}
	return s, nil
}

func (s *targets) close() {
	_ = s.redis.Close()
	s.live.Close()
}

func (s *targets) openRedis(prefix string) (*redissink.Reader, error) {
	c := s.o.Redis
	c.Prefix, c.IOTimeout, c.Log = prefix, time.Second, s.o.Log
	return redissink.OpenReader(c)
}

func (s *targets) pointer(ctx context.Context) (schemas.Pointer, error) {
	return pgbooks.New(s.live.DB()).Pointer(ctx, s.o.ServingSchema)
}

// open opens the stores of a target: the live one's where the options say, another one's where its
// registration says.
func (s *targets) open(t schemas.Target) (api.Live, api.Store, func(), error) {
	if t.Name == config.Live {
		t.Schema, t.Group, t.Prefix = s.o.Postgres.Schema, s.o.Postgres.Group, s.o.Redis.Prefix
	}
	store, err := pgread.Open(pgread.Config{URL: s.o.Postgres.URL, Schema: t.Schema, Group: t.Group})
	if err != nil {
		return nil, nil, nil, err
	}
	redis, err := s.openRedis(t.Prefix)
	if err != nil {
		store.Close()
		return nil, nil, nil, err
	}
	closeBoth := func() { _ = redis.Close(); store.Close() }
	reports := &qualityCache{books: pgbooks.NewQuality(store.DB())}
	return redis, targetStore{store, s.live, reports}, closeBoth, nil
}

// targetStore reads a target, but the players' names from live, which alone has them.
type targetStore struct {
	api.Store
	live    *pgread.Reader
	reports *qualityCache
}

// Quality returns the report of a day of this target.
func (s targetStore) Quality(ctx context.Context, day string) (schemas.QualityReport, error) {
	return s.reports.day(ctx, day)
}

// Players returns the players of the live target.
func (s targetStore) Players(ctx context.Context, version string) ([]schemas.Player, string, error) {
	return s.live.Players(ctx, version)
}

// qualityCache keeps reports for a moment, because each is computed from thirty days of facts, and processors
// renew those only twice a minute.
type qualityCache struct {
	books pgbooks.Quality

	mu      sync.Mutex // held while a report is computed, so that one request at a time does it
	reports map[string]cachedReport
}

type cachedReport struct {
	at     time.Time
	report schemas.QualityReport
}

// Limits of a qualityCache. A caller may ask for any day, so that the number of days must be bounded.
const (
	reportLifetime = 10 * time.Second
	maxReports     = 100
)

// day returns the report of a day, "" for the newest.
func (c *qualityCache) day(ctx context.Context, day string) (schemas.QualityReport, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r, ok := c.reports[day]; ok && time.Since(r.at) < reportLifetime {
		return r.report, nil
	}
	if err := ctx.Err(); err != nil { // the client gave up while other requests held the lock
		return schemas.QualityReport{}, err
	}
	facts, err := c.books.QualityFacts(ctx, day, quality.History)
	if err != nil {
		return schemas.QualityReport{}, err
	}
	report := quality.Judge(facts, day)
	if c.reports == nil || len(c.reports) >= maxReports {
		c.reports = map[string]cachedReport{}
	}
	c.reports[day] = cachedReport{time.Now(), report}
	return report, nil
}
