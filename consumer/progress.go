package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"golang.org/x/sync/errgroup"
)

// A partition with records waiting must move within progressLimit; it is checked every progressEvery. One
// that is stuck is seen waiting up to one tick late, and reported at the first tick after progressLimit. So
// it is reported after 12 s and the time of one answer, where 15 s are promised.
const (
	progressEvery = 3 * time.Second
	progressLimit = 8 * time.Second
	// offsetsLimit ends the requests for offsets, which take that long while a partition has no leader. The
	// rest of progressEvery is left to ask about the topics.
	offsetsLimit = 2 * time.Second
)

// progressWatch checks that every owned partition with records waiting moves. A processor can be connected
// and healthy in every other way while one partition is stuck. It belongs to the goroutine of watchProgress.
type progressWatch struct {
	cfg        *Config
	partitions *partitions // safe for concurrent use
	topics     *topicWatch
	admin      *kadm.Client
	waiting    map[int32]waitingAt // partitions with records waiting, and those whose end is not known
	unread     unread
	// silentSince is the first check to which Kafka did not answer; zero when it answered the last one.
	silentSince time.Time
}

// waitingAt is the offset at which a partition waits, and since when.
type waitingAt struct {
	next  int64
	since time.Time
}

// watchProgress checks every progressEvery until ctx ends. Then it reports the lag of unread partitions as
// unknown, because another session reports it from now on.
func watchProgress(ctx context.Context, s *session) {
	admin := kadm.NewClient(s.kafka.Client())
	p := &progressWatch{cfg: s.cfg, partitions: s.partitions, admin: admin, waiting: map[int32]waitingAt{}}
	p.topics = &topicWatch{
		cfg: s.cfg, store: s.starter.store, admin: admin, interrupt: s.interrupt, rawID: s.partitions.topicID,
	}
	p.unread = unread{store: s.starter.store, partitions: s.partitions, since: map[int32]time.Time{}}
	defer p.unread.forget()
	again := ticks(ctx, progressEvery)
	first, cancel := context.WithTimeout(ctx, progressEvery)
	_ = p.topics.check(first) // learns the IDs of the outputs; the next check reports an error
	cancel()
	for range again {
		p.check(ctx)
	}
}

// check asks Kafka once, and reports the conditions kafka, topics and progress, and the lag.
func (p *progressWatch) check(ctx context.Context) {
	now := p.cfg.Now()
	attempt, cancel := context.WithTimeout(ctx, progressEvery)
	defer cancel()
	readable, ends, err := p.offsets(attempt)
	if err == nil {
		err = p.topics.check(attempt)
	}
	if err == nil && p.cfg.Replay == nil {
		if hasUnread := p.unread.check(attempt, p.cfg, ends); hasUnread {
			p.partitions.client.ForceMetadataRefresh() // the leader of the group learns of added partitions
		}
	}
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if p.silentSince.IsZero() {
			p.silentSince = now
		}
		if waited := now.Sub(p.silentSince); waited >= progressLimit {
			p.cfg.kafkaCondition(fmt.Errorf("the offsets of the topic have been unknown for %v: %w",
				waited.Round(time.Second), err))
		}
		return
	}
	p.silentSince = time.Time{}
	p.cfg.kafkaCondition(nil)
	p.judge(now, readable, ends)
}

// offsets returns the last stable offset and the end of each partition whose leader answers. It fails if none
// does.
func (p *progressWatch) offsets(ctx context.Context) (readable, ends kadm.ListedOffsets, err error) {
	ctx, cancel := context.WithTimeout(ctx, offsetsLimit)
	defer cancel()
	var all errgroup.Group
	all.Go(func() (err error) {
		readable, err = p.admin.ListCommittedOffsets(ctx, p.cfg.Topic) // committed by producers, not by the group
		return errorUnlessSome(err)
	})
	all.Go(func() (err error) {
		ends, err = p.admin.ListEndOffsets(ctx, p.cfg.Topic)
		return errorUnlessSome(err)
	})
	return readable, ends, all.Wait()
}

// errorUnlessSome returns the error of a request, or nil if the answer has some of the partitions. A
// partition without a leader must not hide what is known of the others.
func errorUnlessSome(err error) error {
	failed := (*kadm.ShardErrors)(nil)
	// guard: a partition without a leader hides no other
	if errors.As(err, &failed) && !failed.AllFailed {
		return nil
	}
	return err
}

// judge reports the lag of every partition, and which of them are stuck. A partition lags behind its end, but
// is stuck only if records wait that can be read: those behind an open transaction cannot. A replay leaves
// records out, stops at its own end, and pauses in between, so none of its partitions is judged stuck.
func (p *progressWatch) judge(now time.Time, readable, ends kadm.ListedOffsets) {
	owned := p.partitions.positions()
	maps.DeleteFunc(p.waiting, func(id int32, _ waitingAt) bool { _, ok := owned[id]; return !ok })
	var stuck []string
	for _, id := range slices.Sorted(maps.Keys(owned)) {
		if end, ok := ends.Lookup(p.cfg.Topic, id); ok && end.Err == nil {
			p.partitions.lag(id, end.Offset)
		}
		// guard: a replay is not stuck at its own end
		if p.cfg.Replay != nil {
			continue
		}
		end, hasEnd := readable.Lookup(p.cfg.Topic, id)
		if hasEnd && end.Err == nil {
			// guard: a partition without records waiting is not stuck | end.Offset <= owned[id] -> end.Offset < owned[id]
			if end.Offset <= owned[id] {
				delete(p.waiting, id)
				continue
			}
		}
		at, hasWaited := p.waiting[id]
		if !hasWaited || at.next != owned[id] {
			p.waiting[id] = waitingAt{next: owned[id], since: now}
			continue
		}
		// guard: a stuck partition is named
		if waited := now.Sub(at.since); waited >= progressLimit {
			stuck = append(stuck, p.describe(id, at.next, end, hasEnd, waited))
		}
	}
	p.cfg.Observer.Condition("progress", len(stuck) == 0, strings.Join(stuck, "; "))
}

// describe returns one line about a stuck partition. Without hasEnd no broker has answered for its end.
func (p *progressWatch) describe(
	id int32, next int64, end kadm.ListedOffset, hasEnd bool, waited time.Duration,
) string {
	lag := fmt.Sprintf("%d records wait", end.Offset-next)
	if !hasEnd {
		lag = "no broker answers for its end"
	} else if end.Err != nil {
		lag = fmt.Sprintf("its end is not known (%v)", end.Err)
	}
	return fmt.Sprintf("%s/%d stands at offset %d for %v, %s",
		p.cfg.Topic, id, next, waited.Round(time.Second), lag)
}
