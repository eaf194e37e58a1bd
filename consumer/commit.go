package consumer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/schemas"
)

// A batch ends in one Kafka transaction: dead letters, rows and offsets become visible together or not at
// all. Readers with read_committed wait for an open transaction, so none may stay open while a person is
// waited for, and none longer than earlyLimit while a store is.
//
// Sending the rows is most of a commit. When a batch has lasted for commitEvery, an early produce opens its
// transaction and sends the rows stored so far, while polls go on; little is left for the commit. Dead
// letters are never sent early, because the breaker judges the batch as a whole.
//
// The store compares the rows while the transaction is open. If it takes too long, the same batch would be
// sent for ever, so the next one has half of the records (Config.commitSize).

// While an early produce runs, the batch may grow by earlyTime and earlyRecords. A store that does not take
// the rest within earlyLimit may stay unavailable for hours, so the transaction is aborted then.
const (
	earlyTime    = time.Second
	earlyRecords = 5000
	earlyLimit   = transactionTimeout / 3
)

var errEarlyTooLong = fmt.Errorf("rows were sent, and the store did not take the rest within %v", earlyLimit)

// errTripped reports that the breaker tripped after an early produce. No transaction stays open until a
// person comes: the batch is read again, and held before anything of it is sent.
var errTripped = errors.New("the breaker tripped while rows were sent: they are read again")

// decision is what one commit sends, and what is known after it. The offsets that it commits are the
// client's.
type decision struct {
	deadLetters []schemas.DeadLetter
	rows        []schemas.Published    // those that the early produce did not send
	moves       []schemas.PositionMove // noted as committed afterwards
	tallies     map[int32]tally        // committed as the metadata of the offsets
	bounds      map[int32]int64        // of a replay, by partition: no offset above is committed; else nil
	failed      error                  // of the early produce: the transaction is aborted
}

// decide has the breaker judge the batch, and returns what to commit. Every poll of the batch is in the
// stores.
func (p *pipeline) decide() (decision, error) {
	failed := p.early.wait()
	b, s := p.batch, p.session
	var why string
	// A batch of good records goes on, because holding it would keep nothing out of the dead letters.
	// guard: good records do not hold the processor | always
	if len(b.deadLetters) > 0 {
		why = p.cfg.Breaker.judge(p.cfg.Now(), b.tallies)
	}
	// guard: too much poison holds the processor
	if why != "" {
		// The early produce may have opened the transaction.
		// guard: a breaker that holds leaves nothing open
		if s.txn.isOpen {
			return decision{}, errTripped
		}
		if err := s.hold(p.running, p.work, why, b.deadLetters); err != nil {
			return decision{}, err
		}
		b.tallies = cleared(b.tallies)
	}
	b.tallies = committable(b.tallies)
	d := decision{deadLetters: b.deadLetters, rows: b.takeUnsent(), tallies: b.tallies, failed: failed}
	d.moves = slices.Collect(maps.Values(b.moves))
	if s.replay != nil {
		d.bounds = s.partitions.positions() // a replay polls more than it stores
		// guard: replay: no dead letters onto live
		if !s.replay.replay.SendDeadLetters {
			d.deadLetters = nil
		}
	}
	return d, nil
}

// committable returns the tallies as they are committed: without the batch's peak, and empty where a pardon
// was used up, because a batch that passed with one is not counted.
func committable(tallies map[int32]tally) map[int32]tally {
	for id, t := range tallies {
		if t.Pardoned {
			t = t.cleared()
		}
		t.peak = 0
		tallies[id] = t
	}
	return tallies
}

// cleared returns empty tallies of the same partitions.
func cleared(tallies map[int32]tally) map[int32]tally {
	empty := make(map[int32]tally, len(tallies))
	for id, t := range tallies {
		empty[id] = t.cleared()
	}
	return empty
}

// transaction is the Kafka transaction of a session. It belongs to the goroutine of session.run.
type transaction struct {
	cfg       *Config
	kafka     recordSource
	publisher *publisher
	replay    *sessionReplay // nil in a live session
	trace     *tracer        // nil: off
	rewound   func()         // called after an abort, which the client has gone back for
	op        atomic.Int64   // of the request that commits offsets; 0 while none was sent

	isOpen bool // begun and not ended

	// revoked reports that partitions were revoked since the last end: the client aborts the next
	// transaction, and reports no other revoke until then. Set by the client's goroutine.
	revoked atomic.Bool
}

// commit sends the dead letters and the rows and commits the offsets, all or nothing. committed is false,
// without an error, when a rebalance came in between or ctx has ended: everything was aborted, and the next
// owner reads the batch again. It returns errEarlyTooLong when the store did not say in time which rows have
// changed: everything was aborted then, too, and the session goes on with smaller batches.
func (t *transaction) commit(ctx context.Context, d decision) (committed bool, err error) {
	if err := t.begin(); err != nil {
		return false, err
	}
	// From here a revoke interrupts nothing, because an open transaction holds back every reader until it
	// times out. Ending it after a revoke aborts it.
	// guard: a revoke leaves no transaction open | context.WithoutCancel(ctx) -> ctx
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*transactionTimeout)
	defer cancel()
	if d.failed == nil {
		d.failed = t.publisher.send(ending, ctx, t.kafka.Client(), d.deadLetters, d.rows)
	}
	began := t.cfg.Now()
	// true tries to commit, false aborts.
	committed, err = t.end(t.annotate(ending, &d), kgo.TransactionEndTry(d.failed == nil && ctx.Err() == nil))
	t.cfg.observeStep("commit", began)
	if err != nil {
		err = fmt.Errorf("kafka: commit: %w", err)
		t.cfg.produceFault.refused(t.cfg, err)
		return false, err
	}
	if ctx.Err() == nil && errors.Is(d.failed, errEarlyTooLong) {
		return false, errEarlyTooLong // the store's fault, of which its condition tells
	}
	if d.failed != nil && ctx.Err() == nil {
		d.failed = fmt.Errorf("kafka: produce: %w", d.failed)
		t.cfg.produceFault.record(t.cfg, d.failed, len(d.deadLetters), len(d.rows))
		return false, d.failed
	}
	if committed {
		t.cfg.produceFault.record(t.cfg, nil, len(d.deadLetters), len(d.rows))
	}
	return committed, nil
}

// annotate returns a context with which the client commits the tallies beside the offsets, and none beyond
// its bound.
func (t *transaction) annotate(ctx context.Context, d *decision) context.Context {
	ctx = context.WithValue(ctx, decisionKey{}, d)
	return kgo.PreTxnCommitFnContext(ctx, func(req *kmsg.TxnOffsetCommitRequest) error {
		for _, topic := range req.Topics {
			for i := range topic.Partitions {
				p := &topic.Partitions[i]
				p.Metadata = d.tallies[p.Partition].metadata()
				if bound, ok := d.bounds[p.Partition]; ok {
					// guard: replay: no offset is committed beyond what is stored
					p.Offset = min(p.Offset, bound)
				}
			}
		}
		t.op.Store(t.trace.commits(d, req))
		return nil
	})
}

// begin begins a transaction, if none is open.
func (t *transaction) begin() error {
	if t.isOpen {
		return nil
	}
	if err := t.kafka.Begin(); err != nil {
		return fmt.Errorf("kafka: begin: %w", err)
	}
	t.isOpen = true
	return nil
}

// end ends the transaction. If partitions were revoked since the last end, it aborts and returns committed ==
// false.
func (t *transaction) end(ctx context.Context, how kgo.TransactionEndTry) (committed bool, err error) {
	t.revoked.Store(false) // before the end, which may or may not see a revoke that comes now
	t.isOpen = false
	committed, err = t.kafka.End(ctx, how)
	t.trace.ended(t.op.Swap(0), committed, err)
	if !committed {
		t.rewound()
	}
	if t.replay != nil {
		// guard: replay: what was dropped has not been read to its end | t.replay.settle(committed) -> t.replay.settle(true)
		t.replay.settle(committed)
	}
	return committed, err
}

// abort rewinds the client to the committed offsets and makes it forget a revoke.
func (t *transaction) abort(ctx context.Context) error {
	if err := t.begin(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transactionTimeout)
	defer cancel()
	if _, err := t.end(ctx, kgo.TryAbort); err != nil {
		return fmt.Errorf("kafka: abort: %w", err)
	}
	return nil
}

// earlyProduce is the sending of rows before the batch is full.
type earlyProduce struct {
	sent  context.Context // ends when the rows are in their topic, or could not be sent
	err   error           // of sending; written before sent ends
	limit *time.Timer
}

// produceEarly opens the transaction and sends the rows stored so far, in a goroutine that earlyProduce.wait
// waits for. It starts nothing, and returns false, when it ran before, for a batch that must be judged first
// (skipsEarlyProduce), and without rows. So it does while the store is too slow, or has been for a commit.
func (p *pipeline) produceEarly() (started bool, err error) {
	s := p.session
	// guard: a slow store is not waited for with rows sent | p.batch.backlog() > earlyTime -> false
	if p.early != nil || s.skipsEarlyProduce || p.cfg.commitSize.isShrunk() || p.batch.backlog() > earlyTime {
		return false, nil
	}
	rows := p.batch.takeUnsent()
	if len(rows) == 0 {
		return false, nil
	}
	if err := s.txn.begin(); err != nil {
		return false, err
	}
	sent, done := context.WithCancel(context.Background())
	early := &earlyProduce{sent: sent}
	// guard: an unavailable store leaves no transaction open | s.interrupt(errEarlyTooLong) ->
	early.limit = time.AfterFunc(earlyLimit, func() { s.interrupt(errEarlyTooLong) })
	p.early = early
	go func() {
		defer done()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(p.work), transactionTimeout)
		defer cancel()
		early.err = s.publisher.send(ctx, p.work, s.kafka.Client(), nil, rows)
	}()
	return true, nil
}

// wait returns when nothing is being sent early any more. The batch is in the store by then, or was given up.
func (e *earlyProduce) wait() error {
	if e == nil {
		return nil
	}
	e.limit.Stop()
	<-e.sent.Done()
	return e.err
}

// metadata returns the text that parseTally reads.
func (t tally) metadata() *string {
	text, _ := json.Marshal(t) // cannot fail: plain numbers
	s := string(text)
	return &s
}

// produceFault is the last failure of sending rows or dead letters, or of a commit. It keeps the condition
// "kafka" unmet, also between sessions, although the brokers answer. It ends with a commit; that of rows or a
// dead letter only with one that has rows or a dead letter. It ends after produceFaultQuiet, too. The
// processor's goroutines share it.
type produceFault struct {
	mu          sync.Mutex
	err         error     // guarded by mu, as the other fields
	at          time.Time // of the last failure
	deadLetters bool      // dead letters were to be sent
	isCommit    bool      // everything was sent, and the commit failed
}

// produceFaultQuiet is how long a fault is kept without another one. Its partition may have moved to another
// processor, which sends the record then, and this one would never hear of it.
const produceFaultQuiet = time.Minute

// record keeps the outcome of sending these numbers of dead letters and rows.
func (f *produceFault) record(cfg *Config, err error, deadLetters, rows int) {
	f.mu.Lock()
	switch {
	case err != nil:
		f.deadLetters = deadLetters > 0 || f.err != nil && f.deadLetters
		f.err, f.at, f.isCommit = err, cfg.Now(), false
	// guard: the fault of a commit ends with the next one | f.isCommit -> false
	case f.isCommit:
		f.err = nil
	// guard: a dead letter that is refused is named until one is taken | deadLetters > 0 || !f.deadLetters && rows > 0 -> true
	case deadLetters > 0 || !f.deadLetters && rows > 0:
		f.err = nil
	}
	f.mu.Unlock()
	cfg.kafkaCondition(nil) // nil, because the brokers have answered: only the fault makes the condition unmet
}

// refused keeps the failure of a commit, unless one of sending is still named, or another member of the group
// is the reason. A session that ends for it is followed by one that fails in the same way. In between the
// processor is assigned partitions, and would be ready.
func (f *produceFault) refused(cfg *Config, err error) {
	isMembers := isFenced(err) || errors.Is(err, kerr.IllegalGeneration) ||
		errors.Is(err, kerr.RebalanceInProgress) || errors.Is(err, kerr.UnknownMemberID)
	f.mu.Lock()
	// guard: a fault that has ended hides no other | f.isNamed(cfg.Now()) -> f.err != nil
	isHidden := f.isNamed(cfg.Now()) && !f.isCommit
	// guard: a commit that the brokers refuse is named | !isHidden -> false
	if !isMembers && !isHidden {
		f.err, f.at, f.deadLetters, f.isCommit = err, cfg.Now(), false, true
	}
	f.mu.Unlock()
	cfg.kafkaCondition(nil)
}

// isNamed reports whether the condition "kafka" names a fault. mu is held.
func (f *produceFault) isNamed(now time.Time) bool {
	return f.err != nil && now.Sub(f.at) < produceFaultQuiet
}

// abortedCommits are the commits in a row that Kafka turned into aborts without a reason, and without a
// revoke. One comes with a rebalance. Many come while the brokers do not take offsets, as where too few of
// them have the topic of the offsets. Without a pause the same batch would be sent again and again.
type abortedCommits struct {
	since time.Time                   // zero: none
	last  time.Time                   // when the pause after the newest one ended
	pause *backoff.ExponentialBackOff // before the next batch
}

// add notes one of a batch that began then, and waits. After progressLimit it makes the processor not ready,
// by name. It starts over where no batch came for so long: the one before may be of a rebalance, hours ago.
func (a *abortedCommits) add(ctx context.Context, cfg *Config, began time.Time) {
	// guard: aborts with quiet hours between them are not in a row | began.Sub(a.last) >= progressLimit -> false
	if a.since.IsZero() || began.Sub(a.last) >= progressLimit {
		a.since, a.pause = cfg.Now(), newPauses(50*time.Millisecond, 2*time.Second)
	}
	if lasts := cfg.Now().Sub(a.since); lasts >= progressLimit {
		cfg.produceFault.refused(cfg, fmt.Errorf("kafka: commit: the brokers have taken no offsets of group %s "+
			"for %v", cfg.Group, lasts.Round(time.Second)))
	}
	// guard: commits that are aborted again and again are paced
	sleep(ctx, a.pause.NextBackOff())
	a.last = cfg.Now()
}

// kafkaCondition reports the condition "kafka". It is unmet with err, why the brokers do not answer, and
// without err while a produceFault is kept. Each look at the lag calls it, so that a fault ends by itself.
func (c *Config) kafkaCondition(err error) {
	f := c.produceFault
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.isNamed(c.Now()) {
		err = f.err
	}
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	c.Observer.Condition("kafka", err == nil, reason)
}

func (c *Config) observeStep(name string, began time.Time) { c.Observer.Step(name, c.Now().Sub(began)) }
