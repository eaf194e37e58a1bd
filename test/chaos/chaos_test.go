package chaos

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

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

// given is how long a recovery may take before the test gives up.
const given = 2 * time.Minute

// run is one run of chaos.
type run struct {
	*testing.T
	command string // plays its schedule again
	c       *cluster
	feed    *feed
	probes  *probes
	watch   *observers
	results []result
}

// result is what a fault took.
type result struct {
	kind kind
	// meanwhile is from the fault to the moment when all went on although it lasted; 0: no other could take
	// over. after is from its end.
	meanwhile, after time.Duration
}

// Whatever fails of the clusters, nothing is lost, nothing doubled, nothing goes back, and all goes on.
// CHAOS_SEED plays a schedule again; CHAOS_FAULTS and CHAOS_PITCHES make it longer; CHAOS_KINDS, a pattern,
// chooses kinds of faults.
func TestTheBooksBalanceWhateverFails(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three clusters")
	}
	began := time.Now()
	faults, pitches := number(t, "CHAOS_FAULTS", 5), number(t, "CHAOS_PITCHES", 2000)
	seed := uint64(number(t, "CHAOS_SEED", int(rand.Uint32())))
	only, err := regexp.Compile(os.Getenv("CHAOS_KINDS"))
	require.NoError(t, err, "CHAOS_KINDS")
	plan := schedule(seed, faults, only)
	require.NotEmpty(t, plan, "no kind of fault matches CHAOS_KINDS")
	again := command(seed, faults, pitches, only.String())
	t.Logf("%s plays this schedule again:", again)
	for i, f := range plan {
		t.Logf("%3d %v", i+1, f)
	}
	r := &run{T: t, command: again, c: newCluster(t, plan)}
	require.NoError(t, r.c.primary().do(t.Context(), stack.AuditSQL))
	r.probes = &probes{c: r.c}
	r.feed = startFeed(t, r.c.stack, seed, pitches, max(20, pitches/faults/8))
	r.watch = r.c.watch(seed)
	r.pass("before any fault")
	for i, f := range plan {
		r.feed.gate.Store(int64(pitches) * int64(i+1) / int64(faults))
		r.suffer(i, f)
	}
	r.feed.gate.Store(math.MaxInt64)
	r.feed.hurry.Store(true)
	r.c.await("all is fed", func() bool {
		r.c.supervise()
		select {
		case err := <-r.feed.done:
			require.NoError(t, err)
			return true
		default:
			return false
		}
	})
	r.balance(seed, faults, began)
}

// pass waits until a probe has gone all the way, and returns how long it took.
func (r *run) pass(what string) time.Duration {
	r.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(r.Context(), given)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- r.probes.pass(ctx) }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				r.Fatalf("%s: it does not go on within %v: %v", what, given, err)
			}
			return time.Since(began)
		case <-tick.C:
			r.c.supervise()
		}
	}
}

// suffer inflicts a fault, and waits until all goes on.
func (r *run) suffer(i int, f fault) {
	r.Helper()
	began := time.Now()
	out := result{kind: f.kind}
	o := r.c.inflict(f)
	victim := (f.whom + 1) % processors
	if f.also {
		r.c.kill(victim)
	}
	if o.endures {
		took := r.pass(f.String())
		out.meanwhile = took
	}
	pause(r.Context(), time.Until(began.Add(o.least)))
	o.undo()
	if f.also {
		r.c.revive(victim)
	}
	out.after = r.pass("after " + f.String())
	if o.after != nil {
		o.after()
	}
	r.results = append(r.results, out)
	r.Logf("    from %v to %v of the history", began.Sub(r.watch.began).Round(time.Millisecond),
		time.Since(r.watch.began).Round(time.Millisecond))
	r.Logf("%3d %v: went on after %v, and %v after its end; %v in all", i+1, f, out.meanwhile.Round(time.Millisecond),
		out.after.Round(time.Millisecond), time.Since(began).Round(time.Millisecond))
}

// balance holds everything against the raw topic, and the raw topic against what was simulated and sent.
func (r *run) balance(seed uint64, faults int, began time.Time) {
	r.Helper()
	r.watch.cancel()
	r.watch.running.Wait()
	r.c.direct()
	s := r.c.stack
	s.WaitCaughtUp()
	want := s.Expected()
	r.c.await("Redis is repaired", func() bool { return s.RedisDiffers(want) == nil })
	pool, err := pgxpool.New(r.Context(), s.Postgres)
	require.NoError(r, err)
	defer pool.Close()
	back, example := stack.GoneBack(r.T, pool)
	rows, err := pgbooks.New(s.Store().DB()).Rows(r.Context())
	require.NoError(r, err)
	gone, where := r.feed.lost(s)
	require.Zero(r, gone, "acknowledged records that the topic has not: %s", where)
	require.Zero(r, back, example)
	others := r.probes.sent*partitions + r.watch.pitches() + r.c.operators.pitches
	require.EqualValues(r, r.feed.tally.Standing+int64(others), len(want.Rows),
		"rows, as simulated, probed, observed and loaded")
	s.Require(want, 1)
	r.watch.settle(want)
	r.c.settleOperators()
	out := s.Output("verify")
	r.Logf("verify:\n%s", out)
	r.Logf("chaos: seed %d, %d faults of %d kinds, %d pitches in %d records, %d probes, %d rows: all books balance; "+
		"%d starts in vain; %v", seed, faults, len(kindsOf(r.results)), r.feed.tally.Records[simulate.KindPitch],
		r.feed.tally.Total(), r.probes.sent, len(rows), r.c.vain, time.Since(began).Round(time.Second))
	r.write()
}
