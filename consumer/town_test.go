package consumer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"slices"
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

// uncompressed, a fresh one for each client, as it is changed there, keeps zstd's decoders out of the virtual
// clock: the garbage collector ends them from outside.
func uncompressed() kgo.Opt { return kgo.ProducerBatchCompression(kgo.NoCompression()) }

type dialer func(ctx context.Context, network, addr string) (net.Conn, error)

// town is a whole stream in one process: a cluster in memory, a store in memory, and what was sent.
type town struct {
	t       *testing.T
	cluster *kfake.Cluster
	connect dialer
	client  *kgo.Client
	store   *memsink.Store
	events  *events
	sent    []schemas.Record

	hung bool // whoever starts next finds a store that does not answer

	before, after hook // of the store, for who changes them while processors run
}

// hook is one that may be changed at any time; a test that never does sets the store's own.
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

func newTown(t *testing.T) *town { return newTownOf(t, partitionCount) }

// newTownOf has a raw topic of n partitions.
func newTownOf(t *testing.T, n int32) *town {
	t.Helper()
	listen, connect := network()
	cluster, err := kfake.NewCluster(ports, listen, kfake.SeedTopics(n, rawTopic), kfake.SeedTopics(partitionCount, rowsTopic, deadTopic),
		kfake.BrokerConfigs(map[string]string{"group.min.session.timeout.ms": "1000", "group.initial.rebalance.delay.ms": "0"}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	tn := &town{t: t, cluster: cluster, connect: connect, store: memsink.New(), events: &events{changed: make(chan struct{})}}
	tn.store.Before, tn.store.After = tn.before.ask, tn.after.ask
	tn.client = tn.newClient()
	t.Cleanup(tn.client.Close)
	return tn
}

func (tn *town) newClient(opts ...kgo.Opt) *kgo.Client {
	tn.t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(tn.cluster.ListenAddrs()...), kgo.Dialer(tn.connect),
		kgo.RecordPartitioner(kgo.ManualPartitioner()), uncompressed()}, opts...)...)
	require.NoError(tn.t, err)
	return cl
}

// worker is one processor of the group. kill is kill -9: nothing it does from then on reaches anybody.
type worker struct {
	tn   *town
	dead atomic.Bool
	// hang makes the store not answer this processor until it gives up; waiting says that it waits.
	hang, waiting atomic.Bool
	// blind loses what the processor pushes to the view, as when the view is away from it.
	blind atomic.Bool
	// doomed kills the processor at its next write: right after the store took it, before anybody else knows.
	doomed atomic.Bool
	stop   context.CancelFunc
	done   chan struct{}
	err    error
	told   *conditions
	*Processor
}

// kill may be called from anywhere, also from inside of the cluster.
func (w *worker) kill() { w.dead.Store(true) }

var errDead = errors.New("this processor is dead")

// dial gives connections that die with the worker: what it sent before arrives, what comes back does not.
func (w *worker) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	if w.dead.Load() {
		return nil, errDead
	}
	c, err := w.tn.connect(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &mortalConn{c, w}, nil
}

type mortalConn struct {
	net.Conn
	w *worker
}

func (c *mortalConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if c.w.dead.Load() {
		_ = c.Conn.Close()
		return 0, errDead
	}
	return n, err
}

func (c *mortalConn) Write(b []byte) (int, error) {
	if c.w.dead.Load() {
		_ = c.Conn.Close()
		return 0, errDead
	}
	return c.Conn.Write(b)
}

// start runs a processor until it is stopped or killed, at the latest when the test ends.
func (tn *town) start(change ...func(*Config)) *worker {
	tn.t.Helper()
	w := &worker{tn: tn, done: make(chan struct{}), told: &conditions{events: tn.events, is: map[string]string{}, times: map[string]int{}}}
	cfg := Config{
		Topic: rawTopic, Group: group, PollMaxRecords: 50, Observer: w.told,
		Client: []kgo.Opt{kgo.SeedBrokers(tn.cluster.ListenAddrs()...), kgo.Dialer(w.dial), uncompressed(), kgo.RequestRetries(5), kgo.RetryTimeout(20 * time.Second)},
	}
	w.hang.Store(tn.hung)
	tn.hung = false
	if os.Getenv("PITCHSTREAM_TEST_LOG") != "" {
		cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	for _, f := range change {
		f(&cfg)
	}
	ctx, stop := context.WithCancel(context.Background())
	w.stop = stop
	p := New(cfg, mortal{w, tn.store}, mortal{w, tn.store}, kafkasink.Encoder{RowsTopic: rowsTopic, DeadTopic: deadTopic, Group: group, Build: "test"})
	w.Processor = p
	go func() {
		defer close(w.done)
		w.err = p.Run(ctx)
	}()
	tn.t.Cleanup(func() {
		stop()
		<-w.done
	})
	return w
}

// halt is SIGTERM, and waits for the end.
func (w *worker) halt() {
	w.tn.t.Helper()
	w.stop()
	<-w.done
	require.NoError(w.tn.t, w.err)
}

// mortal is the store as one processor sees it.
type mortal struct {
	w *worker
	*memsink.Store
}

func (m mortal) Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error) {
	if m.w.dead.Load() {
		return schemas.Outcome{}, errDead
	}
	if m.w.hang.Load() {
		m.w.waiting.Store(true)
		m.w.tn.events.note()
		<-ctx.Done()
		m.w.hang.Store(false)
		m.w.waiting.Store(false)
		m.w.tn.events.note()
		return schemas.Outcome{}, ctx.Err()
	}
	out, err := m.Store.Apply(ctx, b)
	if m.w.doomed.Load() {
		m.w.kill()
	}
	if m.w.dead.Load() {
		return schemas.Outcome{}, errDead // it landed, but nobody heard
	}
	return out, err
}

func (m mortal) Push(ctx context.Context, snapshots []schemas.Snapshot, applied []schemas.Position) {
	if !m.w.dead.Load() && !m.w.blind.Load() {
		m.Store.Push(ctx, snapshots, applied)
	}
}

// conditions remembers what an observer was told.
type conditions struct {
	NopObserver
	events  *events
	mu      sync.Mutex
	is      map[string]string // reason by name, "" is well
	times   map[string]int    // how often each was told
	batches []BatchSummary
	waits   map[int32]time.Time // since when a record waits, of each partition that is ours
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

// waiting is since when a record of the partition waits; told is false before anything was said of it.
func (c *conditions) waiting(partition int32) (since time.Time, told bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	since, told = c.waits[partition]
	return since, told
}

func (c *conditions) Condition(name string, ok bool, reason string) {
	c.mu.Lock()
	c.is[name] = reason
	c.times[name]++
	c.mu.Unlock()
	c.events.note()
}

// Lag counts the partitions that were given up.
func (c *conditions) Lag(_ string, partition int32, records int64) {
	if records >= 0 {
		return
	}
	c.mu.Lock()
	c.times["given up"]++
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
func (tn *town) produce(records ...schemas.Record) {
	tn.t.Helper()
	for i := range records {
		r := &records[i]
		k := &kgo.Record{Topic: rawTopic, Partition: r.Partition, Key: r.Key, Value: r.Value, Timestamp: time.UnixMilli(r.TimestampMS)}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		require.NoError(tn.t, tn.client.ProduceSync(tn.t.Context(), k).FirstErr())
		r.Topic, r.Offset = rawTopic, k.Offset
		tn.sent = append(tn.sent, *r)
	}
}

// waitFor returns when cond holds; it looks again whenever something happened, and from time to time for what
// the cluster does by itself; it fails when cond does not hold for long.
func (tn *town) waitFor(what string, cond func() bool) {
	tn.t.Helper()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		next := tn.events.next()
		if cond() {
			return
		}
		select {
		case <-next:
		case <-tick.C:
		case <-deadline.C:
			tn.t.Fatalf("never happened: %s", what)
		}
	}
}

// process has a processor of its own commit everything that was sent, and stop.
func (tn *town) process(change ...func(*Config)) *worker {
	tn.t.Helper()
	w := tn.start(change...)
	tn.waitCommitted()
	w.halt()
	return w
}

// waitCommitted returns when the group has committed everything that was sent.
func (tn *town) waitCommitted() {
	tn.t.Helper()
	tn.waitFor("all committed", func() bool { return tn.lag() == 0 })
}

// waitALittle returns when cond holds, or after a few seconds in which it did not.
func (tn *town) waitALittle(cond func() bool) {
	deadline := time.NewTimer(5 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-tick.C:
		case <-tn.events.next():
		case <-deadline.C:
			return
		}
	}
}

// waitClosed returns when no transaction is open: what a dead processor began is aborted.
func (tn *town) waitClosed() {
	tn.t.Helper()
	tn.waitFor("no transaction is open", tn.closed)
}

// closed is whether no transaction is open in the topics that are written.
func (tn *town) closed() bool {
	for _, topic := range []string{rowsTopic, deadTopic} {
		for _, p := range tn.cluster.PartitionInfos(topic) {
			if p.LastStableOffset < p.HighWatermark {
				return false
			}
		}
	}
	return true
}

func (tn *town) lag() int64 {
	admin := kadm.NewClient(tn.client)
	ends, err := admin.ListEndOffsets(tn.t.Context(), rawTopic)
	require.NoError(tn.t, err)
	committed, err := admin.FetchOffsets(tn.t.Context(), group)
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

// watchCommits looks at every offset that is committed from now on; the answer says whether one went back.
func (tn *town) watchCommits() (wentBack func() bool) {
	var mu sync.Mutex
	var back bool
	highest := map[int32]int64{}
	tn.cluster.ControlKey(int16(kmsg.TxnOffsetCommit), func(req kmsg.Request) (kmsg.Response, error, bool) {
		tn.cluster.KeepControl()
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

// watchAborts looks at every transaction that ends from now on; the answer says whether one was aborted.
func (tn *town) watchAborts() (aborted func() bool) {
	var some atomic.Bool
	tn.cluster.ControlKey(int16(kmsg.EndTxn), func(req kmsg.Request) (kmsg.Response, error, bool) {
		tn.cluster.KeepControl()
		if !req.(*kmsg.EndTxnRequest).Commit {
			some.Store(true)
		}
		return nil, nil, false
	})
	return some.Load
}

// stable is whether each of so many members has partitions, and no rebalance is under way.
func (tn *town) stable(members int) bool {
	groups, err := kadm.NewClient(tn.client).DescribeGroups(tn.t.Context(), group)
	require.NoError(tn.t, err)
	g := groups[group]
	for _, m := range g.Members {
		if at, ok := m.Assigned.AsConsumer(); !ok || len(at.Topics) == 0 || len(at.Topics[0].Partitions) == 0 {
			return false
		}
	}
	return g.State == "Stable" && len(g.Members) == members
}

// resetGroup puts the group at the start of the topic; no processor may run.
func (tn *town) resetGroup() {
	tn.t.Helper()
	admin := kadm.NewClient(tn.client)
	starts, err := admin.ListStartOffsets(tn.t.Context(), rawTopic)
	require.NoError(tn.t, err)
	require.NoError(tn.t, admin.CommitAllOffsets(tn.t.Context(), group, starts.Offsets()))
}

// committedAt is the group's offset in a partition, −1 for none.
func (tn *town) committedAt(partition int32) int64 {
	committed, err := kadm.NewClient(tn.client).FetchOffsets(tn.t.Context(), group)
	require.NoError(tn.t, err)
	if at, ok := committed.Lookup(rawTopic, partition); ok {
		return at.At
	}
	return -1
}

// readAll reads a topic to its end as a reader of committed records does.
func (tn *town) readAll(topic string) (records []*kgo.Record) {
	tn.t.Helper()
	ends, err := kadm.NewClient(tn.client).ListCommittedOffsets(tn.t.Context(), topic)
	require.NoError(tn.t, err)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	cl := tn.newClient(kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	defer cl.Close()
	for len(left) > 0 {
		cl.PollFetches(tn.t.Context()).EachRecord(func(r *kgo.Record) {
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

// requireBooks balances everything that was sent against everything that stands.
func (tn *town) requireBooks() {
	tn.t.Helper()
	var changes []schemas.Change
	wantLetters := map[string]int{}
	for _, r := range tn.sent {
		c, rej := features.Transform(r, features.Limits{})
		if rej != nil {
			wantLetters[fmt.Sprintf("%d/%d %s", r.Partition, r.Offset, rej.Code)]++
			continue
		}
		changes = append(changes, c)
	}
	want := reference.Resolve(changes)
	rows, err := tn.store.Rows(tn.t.Context())
	require.NoError(tn.t, err)
	same(tn.t, "rows", withoutWriter(want), withoutWriter(rows))
	batters, games := reference.Fold(want)
	view := tn.store.View()
	same(tn.t, "batters in the view", batters, view.Batters)
	same(tn.t, "batter-games in the view", games, view.Games)
	same(tn.t, "letters", wantLetters, tn.letters())
	same(tn.t, "rows topic", withoutWriter(want), tn.publishedRows())
}

// letters counts the letters by the record that failed and its code; each must hold its record's bytes.
func (tn *town) letters() map[string]int {
	found := map[string]int{}
	for _, r := range tn.readAll(deadTopic) {
		h := map[string]string{}
		for _, kv := range r.Headers {
			_, twice := h[kv.Key]
			require.False(tn.t, twice, "header %s stands twice", kv.Key)
			h[kv.Key] = string(kv.Value)
		}
		found[fmt.Sprintf("%s/%s %s", h["dlq.partition"], h["dlq.offset"], h["dlq.code"])]++
		i := slices.IndexFunc(tn.sent, func(s schemas.Record) bool {
			return fmt.Sprint(s.Partition, s.Offset) == h["dlq.partition"]+" "+h["dlq.offset"]
		})
		require.GreaterOrEqual(tn.t, i, 0)
		require.Equal(tn.t, tn.sent[i].Value, r.Value)
		require.Equal(tn.t, tn.sent[i].Key, r.Key)
	}
	return found
}

// publishedRows are the rows of the rows topic as a reader keeps them: of each pitch the highest version.
func (tn *town) publishedRows() []schemas.StoredRow {
	type state struct {
		version [4]int64
		row     *schemas.StoredRow
	}
	states := map[string]state{}
	for _, r := range tn.readAll(rowsTopic) {
		s := state{}
		for _, h := range r.Headers {
			i := slices.Index([]string{"revision", "record_ts_ms", "source_offset", "source_partition"}, h.Key)
			_, err := fmt.Sscan(string(h.Value), &s.version[i])
			require.NoError(tn.t, err)
		}
		if r.Value != nil {
			s.row = &schemas.StoredRow{}
			require.NoError(tn.t, unmarshal(r.Value, s.row))
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
