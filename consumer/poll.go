package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
)

// poll returns the next records, within the bounds of a replay if there is one. It notes the logs that were
// cut back, because the caller may drop what it returns, and the client reports each only once.
func (s *session) poll(ctx context.Context) (fetches kgo.Fetches) {
	share := int(s.cfg.share.Load())
	// guard: a poll brings no more than a batch whose rows were compared too slowly | s.cfg.commitSize.limit() -> s.cfg.PollMaxRecords
	most := min(s.cfg.PollMaxRecords, s.cfg.batchSize.limit(), s.cfg.commitSize.limit())
	most = kafkaread.PollsSharing(most, share)
	if s.replay != nil {
		fetches = s.replay.poll(ctx, s.kafka, most)
	} else {
		fetches = s.kafka.PollRecords(ctx, most)
	}
	fetches.EachPartition(s.partitions.polled)
	if share > kafkaread.SharedRecords && slices.ContainsFunc(fetches.Records(), kafkaread.IsPacked) {
		s.polledPacked = true
	}
	for _, e := range fetches.Errors() {
		if loss := new(kgo.ErrDataLoss); errors.As(e.Err, &loss) {
			// guard: a log that was cut back is a gap, also when its batch is dropped for another reason
			s.lost = append(s.lost, loss)
		}
	}
	return fetches
}

// lossFound returns an error that has all of session.lost, or nil. It must end the session.
func (s *session) lossFound() (all error) {
	for _, loss := range s.lost {
		all = errors.Join(all, fmt.Errorf("%s/%d: the log was cut back: %w", loss.Topic, loss.Partition, loss))
	}
	return all
}

// A batch of very many records is read by a client in which more of them share a placeholder. Such a client
// polls few records at a time, so that what a poll unpacks to stays the same. It is replaced once it has
// polled no packed batch for packedQuiet.
const packedQuiet = time.Minute

var errPackedRead = errors.New("the batch of very many records is read: polling more records at a time again")

// packedRead returns errPackedRead when the client can be replaced by an ordinary one.
func (s *session) packedRead() error {
	now := s.cfg.Now()
	// guard: polls stay small while a batch of very many records takes long
	if s.polledPacked { // processing it may have taken longer than packedQuiet
		s.packedAt, s.polledPacked = now, false
	}
	// guard: polls become large again behind a batch of very many records | s.cfg.share.Load() <= kafkaread.SharedRecords -> true
	if s.cfg.share.Load() <= kafkaread.SharedRecords || now.Sub(s.packedAt) < packedQuiet {
		return nil
	}
	s.cfg.share.Store(kafkaread.SharedRecords)
	return errPackedRead
}

// Limits of a partition whose fetches fail. The client returns some errors again at once, thousands of times
// a second. It never recovers from those of a topic that was created anew, because only a new client learns
// the topic's new ID.
const (
	fetchFailureLimit = 10 * time.Second       // a failure that lasts longer is reported and ends the session
	fetchFailurePause = 250 * time.Millisecond // between polls that return nothing but errors
	fetchFailureQuiet = 5 * time.Second        // a partition without an error for so long has recovered
)

// fetchFailures are the partitions whose fetches fail. They belong to the goroutine of Processor.Run. last
// and reported outlive a session, because the next one may fail in the same way.
type fetchFailures struct {
	byID     map[int32]*fetchFailure // of this session; each session begins with nil
	last     time.Time               // when a fetch failed last, in any partition and session
	reported bool                    // the condition "fetch" was reported as unmet
}

// fetchFailure is one partition whose fetches fail.
type fetchFailure struct {
	since, last time.Time                   // the first and the newest error
	nextLog     time.Time                   // errors before it are not logged
	pause       *backoff.ExponentialBackOff // between two lines of the log
}

// note counts a failure and reports whether it is to be logged.
func (f *fetchFailures) note(id int32, now time.Time) (failure *fetchFailure, mustLog bool) {
	if f.byID == nil {
		f.byID = map[int32]*fetchFailure{}
	}
	failure = f.byID[id]
	if failure == nil {
		failure = &fetchFailure{since: now, nextLog: now, pause: newPauses(time.Second, time.Minute)}
		f.byID[id] = failure
	}
	failure.last, f.last = now, now
	if mustLog = !now.Before(failure.nextLog); mustLog {
		failure.nextLog = now.Add(failure.pause.NextBackOff())
	}
	return failure, mustLog
}

// recovered forgets the partitions that have records, or had no error for fetchFailureQuiet. It reports
// whether no partition is left, and none of any session has failed for fetchFailureQuiet.
func (f *fetchFailures) recovered(fetches kgo.Fetches, now time.Time) bool {
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		if len(p.Records) > 0 {
			delete(f.byID, p.Partition)
		}
	})
	for id, failure := range f.byID {
		if now.Sub(failure.last) >= fetchFailureQuiet {
			delete(f.byID, id)
		}
	}
	return len(f.byID) == 0 && now.Sub(f.last) >= fetchFailureQuiet
}

// fetchErrors handles the errors of a poll. It returns the first one that must end the session: the record is
// gone from the topic, Kafka or the Source refuses, or a partition fails for longer than fetchFailureLimit.
// The last also makes the processor not ready, by name; only a new client may be able to read again. Logs
// that were cut back are returned together. Other errors are logged, with growing pauses between the lines of
// a partition, and the client itself retries them. If a poll has errors and no records, fetchErrors waits for
// fetchFailurePause.
func (s *session) fetchErrors(ctx context.Context, fetches kgo.Fetches) error {
	now := s.cfg.Now()
	if s.failing.recovered(fetches, now) && s.failing.reported {
		s.failing.reported = false
		s.cfg.Observer.Condition("fetch", true, "")
	}
	failed := false
	for _, e := range fetches.Errors() {
		var loss *kgo.ErrDataLoss
		var source *sourceError
		var tooMany *kafkaread.TooManyRecordsError
		switch {
		case e.Topic == "" && (errors.Is(e.Err, context.DeadlineExceeded) || errors.Is(e.Err, context.Canceled)):
			continue // the poll ended without records
		// guard: a fenced processor does not take the place back
		case errors.Is(e.Err, kerr.FencedInstanceID): // membership has reported it, and the client joins again
			failed = true
			continue
		case errors.As(e.Err, &source):
			return source.asFatal() // ends Processor.Run, too
		case errors.As(e.Err, &loss):
			continue // in session.lost
		// guard: a batch of very many records stops no partition | errors.As(e.Err, &tooMany) && int64(tooMany.Share) > s.cfg.share.Load() -> false
		case errors.As(e.Err, &tooMany) && int64(tooMany.Share) > s.cfg.share.Load():
			s.cfg.share.Store(int64(tooMany.Share)) // for the next session
			return fmt.Errorf("%s/%d: %w", e.Topic, e.Partition, e.Err)
		case errors.Is(e.Err, kerr.OffsetOutOfRange):
			return fmt.Errorf("%s/%d: the next record is not in the topic: %w", e.Topic, e.Partition, e.Err)
		case errors.Is(e.Err, kerr.TopicAuthorizationFailed), errors.Is(e.Err, kerr.GroupAuthorizationFailed),
			errors.Is(e.Err, kerr.TransactionalIDAuthorizationFailed), errors.Is(e.Err, kerr.SaslAuthenticationFailed):
			s.cfg.kafkaCondition(e.Err)
			return fmt.Errorf("kafka refuses this processor: %w", e.Err)
		}
		failed = true
		failure, mustLog := s.failing.note(e.Partition, now)
		if mustLog {
			s.cfg.Log.Warn("fetch failed: trying again", "topic", e.Topic, "partition", e.Partition, "error", e.Err,
				"lasts", now.Sub(failure.since).Round(time.Second))
		}
		// guard: a fetch that keeps failing is reported and ends the session
		if lasts := now.Sub(failure.since); lasts >= fetchFailureLimit {
			reason := fmt.Sprintf("%s/%d: fetches have failed for %v: %v", e.Topic, e.Partition,
				lasts.Round(time.Second), e.Err)
			s.failing.reported = true
			s.cfg.Observer.Condition("fetch", false, reason)
			return errors.New(reason)
		}
	}
	if err := s.lossFound(); err != nil {
		return err
	}
	// guard: errors that come back at once are paced
	if failed && fetches.NumRecords() == 0 {
		sleep(ctx, fetchFailurePause)
	}
	return nil
}

// batchSize is how many records may go to the store at once, or be committed at once. A store that is too
// slow for a batch would be given the same one for ever. So the batch is halved until it passes, and grows
// again while the store is quick. All goroutines of a processor share it, and it outlives a session.
type batchSize struct {
	most    int           // records
	quick   time.Duration // within which the store must answer before it is given twice as many records
	current atomic.Int64  // records; 1 to most
}

// errTooSlow reports that the store did not answer in time for a batch that can be smaller.
var errTooSlow = errors.New("the store did not answer in time: the records are read again in smaller batches")

// newBatchSize returns a batchSize of a store that has so much time for a batch.
func newBatchSize(most int, limit time.Duration) *batchSize {
	s := &batchSize{most: most, quick: limit / 4}
	s.current.Store(int64(most))
	return s
}

// limit returns how many records may go to the store at once now.
func (s *batchSize) limit() int { return int(s.current.Load()) }

// isShrunk reports whether a batch may have fewer records than usual.
func (s *batchSize) isShrunk() bool { return s.limit() < s.most }

// shrink sets the limit to half of n after a batch of n records got no answer, or to half of the limit if
// that is less. It returns false if n cannot be halved.
func (s *batchSize) shrink(n int) bool {
	// guard: a batch that is too large for the store shrinks | always
	if n <= 1 {
		return false
	}
	s.current.Store(int64(max(1, min(n, s.limit())/2)))
	return true
}

// grow doubles the limit if the store answered a batch of n records quickly. A batch of at most
// half of the limit shows nothing about a larger one, and one that it was not asked about (notCompared)
// nothing at all.
func (s *batchSize) grow(n int, took time.Duration) {
	// guard: a batch without rows does not make the next one larger | took >= 0 && -> true &&
	// guard: a batch grows again
	// guard: only a full batch makes the next one larger | n > s.limit()/2 -> true
	if took >= 0 && took < s.quick && n > s.limit()/2 && s.isShrunk() {
		s.current.Store(int64(min(s.most, 2*s.limit())))
	}
}
