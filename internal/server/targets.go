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

// targets opens the stores of any target for the API. It keeps those of live open for the pointer, which says
// the target that clients are served, and for the players' names, which only live has.
type targets struct {
	o     Options
	live  *pgread.Reader    // of the live target, until close
	redis *redissink.Reader // of the live prefix, for the copy of the pointer, until close
}

// openTargets opens live's stores without connecting. The caller calls close after all stores that open
// returned are closed.
func openTargets(o Options) (*targets, error) {
	live, err := pgread.OpenPrimary(o.Postgres)
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
	// A second, because a request falls back to Postgres when Redis does not answer.
	c.Prefix, c.IOTimeout, c.Log = prefix, time.Second, s.o.Log
	return redissink.OpenReader(c)
}

func (s *targets) pointer(ctx context.Context) (schemas.Pointer, error) {
	return pgbooks.New(s.live.DB()).Pointer(ctx, s.o.ServingSchema)
}

// open opens the stores of a target without connecting; an error is a wrong option. The live target's schema,
// group and prefix come from the options, those of another from its registration t. The caller calls
// closeStores once, when no request uses them any more, and before close, because Players reads live's store.
func (s *targets) open(t schemas.Target) (
	redis api.Live, store api.Store, closeStores func(), err error,
) {
	if t.Name == config.Live {
		t.Schema, t.Group, t.Prefix = s.o.Postgres.Schema, s.o.Postgres.Group, s.o.Redis.Prefix
	}
	postgres, err := pgread.OpenPrimary(pgread.Config{URL: s.o.Postgres.URL, Schema: t.Schema, Group: t.Group})
	if err != nil {
		return nil, nil, nil, err
	}
	reader, err := s.openRedis(t.Prefix)
	if err != nil {
		postgres.Close()
		return nil, nil, nil, err
	}
	closeStores = func() { _ = reader.Close(); postgres.Close() }
	reports := &qualityCache{books: pgbooks.NewQuality(postgres.DB()), turn: make(chan struct{}, 1)}
	pitches := pgread.NewAdvice(postgres)
	scores := pgread.NewScores(postgres)
	mechanics := pgread.NewMechanics(postgres.DB())
	store = targetStore{
		postgres, postgres, scores, s.live, reports, mechanics, newAdviser(pitches),
	}
	return reader, store, closeStores, nil
}

// targetStore is the Store of one target. It takes the players' names from live, which alone has them. It
// adds Quality, Recommend, Drift, Changes and scores. The API finds them by asserting api.QualityStore,
// api.AdviceStore, api.DriftStore, api.ChangeStore and api.ScoreStore. Other methods of a pgread.Reader are
// hidden.
type targetStore struct {
	api.Store
	api.ChangeStore
	api.ScoreStore
	live      *pgread.Reader
	reports   *qualityCache
	mechanics pgread.Mechanics
	advice    *adviser
}

// Quality returns the report of a day of this target.
func (s targetStore) Quality(ctx context.Context, day string) (schemas.QualityReport, error) {
	return s.reports.day(ctx, day)
}

// Recommend ranks the types of a pitcher of this target.
func (s targetStore) Recommend(ctx context.Context, q schemas.AdviceQuery) (schemas.Advice, error) {
	return s.advice.Recommend(ctx, q)
}

// Players returns the players of the live target.
func (s targetStore) Players(ctx context.Context, version string) ([]schemas.Player, string, error) {
	return s.live.Players(ctx, version)
}

// qualityCache keeps reports for a moment, because each is computed from thirty days of facts, and processors
// renew those only twice a minute.
type qualityCache struct {
	books factsReader
	turn  chan struct{} // holds a token while a report is computed, so that one request at a time does it

	mu      sync.Mutex // guards reports
	reports map[string]cachedReport
}

// factsReader reads what reports are made of.
type factsReader interface {
	QualityFacts(ctx context.Context, day string, history int) ([]schemas.QualityFacts, error)
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

// day returns the report of a day (YYYY-MM-DD), "" for the newest that has facts. Callers share its slices
// and must not change them. Errors are not kept. The error is schemas.ErrOccupied if the time went by with
// the reports of others.
func (c *qualityCache) day(ctx context.Context, day string) (schemas.QualityReport, error) {
	if report, ok := c.kept(day); ok {
		return report, nil
	}
	hasWaited := false
	select {
	case c.turn <- struct{}{}:
	default:
		hasWaited = true
		select {
		case c.turn <- struct{}{}:
		case <-ctx.Done():
			return schemas.QualityReport{}, schemas.ErrOccupied
		}
	}
	defer func() { <-c.turn }()
	if report, ok := c.kept(day); ok {
		return report, nil
	}
	facts, err := c.books.QualityFacts(ctx, day, quality.History)
	// guard: server: a report that waited says nothing about Postgres
	if err != nil && hasWaited && ctx.Err() != nil {
		err = schemas.ErrOccupied
	}
	if err != nil {
		return schemas.QualityReport{}, err
	}
	report := quality.Judge(facts, day)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.reports == nil || len(c.reports) >= maxReports {
		c.reports = map[string]cachedReport{}
	}
	c.reports[day] = cachedReport{time.Now(), report}
	return report, nil
}

func (c *qualityCache) kept(day string) (schemas.QualityReport, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r, ok := c.reports[day]
	return r.report, ok && time.Since(r.at) < reportLifetime
}
