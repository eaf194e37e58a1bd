package consumer

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// session is one membership in the group, from joining to leaving. An error that the loop cannot place ends it, and a
// new one starts from what is committed.
type session struct {
	*Processor
	kafka *kgo.GroupTransactSession
	owned *ownership
	plain *kgo.Client // produces outside of transactions, while a store is filled again; nil until then

	// again says that the next batch may be one that the store has taken before: from a former owner that died, or from
	// an attempt of ours whose answer was lost. Taken twice, a batch gives the snapshots of where its pitches count now,
	// and not those of where they counted before: the view is compared then.
	again atomic.Bool

	// careful says that the bytes of a poll are kept until the store has answered: it has refused a record.
	careful atomic.Bool

	reached map[int32]bool // partitions whose end was seen, of a replay
	fresh   []int32        // of these, since the last commit: what is read again has not been seen

	open  bool // a transaction has begun and not ended
	whole bool // the next batch is sent at its end, and nothing of it ahead

	// revoked says that partitions were taken away since the last transaction ended: the client aborts the next one, and
	// until then tells of no other revoke.
	revoked atomic.Bool

	mu     sync.Mutex
	cancel context.CancelCauseFunc // ends what is under way: a wait for records, or the batch in hand; nil between them
}

var (
	errRevoked = errors.New("a partition of the batch was revoked")
	errMixed   = errors.New("a partition that is filled again comes with others")
)

// session polls and applies until ctx ends or something is wrong with the membership.
func (p *Processor) session(ctx context.Context) (err error) {
	s := &session{Processor: p, reached: map[int32]bool{}}
	s.owned = newOwnership(p)
	if s.kafka, err = kgo.NewGroupTransactSession(s.options()...); err != nil {
		return &fatalError{fmt.Errorf("kafka: %w", err)}
	}
	s.owned.client = s.kafka.Client()
	close(s.owned.joined)
	watching, enough := context.WithCancel(ctx)
	var watcher sync.WaitGroup
	watcher.Go(func() { s.watchProgress(watching) })
	defer func() {
		enough()
		watcher.Wait()
		s.close()
		s.cfg.Observer.Condition("assigned", false, "not a member of the group")
	}()
	for ctx.Err() == nil {
		if s.replayed() {
			return errReplayed
		}
		fetches := s.await(ctx)
		if ctx.Err() != nil || fetches.IsClientClosed() {
			break // nothing of this poll was applied: it is polled again by the next owner
		}
		// guard: a revoke with nothing in hand costs no batch
		if s.revoked.Load() { // now, with nothing in hand: later it would cost a batch
			if err := s.abort(ctx); err != nil {
				return err
			}
			continue // what is still ours of this poll is read again
		}
		if err := s.fetchErrors(fetches); err != nil {
			return err
		}
		if fetches.NumRecords() == 0 {
			continue
		}
		if err := s.batch(ctx, fetches); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) options() []kgo.Opt {
	cfg := &s.cfg
	id := cfg.InstanceID
	opts := append(cfg.Replay.options(),
		kgo.ConsumerGroup(cfg.Group),
		kgo.ConsumeTopics(cfg.Topic),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.DisableAutoCommit(),
		kgo.ConsumeStartOffset(kgo.NoResetOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		// guard: deploy: a session outlasts a restart | kgo.SessionTimeout(cfg.SessionTimeout) -> kgo.SessionTimeout(sessionTimeout)
		kgo.SessionTimeout(cfg.SessionTimeout),
		kgo.HeartbeatInterval(heartbeatInterval),
		kgo.RebalanceTimeout(rebalanceTimeout),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.FetchMaxBytes(cfg.FetchMaxBytes),
		kgo.FetchMaxPartitionBytes(max(cfg.FetchMaxBytes/4, 1<<20)),
		kgo.FetchMaxWait(500*time.Millisecond), // a partition that is resumed or assigned waits for the fetch under way
		kgo.MaxConcurrentFetches(1),
		kgo.WithPools(unpacked),
		// guard: letters fit into their topic, each | largestBatch -> cfg.DeadLetterMaxBytes
		kgo.ProducerBatchMaxBytes(largestBatch), // packer bounds them, by topic
		kgo.BrokerMaxWriteBytes(largestBatch+1<<20),
		kgo.MaxBufferedRecords(max(10000, 4*cfg.PollMaxRecords)),
		kgo.ProducerLinger(20*time.Millisecond), // what is sent is sent by a flush: all of it in one request, not the first record alone
		// Rows are small and letters rare: what costs least to make and to check.
		kgo.ProducerBatchCompression(kgo.Lz4Compression(), kgo.NoCompression()),
		kgo.OnPartitionsAssigned(s.onAssigned),
		kgo.OnPartitionsRevoked(s.onRevoked),
		kgo.OnPartitionsLost(s.onRevoked),
		kgo.AdjustFetchOffsetsFn(s.owned.startOffsets),
	)
	if id == "" {
		id = uuid.NewString()
	} else {
		// guard: deploy: a restarted processor has its name
		opts = append(opts, kgo.InstanceID(id))
	}
	opts = append(opts, kgo.TransactionalID(cfg.Group+"/"+id))
	return append(opts, cfg.Client...)
}

// await waits for the first records of a batch, or until partitions are revoked.
func (s *session) await(ctx context.Context) kgo.Fetches {
	ctx, done := s.underWay(ctx)
	defer done()
	return s.poll(ctx)
}

// underWay makes the context of what a revoke ends, also one that came just before.
func (s *session) underWay(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	s.mu.Lock()
	s.cancel = cancel
	s.mu.Unlock()
	if s.revoked.Load() {
		cancel(errRevoked)
	}
	return ctx, func() {
		s.mu.Lock()
		s.cancel = nil
		s.mu.Unlock()
		cancel(nil)
	}
}

// close leaves the group; a processor with an instance id keeps its place there until the session times out, so that a
// restart of it moves no partition.
func (s *session) close() {
	s.kafka.Close()
	if s.plain != nil {
		s.plain.Close()
	}
	s.owned.drop(nil)
}

func (s *session) onAssigned(_ context.Context, _ *kgo.Client, added map[string][]int32) {
	if len(added[s.cfg.Topic]) > 0 {
		s.cfg.Log.Info("partitions assigned", "topic", s.cfg.Topic, "partitions", added[s.cfg.Topic])
		s.again.Store(true)
		// guard: an assignment has the view compared
		s.view.RequestSweep()
	}
	s.cfg.Observer.Condition("assigned", true, "")
}

// onRevoked ends what is under way. Of a batch in hand, whatever it still waits for, its offsets cannot be committed any more. The
// stores may have taken it or not; the partition's next owner does it again.
func (s *session) onRevoked(_ context.Context, _ *kgo.Client, gone map[string][]int32) {
	if len(gone[s.cfg.Topic]) == 0 {
		return
	}
	s.cfg.Log.Info("partitions revoked", "topic", s.cfg.Topic, "partitions", gone[s.cfg.Topic])
	s.revoked.Store(true)
	// guard: a revoke drops the batch in hand
	s.giveUp(errRevoked)
	s.owned.drop(gone[s.cfg.Topic])
	s.owned.readInTurn()
}

// giveUp ends what is under way.
func (s *session) giveUp(why error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel(why)
	}
}

// fetchErrors sorts what a poll brought beside records. A fetch may carry records and an error together: the records
// count, and the error is looked at first only where it ends the session.
func (s *session) fetchErrors(fetches kgo.Fetches) error {
	for _, e := range fetches.Errors() {
		var loss *kgo.ErrDataLoss
		switch {
		case e.Topic == "" && (errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled)): // a poll that waited for nothing
		case errors.Is(e.Err, kerr.OffsetOutOfRange), errors.As(e.Err, &loss):
			return fmt.Errorf("%s/%d: the next record is not in the topic: %w", e.Topic, e.Partition, e.Err)
		case errors.Is(e.Err, kerr.TopicAuthorizationFailed), errors.Is(e.Err, kerr.GroupAuthorizationFailed),
			errors.Is(e.Err, kerr.TransactionalIDAuthorizationFailed), errors.Is(e.Err, kerr.SaslAuthenticationFailed):
			s.cfg.Observer.Condition("kafka", false, e.Err.Error())
			return fmt.Errorf("kafka refuses this processor: %w", e.Err)
		default:
			s.cfg.Log.Warn("fetch failed, trying again", "topic", e.Topic, "partition", e.Partition, "error", e.Err)
		}
	}
	return nil
}
