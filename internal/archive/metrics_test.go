package archive

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"path"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// fullStore refuses the segments that are put while it is full.
type fullStore struct {
	blob.Store
	refusals atomic.Int32 // that are left
}

var errFull = errors.New("no space left on device")

func (s *fullStore) Put(ctx context.Context, name string, content []byte, condition string) (string, error) {
	if path.Base(name) != ManifestName && s.refusals.Add(-1) >= 0 {
		return "", errFull
	}
	return s.Store.Put(ctx, name, content, condition)
}

// figures are the metrics of a registry by their names.
func figures(t *testing.T, r *prometheus.Registry) map[string]float64 {
	t.Helper()
	all, err := r.Gather()
	require.NoError(t, err)
	found := map[string]float64{}
	for _, f := range all {
		for _, m := range f.GetMetric() {
			found[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return found
}

// An archiver whose storage is full goes on once it has room again. Its metrics say that it failed, that it
// was behind meanwhile, and what it archived.
//
// guard: archive: an archiver goes on after an error of storage or of Kafka
// guard: archive: an archiver that nothing waits for is not behind
func TestAnArchiverGoesOnWhenItsStorageHasRoomAgain(t *testing.T) {
	cluster, store := testkit.FakeKafka(t), &fullStore{Store: folderStore(t)}
	store.refusals.Store(1)
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(9, 1)), 30)...)
	o := optionsOf(cluster, store, 32<<20)
	registry := prometheus.NewRegistry()
	o.Once, o.MaxAge, o.Metrics = false, time.Millisecond, NewMetrics(registry, 5*time.Minute)
	const name = "pitchstream_archive_"
	before := figures(t, registry)
	require.Positive(t, before[name+"progress_timestamp_seconds"])
	require.InDelta(t, 300, before[name+"max_age_seconds"], 0)

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var whileFull map[string]float64
	o.Progress = func(int64, int64) {
		now := figures(t, registry)
		switch {
		case now[name+"errors_total"] == 1 && whileFull == nil:
			whileFull = now
		case now[name+"records_total"] == 30 && now[name+"lag_records"] == 0:
			stop()
		}
	}
	r, err := Run(ctx, o)
	require.NoError(t, err)
	require.EqualValues(t, 30, r.Records)
	require.InDelta(t, 30, whileFull[name+"lag_records"], 0)
	require.Zero(t, whileFull[name+"segments_total"])
	require.InDelta(t, before[name+"progress_timestamp_seconds"], whileFull[name+"progress_timestamp_seconds"], 0)
	after := figures(t, registry)
	require.InDelta(t, 1, after[name+"errors_total"], 0)
	require.Positive(t, after[name+"segments_total"])
	require.InDelta(t, float64(r.Bytes), after[name+"bytes_total"], 0)
	require.Greater(t, after[name+"progress_timestamp_seconds"], whileFull[name+"progress_timestamp_seconds"])
	var newest int64
	for _, record := range archived(t, cluster, store)[0] {
		newest = max(newest, record.TimestampMS)
	}
	require.InDelta(t, float64(newest)/1000, after[name+"newest_record_timestamp_seconds"], 0.001)

	o.Once, o.Progress = true, nil
	deleteBelow(t, cluster, 0, 30)
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(9, 2)), 10)...)
	deleteBelow(t, cluster, 0, 35)
	r, err = Run(t.Context(), o)
	require.NoError(t, err)
	require.Len(t, r.Gaps, 1)
	require.InDelta(t, float64(r.Gaps[0].To-r.Gaps[0].From), figures(t, registry)[name+"missing_records_total"], 0)
}

// A gap that was named is not counted again by each run after an error.
//
// guard: archive: a gap is counted once, however often the run begins again
func TestAGapIsCountedOnceHoweverOftenTheRunBegins(t *testing.T) {
	cluster, store := testkit.FakeKafka(t), &fullStore{Store: folderStore(t)}
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(9, 1)), 20)...)
	archiveOnce(t, cluster, store, 64<<10)
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(9, 2)), 20)...)
	deleteBelow(t, cluster, 0, 30)
	store.refusals.Store(1)
	o := optionsOf(cluster, store, 32<<20)
	registry := prometheus.NewRegistry()
	o.Once, o.MaxAge, o.Metrics = false, time.Millisecond, NewMetrics(registry, time.Minute)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	o.Progress = func(int64, int64) {
		if figures(t, registry)["pitchstream_archive_records_total"] == 10 {
			stop()
		}
	}
	r, err := Run(ctx, o)
	require.NoError(t, err)
	require.Equal(t, []kafkaread.Span{{Partition: 0, From: 20, To: 30}}, r.Gaps)
	require.InDelta(t, 1, figures(t, registry)["pitchstream_archive_errors_total"], 0)
	require.InDelta(t, 10, figures(t, registry)["pitchstream_archive_missing_records_total"], 0)
}

// guard: archive: a stop that could not write what was read says so
func TestAStopThatCannotWriteIsAnError(t *testing.T) {
	cluster, store := testkit.FakeKafka(t), &fullStore{Store: folderStore(t)}
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(9, 1)), 3)...)
	store.refusals.Store(1000)
	o := optionsOf(cluster, store, 32<<20)
	o.Once, o.MaxAge = false, time.Hour
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	o.Progress = func(done, _ int64) {
		if done == 3 {
			stop()
		}
	}
	_, err := Run(ctx, o)
	require.ErrorIs(t, err, errFull)
}

// An error before the archiver has read the manifests is returned, and so is one of a run up to the end.
func TestAnArchiverThatCannotBeginEnds(t *testing.T) {
	cluster, store := testkit.FakeKafka(t), &fullStore{Store: folderStore(t)}
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(9, 1)), 3)...)
	o := optionsOf(cluster, store, 32<<20)
	store.refusals.Store(1)
	_, err := Run(t.Context(), o)
	require.ErrorIs(t, err, errFull)
	o.Once, o.Topic = false, "no-such-topic"
	_, err = Run(t.Context(), o)
	require.Error(t, err)
}

// The metrics are at the admin address while the archiver runs.
func TestTheMetricsOfAnArchiverAreAtItsAdminAddress(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(9, 1)), 3)...)
	o := optionsOf(cluster, folderStore(t), 32<<20)
	addr := testkit.FreeAddr()
	asked := false
	o.Progress = func(done, _ int64) {
		if done == 3 && !asked {
			asked = true
			answer, err := http.Get("http://" + addr + "/metrics")
			require.NoError(t, err)
			text, err := io.ReadAll(answer.Body)
			require.NoError(t, err)
			require.NoError(t, answer.Body.Close())
			page := string(text)
			require.Contains(t, page, "pitchstream_archive_lag_records 3")
			require.Contains(t, page, "pitchstream_ready 1")
		}
	}
	r, err := RunWatched(t.Context(), o, addr)
	require.NoError(t, err)
	require.True(t, asked)
	require.EqualValues(t, 3, r.Records)
}
