package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
	"github.com/pitchstream/pitchstream/sink/memsink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	rawTopic       = "pitches.raw"
	rowsTopic      = "pitches.rows"
	deadTopic      = "pitches.dead"
	group          = "pitchstream"
	partitionCount = 3
)

// uncompressed keeps zstd decoders out of the virtual clock, because the garbage collector ends them from
// outside. Each client needs an option of its own, because the client changes it.
func uncompressed() kgo.Opt { return kgo.ProducerBatchCompression(kgo.NoCompression()) }

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// cluster is a whole stream in one process: Kafka in memory, a store in memory, and the records that were
// sent.
type cluster struct {
	t       *testing.T
	kafka   *kfake.Cluster
	connect dialer
	client  *kgo.Client
	store   *memsink.Store
	events  *events
	sent    []schemas.Record
	workers []*worker // all that were started

	recording *recording // nil: the steps of the workers are not kept

	startsHung bool // the next worker starts with a store that does not answer
	startsLate bool // the next worker starts with a store that answers its first write when the attempt ends

	before, after hook // of the store, may be changed while processors run

	// silent is asked at each step of the positions in the store of a worker: ensure, read, set with the
	// partition, and label. An error with errSilent means that the store does not answer; another one is its
	// answer.
	silent hook
}

var errSilent = errors.New("the store does not answer")

// hook is a function that may be changed at any time.
type hook struct {
	mu sync.Mutex
	f  func(step string) error
}

func (h *hook) set(f func(string) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.f = f
}

func (h *hook) ask(step string) error {
	h.mu.Lock()
	f := h.f
	h.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(step)
}

// events lets a test wait for what happens instead of sleeping.
type events struct {
	mu      sync.Mutex
	changed chan struct{}
}

func (e *events) note() {
	e.mu.Lock()
	close(e.changed)
	e.changed = make(chan struct{})
	e.mu.Unlock()
}

func (e *events) next() <-chan struct{} {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.changed
}

func newCluster(t *testing.T) *cluster { return newClusterOf(t, partitionCount) }

// newClusterOf has a raw topic of n partitions.
func newClusterOf(t *testing.T, n int32) *cluster {
	t.Helper()
	listen, connect := network()
	kafka, err := kfake.NewCluster(ports, listen,
		kfake.SeedTopics(n, rawTopic), kfake.SeedTopics(partitionCount, rowsTopic, deadTopic),
		kfake.BrokerConfigs(map[string]string{
			"group.min.session.timeout.ms": "1000", "group.initial.rebalance.delay.ms": "0",
		}))
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	cl := &cluster{
		t: t, kafka: kafka, connect: connect, store: memsink.New(), events: &events{changed: make(chan struct{})},
	}
	cl.store.Before, cl.store.After = cl.before.ask, cl.after.ask
	cl.client = cl.newClient()
	t.Cleanup(cl.client.Close)
	return cl
}

func (cl *cluster) newClient(opts ...kgo.Opt) *kgo.Client {
	cl.t.Helper()
	kc, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(cl.kafka.ListenAddrs()...), kgo.Dialer(cl.connect),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), uncompressed()}, opts...)...)
	require.NoError(cl.t, err)
	return kc
}

// worker is one processor of the group. Nothing that it does after kill has an effect, as after kill -9.
type worker struct {
	cl   *cluster
	dead atomic.Bool
	// hang makes the store not answer this processor until its attempt ends; waiting reports such an attempt.
	hang, waiting atomic.Bool
	// late makes the store answer the next write when its attempt ends; waiting reports such a write, too.
	late atomic.Bool
	// comparing is how long the store takes to compare one row, in nanoseconds.
	comparing atomic.Int64
	// slowness is how long the store takes for one pitch, in nanoseconds.
	slowness atomic.Int64
	// cutFromView drops the pushes and sweeps of the processor, as if it could not reach the view.
	cutFromView atomic.Bool
	// diesAtWrite kills the processor at its next write, after the store has it and before it answers.
	diesAtWrite atomic.Bool
	stop        context.CancelFunc
	done        chan struct{}
	err         error
	seen        *conditions
	log         lastLines
	*Processor
}

// lastLines is a log of which the end is kept.
type lastLines struct {
	mu    sync.Mutex
	lines []string
}

const linesKept = 60

func (l *lastLines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, string(b))
	l.lines = l.lines[max(0, len(l.lines)-linesKept):]
	return len(b), nil
}

func (l *lastLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "")
}

// kill may be called from anywhere, also from inside of the cluster.
func (w *worker) kill() { w.dead.Store(true) }

var errDead = errors.New("this processor is dead")

// dial returns connections that die with the worker: its earlier requests arrive, their answers do not.
func (w *worker) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if w.dead.Load() {
		return nil, errDead
	}
	c, err := w.cl.connect(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &workerConn{c, w}, nil
}

type workerConn struct {
	net.Conn
	w *worker
}

func (c *workerConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.w.dead.Load() {
		_ = c.Conn.Close()
		return 0, errDead
	}
	return n, err
}

func (c *workerConn) Write(b []byte) (int, error) {
	if c.w.dead.Load() {
		_ = c.Conn.Close()
		return 0, errDead
	}
	return c.Conn.Write(b)
}

// start runs a processor until it is stopped or killed, at the latest when the test ends.
func (cl *cluster) start(change ...func(*Config)) *worker {
	cl.t.Helper()
	seen := &conditions{events: cl.events, is: map[string]string{}, times: map[string]int{}}
	w := &worker{cl: cl, done: make(chan struct{}), seen: seen}
	cfg := Config{
		Topic: rawTopic, Group: group, PollMaxRecords: 50, Observer: w.seen,
		Client: []kgo.Opt{
			kgo.SeedBrokers(cl.kafka.ListenAddrs()...), kgo.Dialer(w.dial), uncompressed(),
			kgo.RequestRetries(5), kgo.RetryTimeout(20 * time.Second), kgo.ClientID(fmt.Sprint(len(cl.workers))),
		},
	}
	w.hang.Store(cl.startsHung)
	w.late.Store(cl.startsLate)
	cl.startsHung, cl.startsLate = false, false
	cfg.Log = slog.New(slog.NewTextHandler(&w.log, nil))
	if os.Getenv("PITCHSTREAM_TEST_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	if cl.recording != nil {
		cfg.Trace = func(s Step) { cl.recording.note(w, s) }
	}
	for _, f := range change {
		f(&cfg)
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	cl.workers = append(cl.workers, w)
	p := New(cfg, workerStore{w, cl.store}, workerStore{w, cl.store}, kafkasink.Encoder{RowsTopic: rowsTopic, DeadTopic: deadTopic, Group: group, Build: "test"})
	w.Processor = p
	go func() {
		defer close(w.done)
		w.err = p.Run(ctx)
	}()
	cl.t.Cleanup(func() {
		stop()
		<-w.done
	})
	return w
}

// halt is SIGTERM, and waits for the end.
func (w *worker) halt() {
	w.cl.t.Helper()
	w.stop()
	<-w.done
	require.NoError(w.cl.t, w.err)
}

// freeGroup frees the group where the fake Kafka would keep it for ever, and returns its state. before is the
// state some time ago. A stable group drops members that are dead or have ended: the fake one forgets those
// that died between their join and their sync, if the leader has synced. A group that is still rebalancing
// drops everybody: the fake one counts a member twice that was dropped during its sync, and then waits for
// more members than there are.
func (cl *cluster) freeGroup(before string) (state string) {
	groups, err := kadm.NewClient(cl.client).DescribeGroups(cl.t.Context(), group)
	if err != nil {
		return ""
	}
	const stable, rebalancing = "Stable", "PreparingRebalance"
	state = groups[group].State
	isStuck := state == rebalancing && before == rebalancing
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = group
	for _, m := range groups[group].Members {
		i, err := strconv.Atoi(m.ClientID)
		isGone := err == nil && cl.workers[i].isGone()
		if !isStuck && (state != stable || !isGone) {
			continue
		}
		gone := kmsg.NewLeaveGroupRequestMember()
		gone.MemberID, gone.InstanceID = m.MemberID, m.InstanceID
		leave.Members = append(leave.Members, gone)
	}
	if len(leave.Members) > 0 {
		_, _ = leave.RequestWith(cl.t.Context(), cl.client)
	}
	return state
}

// isGone reports that the worker is dead or has ended.
func (w *worker) isGone() bool {
	select {
	case <-w.done:
		return true
	default:
		return w.dead.Load()
	}
}

// workerStore is the store of one worker, which may hang or die.
type workerStore struct {
	w *worker
	*memsink.Store
}

func (m workerStore) Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error) {
	if m.w.dead.Load() {
		return schemas.Outcome{}, errDead
	}
	if m.w.hang.Load() {
		m.wait(ctx)
		m.w.hang.Store(false)
		return schemas.Outcome{}, ctx.Err()
	}
	sleep(ctx, time.Duration(m.w.slowness.Load()*int64(len(b.Pitches))))
	out, err := m.Store.Apply(ctx, b)
	if m.w.late.Swap(false) {
		m.wait(ctx)
	}
	if m.w.diesAtWrite.Load() {
		m.w.kill()
	}
	if m.w.dead.Load() {
		return schemas.Outcome{}, errDead // written, but not answered
	}
	return out, err
}

func (m workerStore) Changed(ctx context.Context, rows []schemas.Published) ([]schemas.Published, error) {
	sleep(ctx, time.Duration(m.w.comparing.Load()*int64(len(rows))))
	if ctx.Err() != nil { // as Postgres does
		return nil, ctx.Err()
	}
	return m.Store.Changed(ctx, rows)
}

// ask returns the error of a step of the positions.
func (m workerStore) ask(ctx context.Context, step string) error {
	err := m.w.cl.silent.ask(step)
	if errors.Is(err, errSilent) {
		m.wait(ctx)
		return ctx.Err()
	}
	return err
}

func (m workerStore) EnsurePositions(ctx context.Context, at []schemas.Position) ([]schemas.Position, error) {
	if err := m.ask(ctx, "ensure"); err != nil {
		return nil, err
	}
	return m.Store.EnsurePositions(ctx, at)
}

func (m workerStore) Positions(ctx context.Context, topic string) (map[int32]int64, error) {
	if err := m.ask(ctx, "read"); err != nil {
		return nil, err
	}
	return m.Store.Positions(ctx, topic)
}

func (m workerStore) SetPosition(ctx context.Context, was, p schemas.Position) (bool, error) {
	if err := m.ask(ctx, fmt.Sprint("set ", p.Partition)); err != nil {
		return false, err
	}
	return m.Store.SetPosition(ctx, was, p)
}

func (m workerStore) LabelPosition(ctx context.Context, p schemas.Position) error {
	if err := m.ask(ctx, "label"); err != nil {
		return err
	}
	return m.Store.LabelPosition(ctx, p)
}

// wait returns at the end of an attempt, which the worker reports in the meantime.
func (m workerStore) wait(attempt context.Context) {
	m.w.waiting.Store(true)
	m.w.cl.events.note()
	<-attempt.Done()
	m.w.waiting.Store(false)
	m.w.cl.events.note()
}

func (m workerStore) Push(ctx context.Context, snapshots []schemas.Snapshot, applied []schemas.Position) {
	if !m.w.dead.Load() && !m.w.cutFromView.Load() {
		m.Store.Push(ctx, snapshots, applied)
	}
}

func (m workerStore) RequestSweep() {
	if !m.w.cutFromView.Load() {
		m.Store.RequestSweep()
	}
}

// conditions is an Observer that remembers its calls.
type conditions struct {
	NopObserver
	events  *events
	mu      sync.Mutex
	is      map[string]string // reason by name, "" is well
	times   map[string]int    // how often each was seen
	batches []BatchSummary
	waits   map[int32]time.Time // since when a record waits, by owned partition
}

func (c *conditions) Position(_ string, partition int32, _ int64, waits time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waits == nil {
		c.waits = map[int32]time.Time{}
	}
	c.waits[partition] = waits
	c.events.note()
}

// waiting returns since when a record of the partition waits; seen is false before the first report.
func (c *conditions) waiting(partition int32) (since time.Time, seen bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since, seen = c.waits[partition]
	return since, seen
}

func (c *conditions) Condition(name string, ok bool, reason string) {
	c.mu.Lock()
	c.is[name] = reason
	c.times[name]++
	c.mu.Unlock()
	c.events.note()
}

// Lag counts the partitions that were revoked.
func (c *conditions) Lag(_ string, partition int32, records int64) {
	if records >= 0 {
		return
	}
	c.mu.Lock()
	c.times["revoked"]++
	delete(c.waits, partition)
	c.mu.Unlock()
	c.events.note()
}

func (c *conditions) Batch(s BatchSummary) {
	c.mu.Lock()
	c.batches = append(c.batches, s)
	c.mu.Unlock()
	c.events.note()
}

func (c *conditions) batchCount() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.batches)
}

func (c *conditions) count(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.times[name]
}

func (c *conditions) reason(name string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.is[name]
}

// produce sends records, each to the partition that it names.
func (cl *cluster) produce(records ...schemas.Record) {
	cl.t.Helper()
	for i := range records {
		r := &records[i]
		k := &kgo.Record{
			Topic: rawTopic, Partition: r.Partition, Key: r.Key, Value: r.Value,
			Timestamp: time.UnixMilli(r.TimestampMS),
		}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		require.NoError(cl.t, cl.client.ProduceSync(cl.t.Context(), k).FirstErr())
		r.Topic, r.Offset = rawTopic, k.Offset
		cl.sent = append(cl.sent, *r)
	}
}

// waitFor returns when cond holds. It checks at every event, and every 100 ms for changes inside of Kafka,
// and fails the test after two minutes.
func (cl *cluster) waitFor(what string, cond func() bool) {
	cl.t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		next := cl.events.next()
		if cond() {
			return
		}
		select {
		case <-next:
		case <-tick.C:
		case <-deadline.C:
			cl.explain()
			cl.t.Fatalf("never happened: %s", what)
		}
	}
}

// explain logs how far the group is, and what each processor that still runs has seen.
func (cl *cluster) explain() {
	cl.t.Helper()
	admin := kadm.NewClient(cl.client)
	groups, err := admin.DescribeGroups(cl.t.Context(), group)
	cl.t.Logf("group: %+v, %v", groups[group], err)
	committed, err := admin.FetchOffsets(cl.t.Context(), group)
	cl.t.Logf("committed: %v, %v", committed[rawTopic], err)
	for _, topic := range []string{rawTopic, rowsTopic, deadTopic} {
		for _, p := range cl.kafka.PartitionInfos(topic) {
			cl.t.Logf("%s: %+v", topic, p)
		}
	}
	for i, w := range cl.workers {
		select {
		case <-w.done:
			continue
		default:
		}
		w.seen.mu.Lock()
		cl.t.Logf("processor %d: dead %v, hangs %v, %d batches, conditions %v\n%s",
			i, w.dead.Load(), w.hang.Load(), len(w.seen.batches), w.seen.is, &w.log)
		cl.t.Logf("waits by partition: %v", w.seen.waits)
		w.seen.mu.Unlock()
	}
}

// process has a processor of its own commit everything that was sent, and stop.
func (cl *cluster) process(change ...func(*Config)) *worker {
	cl.t.Helper()
	w := cl.start(change...)
	cl.waitCommitted()
	w.halt()
	return w
}

// waitCommitted returns when the group has committed everything that was sent.
func (cl *cluster) waitCommitted() {
	cl.t.Helper()
	cl.waitFor("all committed", func() bool { return cl.lag() == 0 })
}

// waitFilled returns when the store holds everything that is committed.
func (cl *cluster) waitFilled() {
	cl.waitFor("refilled", func() bool { return cl.holds(cl.sent...) })
}

// waitBriefly returns when cond holds, or after a few seconds in which it did not.
func (cl *cluster) waitBriefly(cond func() bool) {
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-cl.events.next():
		case <-deadline.C:
			return
		}
	}
}

// waitClosed returns when no transaction is open: what a dead processor began is aborted.
func (cl *cluster) waitClosed() {
	cl.t.Helper()
	cl.waitFor("no transaction is open", cl.closed)
}

// closed is whether no transaction is open in the topics that are written.
func (cl *cluster) closed() bool {
	for _, topic := range []string{rowsTopic, deadTopic} {
		for _, p := range cl.kafka.PartitionInfos(topic) {
			if p.LastStableOffset < p.HighWatermark {
				return false
			}
		}
	}
	return true
}

func (cl *cluster) lag() int64 {
	admin := kadm.NewClient(cl.client)
	ends, err := admin.ListEndOffsets(cl.t.Context(), rawTopic)
	require.NoError(cl.t, err)
	committed, err := admin.FetchOffsets(cl.t.Context(), group)
	if err != nil {
		return -1
	}
	var lag int64
	ends.Each(func(end kadm.ListedOffset) {
		if at, ok := committed.Lookup(rawTopic, end.Partition); ok {
			lag += end.Offset - at.At
		} else {
			lag += end.Offset
		}
	})
	return lag
}

// watchCommits observes the offsets that are committed from now on; wentBack reports whether one went back.
func (cl *cluster) watchCommits() (wentBack func() bool) {
	var mu sync.Mutex
	var back bool
	highest := map[int32]int64{}
	cl.kafka.ControlKey(int16(kmsg.TxnOffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		mu.Lock()
		defer mu.Unlock()
		for _, t := range req.(*kmsg.TxnOffsetCommitRequest).Topics {
			for _, p := range t.Partitions {
				back = back || p.Offset < highest[p.Partition]
				highest[p.Partition] = max(highest[p.Partition], p.Offset)
			}
		}
		return nil, nil, false
	})
	return func() bool {
		mu.Lock()
		defer mu.Unlock()
		return back
	}
}

// watchAborts observes the transactions that end from now on; aborted reports whether one was aborted.
func (cl *cluster) watchAborts() (aborted func() bool) {
	var some atomic.Bool
	cl.kafka.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cl.kafka.KeepControl()
		if !req.(*kmsg.EndTxnRequest).Commit {
			some.Store(true)
		}
		return nil, nil, false
	})
	return some.Load
}

// stable is whether each of so many members has partitions, and no rebalance is under way.
func (cl *cluster) stable(members int) bool {
	groups, err := kadm.NewClient(cl.client).DescribeGroups(cl.t.Context(), group)
	require.NoError(cl.t, err)
	g := groups[group]
	for _, m := range g.Members {
		if at, ok := m.Assigned.AsConsumer(); !ok || len(at.Topics) == 0 || len(at.Topics[0].Partitions) == 0 {
			return false
		}
	}
	return g.State == "Stable" && len(g.Members) == members
}

// resetGroup puts the group at the start of the topic; no processor may run.
func (cl *cluster) resetGroup() {
	cl.t.Helper()
	admin := kadm.NewClient(cl.client)
	starts, err := admin.ListStartOffsets(cl.t.Context(), rawTopic)
	require.NoError(cl.t, err)
	require.NoError(cl.t, admin.CommitAllOffsets(cl.t.Context(), group, starts.Offsets()))
}

// committedAt is the group's offset in a partition, −1 for none.
func (cl *cluster) committedAt(partition int32) int64 {
	committed, err := kadm.NewClient(cl.client).FetchOffsets(cl.t.Context(), group)
	require.NoError(cl.t, err)
	if at, ok := committed.Lookup(rawTopic, partition); ok {
		return at.At
	}
	return -1
}

// readAll reads a topic to its end as a reader of committed records does.
func (cl *cluster) readAll(topic string) (records []*kgo.Record) {
	cl.t.Helper()
	ends, err := kadm.NewClient(cl.client).ListCommittedOffsets(cl.t.Context(), topic)
	require.NoError(cl.t, err)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	kc := cl.newClient(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer kc.Close()
	for len(left) > 0 {
		kc.PollFetches(cl.t.Context()).EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return records
}

// requireConsistent requires that the stores and topics hold exactly the effect of all records that were
// sent.
func (cl *cluster) requireConsistent() {
	cl.t.Helper()
	var changes []schemas.Change
	wantDeadLetters := map[string]int{}
	for _, r := range cl.sent {
		c, rej := features.Transform(r, features.Limits{})
		if rej != nil {
			wantDeadLetters[fmt.Sprintf("%d/%d %s", r.Partition, r.Offset, rej.Code)]++
			continue
		}
		changes = append(changes, c)
	}
	want := reference.Resolve(changes)
	rows, err := cl.store.Rows(cl.t.Context())
	require.NoError(cl.t, err)
	same(cl.t, "rows", withoutWriter(want), withoutWriter(rows))
	batters, games := reference.Fold(want)
	view := cl.store.View()
	same(cl.t, "batters in the view", batters, view.Batters)
	same(cl.t, "batter-games in the view", games, view.Games)
	pitchers, pitcherGames := reference.FoldPitchers(want)
	same(cl.t, "pitchers in the view", pitchers, view.Pitchers)
	same(cl.t, "pitcher-games in the view", pitcherGames, view.PitcherGames)
	same(cl.t, "dead letters", wantDeadLetters, cl.deadLetters())
	same(cl.t, "rows topic", withoutWriter(want), cl.publishedRows())
}

// deadLetters counts the dead letters by failed record and code, and requires that each has the bytes of its
// record.
func (cl *cluster) deadLetters() map[string]int {
	found := map[string]int{}
	for _, r := range cl.readAll(deadTopic) {
		h := map[string]string{}
		for _, kv := range r.Headers {
			_, twice := h[kv.Key]
			require.False(cl.t, twice, "header %s is set twice", kv.Key)
			h[kv.Key] = string(kv.Value)
		}
		found[fmt.Sprintf("%s/%s %s", h["dlq.partition"], h["dlq.offset"], h["dlq.code"])]++
		i := slices.IndexFunc(cl.sent, func(s schemas.Record) bool {
			return fmt.Sprint(s.Partition, s.Offset) == h["dlq.partition"]+" "+h["dlq.offset"]
		})
		require.GreaterOrEqual(cl.t, i, 0)
		require.Equal(cl.t, cl.sent[i].Value, r.Value)
		require.Equal(cl.t, cl.sent[i].Key, r.Key)
	}
	return found
}

// publishedRows are the rows of the rows topic as a reader keeps them: of each pitch the highest version.
func (cl *cluster) publishedRows() []schemas.StoredRow {
	type state struct {
		version [4]int64
		row     *schemas.StoredRow
	}
	states := map[string]state{}
	for _, r := range cl.readAll(rowsTopic) {
		s := state{}
		for _, h := range r.Headers {
			i := slices.Index([]string{"revision", "record_ts_ms", "source_offset", "source_partition"}, h.Key)
			_, err := fmt.Sscan(string(h.Value), &s.version[i])
			require.NoError(cl.t, err)
		}
		if r.Value != nil {
			s.row = &schemas.StoredRow{}
			require.NoError(cl.t, unmarshal(r.Value, s.row))
		}
		if old, ok := states[string(r.Key)]; !ok || slices.Compare(s.version[:], old.version[:]) >= 0 {
			states[string(r.Key)] = s
		}
	}
	var rows []schemas.StoredRow
	for _, s := range states {
		if s.row != nil {
			rows = append(rows, *s.row)
		}
	}
	slices.SortFunc(rows, func(a, b schemas.StoredRow) int { return slices.Compare(a.PitchID[:], b.PitchID[:]) })
	return withoutWriter(rows)
}

func withoutWriter(rows []schemas.StoredRow) []schemas.StoredRow {
	out := slices.Clone(rows)
	for i := range out {
		out[i].CoreVersion, out[i].Build, out[i].ProcessedAt = 0, "", 0
	}
	return out
}

func same[T any](t *testing.T, what string, want, got T) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 1e-9), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("%s differ (-want +got):\n%s", what, d)
	}
}

func commitEachPoll(cfg *Config) { cfg.PollMaxRecords, cfg.CommitEvery = 30, -1 }
