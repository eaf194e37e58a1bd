package archive

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/schemas"
)

// Options say what is archived and how.
type Options struct {
	Client []kgo.Opt // how to reach the brokers
	Topic  string
	Group  string // under which the position is shown in Kafka; "": it is not shown
	Store  blob.Store

	// SegmentBytes is when a segment is written, in bytes before packing. BufferBytes bounds the packed bytes
	// of all partitions together: beyond, the largest segment is written.
	SegmentBytes, BufferBytes int64
	// MaxAge is how long a record may wait for its segment. With Once it has no meaning.
	MaxAge time.Duration
	// Once archives up to the end that the topic has now, and returns.
	Once bool

	Log     *slog.Logger
	Metrics *Metrics // nil: none
	// Progress is called with the records that are archived, and how many there are; nil: not called.
	Progress func(done, total int64)
}

// Report says what a run archived.
type Report struct {
	Topic    string           `json:"topic"`
	TopicID  string           `json:"topic_id"`
	Segments int64            `json:"segments"`
	Records  int64            `json:"records"`
	Bytes    int64            `json:"bytes"`     // of the segments
	RawBytes int64            `json:"raw_bytes"` // of their lines
	Adopted  int64            `json:"adopted"`   // segments of a run that was killed before it listed them
	Gaps     []kafkaread.Span `json:"gaps,omitempty"`
}

// maxValueBytes is the longest value that is archived whole. The brokers' largest messages are smaller, but a
// packed batch may unpack to anything.
const maxValueBytes = 60 << 20

// maxFieldBytes is the longest key that is archived whole, and the most memory of all headers.
const maxFieldBytes = 4 << 20

// sharedRecords is how many small records are unpacked together. They are taken one by one, so that even
// those of the largest batch that Kafka knows need no memory.
const sharedRecords = 1 << 13

// errAgain has the run begin again from the manifests.
var errAgain = errors.New("the archive was changed, or the topic lost records: the run begins again")

// Run archives until ctx ends, or with Once up to the end. Gaps are the offsets that were deleted from the
// topic before they were archived.
//
// It begins again from the manifests where another process has changed them, at most ten times in a row
// without a new segment. Without Once it begins again after any other error too, for as long as it takes. Its
// metrics then show that it is behind, while a process that ended would show nothing. An error before a first
// run has begun is returned, because it is mostly one of the settings.
func Run(ctx context.Context, o Options) (Report, error) {
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	report := Report{Topic: o.Topic}
	hasBegun := false
	named := map[int32]int64{}
	for again, failed := 0, 0; ; {
		listed := report.Segments + report.Adopted
		w := &writer{o: o, report: &report, builders: map[int32]*open{}, named: named}
		err := w.run(ctx)
		hasBegun = hasBegun || w.hasBegun
		// guard: archive: a run that gets on is not counted among those in a row
		if report.Segments+report.Adopted > listed {
			again, failed = 0, 0
		}
		switch {
		case ctx.Err() != nil && (err == nil || errors.Is(err, context.Canceled)):
			return report, nil
		case errors.Is(err, errAgain) && again < 10:
			again++
			o.Log.Warn("archive: beginning again from the manifests", "reason", err)
			if err := lifecycle.Sleep(ctx, time.Duration(again-1)*time.Second); err != nil {
				return report, nil //nolint:nilerr // ctx ended
			}
			continue
		// guard: archive: a stop that could not write what was read says so | ctx.Err() != nil -> false
		case ctx.Err() != nil:
			o.Metrics.Failed()
			return report, err
		// guard: archive: an archiver goes on after an error of storage or of Kafka
		case !o.Once && hasBegun && !errors.Is(err, errAgain):
			o.Metrics.Failed()
			again = 0
			failed++
			pause := min(time.Duration(failed)*time.Second, longestPause)
			o.Log.Error("archive: the run failed, and begins again from the manifests", "error", err, "after", pause)
			if err := lifecycle.Sleep(ctx, pause); err != nil {
				return report, nil //nolint:nilerr // ctx ended
			}
			continue
		}
		o.Metrics.Failed()
		return report, err
	}
}

// longestPause is the longest time between a run that failed and the next one.
const longestPause = time.Minute

// writer is one run, from the manifests on. One goroutine owns it.
type writer struct {
	o         Options
	report    *Report
	client    *kgo.Client
	admin     *kadm.Client
	topicID   string
	manifests map[int32]*Manifest
	builders  map[int32]*open // of the partitions that are read
	named     map[int32]int64 // by partition: the end of the last gap that was named, in this run or before
	bounds    kafkaread.Spans // of the topic, when the run began
	looked    time.Time       // for new partitions
	arrived   time.Time       // when the last record came
	total     int64
	done      int64
	hasBegun  bool // the manifests were read
}

// open is the segment of a partition that is being filled.
type open struct {
	*builder
	since time.Time // of the first record in it; zero while it is empty
}

func (w *writer) run(ctx context.Context) (err error) {
	opts := slices.Concat(kafkaread.UnpackSharing(sharedRecords), w.o.Client, []kgo.Opt{
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.FetchMaxBytes(16 << 20), kgo.FetchMaxPartitionBytes(4 << 20),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{}),
	})
	if w.client, err = kgo.NewClient(opts...); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer w.client.Close()
	w.admin = kadm.NewClient(w.client)
	if w.topicID, err = TopicID(ctx, w.admin, w.o.Topic); err != nil {
		return err
	}
	w.report.TopicID, w.arrived = w.topicID, time.Now()
	w.manifests = map[int32]*Manifest{}
	if err := w.addPartitions(ctx); err != nil {
		return err
	}
	w.hasBegun = true
	w.o.Log.Info("archiving", "topic", w.o.Topic, "topic_id", w.topicID, "to", w.o.Store.URL(),
		"partitions", len(w.builders))
	for {
		w.o.Progress(w.done, max(w.done, w.total))
		if w.o.Once && w.isComplete() {
			return w.writeAll(ctx, func(*open) bool { return true })
		}
		if err := w.poll(ctx); err != nil {
			if ctx.Err() != nil { // what was read is written, so that a stop loses no work
				return w.writeAll(context.WithoutCancel(ctx), func(*open) bool { return true })
			}
			return err
		}
	}
}

// TopicID returns the ID of a topic as the archive's folders have it.
func TopicID(ctx context.Context, admin *kadm.Client, topic string) (string, error) {
	topics, err := admin.ListTopics(ctx, topic)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return "", fmt.Errorf("kafka: topic %s: %w", topic, err)
	}
	return FolderOf(topics[topic].ID), nil
}

// FolderOf returns a topic's ID as the archive's folders have it.
func FolderOf(id kadm.TopicID) string { return hex.EncodeToString(id[:]) }

// addPartitions begins to read the partitions that are not read yet, each behind its last segment.
func (w *writer) addPartitions(ctx context.Context) error {
	bounds, err := kafkaread.Bounds(ctx, w.admin, w.o.Topic, kgo.ReadCommitted())
	if err != nil {
		return err
	}
	w.looked, w.bounds = time.Now(), bounds
	start := map[int32]kgo.Offset{}
	for _, id := range slices.Sorted(maps.Keys(bounds)) {
		if w.builders[id] != nil {
			continue
		}
		next, err := w.locate(ctx, id, bounds[id])
		if err != nil {
			return err
		}
		w.builders[id] = &open{builder: newBuilder(next)}
		start[id] = kgo.NewOffset().At(next)
		w.total += max(0, bounds[id].To-next)
	}
	w.o.Metrics.Waits(w.lag())
	if len(start) > 0 {
		w.client.AddConsumePartitions(map[string]map[int32]kgo.Offset{w.o.Topic: start})
	}
	return nil
}

// locate returns where the archive goes on in a partition.
func (w *writer) locate(ctx context.Context, id int32, span kafkaread.Span) (int64, error) {
	m, err := readManifest(ctx, w.o.Store, w.o.Topic, w.topicID, id)
	if err != nil {
		return 0, err
	}
	w.manifests[id] = m
	if err := w.adopt(ctx, m); err != nil {
		return 0, err
	}
	if m.Next > span.To {
		const text = "archive: %s/%d is archived up to offset %d, and the topic ends at %d: it has lost records, " +
			"or is another topic with the same ID: archive it to another place"
		return 0, fmt.Errorf(text, w.o.Topic, id, m.Next, span.To)
	}
	if m.Next < span.From {
		// guard: archive: a gap is counted once, however often the run begins again | span.From > w.named[id] -> true
		isNew := span.From > w.named[id]
		// guard: archive: records that were gone before they were archived are named
		if isNew && (len(m.Segments) > 0 || m.Next > 0) {
			gap := kafkaread.Span{Partition: id, From: max(m.Next, w.named[id]), To: span.From}
			w.named[id] = span.From
			w.report.Gaps = append(w.report.Gaps, gap)
			w.o.Metrics.Missed(gap.To - gap.From)
			w.o.Log.Error("records were deleted before they were archived: run the archive more often, or keep "+
				"the topic longer", "topic", w.o.Topic, "partition", id, "from", gap.From, "to", gap.To-1)
		}
		return span.From, nil
	}
	return m.Next, nil
}

// adopt lists the segments that a run wrote and could not list, because it was killed in between.
func (w *writer) adopt(ctx context.Context, m *Manifest) error {
	files, err := w.o.Store.List(ctx, m.folder()+"/")
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	changed := false
	for _, f := range files {
		s, ok := parseSegment(path.Base(f.Name))
		// One with an offset that a listed segment has is left over from a compaction, or of another
		// archiver.
		if !ok || s.First < m.Next || f.Bytes > maxObjectBytes {
			continue
		}
		if s, err = inspect(ctx, w.o.Store, m.folder(), s); err != nil {
			w.o.Log.Warn("a segment that no manifest lists cannot be read: it is written again", "file", f.Name,
				"error", err)
			continue
		}
		m.Segments, m.Next = append(m.Segments, s), s.Last+1
		w.report.Adopted++
		changed = true
	}
	if !changed {
		return nil
	}
	return again(m.save(ctx, w.o.Store))
}

// inspect reads the file of a segment of which only the name is known.
func inspect(ctx context.Context, store blob.Store, folder string, s Segment) (Segment, error) {
	content, at, err := store.Read(ctx, path.Join(folder, s.name()), maxObjectBytes)
	if err != nil {
		return s, err
	}
	s, err = measure(content, s)
	s.ArchivedMS = at.Modified.UnixMilli()
	return s, err
}

// again returns errAgain for a manifest that somebody else has changed.
func again(err error) error {
	if errors.Is(err, blob.ErrChanged) {
		return fmt.Errorf("%w: %w", errAgain, err)
	}
	return err
}

// lookEvery is how often new partitions are looked for, and a poll returns without records.
const (
	lookEvery = 30 * time.Second
	pollTime  = time.Second
)

// poll takes the next records, and writes the segments that are due.
func (w *writer) poll(ctx context.Context) error {
	if !w.o.Once && time.Since(w.looked) > lookEvery {
		if err := w.addPartitions(ctx); err != nil {
			return err
		}
	}
	limited, cancel := context.WithTimeout(ctx, pollTime)
	fetches := w.client.PollRecords(limited, 1000)
	cancel()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, e := range fetches.Errors() {
		switch {
		case errors.Is(e.Err, context.DeadlineExceeded):
		case errors.Is(e.Err, kerr.OffsetOutOfRange): // the topic has lost what comes next, and perhaps more
			// guard: archive: what was read is written before the run begins again | instead
			if err := w.writeAll(ctx, func(*open) bool { return true }); err != nil {
				return err
			}
			return fmt.Errorf("%w: %s/%d: %w", errAgain, e.Topic, e.Partition, e.Err)
		default:
			return fmt.Errorf("kafka: %s/%d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	if fetches.NumRecords() > 0 {
		w.arrived = time.Now()
	} else if w.o.Once && time.Since(w.arrived) > kafkaread.StallTimeout {
		const text = "kafka: %s: no record within %v, though the topic has more"
		return fmt.Errorf(text, w.o.Topic, kafkaread.StallTimeout)
	}
	for _, r := range fetches.Records() {
		if err := w.take(ctx, r); err != nil {
			return err
		}
	}
	now := time.Now()
	isDue := func(b *open) bool { return !w.o.Once && !b.since.IsZero() && now.Sub(b.since) >= w.o.MaxAge }
	err := w.writeAll(ctx, isDue)
	w.o.Metrics.Waits(w.lag())
	return err
}

// lag returns how many offsets of the topic, as far as its end is known, are in no segment yet.
func (w *writer) lag() (offsets int64) {
	for id, b := range w.builders {
		offsets += max(0, max(w.bounds[id].To, b.segment.Last+1)-b.segment.First)
	}
	return offsets
}

// take packs a fetched record, or those that share its place in a packed batch.
func (w *writer) take(ctx context.Context, r *kgo.Record) error {
	b := w.builders[r.Partition]
	if b == nil || w.o.Once && r.Offset >= w.bounds[r.Partition].To {
		return nil
	}
	if b.since.IsZero() {
		b.since = time.Now()
	}
	if r.Attrs.IsControl() {
		b.cover(r.Offset)
		return nil
	}
	var failed error
	// guard: archive: long keys and headers are archived whole | maxFieldBytes -> kafkaread.KeptBytes
	limits := kafkaread.Limits{Value: maxValueBytes, Field: maxFieldBytes}
	err := kafkaread.LoadWithin(r, limits, func(rec schemas.Record) {
		// A segment ends between two records, never behind the bound of its reader.
		if failed == nil && rec.Offset >= b.segment.First {
			failed = b.add(&rec)
			w.done++
		}
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	// guard: archive: a segment is bounded | b.raw.n >= w.o.SegmentBytes -> false
	if b.raw.n >= w.o.SegmentBytes {
		return w.write(ctx, r.Partition)
	}
	for w.buffered() > w.o.BufferBytes {
		if err := w.write(ctx, w.largest()); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) buffered() (n int64) {
	for _, b := range w.builders {
		n += int64(b.packed.Len())
	}
	return n
}

func (w *writer) largest() int32 {
	return slices.MaxFunc(slices.Collect(maps.Keys(w.builders)), func(x, y int32) int {
		return w.builders[x].packed.Len() - w.builders[y].packed.Len()
	})
}

// isComplete reports whether everything that the topic had at the beginning has been read.
func (w *writer) isComplete() bool {
	for id, span := range w.bounds {
		if b := w.builders[id]; b != nil && b.segment.Last+1 < span.To {
			return false
		}
	}
	return true
}

// writeAll writes the segments that are due.
func (w *writer) writeAll(ctx context.Context, isDue func(*open) bool) error {
	for _, id := range slices.Sorted(maps.Keys(w.builders)) {
		if b := w.builders[id]; isDue(b) && !b.isEmpty() {
			if err := w.write(ctx, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// write puts a segment into storage, then lists it, then shows the position. Killed before the list, the next
// run adopts it.
func (w *writer) write(ctx context.Context, id int32) error {
	b := w.builders[id]
	s, content, err := b.finish()
	if err != nil {
		return err
	}
	m := w.manifests[id]
	if _, err := w.o.Store.Put(ctx, path.Join(m.folder(), s.name()), content, blob.Always); err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	m.Segments, m.Next = append(m.Segments, s), s.Last+1
	if err := again(m.save(ctx, w.o.Store)); err != nil {
		return err
	}
	w.builders[id] = &open{builder: newBuilder(m.Next)}
	w.report.Segments++
	w.report.Records += s.Records
	w.report.Bytes += s.Bytes
	w.report.RawBytes += s.RawBytes
	w.o.Metrics.Wrote(s)
	w.o.Log.Debug("segment written", "partition", id, "first", s.First, "last", s.Last, "records", s.Records,
		"bytes", s.Bytes)
	w.show(ctx, id, m.Next)
	return nil
}

// show commits the position, so that tools of Kafka show the archive's lag. The archive does not read it.
func (w *writer) show(ctx context.Context, id int32, next int64) {
	if w.o.Group == "" {
		return
	}
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: w.o.Topic, Partition: id, At: next, LeaderEpoch: -1})
	if err := w.admin.CommitAllOffsets(ctx, w.o.Group, offsets); err != nil {
		w.o.Log.Debug("the position is not shown in Kafka", "group", w.o.Group, "error", err)
	}
}
