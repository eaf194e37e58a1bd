package load

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/redissink"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

const (
	history    = 6000             // records that are replayed, again and again
	livePerSec = 20               // pitches of a live game, and of the others of an evening
	liveFor    = 25 * time.Second // each time that they are timed
)

// A pitch of a live game is readable as soon as without it while everything is replayed beside it, as fast as
// it may be.
func TestReplayBesideALiveGame(t *testing.T) {
	if os.Getenv("PITCHSTREAM_LOAD") == "" {
		t.Skip("takes two minutes: PITCHSTREAM_LOAD=1")
	}
	w := stack.New(t)
	pitches, err := simulate.New(simulate.Options{Seed: 7, Pitches: history + 20_000})
	require.NoError(t, err)
	past := next(t, pitches, history)
	for some := range slices.Chunk(past, 500) {
		w.Produce(some...)
	}
	w.Start()
	w.WaitCaughtUp()
	l := &live{w: w, pitches: pitches, seen: map[string][]time.Time{}, long: liveFor}
	l.reader, err = redissink.OpenReader(redissink.Config{URL: "redis://" + w.Redis, Prefix: w.Name + ":"})
	require.NoError(t, err)
	defer l.reader.Close()
	l.play(livePerSec) // connections, statements, caches

	idle := l.timed()
	ctx, stop := context.WithCancel(t.Context())
	replayed := make(chan int64, 1)
	go func() { replayed <- replayOn(ctx, t, w) }()
	began := time.Now()
	l.play(livePerSec)
	beside := l.timed()
	took := time.Since(began)
	stop()
	records := <-replayed
	after := l.timed()
	t.Logf("idle: %v; beside a replay of %.0f records/s: %v; idle again: %v", idle, float64(records)/took.Seconds(), beside, after)
	require.Greater(t, records, int64(history/2), "the replay was under way")
	require.LessOrEqual(t, beside.p99, max(3*max(idle.p99, after.p99)/2, 100*time.Millisecond))
}

// next are the simulator's next records.
func next(t *testing.T, s *simulate.Simulator, n int) (records []*kgo.Record) {
	for range n {
		m, ok := s.Next()
		require.True(t, ok)
		records = append(records, record(m))
	}
	return records
}

// replayOn replays the whole topic onto live again and again, and counts the records.
func replayOn(ctx context.Context, t *testing.T, w *stack.Stack) (records int64) {
	for ctx.Err() == nil {
		var out, errs bytes.Buffer
		cmd := exec.CommandContext(ctx, stack.Binary(t), "replay", "--into=live", "--json")
		cmd.Env, cmd.Stdout, cmd.Stderr = w.Env, &out, &errs
		cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
		err := cmd.Run()
		var report struct{ Counts schemas.ReplayCounts }
		if json.Unmarshal(out.Bytes(), &report) == nil {
			records += report.Counts.Records
		}
		if err != nil && ctx.Err() == nil {
			t.Errorf("replay: %v\n%s", err, &errs)
			return records
		}
	}
	return records
}

// live is a game that is played, and a reader who waits for each pitch.
type live struct {
	w       *stack.Stack
	pitches *simulate.Simulator
	reader  *redissink.Reader
	mu      sync.Mutex
	seen    map[string][]time.Time // by the field of applied: when each offset was readable
	long    time.Duration          // of a measurement
	sent    int64
}

// latency is from the send to when it is readable in Redis.
type latency struct{ p50, p99, max time.Duration }

func (l latency) String() string { return fmt.Sprintf("p50 %v, p99 %v, max %v", l.p50, l.p99, l.max) }

func (l *live) timed() latency {
	times := l.play(int(l.long.Seconds() * livePerSec))
	slices.Sort(times)
	at := func(share float64) time.Duration {
		return times[int(share*float64(len(times)-1))].Round(100 * time.Microsecond)
	}
	return latency{at(0.5), at(0.99), at(1)}
}

// play sends pitches at the rate, and answers how long each took.
func (l *live) play(n int) (times []time.Duration) {
	t := l.w.T
	ctx, stop := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	watching.Go(func() { l.watch(ctx) })
	defer watching.Wait()
	defer stop()
	tick := time.NewTicker(time.Second / livePerSec)
	defer tick.Stop()
	records, sent := next(t, l.pitches, n), make([]time.Time, n)
	l.sent += int64(n)
	var acked sync.WaitGroup
	for i, r := range records {
		<-tick.C
		r.Topic, sent[i] = l.w.Raw(), time.Now()
		acked.Add(1)
		l.w.Client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			defer acked.Done()
			if err != nil {
				t.Error(err)
			}
		})
	}
	acked.Wait()
	for i, r := range records {
		var at time.Time
		l.w.WaitFor("the pitch is readable", func() bool {
			l.mu.Lock()
			defer l.mu.Unlock()
			seen := l.seen[r.Topic+"/"+strconv.Itoa(int(r.Partition))]
			if int64(len(seen)) <= r.Offset {
				return false
			}
			at = seen[r.Offset]
			return true
		})
		times = append(times, at.Sub(sent[i]))
	}
	return times
}

// watch notes when each offset is readable.
func (l *live) watch(ctx context.Context) {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		applied, err := l.reader.Applied(ctx)
		now := time.Now()
		if err == nil {
			l.mu.Lock()
			for field, next := range applied {
				for int64(len(l.seen[field])) < next {
					l.seen[field] = append(l.seen[field], now)
				}
			}
			l.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
