package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/api"
	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/obs"
	stream "github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/quality"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

const halfMinute = 30 * time.Second

// fault is what is wrong, from a moment on, with a processor or a server of the API.
type fault struct {
	gone       bool             // no connection reaches the processor
	conditions []string         // that are not well
	stuck      bool             // nothing is committed, and records wait
	waits      time.Duration    // how long the oldest record has waited that is there in any case
	letters    int              // of 400 records each half minute
	phase      redissink.Phase  // of Redis
	mended     int              // batters, once
	memory     bool             // it uses nearly all that it may
	stale      bool             // the quality of the data is not computed any more
	isHeld     bool             // the newest refit of a model was not promoted
	noRefit    bool             // for four days
	tires      bool             // a pitcher does
	noArchive  bool             // the archive cannot be written
	data       func(*leagueDay) // what is wrong with the newest day's games
	noAPI      bool             // no connection reaches it
	noArchiver bool             // nor the archiver
	noRedis    bool             // the API reads no Redis
	noStores   bool             // nor Postgres
	well       time.Duration    // before; 0: ten minutes
}

// Each alert fires over what the program itself shows while this is wrong, and no other one with it. Nothing
// here is a series that was written down: names, labels and values are those of the registries of run and
// serve.
var faults = map[string]struct {
	is    fault
	fires []string
}{
	"no processor":             {fault{gone: true}, []string{"NoProcessor"}},
	"not assigned":             {fault{conditions: []string{"assigned"}}, []string{"NotReady"}},
	"slow":                     {fault{waits: 90 * time.Second}, []string{"Freshness"}},
	"a partition stands still": {fault{conditions: []string{"progress"}, stuck: true}, []string{"Freshness", "LagWithoutProgress", "NotReady"}},
	"the breaker":              {fault{conditions: []string{"breaker"}, stuck: true}, []string{"BreakerOpen", "Freshness", "LagWithoutProgress", "NotReady"}},
	"bad records":              {fault{letters: 20, well: 150 * time.Minute}, []string{"LettersAboveBaseline"}},
	"a gap":                    {fault{conditions: []string{"gap"}}, []string{"Gap", "NotReady"}},
	"Kafka":                    {fault{conditions: []string{"kafka"}}, []string{"KafkaAway", "NotReady"}},
	"Postgres":                 {fault{conditions: []string{"postgres"}}, []string{"NotReady", "StoreDown"}},
	"Redis is away":            {fault{phase: redissink.PhaseUnavailable}, []string{"RedisAway"}},
	"Redis lost data":          {fault{mended: 7}, []string{"RedisMended"}},
	"Redis is never whole":     {fault{phase: redissink.PhaseRepairing}, []string{"RedisNotMended"}},
	"memory":                   {fault{memory: true}, []string{"Memory"}},
	"no API":                   {fault{noAPI: true}, []string{"NoAPI"}},
	"no archiver":              {fault{noArchiver: true}, []string{"NoArchiver"}},
	"the API reads nothing":    {fault{noRedis: true, noStores: true}, []string{"APIErrors"}},
	"the API reads no Redis":   {fault{noRedis: true}, []string{"APIFromPostgres"}},
	"quality is not computed":  {fault{stale: true}, []string{"QualityStale"}},
	"a refit is held":          {fault{isHeld: true}, []string{"ModelRefitHeld"}},
	"no refit":                 {fault{noRefit: true}, []string{"ModelRefitStale"}},
	"a pitcher tires":          {fault{tires: true}, []string{"MechanicsDrift"}},
	"the archive is full":      {fault{noArchive: true}, []string{"ArchiveBehind"}},
	"bats are not tracked":     {fault{data: func(d *leagueDay) { d.o.Untracked = 0.15 }}, []string{"BatTrackingMissing"}},
	"a venue's bats are fast": {fault{data: func(d *leagueDay) { d.o.Biases = []simulate.Bias{{Venue: faultyVenue, MPH: 2.5}} }},
		[]string{"Drift"}},
	"batters are not named": {fault{data: func(d *leagueDay) {
		d.spoil = func(i int, r *schemas.StoredRow) { r.BatterID.Present = r.BatterID.Present && i%5 > 0 }
	}}, []string{"QualityBeyondLimit"}},
	"a venue's radar is off": {fault{data: func(d *leagueDay) {
		d.spoil = func(_ int, r *schemas.StoredRow) {
			if r.Venue == faultyVenue {
				r.SpinRateRPM.Value *= 0.9
			}
		}
	}}, []string{"QualityBeyondLimit"}},
}

// guard: alerts: what a real scrape has for labels is matched
// guard: metrics: each venue has a column's shift
func TestEachAlertFiresOverItsFault(t *testing.T) {
	seen := map[string]bool{}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			w := newOnCall(t)
			well := max(f.is.well, 10*time.Minute)
			w.live(well, fault{})
			w.live(40*time.Minute, f.is)
			var during []time.Duration
			for at := well + 2*time.Minute; at < well+40*time.Minute; at += 2 * time.Minute {
				during = append(during, at)
			}
			var want []string
			for _, alert := range f.fires {
				want = append(want, "Pitchstream"+alert)
			}
			require.Equal(t, want, firing(t, w.series(), halfMinute, during...))
		})
		for _, alert := range f.fires {
			seen["Pitchstream"+alert] = true
		}
	}
	for _, r := range allRules(t) {
		require.True(t, r.Alert == "" || seen[r.Alert], "%s was seen firing over no fault", r.Alert)
	}
}

// No alert fires over the metrics of a processor and a server while nothing is wrong.
func TestNoAlertFiresOverNoFault(t *testing.T) {
	w := newOnCall(t)
	w.live(150*time.Minute, fault{})
	var at []time.Duration
	for d := 2 * time.Minute; d < w.now; d += 4 * time.Minute {
		at = append(at, d)
	}
	require.Empty(t, firing(t, w.series(), halfMinute, at...))
}

// onCall is a processor and a server without their servers, informed each half minute of what happens, and
// looked at as Prometheus does.
type onCall struct {
	t       *testing.T
	watch   *stream.Observer
	redis   redissink.Hooks
	quality *obs.Quality
	refits  *obs.Refits
	drift   *obs.Mechanics
	clean   schemas.QualityReport
	rules   string // of all alerts and recordings
	reader  *api.API
	served  *obs.Metrics
	archive *archive.Metrics
	kept    *obs.Metrics // of the archiver
	stores  *onCallStores

	now     time.Duration
	offset  int64
	waiting time.Duration
	asked   int64
	values  map[string][]string
	stamps  map[string][2]float64
}

func newOnCall(t *testing.T) *onCall {
	log := slog.New(slog.DiscardHandler)
	w := &onCall{t: t, watch: stream.NewObserver(log, nil), served: obs.NewMetrics("test"), stores: &onCallStores{}, values: map[string][]string{}, stamps: map[string][2]float64{}}
	w.redis = w.watch.RedisHooks(func() {})
	w.quality, w.refits = w.watch.Metrics.Quality(), w.watch.Metrics.Refits()
	w.drift = w.watch.Metrics.Mechanics()
	w.kept = obs.NewMetrics("test")
	w.archive = archive.NewMetrics(w.kept.Registry, 5*time.Minute)
	obs.NewHealth(log, w.kept, "archive").Set("archive", true, "")
	w.clean, w.rules = cleanDay(), rulesText(t)
	obs.NewHealth(log, w.served, "stores").Set("stores", true, "")
	var err error
	w.reader, err = api.New(api.Config{
		Live: w.stores, Store: onCallStore{of: w.stores}, Registerer: w.served.Registry,
		LiveTimeout: time.Minute, Timeout: time.Minute,
	})
	require.NoError(t, err)
	return w
}

// live plays so much time, with something wrong.
func (w *onCall) live(long time.Duration, f fault) {
	report := w.clean
	if f.data != nil {
		report = leagueReport(f.data)
	}
	if f.memory {
		defer debug.SetMemoryLimit(debug.SetMemoryLimit(-1))
	}
	refit := obs.RefitState{Model: "archetypes", At: time.Now(), IsHeld: f.isHeld}
	if f.noRefit {
		refit.At = time.Unix(-4*86400, 0) // the play begins at 0
	}
	w.refits.Show([]obs.RefitState{refit})
	w.drift.Show(nil)
	if f.tires {
		w.drift.Show([]obs.Moved{{Player: schemas.PlayerKey{Side: schemas.Pitcher, PlayerID: 592450}, Name: "Zack",
			DriftChange: schemas.DriftChange{Scope: "game", Measure: "release_speed_mph", PitchType: "Slider",
				Before: 86.2, After: 84.7, Score: -4.6}}})
	}
	if f.mended > 0 {
		w.redis.Swept(redissink.SweepReport{Checked: 400, Repaired: f.mended}, nil)
	}
	for end := w.now + long; w.now < end; w.now += halfMinute {
		w.process(f)
		if !f.stale {
			w.quality.Show(&report)
		}
		w.read(f)
		w.keep(f)
		if f.memory {
			debug.SetMemoryLimit(int64(1.05 * number(w.gathered(w.watch.Metrics.Registry), "process_resident_memory_bytes", "")))
		}
		if !f.gone {
			w.look("p0", w.watch.Metrics.Registry)
		}
		if !f.noAPI {
			w.look("s0", w.served.Registry)
		}
		if !f.noArchiver {
			w.look("a0", w.kept.Registry)
		}
		for key, values := range w.values {
			if len(values) == int(w.now/halfMinute) { // as Prometheus notes what it does not see any more
				w.values[key] = append(values, "stale")
			}
		}
	}
}

func (w *onCall) process(f fault) {
	for _, name := range []string{"assigned", "kafka", "postgres", "gap", "progress", "breaker"} {
		w.watch.Condition(name, !slices.Contains(f.conditions, name), "it is simulated")
	}
	phase := f.phase
	if phase == "" {
		phase = redissink.PhaseOK
	}
	w.redis.Changed(redissink.State{Phase: phase})
	lag, oldest := int64(3), f.waits
	if f.stuck {
		w.waiting += halfMinute
		lag, oldest = 300, w.waiting
	} else {
		w.offset += 400
		w.watch.Step("postgres", 5*time.Millisecond)
		w.watch.Batch(consumer.BatchSummary{
			Records: 400, Rows: 400 - f.letters, Bytes: 1 << 20,
			DeadLetters: map[schemas.Code]int{schemas.CodeMalformedJSON: f.letters},
		})
	}
	waits := time.Time{}
	if oldest > 0 {
		waits = time.Now().Add(-oldest)
	}
	w.watch.Lag("pitches.raw", 0, lag)
	w.watch.Position("pitches.raw", 0, w.offset, waits)
}

// read asks the API for batters that were not asked for before: what it remembers is no answer of a store.
func (w *onCall) read(f fault) {
	w.stores.noRedis, w.stores.nothing = f.noRedis, f.noStores
	for range 20 {
		w.asked++
		w.reader.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, fmt.Sprint("/v1/batters/", 100_000+w.asked), nil))
	}
}

// keep archives what the processor has read, a segment every five minutes.
func (w *onCall) keep(f fault) {
	if f.noArchive {
		w.archive.Failed()
		w.archive.Waits(400)
		return
	}
	w.archive.Waits(400)
	if w.now%(5*time.Minute) == 0 {
		w.archive.Wrote(archive.Segment{Records: 4000, Bytes: 1 << 20, MaxTime: time.Now().UnixMilli()})
	}
}

func (w *onCall) gathered(r *prometheus.Registry) map[string]*dto.MetricFamily {
	all, err := r.Gather()
	require.NoError(w.t, err)
	byName := map[string]*dto.MetricFamily{}
	for _, f := range all {
		byName[f.GetName()] = f
	}
	return byName
}

// look takes one sample of every series. Times are those of the play: a time that moved is now.
func (w *onCall) look(instance string, r *prometheus.Registry) {
	at := int(w.now / halfMinute)
	for name, f := range w.gathered(r) {
		if f.GetType() == dto.MetricType_HISTOGRAM || !strings.Contains(w.rules, name) {
			continue
		}
		for _, m := range f.GetMetric() {
			labels := []string{fmt.Sprintf("instance=%q", instance), `job="pitchstream"`}
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			key := name + "{" + strings.Join(labels, ",") + "}"
			v := m.GetCounter().GetValue() + m.GetGauge().GetValue()
			if strings.HasSuffix(name, "_timestamp_seconds") && v > 0 {
				if last := w.stamps[key]; last[0] == v {
					v = last[1]
				} else {
					w.stamps[key] = [2]float64{v, w.now.Seconds()}
					v = w.now.Seconds()
				}
			}
			for len(w.values[key]) < at {
				w.values[key] = append(w.values[key], "_")
			}
			w.values[key] = append(w.values[key], fmt.Sprintf("%g", v))
		}
	}
}

func (w *onCall) series() (all []timeline) {
	for key, values := range w.values {
		all = append(all, timeline{key, strings.Join(values, " ")})
	}
	return all
}

func rulesText(t *testing.T) (all string) {
	for _, r := range allRules(t) {
		all += r.Expr + "\n"
	}
	return all
}

// leagueDay is what the newest of eight days is played with.
type leagueDay struct {
	o     simulate.Options
	spoil func(i int, r *schemas.StoredRow)
}

const leagueGames, faultyVenue = 8, "River Field"

// daysBefore are the facts of the seven days before, and cleanDay the judgement of a day that is as they are.
var (
	daysBefore = sync.OnceValue(func() []schemas.QualityFacts {
		return leagueFacts(simulate.Options{
			Seed: 61, Games: 7 * leagueGames, Parallel: leagueGames,
			FeedIDs: true, BatterSpread: 0.5, Untracked: 0.01,
		}, nil)
	})
	cleanDay = sync.OnceValue(func() schemas.QualityReport { return leagueReport(func(*leagueDay) {}) })
)

// leagueReport judges the newest day.
func leagueReport(change func(*leagueDay)) schemas.QualityReport {
	day := leagueDay{o: simulate.Options{Seed: 61, Games: leagueGames, Parallel: leagueGames, FeedIDs: true,
		BatterSpread: 0.5, Untracked: 0.01,
		Start: time.Date(2025, 4, 8, 17, 5, 0, 0, time.UTC), FirstGamePK: 779_001}}
	change(&day)
	return quality.Judge(append(slices.Clone(daysBefore()), leagueFacts(day.o, day.spoil)...), "")
}

func leagueFacts(o simulate.Options, spoil func(int, *schemas.StoredRow)) (facts []schemas.QualityFacts) {
	s, err := simulate.New(o)
	if err != nil {
		panic(err)
	}
	games, n := map[schemas.Text][]schemas.StoredRow{}, 0
	for r, ok := s.NextRow(); ok; r, ok = s.NextRow() {
		if n++; spoil != nil {
			spoil(n, &r)
		}
		games[r.GamePK] = append(games[r.GamePK], r)
	}
	for _, rows := range games {
		facts = append(facts, quality.Facts(rows, nil)...)
	}
	return facts
}

// onCallStores are a Redis and a Postgres that know every batter, or that cannot be read.
type onCallStores struct {
	api.Live
	noRedis, nothing bool
}

var errSimulated = errors.New("it is simulated")

func (s *onCallStores) pulse() schemas.Pulse {
	beat := schemas.Heartbeat{At: schemas.TimeMSOf(time.Now()), Phase: schemas.PhaseOK, Epoch: "one", Topic: "pitches.raw", Positions: map[string]int64{"0": 0}}
	return schemas.Pulse{Epoch: "one", Applied: map[string]int64{"pitches.raw/0": 0}, Heartbeats: map[string]schemas.Heartbeat{"p0": beat}}
}

func (s *onCallStores) Works(context.Context) (map[string]schemas.Work, error) { return nil, nil }

func known(keys []schemas.PlayerKey) (states []*schemas.PlayerState) {
	for _, k := range keys {
		states = append(states, &schemas.PlayerState{
			PlayerKey: k, Seq: 1, Stats: schemas.Stats{Pitches: 1, LastPitch: &schemas.LastPitch{}},
		})
	}
	return states
}

func (s *onCallStores) Look(
	_ context.Context, keys []schemas.PlayerKey,
) ([]*schemas.PlayerState, schemas.Pulse, error) {
	if s.noRedis {
		return nil, schemas.Pulse{}, errSimulated
	}
	return known(keys), s.pulse(), nil
}

func (s *onCallStores) Seqs(_ context.Context, keys []schemas.PlayerKey) ([]int64, schemas.Pulse, error) {
	if s.noRedis {
		return nil, schemas.Pulse{}, errSimulated
	}
	return slices.Repeat([]int64{1}, len(keys)), s.pulse(), nil
}

type onCallStore struct {
	api.Store
	of *onCallStores
}

func (s onCallStore) readable() error {
	if s.of.nothing {
		return errSimulated
	}
	return nil
}

func (s onCallStore) Pulse(context.Context) (schemas.Pulse, error) { return s.of.pulse(), s.readable() }

func (s onCallStore) States(_ context.Context, keys []schemas.PlayerKey) ([]*schemas.PlayerState, error) {
	return known(keys), s.readable()
}
