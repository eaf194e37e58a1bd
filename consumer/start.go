package consumer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// starter decides where newly assigned partitions are read from. startOffsets is the client's
// AdjustFetchOffsetsFn: the client calls it in its own goroutine, before it fetches anything of them.
// commitStart runs in that of session.run. The fields do not change once the session is made.
type starter struct {
	cfg        *Config
	store      Store
	partitions *partitions
	replay     *sessionReplay // nil in a live session
	wake       func()         // called when a partition was assigned that must not wait for its first record
	trace      *tracer        // nil: off
	// clientIsSet is closed once partitions.client is set. The client may call startOffsets before that.
	clientIsSet chan struct{}
}

// startOffsets returns where each partition is read from: the smaller of committed offset and stored
// position. With one of them that one counts, and with neither the topic's first record. It changes fetched,
// which is the client's own map, in place.
//
// It returns when the store has answered and every gap is accepted, or with an error when ctx ends. A
// partition whose position is unknown must not be read.
func (s *starter) startOffsets(ctx context.Context, fetched map[string]map[int32]kgo.Offset) (
	map[string]map[int32]kgo.Offset, error,
) {
	select {
	case <-s.clientIsSet:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	committed := fetched[s.cfg.Topic]
	if len(committed) == 0 {
		return fetched, nil
	}
	ids := slices.Sorted(maps.Keys(committed))
	op := s.trace.begin("assign")
	found, err := retry(ctx, s.cfg, "gap", func() ([]*partition, error) {
		return s.locate(ctx, ids, committed)
	})
	if err != nil {
		return nil, err
	}
	mustWake := false
	for i, id := range ids {
		start := kgo.NewOffset().At(found[i].next)
		// With the epoch that the offset was committed with, the client asks the leader whether its log has
		// been cut back since. It reports that as kgo.ErrDataLoss.
		found[i].floorEpoch = -1
		if at := committed[id].EpochOffset(); found[i].isOfGroup(at) {
			found[i].floorEpoch = at.Epoch
			if found[i].next == at.Offset {
				start = start.WithEpoch(at.Epoch)
			}
		}
		committed[id] = start
		mustWake = mustWake || found[i].isBehind() || found[i].accepted
		// guard: replay: what the store has lost is replayed again
		if found[i].isBehind() {
			s.replay.reopen(id)
		}
	}
	s.trace.assigned(op, ids, found)
	s.partitions.assign(ids, found) // from here on, the lock of partitions guards found
	if mustWake {
		s.wake()
	}
	return fetched, nil
}

// locate asks Kafka for the bounds of the partitions, and the store for its positions. It returns an error
// for a gap that no person has accepted, and startOffsets asks again until one has. Errors of Kafka and the
// store are retried here. errPositionMoved is returned, so that startOffsets asks for the newer position.
func (s *starter) locate(
	ctx context.Context, ids []int32, committed map[int32]kgo.Offset,
) ([]*partition, error) {
	topic, err := retry(ctx, s.cfg, "kafka", func() (*topicState, error) { return s.ask(ctx) })
	if err != nil {
		return nil, err
	}
	start := make([]schemas.Position, len(ids)) // for the partitions of which the store has no position yet
	for i, id := range ids {
		first := s.replay.start(id, topic.bounds[id].From)
		start[i] = schemas.Position{Topic: s.cfg.Topic, Partition: id, NextOffset: first, TopicID: topic.id}
	}
	stored, err := ask(ctx, s.cfg, func(ctx context.Context) ([]schemas.Position, error) {
		return s.store.EnsurePositions(ctx, start)
	})
	if err != nil {
		return nil, err
	}
	if topic, err = s.askAgain(ctx, topic, stored, committed); err != nil {
		return nil, err
	}
	found := make([]*partition, len(ids))
	var raised []schemas.Position
	for i, id := range ids {
		offset, metadata, counted := topic.offsetOf(s.cfg.Topic, id, committed[id].EpochOffset().Offset)
		found[i] = place(offset, stored[i].NextOffset)
		found[i].topicID = topic.id
		if found[i].next < topic.bounds[id].To {
			found[i].waits = s.cfg.Now()
		}
		if metadata != nil {
			s.useMetadata(found[i], &stored[i], *metadata, counted)
		}
		found[i].tally.judgeFrom(found[i].next)
		found[i].tally.TopicID = topic.id
		known := found[i].knownDeadLetters(stored[i])
		found[i].deadLettersFrom, found[i].deadLettersBelow = known.DeadLettersFrom, known.DeadLettersBelow
		if known != stored[i] {
			raised = append(raised, known)
		}
	}
	if err := s.raiseDeadLetters(ctx, raised); err != nil {
		return nil, err
	}
	cut, err := s.cutBack(ctx, ids, found, committed)
	if err != nil {
		return nil, err
	}
	if err := s.checkGaps(ctx, found, stored, start, topic.bounds, cut); err != nil {
		return nil, err
	}
	return found, s.forgetGone(ctx, topic)
}

// forgetGone resets the positions of partitions that a former topic had and this one has not. If the topic
// gets more partitions later, they begin at 0. With the ID of the former topic the position of each new
// partition would be taken for a gap. The caller has found no gap, or a person has accepted those of the new
// topic.
func (s *starter) forgetGone(ctx context.Context, topic *topicState) error {
	if s.replay != nil || topic.id == "" {
		return nil
	}
	stored, err := ask(ctx, s.cfg, func(ctx context.Context) (map[int32]int64, error) {
		return s.store.Positions(ctx, s.cfg.Topic)
	})
	if err != nil {
		return err
	}
	var gone []schemas.Position
	for _, id := range slices.Sorted(maps.Keys(stored)) {
		if _, isThere := topic.bounds[id]; !isThere {
			gone = append(gone, schemas.Position{Topic: s.cfg.Topic, Partition: id, TopicID: topic.id})
		}
	}
	if len(gone) == 0 {
		return nil
	}
	was, err := ask(ctx, s.cfg, func(ctx context.Context) ([]schemas.Position, error) {
		return s.store.EnsurePositions(ctx, gone)
	})
	for i, p := range gone {
		// guard: a topic with fewer partitions may grow again without a gap | err == nil && was[i].TopicID != topic.id -> false
		if err == nil && was[i].TopicID != topic.id {
			p.FormerNextOffset = max(was[i].FormerNextOffset, was[i].NextOffset)
			s.cfg.Log.Warn("forgetting the position of a partition that the topic has no more",
				"partition", p.Partition, "offset", was[i].NextOffset)
			// Another processor that has moved it since knows better.
			_, err = s.set(ctx, was[i], p)
		}
	}
	return err
}

// set overwrites a position that is still the one that was read, and reports whether it was.
func (s *starter) set(ctx context.Context, was, p schemas.Position) (isSet bool, err error) {
	return ask(ctx, s.cfg, func(ctx context.Context) (bool, error) { return s.store.SetPosition(ctx, was, p) })
}

// useMetadata sets the tally and isOwnOffset from the metadata of the committed offset. It lowers the floor
// if another core judged the records that are read again. It must come before knownDeadLetters.
func (s *starter) useMetadata(p *partition, stored *schemas.Position, metadata string, counted tally) {
	// guard: the breaker's count outlives a crash
	p.tally = counted
	p.isOwnOffset = p.tally.Core != 0
	where := []any{"topic", s.cfg.Topic, "partition", stored.Partition, "offset", p.committed,
		"position", stored.NextOffset}
	// guard: an offset that was set back by hand is named | metadata == "" -> false
	if metadata == "" && p.committed < stored.NextOffset {
		s.cfg.Log.Warn("the group's offset was set back by hand: records are read again; those that are rejected "+
			"get a second dead letter, except from dead_letters_from to dead_letters_below; to read a part of the "+
			"topic again, run pitchstream replay", append(where, "dead_letters_from", stored.DeadLettersFrom,
			"dead_letters_below", stored.DeadLettersBelow)...)
	}
	// guard: what another core has taken gets a dead letter if this one rejects it | p.isBehind() -> false
	if p.isBehind() && !p.tally.isOfCore(p.next) {
		s.cfg.Log.Warn("the store came back older, and a build with another core has judged the records since: "+
			"those that are rejected now get a dead letter, some of them a second one",
			append(where, "core_version", features.CoreVersion)...)
		p.floor = p.next // no refill, which sends no dead letters: an ordinary batch reads them
	}
}

// knownDeadLetters returns a stored position with its range of offsets whose dead letters are committed. If a
// processor committed the group's offset, the range grows up to it. If there is no range yet (below is 0), or
// a person set the offset beyond its end, an empty range begins at next.
func (p *partition) knownDeadLetters(stored schemas.Position) schemas.Position {
	switch {
	// guard: the offset that a person has set says nothing about dead letters | p.isOwnOffset && -> p.committed >= 0 &&
	case p.isOwnOffset && stored.DeadLettersBelow > 0:
		stored.DeadLettersBelow = max(stored.DeadLettersBelow, p.committed)
	case p.next > stored.DeadLettersBelow:
		stored.DeadLettersFrom, stored.DeadLettersBelow = p.next, p.next
	}
	return stored
}

// raiseDeadLetters stores the ranges of these positions; a replay stores none.
func (s *starter) raiseDeadLetters(ctx context.Context, at []schemas.Position) error {
	if len(at) == 0 || s.replay != nil {
		return nil
	}
	_, err := ask(ctx, s.cfg, done(func(ctx context.Context) error { return s.store.RaiseDeadLetters(ctx, at) }))
	return err
}

// topicState is what Kafka says of the raw topic and of the group's offsets in it.
type topicState struct {
	id      string // "": the brokers have no IDs
	bounds  kafkaread.Spans
	offsets kadm.OffsetResponses
}

// offsetOf returns the offset that the group committed in a partition, its metadata, and the tally in it. The
// metadata is nil where Kafka now has another offset than committed, which the client has found. An offset of
// a former topic of the same name is none: -1. Else the new topic's records below it would be taken for a
// refill, which sends no dead letters.
func (s *topicState) offsetOf(
	topic string, partition int32, committed int64,
) (offset int64, metadata *string, counted tally) {
	at, ok := s.offsets.Lookup(topic, partition)
	if !ok || at.At != committed {
		return committed, nil, counted
	}
	counted = parseTally(at.Metadata)
	// guard: an offset of a former topic does not count
	if counted.isOfOtherTopic(s.id) {
		return -1, nil, tally{}
	}
	return committed, &at.Metadata, counted
}

// ask returns an error when the topic is created anew in between, because the bounds may be of either.
func (s *starter) ask(ctx context.Context) (*topicState, error) {
	admin := kadm.NewClient(s.partitions.client)
	before, err := topicIDs(ctx, admin, s.cfg.Topic)
	if err != nil {
		return nil, err
	}
	bounds, err := kafkaread.Bounds(ctx, admin, s.cfg.Topic, kgo.ReadUncommitted())
	if err != nil {
		return nil, err
	}
	if s.replay.hasSource() {
		if bounds, err = s.withSource(ctx, bounds); err != nil {
			return nil, err
		}
	}
	offsets, err := fetchOffsets(ctx, admin, s.cfg.Group)
	if err != nil {
		return nil, err
	}
	after, err := topicIDs(ctx, admin, s.cfg.Topic)
	if err == nil && after[s.cfg.Topic] != before[s.cfg.Topic] {
		err = errOtherTopic
	}
	return &topicState{id: after[s.cfg.Topic], bounds: bounds, offsets: offsets}, err
}

// askAgain returns a newer answer of Kafka if a stored position or an offset of the group is beyond the end
// of its partition. The former owner writes until it learns of the rebalance, so that a position may be
// newer than the end.
func (s *starter) askAgain(
	ctx context.Context, topic *topicState, stored []schemas.Position, committed map[int32]kgo.Offset,
) (*topicState, error) {
	// guard: a position that is newer than the end of its partition is no gap | always
	if !slices.ContainsFunc(stored, func(p schemas.Position) bool {
		return max(p.NextOffset, committed[p.Partition].EpochOffset().Offset) > topic.bounds[p.Partition].To
	}) {
		return topic, nil
	}
	again, err := retry(ctx, s.cfg, "kafka", func() (*topicState, error) { return s.ask(ctx) })
	if err == nil && again.id != topic.id {
		err = errOtherTopic
	}
	return again, err
}

// fetchOffsets returns the offsets of a group, none of one that has never been.
func fetchOffsets(ctx context.Context, admin *kadm.Client, group string) (kadm.OffsetResponses, error) {
	offsets, err := admin.FetchOffsets(ctx, group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("kafka: offsets of group %s: %w", group, err)
	}
	return offsets, nil
}

// withSource returns the bounds with what the source of the replay has before them.
func (s *starter) withSource(ctx context.Context, bounds kafkaread.Spans) (kafkaread.Spans, error) {
	more, err := s.replay.replay.Source.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	for id, span := range bounds {
		if from, ok := more[id]; ok {
			span.From = min(span.From, from.From)
			bounds[id] = span
		}
	}
	return bounds, nil
}

// place is the rule of where to read from: next, and the floor below which nothing is sent or committed
// again. A negative committed offset means that there is none.
func place(committed, stored int64) *partition {
	if committed < 0 {
		return &partition{next: stored, stored: stored, floor: stored, uncommitted: true, committed: -1}
	}
	// guard: reading starts at the offset when the position is ahead | min(committed, stored) -> stored
	// guard: reading starts at the smaller of offset and position | min(committed, stored) -> committed
	// guard: no dead letter is sent again below what was committed | floor: committed -> floor: min(committed, stored)
	return &partition{next: min(committed, stored), stored: stored, floor: committed, committed: committed}
}

// checkGaps returns an error that names every gap, so that no missing record is jumped over, unless a person
// accepts gaps. It stores a gap beyond the topic's end in the position, because that one would seem closed
// once the topic has grown. So it does with a log that was cut back, which the group's offset shows only
// until Kafka deletes that. The other kinds are found again each time. start has the first offset that can be
// read, and cut the ends of logs that were cut back.
func (s *starter) checkGaps(
	ctx context.Context, found []*partition, stored, start []schemas.Position, bounds kafkaread.Spans,
	cut map[int32]int64,
) error {
	// A position without an ID that is beyond the end of its partition shows that the topic was created anew.
	// Then all positions without an ID are of the former topic.
	isShorter := false
	for i, p := range found {
		isShorter = isShorter || stored[i].TopicID == "" && reachedOf(p, stored[i]) > bounds[stored[i].Partition].To
	}
	var gaps []string
	for i, p := range found {
		first, end := start[i].NextOffset, bounds[stored[i].Partition].To
		gap := gapOf(p, stored[i], first, end, isShorter)
		cutTo, isCut := cut[stored[i].Partition]
		// guard: a log that was cut back while no processor ran is a gap
		if gap == "" && isCut {
			gap = shorter(p.committed, cutTo)
		}
		label := stored[i] // the position with the topic's ID, or with the gap
		// guard: a gap is not jumped over | gap == "" -> true
		if gap == "" {
			label.TopicID = cmp.Or(label.TopicID, p.topicID) // of a position from before IDs were kept
			s.cfg.startFound.Store(label.Partition, true)
		} else if where := fmt.Sprintf("%s/%d: %s, but the topic holds %d to %d",
			label.Topic, label.Partition, gap, first, end-1); s.cfg.mayAcceptGap(label.Partition) {
			s.cfg.Log.Warn("accepting a gap", "gap", where, "going_on_at", first)
			// guard: an accepted gap is named until its start is committed
			label.Gap = gap
			label.FormerNextOffset = former(p, stored[i], first, end, isCut)
			isSame := stored[i].TopicID == p.topicID && stored[i].Gap == "" && !isCut &&
				reachedOf(p, stored[i]) <= end // the records are those of before
			// guard: a gap at the beginning of the topic leaves the group's offset | isSame && p.committed >= first -> isSame && false
			if isSame && p.committed >= first {
				if err := s.skipTo(ctx, p, stored[i], first); err != nil {
					return err
				}
				continue
			}
			if err := s.accept(ctx, p, stored[i], label, first); err != nil {
				return err
			}
			continue
		} else {
			gaps = append(gaps, where)
			// Not stored with another ID: comparing the IDs finds it again.
			isOther := label.TopicID != "" && label.TopicID != p.topicID
			if !isOther && (reachedOf(p, stored[i]) > end || isShorter || isCut) {
				label.Gap = gap
			}
		}
		if label != stored[i] {
			if err := s.label(ctx, label); err != nil {
				return err
			}
		}
	}
	if len(gaps) > 0 {
		return errors.New(strings.Join(gaps, "; ") +
			": what is missing is lost to this group; run with --accept-gap to go on from there")
	}
	return nil
}

// reachedOf returns the offset below which the group or the store has had all records of a partition. A topic
// that ends before it has lost some of them, and other records take their offsets. Those that are rejected
// would get no dead letter where the range of the committed ones says that they have one.
func reachedOf(p *partition, stored schemas.Position) int64 {
	reached := p.next
	// guard: a topic that ends before the position is a gap | max(reached, stored.NextOffset) -> reached
	reached = max(reached, stored.NextOffset)
	// guard: a topic that ends before the group's offset is a gap
	reached = max(reached, p.committed)
	return reached
}

// gapOf describes what is missing between a position and the topic, which holds the offsets from first to
// below end; "" when nothing is.
func gapOf(p *partition, stored schemas.Position, first, end int64, isShorter bool) string {
	switch {
	// guard: another topic of the same name is a gap
	case stored.TopicID != "" && p.topicID != "" && stored.TopicID != p.topicID:
		return fmt.Sprintf("the topic was created anew (its ID is %s, and was %s): "+
			"the next record to apply was offset %d", p.topicID, stored.TopicID, stored.NextOffset)
	// guard: a gap does not clear itself
	case stored.Gap != "":
		return stored.Gap
	case p.next < first:
		return fmt.Sprintf("the next record to apply is offset %d", p.next)
	case reachedOf(p, stored) > end, stored.TopicID == "" && isShorter:
		return shorter(reachedOf(p, stored), end)
	}
	return ""
}

func shorter(reached, end int64) string {
	return fmt.Sprintf("the topic has become shorter: the next record to apply was offset %d, and its end %d",
		reached, end)
}

// lossPause is how long Kafka is given until it is asked once more whether a log was cut back. A leader that
// was just elected may not know its own end yet.
const lossPause = time.Second

// isOfGroup reports whether at is an offset of the group that counts. One of a former topic has an epoch that
// says nothing about the logs of this one.
func (p *partition) isOfGroup(at kgo.EpochOffset) bool {
	// guard: the epoch of an offset of a former topic is not asked for | !p.uncommitted && -> true ||
	return !p.uncommitted && p.committed == at.Offset && at.Epoch >= 0
}

// cutBack returns the ends of the logs that a leader has cut back below the group's offset. It may have grown
// past that since, and then only the epoch that the offset was committed with shows it. In a replay the
// client finds it, and the replay ends.
func (s *starter) cutBack(
	ctx context.Context, ids []int32, found []*partition, committed map[int32]kgo.Offset,
) (map[int32]int64, error) {
	if s.replay != nil {
		return nil, nil
	}
	var asked []*kgo.ErrDataLoss
	for i, id := range ids {
		if at := committed[id].EpochOffset(); found[i].isOfGroup(at) {
			asked = append(asked, &kgo.ErrDataLoss{
				Topic: s.cfg.Topic, Partition: id, ConsumedTo: at.Offset, ConsumedToEpoch: at.Epoch,
			})
		}
	}
	return retry(ctx, s.cfg, "kafka", func() (map[int32]int64, error) {
		ends, err := s.endsOf(ctx, asked)
		lost := lossesOf(asked, ends)
		if err == nil {
			lost, err = s.stillLost(ctx, lost)
		}
		cut := map[int32]int64{}
		for _, at := range lost {
			cut[at.Partition] = at.ResetTo
		}
		return cut, err
	})
}

// endsOf returns, by partition, where the log of the epoch ends in which these offsets were consumed;
// negative: the leader does not know the epoch.
func (s *starter) endsOf(ctx context.Context, asked []*kgo.ErrDataLoss) (map[int32]int64, error) {
	if len(asked) == 0 {
		return nil, nil
	}
	var req kadm.OffsetForLeaderEpochRequest
	for _, at := range asked {
		req.Add(at.Topic, at.Partition, at.ConsumedToEpoch)
	}
	answers, err := kadm.NewClient(s.partitions.client).OffsetForLeaderEpoch(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("kafka: ends of epochs of %s: %w", s.cfg.Topic, err)
	}
	ends := map[int32]int64{}
	for _, at := range asked {
		answer, ok := answers[at.Topic][at.Partition]
		if err := answer.Err; err != nil || !ok {
			return nil, fmt.Errorf("kafka: end of epoch %d of %s/%d: %w",
				at.ConsumedToEpoch, at.Topic, at.Partition, cmp.Or(err, errNoAnswer))
		}
		ends[at.Partition] = answer.EndOffset
	}
	return ends, nil
}

// logsCutBack returns the logs that were cut back below the offset that the client goes on from after an
// abort, or after a commit. The client compares epochs itself, when it learns of another leader. But an abort
// makes it forget a comparison that is under way, and then nothing else shows that the records are others.
func (s *starter) logsCutBack(ctx context.Context, fetches kgo.Fetches) (lost []*kgo.ErrDataLoss, err error) {
	committed := s.partitions.client.CommittedOffsets()[s.cfg.Topic]
	fetches.EachPartition(func(f kgo.FetchTopicPartition) {
		from, ok := committed[f.Partition]
		owned, isOwned := s.partitions.get(f.Partition)
		if !ok || !isOwned || owned.uncommitted || len(f.Records) == 0 {
			return
		}
		first := f.Records[0]
		// guard: records of another epoch than the committed ones are compared | first.LeaderEpoch > from.Epoch -> false
		if from.Epoch >= 0 && first.LeaderEpoch > from.Epoch && first.Offset >= from.Offset {
			lost = append(lost, &kgo.ErrDataLoss{
				Topic: s.cfg.Topic, Partition: f.Partition, ConsumedTo: from.Offset, ConsumedToEpoch: from.Epoch,
			})
		}
	})
	if len(lost) == 0 {
		return nil, nil
	}
	asked := lost
	return retry(ctx, s.cfg, "kafka", func() ([]*kgo.ErrDataLoss, error) {
		ends, err := s.endsOf(ctx, asked)
		return lossesOf(asked, ends), err
	})
}

// lossesOf returns those that were consumed beyond the end of their epoch, with that end.
func lossesOf(asked []*kgo.ErrDataLoss, ends map[int32]int64) (lost []*kgo.ErrDataLoss) {
	for _, at := range asked {
		if end, ok := ends[at.Partition]; ok && 0 <= end && end < at.ConsumedTo {
			at.ResetTo = end
			lost = append(lost, at)
		}
	}
	return lost
}

// stillLost returns those of the losses that Kafka does not deny after lossPause.
func (s *starter) stillLost(ctx context.Context, found []*kgo.ErrDataLoss) ([]*kgo.ErrDataLoss, error) {
	if len(found) == 0 {
		return nil, nil
	}
	sleep(ctx, lossPause)
	ends, err := s.endsOf(ctx, found)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(at *kgo.ErrDataLoss) bool {
		// guard: a log that its new leader has after all is no gap | ends[at.Partition] >= at.ConsumedTo -> ends == nil
		return ends[at.Partition] >= at.ConsumedTo
	})
	return found, nil
}

// noteLosses stores as gaps that logs were cut back, as after the election of a leader that lacked records. A
// log may have grown past the position by the time that a processor looks, and then no offset shows it. The
// caller must be a member of the group still, so that no other one has the partitions. noteLosses returns
// when the store has taken the gaps, or ctx has ended. In a replay it returns an error instead, which ends
// the replay, because a gap cannot be accepted there.
func (s *starter) noteLosses(ctx context.Context, found []*kgo.ErrDataLoss) error {
	if len(found) == 0 {
		return nil
	}
	lost, err := retry(ctx, s.cfg, "kafka", func() ([]*kgo.ErrDataLoss, error) {
		return s.stillLost(ctx, slices.Clone(found))
	})
	for _, loss := range lost {
		at, ok := s.partitions.get(loss.Partition)
		if !ok || err != nil {
			continue // the next owner finds it by the epoch of the group's offset
		}
		gap := shorter(loss.ConsumedTo, loss.ResetTo)
		// guard: replay: a log that was cut back ends it
		if s.replay != nil {
			return backoff.Permanent(fmt.Errorf("%s/%d: %s: the log was cut back, and other records take the offsets "+
				"of lost ones: start a new replay", loss.Topic, loss.Partition, gap))
		}
		label := schemas.Position{Topic: loss.Topic, Partition: loss.Partition, TopicID: at.topicID, Gap: gap}
		if s.label(ctx, label) != nil {
			break // ctx has ended
		}
	}
	return nil
}

// label stores a topic ID and a gap. An error means that ctx has ended.
func (s *starter) label(ctx context.Context, p schemas.Position) error {
	_, err := ask(ctx, s.cfg, done(func(ctx context.Context) error { return s.store.LabelPosition(ctx, p) }))
	return err
}

// mayAcceptGap reports whether --accept-gap was given, and this process has not begun to read the partition
// before. The flag is about what is missing now: a gap that comes months later is for a person to see.
func (c *Config) mayAcceptGap(partition int32) bool {
	_, isFound := c.startFound.Load(partition)
	// guard: a gap that comes after the one that was accepted is named | && !isFound -> && (!isFound || true)
	return c.AcceptGap && !isFound
}

// former returns FormerNextOffset of a position whose gap is accepted: where the topic is another one, or has
// other records, versions with offsets below may come from the former ones.
func former(p *partition, stored schemas.Position, first, end int64, isCut bool) int64 {
	isOther := stored.TopicID != p.topicID || reachedOf(p, stored) > end || isCut
	// With a gap but no larger offset, it was accepted before, and the start was not committed.
	if isOther || stored.Gap != "" && stored.NextOffset > first {
		return max(stored.FormerNextOffset, stored.NextOffset)
	}
	return stored.FormerNextOffset
}

// errPositionMoved reports that another processor has moved a position whose gap was to be accepted.
var errPositionMoved = errors.New("the position has been moved by another processor: it is read again")

// accept overwrites the stored position, and *p, so that reading goes on at the first record of the topic.
// The position keeps its gap until session.run has called commitStart. Otherwise a processor that dies before
// would leave the group's old offset: the next one would take the records below it for a refill, which sends
// no dead letters. It returns errPositionMoved if another processor has moved the position since it was read.
func (s *starter) accept(
	ctx context.Context, p *partition, was, position schemas.Position, first int64,
) error {
	position.NextOffset, position.TopicID = first, p.topicID
	position.DeadLettersFrom, position.DeadLettersBelow = first, first
	*p = partition{
		next: first, stored: first, floor: first, topicID: p.topicID,
		deadLettersFrom: first, deadLettersBelow: first,
		uncommitted: true, accepted: true, committed: -1,
	}
	p.tally.judgeFrom(first)
	p.tally.TopicID = p.topicID
	isSet, err := s.set(ctx, was, position)
	// guard: an accepted gap overwrites no position that has moved | !isSet && err == nil -> isSet && false
	if !isSet && err == nil {
		return errPositionMoved
	}
	return err
}

// skipTo overwrites the stored position where the topic has lost records that only the store lacks, as after
// a restore. The group's offset still counts: what is left below it is a refill, and sends no dead letter
// again.
func (s *starter) skipTo(ctx context.Context, p *partition, was schemas.Position, first int64) error {
	position := was
	position.NextOffset, position.TopicID = first, p.topicID
	if p.deadLettersBelow <= first {
		position.DeadLettersFrom, position.DeadLettersBelow = p.deadLettersFrom, p.deadLettersBelow
	}
	p.next, p.stored, p.floor = first, first, max(p.floor, first)
	isSet, err := s.set(ctx, was, position)
	if !isSet && err == nil {
		return errPositionMoved
	}
	s.cfg.startFound.Store(was.Partition, true)
	return err
}

// commitStart commits the next offset of those of the reached partitions whose group offset is missing or
// does not count, because a gap was accepted. The stored position loses such a gap then. The caller must call
// it before stores.write. Otherwise a crash after the first write would leave only the position, and the dead
// letters of that batch would be lost.
func (s *starter) commitStart(ctx context.Context, reached []reach) error {
	start := map[int32]kgo.EpochOffset{}
	var accepted []schemas.Position
	for _, r := range reached {
		p, ok := s.partitions.get(r.partition)
		// guard: the start is committed before the first write
		if ok && p.uncommitted {
			start[r.partition] = kgo.EpochOffset{Epoch: -1, Offset: p.next}
		}
		if ok && p.uncommitted && p.accepted {
			accepted = append(accepted, schemas.Position{
				Topic: s.cfg.Topic, Partition: r.partition, TopicID: p.topicID,
			})
		}
	}
	if len(start) == 0 {
		return nil
	}
	// The metadata shows that no person has set the offset.
	op := s.trace.starts(start)
	err := s.commit(ctx, start, s.partitions.tallies())
	s.trace.step("start", op, answerOf(err))
	if err != nil {
		err = fmt.Errorf("kafka: commit of the start: %w", err)
		// guard: a revoke that ends a commit is not the brokers' refusal | ctx.Err() == nil -> true
		if ctx.Err() == nil {
			s.cfg.produceFault.refused(s.cfg, err)
		}
		return err
	}
	s.cfg.produceFault.record(s.cfg, nil, 0, 0)
	for _, p := range accepted {
		if err := s.label(ctx, p); err != nil {
			return err
		}
	}
	s.partitions.started(start)
	return nil
}

// commit commits offsets outside of a transaction, as a member of the group or for a group without members.
func (s *starter) commit(ctx context.Context, at map[int32]kgo.EpochOffset, tallies map[int32]tally) error {
	// guard: replay: a replay from an archive can be pardoned | s.replay.hasSource() -> false
	if s.replay.hasSource() {
		return commitPlainly(ctx, s.partitions.client, s.cfg, at, tallies)
	}
	return commitOffsets(ctx, s.partitions.client, s.cfg.Topic, at, tallies)
}

// commitOffsets commits offsets outside of a transaction, with tallies as their metadata.
func commitOffsets(
	ctx context.Context, client *kgo.Client, topic string, at map[int32]kgo.EpochOffset, tallies map[int32]tally,
) (failed error) {
	ctx = kgo.PreCommitFnContext(ctx, func(req *kmsg.OffsetCommitRequest) error {
		for _, t := range req.Topics {
			for i := range t.Partitions {
				t.Partitions[i].Metadata = tallies[t.Partitions[i].Partition].metadata()
			}
		}
		return nil
	})
	done := func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
		if err != nil {
			failed = err
			return
		}
		for _, t := range resp.Topics {
			for _, p := range t.Partitions {
				if e := kerr.ErrorForCode(p.ErrorCode); e != nil {
					failed = fmt.Errorf("%s/%d: %w", t.Topic, p.Partition, e)
				}
			}
		}
	}
	client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{topic: at}, done)
	return failed
}
