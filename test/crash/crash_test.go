package crash

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// size is how much of everything.
type size struct {
	pitches, kills, servers, networks, processors, ahead int

	records bool // the steps of the processors, which are compared with the model
}

// The slice takes some two minutes. PITCHSTREAM_CRASH_PITCHES, _KILLS and _FAULTS (of servers, and as many of
// the network) make it longer. PITCHSTREAM_CRASH_STEPS=1 compares the steps of the processors with the model.
// PITCHSTREAM_CRASH_POOLER=transaction puts PgBouncer in front of Postgres.
func sizes(t *testing.T) size {
	t.Helper()
	s := size{
		pitches: number(t, "PITCHSTREAM_CRASH_PITCHES", 4000), kills: number(t, "PITCHSTREAM_CRASH_KILLS", 10),
		servers: number(t, "PITCHSTREAM_CRASH_FAULTS", 4), processors: 3, ahead: 600,
		records: os.Getenv("PITCHSTREAM_CRASH_STEPS") != "",
	}
	s.networks = s.servers
	if s.pitches > 20_000 {
		s.processors, s.ahead = 4, 3000
	}
	return s
}

func number(t *testing.T, variable string, otherwise int) int {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	require.NoError(t, err, variable)
	return n
}

// Whatever is killed, whenever: nothing is lost, nothing counted twice, nothing goes back.
func TestTheBooksBalanceWhateverDies(t *testing.T) {
	if testing.Short() {
		t.Skip("kills servers for two minutes")
	}
	began, size := time.Now(), sizes(t)
	seed := uint64(number(t, "PITCHSTREAM_CRASH_SEED", int(rand.Uint32())))
	t.Logf("PITCHSTREAM_CRASH_SEED=%d plays this schedule again", seed)
	s := newSoak(t, size)
	f := startFeed(t, s.w, seed, size.pitches, size.ahead)
	stop := s.follow(f)
	defer stop()

	for _, fault := range schedule(seed, size, int64(size.pitches)*120/100-f.ahead) {
		// not all of it, or commits that take much at once leave nothing to be killed at
		f.open(fault.at + f.ahead/4)
		s.reach(fault.at)
		f.open(fault.at + f.ahead)
		s.inflict(fault)
	}
	f.open(math.MaxInt64)
	s.endFaults(func(undo) bool { return true })
	s.settle()
	stop()
	for _, p := range s.processors {
		p.stop()
	}
	s.balance(seed, began)
	s.requireOfTheModel()
}

// follow watches the group and feeds it.
func (s *soak) follow(f *feed) (stop func()) {
	s.feed = f
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() { s.watch(ctx) })
	both.Go(func() { f.follow(ctx, s.committed.Load) })
	return func() { cancel(); both.Wait() }
}

// settle waits until every record that was fed is processed, and Redis is repaired.
func (s *soak) settle() {
	s.t.Helper()
	var fed error
	s.w.WaitFor("all is fed", func() bool {
		s.supervise()
		s.endFaults(func(u undo) bool { return time.Now().After(u.latest) })
		select {
		case fed = <-s.feed.done:
			return true
		default:
			return false
		}
	})
	require.NoError(s.t, fed)
	s.w.WaitCaughtUp()
	s.waitForRedis()
}

// waitForRedis waits a minute at most for the repair of Redis; the comparison of the books shows the result.
func (s *soak) waitForRedis() {
	s.t.Helper()
	want := s.w.Expected()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for s.w.RedisDiffers(want) != nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// balance holds everything against the raw topic, and the raw topic against what was simulated.
func (s *soak) balance(seed uint64, began time.Time) {
	s.t.Helper()
	want := s.w.Expected()
	rows, err := pgbooks.New(s.w.Store().DB()).Rows(s.t.Context())
	require.NoError(s.t, err)
	stands := map[[16]byte]int64{}
	for _, r := range rows {
		stands[r.PitchID] = r.Revision
	}
	lost, doubled := 0, len(rows)-len(stands)
	for _, r := range want.Rows {
		if at, ok := stands[r.PitchID]; !ok || at < r.Revision {
			lost++
		}
	}
	letters := s.w.DeadLetters(want)
	for key := range want.DeadLetters {
		if letters[key] == 0 {
			lost++
		}
		doubled += max(letters[key]-1, 0)
	}
	back, example := stack.GoneBack(s.t, s.audit.pool)
	s.t.Log(s.summary(seed, lost, doubled, back, time.Since(began)))
	if os.Getenv("PITCHSTREAM_CRASH_POOLER") == "" { // a pooler hides which server process served whom
		require.GreaterOrEqual(s.t, 5*s.counts.caught, s.counts.kills, "one kill in five falls between the two commits, at least")
	}
	require.Zero(s.t, back, example)
	require.EqualValues(s.t, s.feed.tally.Standing, len(want.Rows), "rows that stand, as simulated")
	require.EqualValues(s.t, s.feed.tally.Records[simulate.KindPoison], len(want.DeadLetters), "letters, as simulated")
	s.w.Require(want, 1)
	s.verify()
}

// verify runs the command that an operator would, behind the pooler if there is one.
func (s *soak) verify() {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), stack.Binary(s.t), "verify")
	cmd.Env = append(slices.Clone(s.w.Env),
		"PITCHSTREAM_POSTGRES_URL="+s.databaseAt(s.database), "PITCHSTREAM_REDIS_URL=redis://"+s.redis.Addr)
	out, err := cmd.CombinedOutput()
	require.NoError(s.t, err, "%s", out)
	s.t.Logf("verify:\n%s", out)
}
