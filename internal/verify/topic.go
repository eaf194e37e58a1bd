package verify

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/schemas"
)

// registerReader reads what Postgres has made of the topic. *pgbooks.Books is one.
type registerReader interface {
	// AppliedPositions returns the stored positions of the consumer group.
	AppliedPositions(ctx context.Context) ([]schemas.Position, error)
	// Registers returns both registers of the next limit pitches after a pitch, sorted by pitch.
	Registers(ctx context.Context, after schemas.PitchID, limit int) ([]schemas.StoredRegisters, error)
	// RegistersOf returns those of some pitches, sorted by pitch.
	RegistersOf(ctx context.Context, ids []schemas.PitchID) ([]schemas.StoredRegisters, error)
}

// waitInterval is the time between two looks at the positions.
const waitInterval = 200 * time.Millisecond

// TopicReport says what the part topic found. It counts current pitches.
type TopicReport struct {
	Partitions []kafkaread.Span `json:"partitions"`
	Records    int64            `json:"records"`
	Behind     int64            `json:"behind"`         // records of the topic that are not processed or compared yet
	Late       int64            `json:"late,omitempty"` // those that were still not processed when the wait for them ended
	Topic      int64            `json:"pitches_in_topic"`
	Postgres   int64            `json:"pitches_in_postgres"`
	// NotCheckable counts pitches whose stored version is not in the topic, because retention deleted it or it
	// came from elsewhere, and pitches that a newer core wrote.
	NotCheckable int64 `json:"not_checkable"`
	// Moving counts pitches whose stored version is beyond the positions that were compared.
	Moving int64 `json:"moving"`
	// Held says of each partition that a gap holds why. Its records wait until a person accepts the gap. A gap
	// that was accepted stays until the first batch is read.
	Held []string `json:"held,omitempty"`
	// RowsNotSent counts the pitches that a repair has written and not sent to the rows topic. A replay of the
	// records from RowsNotSentSince on sends them, and is therefore left to do.
	RowsNotSent      int64          `json:"rows_not_sent,omitzero"`
	RowsNotSentSince schemas.TimeMS `json:"rows_not_sent_since,omitzero"`

	Games       []Group              `json:"games,omitempty"`   // those with a difference
	Batters     []Group              `json:"batters,omitempty"` // those with a difference
	Letters     DeadLetters          `json:"letters"`
	Differences []schemas.Difference `json:"differences,omitempty"`
}

// Group counts the current pitches of one game or batter on both sides, and those that differ.
type Group struct {
	Name     string `json:"name"`
	Topic    int64  `json:"pitches_in_topic"`
	Postgres int64  `json:"pitches_in_postgres"`
	Differ   int64  `json:"differ"`
}

// groups are counted by name.
type groups map[string]*Group

func (g groups) of(name string) *Group {
	if g[name] == nil {
		g[name] = &Group{Name: name}
	}
	return g[name]
}

func (g groups) ofBatter(id int64) *Group { return g.of(strconv.FormatInt(id, 10)) }

// differing returns the groups with a difference, by name.
func (g groups) differing() (out []Group) {
	for _, name := range slices.Sorted(maps.Keys(g)) {
		if g[name].Differ > 0 {
			out = append(out, *g[name])
		}
	}
	return out
}

// repairFunc writes pitches again, and returns how many rows the rows topic should have of them.
type repairFunc func(context.Context, schemas.Batch) (rows int, err error)

// comparison is one comparison of the raw topic with the registers. One goroutine uses it.
type comparison struct {
	kafka    Kafka
	store    registerReader
	admin    *kadm.Client
	raw      *archive.Topic
	repair   repairFunc // nil: nothing is repaired
	progress func(done, total int64)

	judge       judge
	topicID     string // of the raw topic now; "": not known, or its archive is read as well
	deadLetters deadLetters
	rejected    map[place]bool // records that the core rejected
	games       groups
	batters     groups
	report      TopicReport
	unread      int64 // records that are not processed yet, but for those behind a gap
	done, total int64 // records, for progress
}

func newComparison(store registerReader, kafka Kafka) *comparison {
	return &comparison{
		kafka: kafka, store: store, progress: func(int64, int64) {},
		judge:       judge{raw: kafka.Raw, pitches: newResolved()},
		deadLetters: deadLetters{kafka: kafka, read: kafkaread.Spans{}, about: map[place]deadLetter{}},
		rejected:    map[place]bool{}, games: groups{}, batters: groups{},
	}
}

// run compares the raw topic, up to the positions that the store has now, with the store. The committed
// offsets are read before the positions, because every rejected record below them has its dead letter.
func (c *comparison) run(ctx context.Context) error {
	client, err := kgo.NewClient(c.kafka.Client...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	c.admin = kadm.NewClient(client)
	c.raw = archive.NewTopic(c.kafka.Client, c.admin, c.kafka.Raw, c.kafka.Archive)
	if c.topicID, err = c.currentID(ctx); err != nil {
		return err
	}
	if err := c.await(ctx); err != nil {
		return err
	}
	committed, err := c.committed(ctx)
	if err != nil {
		return err
	}
	if c.judge.spans, err = c.processed(ctx, c.raw.Bounds); err != nil {
		return err
	}
	if err := c.deadLetters.update(ctx, c.admin); err != nil {
		return err
	}
	c.total = c.judge.spans.Total()
	if err := c.read(ctx, c.judge.spans); err != nil {
		return err
	}
	if err := c.skipDeleted(ctx); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(c.judge.spans)) {
		c.report.Partitions = append(c.report.Partitions, c.judge.spans[id])
	}
	below := kafkaread.Spans{}
	for id, span := range c.judge.spans {
		span.To = min(span.To, committed[id])
		below[id] = span
	}
	var unanswered []schemas.Difference
	if c.report.Letters, unanswered, err = c.deadLetters.compare(ctx, c.admin, c.rejected, below); err != nil {
		return err
	}
	c.countTopic()
	suspects, err := c.compareAll(ctx)
	if err != nil {
		return err
	}
	if suspects, err = c.lookAgain(ctx, suspects); err != nil {
		return err
	}
	if c.repair != nil {
		if err := c.repairAll(ctx, suspects); err != nil {
			return err
		}
	}
	c.conclude(suspects, unanswered)
	return nil
}

// conclude writes the differences into the report.
func (c *comparison) conclude(suspects differing, unanswered []schemas.Difference) {
	for _, id := range suspects.ids() {
		d := suspects[id]
		c.report.Differences = append(c.report.Differences, d)
		c.games.of(d.GamePK).Differ++
		if d.BatterID != nil {
			c.batters.ofBatter(*d.BatterID).Differ++
		}
	}
	slices.SortFunc(unanswered, func(a, b schemas.Difference) int { return cmp.Compare(a.Key, b.Key) })
	c.report.Differences = append(c.report.Differences, unanswered...)
	c.report.Games, c.report.Batters = c.games.differing(), c.batters.differing()
}

// committed returns the offsets that the group has committed.
func (c *comparison) committed(ctx context.Context) (map[int32]int64, error) {
	out := map[int32]int64{}
	fetched, err := c.admin.FetchOffsets(ctx, c.kafka.Group)
	if errors.Is(err, kerr.GroupIDNotFound) {
		return out, nil // no processor has ever run
	} else if err != nil {
		return nil, fmt.Errorf("kafka: offsets of %s: %w", c.kafka.Group, err)
	}
	fetched.Each(func(o kadm.OffsetResponse) {
		if o.Topic == c.kafka.Raw {
			out[o.Partition] = o.At
		}
	})
	return out, nil
}

// currentID returns the ID of the raw topic. With an archive it returns "", because that has the records of a
// former topic.
func (c *comparison) currentID(ctx context.Context) (string, error) {
	if c.kafka.Archive != "" {
		return "", nil
	}
	topics, err := c.admin.ListTopics(ctx, c.kafka.Raw)
	if err != nil {
		return "", fmt.Errorf("kafka: %w", err)
	}
	return kafkaread.DescribedID(topics[c.kafka.Raw].ID), nil
}

// ofCurrent returns a stored position as one of the topic as it is now, which begins at first, and why a gap
// holds its partition. A topic that was created anew has other records at the same offsets: nothing of it is
// processed, and all stored versions are of the former one. No position has the gap that retention leaves.
// Processors do not read an archive, so that they are held also where that has the records.
func (c *comparison) ofCurrent(p schemas.Position, first int64) (now schemas.Position, held string) {
	// guard: verify: a topic that was created anew is not taken for the former one | p.TopicID != c.topicID -> false
	if p.TopicID != "" && c.topicID != "" && p.TopicID != c.topicID {
		p.FormerNextOffset, p.NextOffset = max(p.FormerNextOffset, p.NextOffset), 0
		return p, cmp.Or(p.Gap, "the topic was created anew, and no processor has accepted that")
	}
	// guard: verify: a partition whose next records are deleted is held | p.NextOffset < first -> false
	if p.NextOffset < first {
		why := fmt.Sprintf("the next record to apply is offset %d, but the topic begins at %d", p.NextOffset, first)
		if c.kafka.Archive != "" {
			why += "; a replay from the archive reads what it has of the records between"
		}
		return p, cmp.Or(p.Gap, why)
	}
	if p.Gap != "" {
		return p, p.Gap + " (held, or accepted and not read yet)"
	}
	return p, ""
}

// processed returns the parts of the topic that the store has processed. Its bounds are those that a method
// of the topic returns.
func (c *comparison) processed(
	ctx context.Context, bounds func(context.Context) (kafkaread.Spans, error),
) (kafkaread.Spans, error) {
	spans, err := bounds(ctx)
	if err != nil {
		return nil, err
	}
	positions, err := c.store.AppliedPositions(ctx)
	if err != nil {
		return nil, err
	}
	next := map[int32]int64{}
	c.judge.former, c.deadLetters.former = map[int32]int64{}, map[int32]int64{}
	c.report.Held = nil
	isHeld := map[int32]bool{}
	for _, p := range positions {
		if p.Topic == c.kafka.Raw {
			p, held := c.ofCurrent(p, c.raw.Own()[p.Partition].From)
			if held != "" {
				isHeld[p.Partition] = true
				c.report.Held = append(c.report.Held, fmt.Sprintf("%s/%d: %s", p.Topic, p.Partition, held))
			}
			next[p.Partition], c.judge.former[p.Partition] = p.NextOffset, p.FormerNextOffset
			c.deadLetters.former[p.Partition] = p.FormerNextOffset
		}
	}
	c.report.Behind, c.unread = 0, 0
	for id, span := range spans {
		end := span.To
		span.To = max(span.From, min(span.To, next[id]))
		// guard: verify: records that only the archive has are not behind | span.To, c.raw.Own()[id].From -> span.To, 0
		behind := max(0, end-max(span.To, c.raw.Own()[id].From))
		c.report.Behind += behind
		// guard: verify: records behind a gap are not waited for | !isHeld[id] -> true
		if !isHeld[id] {
			c.unread += behind
		}
		spans[id] = span
	}
	return spans, nil
}

// await waits until every record that the topic has now is processed, but for those behind a gap, and for as
// long as the options say. It polls, because positions send no event.
func (c *comparison) await(ctx context.Context) error {
	if c.kafka.Wait <= 0 {
		return nil
	}
	limit, cancel := context.WithTimeout(ctx, c.kafka.Wait)
	defer cancel()
	now, err := c.raw.BoundsAgain(ctx)
	if err != nil {
		return err
	}
	bounds := func(context.Context) (kafkaread.Spans, error) { return maps.Clone(now), nil }
	for tick := time.Tick(waitInterval); ; {
		// guard: verify: what a live feed sends meanwhile is not waited for | bounds) -> func(ctx context.Context) (kafkaread.Spans, error) { _, _ = bounds(ctx); return c.raw.BoundsAgain(ctx) })
		_, err := c.processed(ctx, bounds)
		if err != nil || c.unread == 0 {
			return err
		}
		select {
		case <-limit.Done():
			c.report.Late = c.unread
			return ctx.Err()
		case <-tick:
		}
	}
}

// read adds the records of a part of the topic.
func (c *comparison) read(ctx context.Context, spans kafkaread.Spans) error {
	return c.raw.Read(ctx, spans, func(records []*kgo.Record) error {
		all, err := c.decodeAll(ctx, records)
		for _, d := range all {
			switch {
			case d.rejection != nil:
				c.rejected[d.at] = true
			case !c.deadLetters.refused(d.at, d.timestampMS):
				c.judge.pitches.add(&d.change)
			}
		}
		if err != nil {
			return err
		}
		c.report.Records += int64(len(all))
		c.advance(len(records))
		return nil
	})
}

func (c *comparison) advance(records int) {
	c.done += int64(records)
	c.progress(c.done, c.total)
}

// decoded is the core's answer for one record.
type decoded struct {
	at          place
	timestampMS int64
	change      schemas.Change
	rejection   *features.Rejection
	failed      error // the schema registry's; then nothing else counts
}

// decodeAll runs the core on records, spread over the cores of the machine. An error is a batch that cannot
// be unpacked, or a schema registry that does not answer.
func (c *comparison) decodeAll(ctx context.Context, records []*kgo.Record) ([]decoded, error) {
	limits := c.kafka.Limits
	limit := cmp.Or(limits.MaxRecordBytes, features.DefaultMaxRecordBytes)
	workers := runtime.GOMAXPROCS(0)
	all, err := kafkaread.Map(records, limit, workers, func(rec schemas.Record, _ bool) (d decoded) {
		d.at, d.timestampMS = place{rec.Partition, rec.Offset}, rec.TimestampMS
		d.change, d.rejection, d.failed = c.kafka.Registry.Transform(ctx, rec, limits)
		return d
	})
	for i := range all {
		if err = cmp.Or(err, all[i].failed); err != nil {
			return nil, err
		}
	}
	return all, err
}

// skipDeleted raises the starts of the spans to the first records that still exist, because retention may
// have deleted records before they were read.
func (c *comparison) skipDeleted(ctx context.Context) error {
	now, err := c.raw.Bounds(ctx)
	if err != nil {
		return err
	}
	for id, span := range c.judge.spans {
		span.From = max(span.From, now[id].From)
		c.judge.spans[id] = span
	}
	return nil
}

// countTopic counts the current pitches of the topic by game and batter.
func (c *comparison) countTopic() {
	for id := range c.judge.pitches.measured {
		batter, game, current := c.judge.pitches.of(id)
		if !current {
			continue
		}
		c.report.Topic++
		c.games.of(game).Topic++
		if batter.Present {
			c.batters.ofBatter(batter.Value).Topic++
		}
	}
}

// countStored counts a pitch of the store.
func (c *comparison) countStored(stored schemas.StoredRegisters, v verdict) {
	if batter, game, current := currentOf(stored); current {
		c.report.Postgres++
		c.games.of(game).Postgres++
		if batter.Present {
			c.batters.ofBatter(batter.Value).Postgres++
		}
	}
	switch {
	case v.has(moving):
		c.report.Moving++
	case v.has(notCheckable):
		c.report.NotCheckable++
	}
}

// pageSize is the number of pitches read from the store at a time.
const pageSize = 2000

// compareAll judges every pitch once, and returns those that differ.
func (c *comparison) compareAll(ctx context.Context) (differing, error) {
	suspects := differing{}
	seen := make(map[schemas.PitchID]bool, len(c.judge.pitches.measured))
	add := func(stored schemas.StoredRegisters, v verdict) {
		if d := c.judge.difference(stored, v); d != nil {
			suspects[stored.PitchID] = *d
		}
	}
	var after schemas.PitchID
	for {
		page, err := c.store.Registers(ctx, after, pageSize)
		if err != nil {
			return nil, err
		}
		for _, stored := range page {
			seen[stored.PitchID], after = true, stored.PitchID
			v := c.judge.verdictOf(stored)
			c.countStored(stored, v)
			add(stored, v)
		}
		if len(page) < pageSize {
			break
		}
	}
	for id := range c.judge.pitches.all() {
		if !seen[id] {
			stored := schemas.StoredRegisters{PitchID: id}
			add(stored, c.judge.verdictOf(stored))
		}
	}
	return suspects, nil
}

// lookAgain judges the suspects once more, after it has read what was processed since. A pitch may have been
// written after its page was read, and a record may be processed again under its old coordinates.
func (c *comparison) lookAgain(ctx context.Context, suspects differing) (differing, error) {
	if len(suspects) == 0 {
		return suspects, nil
	}
	if err := lifecycle.Sleep(ctx, 100*time.Millisecond); err != nil {
		return nil, err
	}
	now, err := c.processed(ctx, c.raw.Bounds)
	if err != nil {
		return nil, err
	}
	tail := kafkaread.Spans{}
	for id, span := range now {
		was := c.judge.spans[id]
		tail[id] = kafkaread.Span{Partition: id, From: max(span.From, was.To), To: span.To}
		was.To = max(was.To, span.To)
		c.judge.spans[id] = was
	}
	if err := c.deadLetters.update(ctx, c.admin); err != nil {
		return nil, err
	}
	if err := c.read(ctx, tail); err != nil {
		return nil, err
	}
	return c.rejudge(ctx, suspects.ids())
}

// rejudge returns those of some pitches that differ now.
func (c *comparison) rejudge(ctx context.Context, ids []schemas.PitchID) (differing, error) {
	differ := differing{}
	for some := range slices.Chunk(ids, pageSize) {
		page, err := c.store.RegistersOf(ctx, some)
		if err != nil {
			return nil, err
		}
		now := map[schemas.PitchID]schemas.StoredRegisters{}
		for _, stored := range page {
			now[stored.PitchID] = stored
		}
		for _, id := range some {
			stored := now[id]
			stored.PitchID = id
			if d := c.judge.difference(stored, c.judge.verdictOf(stored)); d != nil {
				differ[id] = *d
			}
		}
	}
	return differ, nil
}

// differing are the differences of pitches.
type differing map[schemas.PitchID]schemas.Difference

// ids returns the pitches in order.
func (d differing) ids() []schemas.PitchID {
	return slices.SortedFunc(maps.Keys(d), func(a, b schemas.PitchID) int { return bytes.Compare(a[:], b[:]) })
}

// repairChanges is the number of changes that one transaction of a repair writes.
const repairChanges = 500

// repairAll reads the topic again and writes what it says of the broken pitches. Positions do not move, and
// the store fences by version, so a newer version in the store stays. It marks the differences that are gone
// afterwards.
func (c *comparison) repairAll(ctx context.Context, broken differing) error {
	todo := map[schemas.PitchID]bool{}
	for id, d := range broken {
		if repairable(d) {
			todo[id] = true
		}
	}
	if len(todo) == 0 {
		return nil
	}
	c.total += c.judge.spans.Total()
	var held []schemas.Change
	err := c.raw.Read(ctx, c.judge.spans, func(records []*kgo.Record) error {
		all, err := c.decodeAll(ctx, records)
		if err != nil {
			return err
		}
		for _, d := range all {
			if d.rejection == nil && todo[d.change.PitchID] && !c.deadLetters.refused(d.at, d.timestampMS) {
				held = append(held, d.change)
				if since := &c.report.RowsNotSentSince; *since == 0 || d.timestampMS < int64(*since) {
					*since = schemas.TimeMS(d.timestampMS)
				}
			}
		}
		c.advance(len(records))
		if len(held) < repairChanges {
			return nil
		}
		changes := held
		held = nil
		return c.write(ctx, changes)
	})
	if err == nil {
		err = c.write(ctx, held)
	}
	if err != nil {
		return err
	}
	left, err := c.rejudge(ctx, broken.ids())
	for id, d := range broken {
		if _, still := left[id]; !still {
			d.Repaired = true
			broken[id] = d
		}
	}
	return err
}

func (c *comparison) write(ctx context.Context, changes []schemas.Change) error {
	if len(changes) == 0 {
		return nil
	}
	rows, err := c.repair(ctx, schemas.Batch{Group: c.kafka.Group, Pitches: reduce(changes)})
	// guard: verify: rows that a repair does not send are counted | += -> -=
	c.report.RowsNotSent += int64(rows)
	return err
}
