package consumer

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A partition with records waiting must move within progressLimit; it is checked every progressEvery.
// Together they are less than the 15 s within which a stuck partition must be reported.
const (
	progressEvery = 3 * time.Second
	progressLimit = 10 * time.Second
)

// progress checks that every owned partition with records waiting moves. A processor can be connected and
// healthy in every other way while one partition is stuck. It belongs to the goroutine of watchProgress.
type progress struct {
	cfg        *Config
	partitions *partitions // locks itself
	topics     *topicWatch
	admin      *kadm.Client
	unmoved    map[int32]unmoved // partitions that have records waiting
	unread     unread
	silence    time.Time // since when Kafka has not answered; zero when it does
}

// unmoved is a partition whose next offset has not changed since then.
type unmoved struct {
	next  int64
	since time.Time
}

// watchProgress checks until ctx ends.
func watchProgress(ctx context.Context, s *session) {
	admin := kadm.NewClient(s.kafka.Client())
	p := &progress{cfg: s.cfg, partitions: s.partitions, admin: admin, unmoved: map[int32]unmoved{}}
	p.topics = &topicWatch{
		cfg: s.cfg, store: s.starter.store, admin: admin, interrupt: s.interrupt, rawID: s.partitions.topicID,
	}
	p.unread = unread{store: s.starter.store, partitions: s.partitions, since: map[int32]time.Time{}}
	defer p.unread.forget()
	again := ticks(ctx, progressEvery)
	first, cancel := context.WithTimeout(ctx, progressEvery)
	_ = p.topics.check(first) // keeps the IDs before an output is created anew; the next check reports an error
	cancel()
	for range again {
		p.check(ctx)
	}
}

func (p *progress) check(ctx context.Context) {
	attempt, cancel := context.WithTimeout(ctx, progressEvery)
	readable, err := p.admin.ListCommittedOffsets(attempt, p.cfg.Topic)
	var ends kadm.ListedOffsets
	if err == nil {
		ends, err = p.admin.ListEndOffsets(attempt, p.cfg.Topic)
	}
	if err == nil {
		err = p.topics.check(attempt)
	}
	if err == nil && p.cfg.Replay == nil && p.unread.check(attempt, p.cfg, ends) {
		p.partitions.client.ForceMetadataRefresh() // the leader of the group learns of added partitions
	}
	cancel()
	now := p.cfg.Now()
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		if p.silence.IsZero() {
			p.silence = now
		}
		if waited := now.Sub(p.silence); waited >= progressLimit {
			p.cfg.kafkaCondition(fmt.Errorf("no answer for %v: %w", waited.Round(time.Second), err))
		}
		return
	}
	p.silence = time.Time{}
	p.cfg.kafkaCondition(nil)
	p.judge(now, readable, ends)
}

// judge reports the lag of every partition, and which of them are stuck. A partition lags behind its end, but
// is stuck only if records wait that can be read: those behind an open transaction cannot.
func (p *progress) judge(now time.Time, readable, ends kadm.ListedOffsets) {
	owned := p.partitions.positions()
	maps.DeleteFunc(p.unmoved, func(id int32, _ unmoved) bool { _, ok := owned[id]; return !ok })
	var stuck []string
	for _, id := range slices.Sorted(maps.Keys(owned)) {
		if end, ok := ends.Lookup(p.cfg.Topic, id); ok && end.Err == nil {
			p.partitions.lag(id, end.Offset)
		}
		end, known := readable.Lookup(p.cfg.Topic, id)
		if known && end.Err == nil {
			// guard: a partition without records waiting is not stuck | end.Offset <= owned[id] -> end.Offset < owned[id]
			if end.Offset <= owned[id] {
				delete(p.unmoved, id)
				continue
			}
		}
		at, waiting := p.unmoved[id]
		if !waiting || at.next != owned[id] {
			p.unmoved[id] = unmoved{next: owned[id], since: now}
			continue
		}
		// guard: a stuck partition is named
		if waited := now.Sub(at.since); waited >= progressLimit {
			stuck = append(stuck, p.describe(id, at.next, end, known, waited))
		}
	}
	p.cfg.Observer.Condition("progress", len(stuck) == 0, strings.Join(stuck, "; "))
}

func (p *progress) describe(
	id int32, next int64, end kadm.ListedOffset, known bool, waited time.Duration,
) string {
	lag := fmt.Sprintf("%d records wait", end.Offset-next)
	if !known || end.Err != nil {
		lag = fmt.Sprintf("its end is not known (%v)", cmp.Or(end.Err, error(kerr.UnknownTopicOrPartition)))
	}
	return fmt.Sprintf("%s/%d stands at offset %d for %v, %s",
		p.cfg.Topic, id, next, waited.Round(time.Second), lag)
}
