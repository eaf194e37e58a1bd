package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// The way of a live poll begins here and goes on in pipeline.go, plan.go, stores.go and commit.go. A session
// polls and applies one batch after another in one goroutine. The Kafka client calls onAssigned, onRevoked
// and the starter in goroutines of its own at any time, also in the middle of a batch.
//
// There are two contexts. ctx ends when a shutdown begins. work ends when the batch in hand must end: at a
// revoke, or when a shutdown has lasted for shutdownGrace.
//
// A line that begins with "guard:" names the statement below it. test/mutants removes that statement, as the
// text behind the bar says, and a test must fail. "deploy:", "bytes:" and the like only sort the names.
//
// Two facts of franz-go decide the shape of this file. Its session remembers a revoke until the next
// transaction ends, aborts that transaction, and reports no other revoke until then: neither at once nor
// later. So what a second revoke took is found by comparing with the assignment itself (membership.go). And
// an abort rewinds every partition to the offset that the client believes committed, so the records of a
// dropped batch are polled again without further ado.

// session is one membership of the consumer group, from join to leave. An error that it cannot handle ends
// it, and Processor.Run starts the next one from the committed offsets. Fields without a note belong to the
// goroutine of run.
type session struct {
	cfg   *Config
	kafka recordSource
	// alive is the context of every request of kafka. cut ends it, and with it the session.
	alive context.Context
	cut   context.CancelFunc

	partitions *partitions // locks itself
	starter    *starter    // called by the Kafka client
	stores     *stores     // of the pipeline's goroutines during a batch
	publisher  *publisher  // of one goroutine at a time: the early produce, or the commit
	trace      *tracer     // nil: off
	txn        *transaction
	breaker    *breaker       // the processor's, locks itself
	failing    *fetchFailures // the processor's
	replay     *sessionReplay // nil in a live session

	transactionalID string // of kafka; set by open, and never changed

	// mayRepeat reports that the next batch may already be in the store: written by an owner that died, or by
	// an attempt whose answer was lost. A repeated batch returns the snapshots of the batters who have its
	// pitches now, not of those who had them before. So the view is swept after it: compared with the store,
	// and repaired.
	mayRepeat atomic.Bool

	// keepsBytes reports that records keep their bytes until the store has answered. The store refused one
	// whose bytes were gone, and its dead letter needs them: see errBytesRecycled.
	keepsBytes atomic.Bool

	// skipsEarlyProduce has the next batch send nothing before the breaker has judged all of it. It is set
	// after a batch that was aborted because it had sent rows early: the breaker tripped (errTripped), or the
	// store did not take the rest in time (errEarlyTooLong).
	skipsEarlyProduce bool

	aborts abortedCommits // since the last commit

	// packedAt is when records of a packed batch of very many records were last processed, or when the session
	// began. polledPacked reports that some were polled since. packedRead replaces the client for such batches.
	packedAt     time.Time
	polledPacked bool

	// lost has the logs that polls found cut back. After one, the session ends whatever becomes of the batch
	// in hand: the client reads on from where the log was cut, and an abort makes it forget that.
	lost []*kgo.ErrDataLoss

	// mustNotWait reports that a partition was assigned that must be refilled, or its start committed; it
	// ends the next wait for records.
	mustNotWait atomic.Bool

	mu        sync.Mutex
	cancel    context.CancelCauseFunc // guarded by mu; ends the wait or the batch in hand, nil between them
	isWaiting bool                    // guarded by mu; cancel belongs to a wait, with no batch in hand
}

var (
	errRevoked    = errors.New("a partition of the batch was revoked")
	errRebalanced = errors.New("the group rebalanced during the commit")
)

func newSession(p *Processor) (*session, error) {
	s := &session{
		cfg: &p.cfg, breaker: &p.breaker, failing: &p.failing, replay: newSessionReplay(p.cfg.Replay),
		trace: newTracer(&p.cfg), packedAt: p.cfg.Now(),
	}
	s.alive, s.cut = context.WithCancel(context.Background())
	s.failing.byID = nil // those were errors of the client of the session before
	s.partitions = &partitions{
		cfg: s.cfg, replay: s.replay, trace: s.trace, byID: map[int32]*partition{}, refill: noRefill,
	}
	s.starter = &starter{
		cfg: s.cfg, store: p.store, partitions: s.partitions, replay: s.replay, wake: s.wake,
		trace: s.trace, clientIsSet: make(chan struct{}),
	}
	s.stores = &stores{
		cfg: s.cfg, store: p.store, view: p.view, partitions: s.partitions, replay: s.replay, trace: s.trace,
	}
	s.publisher = &publisher{cfg: s.cfg, store: p.store, encode: p.encode, trace: s.trace}
	s.txn = &transaction{
		cfg: s.cfg, publisher: s.publisher, replay: s.replay, trace: s.trace, rewound: s.partitions.rewound,
	}
	kafka, err := s.open()
	if err != nil {
		s.cut()
		return nil, backoff.Permanent(fmt.Errorf("kafka: %w", err))
	}
	s.kafka, s.txn.kafka = kafka, kafka
	s.partitions.client = kafka.Client()
	close(s.starter.clientIsSet)
	return s, nil
}

// open returns a member of the group, or for a replay with a Source one who reads that.
func (s *session) open() (recordSource, error) {
	if !s.replay.hasSource() {
		return kgo.NewGroupTransactSession(s.options()...)
	}
	reader, err := newSourceReader(s.cfg, s.replay.replay.Source, s.partitions)
	s.partitions.source, s.transactionalID = reader, reader.transactionalID()
	return reader, err
}

// leaveWithin bounds how long a session waits until it has left the group. The coordinator may hold a join
// for the whole rebalance timeout, in which a stopped process would be killed.
const leaveWithin = 10 * time.Second

// close leaves the group. After leaveWithin it gives up, and the coordinator waits for the session timeout.
func (s *session) close() {
	// guard: a stop does not wait for a join that is pending | leaveWithin -> time.Hour
	late := time.AfterFunc(leaveWithin, s.cut)
	s.kafka.Close()
	late.Stop()
	s.cut()
}

// runSession joins the group and processes until ctx ends or the session cannot go on.
func (p *Processor) runSession(ctx context.Context) (err error) {
	s, err := newSession(p)
	if err != nil {
		return err
	}
	reportOutputsPending(s.cfg)
	watching, stopWatching := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { watchProgress(watching, s) })
	running, end := context.WithCancelCause(ctx)
	defer end(nil)
	watcher.Go(func() { watchPositions(watching, s.cfg, p.store, s.partitions, end) })
	defer func() {
		stopWatching()
		watcher.Wait()
		s.close()
		s.partitions.forget(nil)
		s.trace.step("end", 0, "")
		s.cfg.Observer.Condition("assigned", false, s.cfg.reasonNotAMember(err))
	}()
	if s.partitions.source != nil {
		err = s.partitions.source.join(running, s)
	}
	if err == nil {
		err = s.run(running)
	}
	// guard: a log that was cut back is a gap, however long it has grown since | s.starter.noteLosses(ctx, s.lost) -> error(nil)
	if final := s.starter.noteLosses(ctx, s.lost); final != nil {
		return final
	}
	if err == nil && ctx.Err() == nil {
		err = context.Cause(running)
	}
	return err
}

// run decides before each batch how to go on: with the refill of a partition whose store came back older, or
// with live records.
func (s *session) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if s.replay != nil && s.replay.updateDone(s.partitions) {
			return errReplayComplete
		}
		s.partitions.forgetUnassigned()
		// A gap is records that the topic lost before the store had them. Once a person has accepted one, the
		// start after it is committed, although no record has come yet. The group's old offset would report
		// the gap again at the next start. Or it would lie ahead in a topic that was created anew, so that the
		// dead letters up to there were taken for sent.
		// guard: a gap that was accepted is committed
		if accepted := s.partitions.accepted(); len(accepted) > 0 {
			if err := s.starter.commitStart(ctx, accepted); err != nil {
				return err
			}
		}
		// A batch commits as far as it polled. If the store is older than the group's offset, that would set
		// the group back, so the refill comes first.
		// guard: no offset is committed below what was committed
		if id, ok := s.partitions.nextRefill(); ok {
			if err := (&refiller{session: s, cfg: s.cfg, id: id}).run(ctx); err != nil {
				return err
			}
			continue
		}
		fetches, err := s.firstPoll(ctx)
		if err == nil && fetches.NumRecords() > 0 {
			err = s.process(ctx, fetches)
		}
		if err = cmp.Or(err, s.packedRead()); err != nil {
			return err
		}
	}
	return nil
}

// firstPoll waits for the first records of a batch. It returns none after a revoke, for a new refill, and
// when ctx ends.
func (s *session) firstPoll(ctx context.Context) (kgo.Fetches, error) {
	if err := s.lossFound(); err != nil { // by a poll of a batch that was then dropped for a revoke
		return nil, err
	}
	waiting, done := s.interruptible(ctx, true)
	if s.failing.reported { // without records, too, it must be seen that the failure has ended
		var cancel context.CancelFunc
		waiting, cancel = context.WithTimeout(waiting, fetchFailureQuiet)
		defer cancel()
	}
	fetches := s.poll(waiting)
	cause := context.Cause(waiting)
	done()
	switch {
	case errors.Is(cause, errOtherTopic):
		return nil, cause
	case ctx.Err() != nil:
		return nil, nil // nothing of this poll was applied: the next owner polls it again
	case fetches.IsClientClosed():
		return nil, kgo.ErrClientClosed
	}
	// guard: a revoke with nothing in hand costs no batch
	if s.txn.revoked.Load() { // the abort makes the client forget the revoke now: later that would cost a batch
		return nil, s.txn.abort(ctx)
	}
	return fetches, s.fetchErrors(ctx, fetches)
}

// process applies a batch that begins with these records and commits it. A shutdown lets it finish within
// shutdownGrace; a revoke ends it at once.
func (s *session) process(ctx context.Context, first kgo.Fetches) error {
	work, done := s.begin(ctx)
	defer done()
	s.cfg.Observer.BatchStarted()
	p := newPipeline(ctx, work, s, newBatch(s.cfg, s.trace, s.mayRepeat.Swap(false)))
	if err := p.run(first); err != nil {
		return s.drop(work, err)
	}
	decided, err := p.decide()
	if err != nil {
		return s.drop(work, err)
	}
	committed, err := s.txn.commit(work, decided)
	switch {
	case errors.Is(err, errEarlyTooLong), err == nil && !committed:
		s.noteAbort(ctx, work, p.batch, err)
		return nil
	case err != nil:
		return err
	}
	s.aborts = abortedCommits{}
	s.skipsEarlyProduce = false
	// guard: records lose their bytes again after a batch of which nothing was refused
	if p.batch.refused == 0 {
		s.keepsBytes.Store(false)
	}
	s.partitions.committed(decided.moves, decided.tallies)
	// The next batch may be larger if the store compared the rows of this one quickly.
	s.cfg.commitSize.grow(p.batch.records, s.publisher.longest)
	s.noteDeadLetters(work, decided)
	p.batch.report()
	return nil
}

// noteAbort notes that the commit of a batch has aborted its transaction, so that its records are read again.
// err is errEarlyTooLong, or nil where a rebalance or the end of work is the reason.
func (s *session) noteAbort(ctx, work context.Context, b *batch, err error) {
	if err != nil {
		s.skipsEarlyProduce = true
		s.publisher.tooSlow(b.records)
	}
	reason := cmp.Or(context.Cause(work), err, errRebalanced)
	s.cfg.Log.Info("the batch was aborted: its records are read again", "reason", reason)
	s.mayRepeat.Store(true)
	if reason == errRebalanced {
		s.aborts.add(ctx, s.cfg, b.began)
	} else if errors.Is(reason, errRevoked) {
		s.aborts = abortedCommits{} // a revoke explains the aborts before it: the group was rebalancing
	}
}

// noteDeadLetters stores how far the dead letters of a partition are committed. It does so after the commit,
// so that no dead letter is taken for sent that is not. The next owner makes up for an attempt that fails.
func (s *session) noteDeadLetters(ctx context.Context, d decision) {
	if len(d.deadLetters) == 0 || s.replay != nil {
		return
	}
	var raised []schemas.Position
	for _, m := range d.moves {
		if at, ok := s.partitions.get(m.Partition); ok {
			p := m.Position
			p.DeadLettersFrom, p.DeadLettersBelow = at.deadLettersFrom, m.NextOffset
			raised = append(raised, p)
		}
	}
	// guard: the range of the committed dead letters is stored after their commit | s.starter.raiseDeadLetters(ctx, raised) -> error(nil)
	if err := s.starter.raiseDeadLetters(ctx, raised); err != nil {
		s.cfg.Log.Debug("the range of the committed dead letters was not stored", "reason", err)
	}
}

// begin returns the context of a batch. It ends at a revoke, and when a shutdown has lasted for
// shutdownGrace.
func (s *session) begin(ctx context.Context) (work context.Context, done func()) {
	// guard: the batch in hand is finished at shutdown | context.WithoutCancel(ctx) -> ctx
	shutdown, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	work, ended := s.interruptible(shutdown, false)
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(shutdownGrace, func() {
			cancel(fmt.Errorf("shutting down: the stores did not answer within %v", shutdownGrace))
		})
		context.AfterFunc(work, func() { t.Stop() })
	})
	return work, func() {
		ended()
		stop()
		cancel(nil)
	}
}

// interruptible returns a context that interrupt ends, and at once if an interrupt came just before.
func (s *session) interruptible(ctx context.Context, isWaiting bool) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	s.cancel, s.isWaiting = cancel, isWaiting
	s.mu.Unlock()
	if s.txn.revoked.Load() {
		cancel(errRevoked)
	}
	if isWaiting && s.mustNotWait.Swap(false) {
		cancel(nil)
	}
	return ctx, func() {
		s.mu.Lock()
		s.cancel = nil
		s.mu.Unlock()
		cancel(nil)
	}
}

// interrupt ends the wait or the batch in hand.
func (s *session) interrupt(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(why)
	}
}

// wake ends a wait for records, because a partition must be refilled, or its start committed. A batch in hand
// goes on and is committed before.
func (s *session) wake() {
	s.mustNotWait.Store(true)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil && s.isWaiting {
		s.cancel(nil)
	}
}

// rereadable are the reasons after which the session goes on and reads the dropped batch again.
var rereadable = []error{errRevoked, errTooSlow, errBytesRecycled, errTripped, errEarlyTooLong}

// drop gives up a batch of which nothing was committed, although the store may have it. The session goes on
// where it can: the abort makes the client read the partitions that it still owns from the committed offsets.
// The refiller calls it, too.
func (s *session) drop(work context.Context, err error) error {
	s.mayRepeat.Store(true)
	// guard: a revoke does not hide that a refill left a transaction open | cause != nil && !errors.Is(err, errLeftOpen) -> cause != nil
	if cause := context.Cause(work); cause != nil && !errors.Is(err, errLeftOpen) {
		err = cause
	}
	if !slices.ContainsFunc(rereadable, func(why error) bool { return errors.Is(err, why) }) {
		err = fmt.Errorf("batch dropped: %w", err)
		if s.txn.isOpen {
			// guard: a session that ends leaves nothing open
			err = errors.Join(err, s.txn.abort(work))
		}
		return err
	}
	if errors.Is(err, errRevoked) {
		s.aborts = abortedCommits{}
	}
	// Any other reason resets this: a batch that trips after all is only dropped once more.
	// guard: a batch that tripped is judged before it is sent | errors.Is(err, errTripped) -> false
	s.skipsEarlyProduce = errors.Is(err, errTripped) || errors.Is(err, errEarlyTooLong)
	s.cfg.Log.Info("batch dropped", "reason", err)
	// guard: what was dropped is read again | s.txn.abort(work) -> nil
	return s.txn.abort(work)
}

// onAssigned reports an assignment. The partitions are added after it, by starter.startOffsets, which the
// client calls once it has fetched their offsets.
func (s *session) onAssigned(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	if len(added[s.cfg.Topic]) > 0 {
		s.cfg.Log.Info("partitions assigned", "topic", s.cfg.Topic, "partitions", added[s.cfg.Topic])
		s.mayRepeat.Store(true)
		// guard: an assignment has the view compared
		s.stores.view.RequestSweep()
	}
	s.cfg.Observer.Condition("assigned", true, "")
}

// onRevoked interrupts the batch in hand, because its offsets cannot be committed any more. The stores may
// have it already; the partition's next owner applies it again.
func (s *session) onRevoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	if len(gone[s.cfg.Topic]) == 0 {
		return
	}
	s.txn.revoked.Store(true)
	// guard: a revoke drops the batch in hand
	s.interrupt(errRevoked)
	s.partitions.revoke(gone[s.cfg.Topic])
}

func (s *session) options() []kgo.Opt {
	cfg := s.cfg
	id := cfg.InstanceID
	opts := []kgo.Opt{
		kgo.WithContext(s.alive),
		kgo.ConsumerGroup(cfg.Group),
		kgo.ConsumeTopics(cfg.Topic),
		kgo.Balancers(assignmentWatch{kgo.CooperativeStickyBalancer(), s.partitions.noteAssignment}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// A transactional feed ends in a marker, which no consumer gets otherwise: the position would never
		// reach the end of the partition.
		kgo.KeepControlRecords(),
		// Bounds the time until added partitions are read; the client's own five minutes are a long game.
		kgo.MetadataMaxAge(metadataMaxAge),
		kgo.DisableAutoCommit(),
		kgo.ConsumeStartOffset(kgo.NoResetOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		// guard: deploy: a session outlasts a restart | kgo.SessionTimeout(cfg.SessionTimeout) -> kgo.SessionTimeout(sessionTimeout)
		kgo.SessionTimeout(cfg.SessionTimeout),
		kgo.HeartbeatInterval(heartbeatInterval),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.FetchMaxBytes(cfg.FetchMaxBytes),
		kgo.FetchMaxPartitionBytes(max(cfg.FetchMaxBytes/4, 1<<20)),
		// Bounds the wait of a resumed or newly assigned partition, because the fetch in flight does not
		// include it.
		kgo.FetchMaxWait(500 * time.Millisecond),
		kgo.OnPartitionsAssigned(s.onAssigned),
		kgo.OnPartitionsRevoked(s.onRevoked),
		kgo.OnPartitionsLost(s.onRevoked),
		kgo.AdjustFetchOffsetsFn(s.starter.startOffsets),
		kgo.WithHooks(membershipHook{s}),
	}
	if id == "" {
		id = uuid.NewString()
	} else {
		// guard: deploy: a restarted processor has its name
		opts = append(opts, kgo.InstanceID(id))
	}
	s.transactionalID = cfg.Group + "/" + id
	opts = append(opts, kgo.TransactionalID(s.transactionalID))
	// This client unpacks packed batches, so that cfg.share of their records share a placeholder: see poll.go.
	return slices.Concat(opts, producerOptions(cfg), kafkaread.UnpackSharing(int(cfg.share.Load())), cfg.Client)
}

// producerOptions returns how a session sends records in its transactions.
func producerOptions(cfg *Config) []kgo.Opt {
	return []kgo.Opt{
		kgo.TransactionTimeout(transactionTimeout),
		// guard: each dead letter fits into its topic | maxProducedBytes -> cfg.DeadLetterMaxBytes
		kgo.ProducerBatchMaxBytes(maxProducedBytes), // packer bounds the batches, by topic
		kgo.BrokerMaxWriteBytes(maxProducedBytes + 1<<20),
		kgo.MaxBufferedRecords(max(10000, 4*cfg.PollMaxRecords)),
		// Everything is sent by a flush: the linger keeps the first record from leaving alone.
		kgo.ProducerLinger(20 * time.Millisecond),
		// Lz4 costs least to pack and to check; rows are small, and dead letters are rare.
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
	}
}
