package crash

import (
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// writers write and read what they have written, each a pitch of his own, again and again.
const writers = 8

// patience is how long a writer asks for what it wrote.
const patience = 3 * time.Minute

// A client that asks for at_least gets the version that it wrote, or the answer that it is not there yet. It
// never gets an older one, although processors and Redis are killed. Asked again, it comes in the end.
// PITCHSTREAM_ATLEAST_RUNS is how often.
func TestNoWriterReadsLessThanItWrote(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processors")
	}
	runs := number(t, "PITCHSTREAM_ATLEAST_RUNS", 80)
	seed := uint64(number(t, "PITCHSTREAM_CRASH_SEED", int(rand.Uint32())))
	t.Logf("PITCHSTREAM_CRASH_SEED=%d plays these kills again", seed)
	redis := testkit.OwnRedis(t)
	w := stack.On(t, testkit.Kafka(t), testkit.Postgres(t), redis.Addr, 4)
	addr := testkit.FreeAddr()
	w.StartCommand("serve", "--api-addr="+addr, "--at-least-wait=9s")
	l := &atLeast{w: w, url: "http://" + addr, http: &http.Client{Timeout: 20 * time.Second},
		answered: [2]chan struct{}{make(chan struct{}, 1), make(chan struct{}, 1)}}
	defer l.http.CloseIdleConnections()
	w.WaitFor("the API answers", func() bool { status, _ := l.get("/v1/games"); return status == 200 })

	stop := make(chan struct{})
	var around sync.WaitGroup
	for i := range 2 {
		around.Go(func() { l.keepKilling(i, rand.New(rand.NewPCG(seed, uint64(i))), stop) })
	}
	around.Go(func() { l.load(stop) })
	around.Go(func() { l.loseRedis(redis, rand.New(rand.NewPCG(seed, 77)), stop) })
	began := time.Now()
	var all sync.WaitGroup
	for i := range writers {
		all.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(1000+i)))
			for n := i; n < runs && l.fault.Load() == nil; n += writers {
				l.run(i, n/writers+1)
				// Kills come before, amid and after a write.
				time.Sleep(time.Duration(r.IntN(800)) * time.Millisecond) // tidy: the rate of a writer
			}
		})
	}
	all.Wait()
	close(stop)
	around.Wait()
	t.Logf("%d runs in %v: %d answers had it, %d before them said that it is not there yet; %d answers came from Postgres; %d processors were killed, Redis %d times, with %d other records",
		runs, time.Since(began).Round(time.Second), l.had.Load(), l.waited.Load(), l.postgres.Load(),
		l.kills.Load(), l.losses.Load(), l.others.Load())
	if fault := l.fault.Load(); fault != nil {
		t.Fatal(*fault)
	}
	require.EqualValues(t, runs, l.had.Load())
	require.Positive(t, l.kills.Load())
}

type atLeast struct {
	w    *stack.Stack
	url  string
	http *http.Client

	had, waited, postgres, kills, losses, others atomic.Int64
	fault                                        atomic.Pointer[string]
	answered                                     [2]chan struct{} // by place: a writer was answered
}

// run writes a version of the writer's pitch, and reads it in one of the ways that there are.
func (l *atLeast) run(writer, version int) {
	exit := float64(500+version%700) / 10
	batter, game := 900_000+writer, fmt.Sprintf("at-least-%d", writer)
	pitch := fmt.Sprintf("0b1e7c1e-6f0a-4f6b-8d6e-%012d", writer)
	r := &kgo.Record{Topic: l.w.Raw(), Key: []byte(game), Value: fmt.Appendf(nil,
		`{"summary_acts":{"pitch":{"eventId":"%s","result":"HitIntoPlay"},"hit":{"speed":{"mph":%v}}}}`, pitch, exit)}
	for _, h := range [][2]string{{"batter_id", fmt.Sprint(batter)}, {"revision", fmt.Sprint(version)}, {"event_time", "2024-09-28T22:04:37.926Z"}} {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
	}
	if err := l.w.Client.ProduceSync(l.w.T.Context(), r).FirstErr(); err != nil {
		l.failed("produce: %v", err)
		return
	}
	ways := []struct {
		path string
		exit func(body map[string]any) any
	}{
		{fmt.Sprintf("/v1/batters/%d", batter), func(b map[string]any) any { return b["max_exit_velocity_mph"] }},
		{fmt.Sprintf("/v1/batters?ids=%d,1", batter), func(b map[string]any) any { return first(b["batters"])["max_exit_velocity_mph"] }},
		{fmt.Sprintf("/v1/batters/%d/games/%s", batter, game), func(b map[string]any) any { return b["max_exit_velocity_mph"] }},
		{"/v1/games/" + game, func(b map[string]any) any { return first(b["last_pitches"])["exit_velocity_mph"] }},
		{"/v1/pitches/" + pitch, func(b map[string]any) any { return b["exit_velocity_mph"] }},
		{fmt.Sprintf("/v1/batters/%d/pitches", batter), func(b map[string]any) any { return first(b["pitches"])["exit_velocity_mph"] }},
	}
	way := ways[(version+writer)%len(ways)]
	mark := "?"
	if way.path[len(way.path)-2:] == ",1" {
		mark = "&"
	}
	path := fmt.Sprintf("%s%sat_least=%d:%d", way.path, mark, r.Partition, r.Offset)
	for began := time.Now(); time.Since(began) < patience; {
		status, body := l.get(path)
		if status == http.StatusServiceUnavailable {
			l.waited.Add(1)
			time.Sleep(100 * time.Millisecond) // tidy: the rate of a client that asks again
			continue
		}
		if status != http.StatusOK || way.exit(body) != exit {
			l.failed("%s: %d, want version %d with %v mph: %v", path, status, version, exit, body)
			return
		}
		l.had.Add(1)
		if body["source"] == "postgres" {
			l.postgres.Add(1)
		}
		for _, c := range l.answered {
			select {
			case c <- struct{}{}:
			default:
			}
		}
		return
	}
	l.failed("%s: not there after %v", path, patience)
}

func first(list any) map[string]any {
	all, _ := list.([]any)
	if len(all) == 0 {
		return nil
	}
	m, _ := all[0].(map[string]any)
	return m
}

func (l *atLeast) failed(format string, args ...any) {
	fault := fmt.Sprintf(format, args...)
	l.fault.CompareAndSwap(nil, &fault)
}

// get is the status, 0 where no server answers, and the body.
func (l *atLeast) get(path string) (int, map[string]any) {
	resp, err := l.http.Get(l.url + path)
	if err != nil {
		return 0, map[string]any{"error": err.Error()}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, map[string]any{"error": err.Error()}
	}
	var body map[string]any
	_ = json.Unmarshal(b, &body)
	return resp.StatusCode, body
}

// keepKilling runs a processor and kills it after a while, again and again; in the end it is killed too.
// Every second one lives until a writer was answered, so that the stream goes on however slow the machine is.
func (l *atLeast) keepKilling(place int, r *rand.Rand, stop <-chan struct{}) {
	log, err := os.Create(filepath.Join(l.w.T.TempDir(), "processor.log"))
	if err != nil {
		l.failed("%v", err)
		return
	}
	defer log.Close()
	for n := 0; ; n++ {
		select {
		case <-l.answered[place]:
		default:
		}
		cmd := exec.Command(stack.Binary(l.w.T), "run", fmt.Sprintf("--instance-id=place-%d", place))
		cmd.Env, cmd.Stderr = l.w.Env, log
		if err := cmd.Start(); err != nil {
			l.failed("%v", err)
			return
		}
		life := time.NewTimer(time.Duration(300+r.IntN(4000)) * time.Millisecond)
		over := false
		select {
		case <-life.C:
		case <-stop:
			over = true
		}
		if n%2 == 1 && !over {
			select {
			case <-l.answered[place]:
			case <-stop:
				over = true
			}
		}
		if !over {
			l.kills.Add(1)
		}
		life.Stop()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if over {
			return
		}
	}
}

// loseRedis takes Redis away, with all that it has, and brings it back.
func (l *atLeast) loseRedis(redis *testkit.Server, r *rand.Rand, stop <-chan struct{}) {
	for {
		for i, ms := range []int{1500 + r.IntN(6000), 300 + r.IntN(2000)} {
			pause := time.NewTimer(time.Duration(ms) * time.Millisecond)
			select {
			case <-pause.C:
			case <-stop:
				pause.Stop()
				if i == 1 {
					redis.Start(l.w.T)
				}
				return
			}
			if i == 0 {
				redis.Kill(l.w.T)
				l.losses.Add(1)
			} else {
				redis.Start(l.w.T)
			}
		}
	}
}

// load sends other pitches meanwhile, some sixty a second.
func (l *atLeast) load(stop <-chan struct{}) {
	s, err := simulate.New(simulate.Options{Seed: 1, Games: 1000})
	if err != nil {
		l.failed("%v", err)
		return
	}
	tick := time.NewTicker(16 * time.Millisecond)
	defer tick.Stop()
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		select {
		case <-stop:
			return
		case <-tick.C:
		}
		l.w.Client.Produce(l.w.T.Context(), &kgo.Record{
			Topic: l.w.Raw(), Key: m.Key, Value: m.Value, Headers: kafkaread.Headers(m.Headers),
		}, nil)
		l.others.Add(1)
	}
}
