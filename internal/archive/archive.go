// Package archive keeps the records of a raw topic in storage, beyond the topic's retention, and reads them
// back: key, headers, value, timestamp, partition and offset, byte for byte.
//
// A segment is a file of records in a row, and its name is what it holds:
//
//	TOPIC/TOPIC_ID/PARTITION/FIRST-LAST.jsonl.zst     the offsets from FIRST to LAST, both included
//	TOPIC/TOPIC_ID/PARTITION/manifest.json            the segments: hash, counts, times
//
// Three facts are not obvious. The position of the archive is in its manifests, not in a consumer group. So
// an archiver that was killed goes on behind the last segment, and a record is in one segment only. A
// manifest is replaced only where no other has replaced it in between, so that of two archivers one gives
// way. And a segment covers offsets rather than records. An offset in it without a record was a marker of a
// transaction, or was compacted; an offset that no segment covers is a gap.
package archive

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
)

// Bounds of what is read from storage, where anything may stand.
const (
	// MaxManifestBytes bounds a manifest: some 200,000 segments.
	MaxManifestBytes = 64 << 20
	maxObjectBytes   = 256 << 20 // of a segment as it is stored
	maxRawBytes      = 1 << 30   // of a segment unpacked
	maxLineBytes     = 96 << 20  // a value of 64 MiB in base64, with headers
	maxWindowBytes   = 8 << 20   // of the packing, which a reader must hold
	storageAtOnce    = 16        // requests side by side
)

// writtenWindowBytes is the window of the segments that are written: some 100 records.
const writtenWindowBytes = 2 << 20

// Segment is one file of a partition.
type Segment struct {
	First    int64  `json:"first_offset"`
	Last     int64  `json:"last_offset"`
	Records  int64  `json:"records"`
	Bytes    int64  `json:"bytes"`     // of the file
	RawBytes int64  `json:"raw_bytes"` // of its lines
	SHA256   string `json:"sha256"`    // of the file
	MinTime  int64  `json:"min_timestamp_ms"`
	MaxTime  int64  `json:"max_timestamp_ms"`
	// ArchivedMS is when the archive took the newest of the records. 0: written by a build that did not say so.
	ArchivedMS int64 `json:"archived_at_ms,omitempty"`
}

const (
	segmentEnd = ".jsonl.zst"
	// ManifestName is the file that lists the segments, in their folder.
	ManifestName = "manifest.json"
)

// IsSegmentName reports whether a file is named as a segment is.
func IsSegmentName(name string) bool {
	_, ok := parseSegment(name)
	return ok
}

// ParseManifest returns the segments that a manifest lists, by the names of their files.
func ParseManifest(text []byte) (map[string]Segment, error) {
	var m Manifest
	err := json.Unmarshal(text, &m)
	if err == nil {
		err = m.check()
	}
	if err != nil {
		return nil, fmt.Errorf("it is no manifest of an archive: %w", err)
	}
	segments := make(map[string]Segment, len(m.Segments))
	for _, s := range m.Segments {
		segments[s.name()] = s
	}
	return segments, nil
}

// name returns the file of a segment, below the folder of its partition.
func (s Segment) name() string { return fmt.Sprintf("%020d-%020d%s", s.First, s.Last, segmentEnd) }

// count adds a record of a time.
func (s *Segment) count(timestampMS int64) {
	if s.Records == 0 || timestampMS < s.MinTime {
		s.MinTime = timestampMS
	}
	if s.Records == 0 || timestampMS > s.MaxTime {
		s.MaxTime = timestampMS
	}
	s.Records++
}

// parseSegment reads the offsets of a segment's name.
func parseSegment(name string) (s Segment, ok bool) {
	text, ok := strings.CutSuffix(name, segmentEnd)
	first, last, isRange := strings.Cut(text, "-")
	from, fromErr := strconv.ParseInt(first, 10, 64)
	to, toErr := strconv.ParseInt(last, 10, 64)
	s = Segment{First: from, Last: to}
	return s, ok && isRange && fromErr == nil && toErr == nil && 0 <= from && from <= to && s.name() == name
}

// Manifest lists the segments of a partition by offset. They do not overlap.
type Manifest struct {
	Format    int       `json:"format"`
	Topic     string    `json:"topic"`
	TopicID   string    `json:"topic_id"`
	Partition int32     `json:"partition"`
	Next      int64     `json:"next_offset"` // the first that is not archived
	Segments  []Segment `json:"segments"`

	tag string // of the content that was read; "" if there is none
}

const format = 1

// folder returns where the files of the partition are.
func (m *Manifest) folder() string { return folderOf(m.Topic, m.TopicID, m.Partition) }

func folderOf(topic, id string, partition int32) string {
	return path.Join(topic, id, fmt.Sprintf("%05d", partition))
}

// check returns an error for a manifest that no archiver writes.
func (m *Manifest) check() error {
	if m.Format != format {
		return fmt.Errorf("format %d: this build reads format %d", m.Format, format)
	}
	next := int64(0)
	for _, s := range m.Segments {
		switch {
		case s.First < next || s.Last < s.First || s.Last >= m.Next:
			return fmt.Errorf("segment %d to %d overlaps another, or lies beyond offset %d", s.First, s.Last, m.Next)
		case s.Bytes <= 0 || s.Bytes > maxObjectBytes || s.RawBytes < 0 || s.RawBytes > maxRawBytes:
			return fmt.Errorf("segment %d to %d has %d bytes and %d unpacked: more than %d and %d are not read",
				s.First, s.Last, s.Bytes, s.RawBytes, maxObjectBytes, maxRawBytes)
		case s.Records < 0 || s.Records > s.Last-s.First+1:
			return fmt.Errorf("segment %d to %d has %d records", s.First, s.Last, s.Records)
		}
		next = s.Last + 1
	}
	return nil
}

// Gaps returns the ranges between the first segment and the end that no segment covers.
func (m *Manifest) Gaps() (gaps []kafkaread.Span) {
	for i, s := range m.Segments {
		if i > 0 && m.Segments[i-1].Last+1 < s.First {
			gaps = append(gaps, kafkaread.Span{Partition: m.Partition, From: m.Segments[i-1].Last + 1, To: s.First})
		}
	}
	return gaps
}

// readManifest returns the manifest of a partition, an empty one if there is none.
func readManifest(
	ctx context.Context, store blob.Store, topic, id string, partition int32,
) (*Manifest, error) {
	m := &Manifest{Format: format, Topic: topic, TopicID: id, Partition: partition}
	name := path.Join(m.folder(), ManifestName)
	content, at, err := store.Read(ctx, name, MaxManifestBytes)
	switch {
	case errors.Is(err, blob.ErrNotFound):
		return m, nil
	case err != nil:
		return nil, fmt.Errorf("archive: %w", err)
	}
	if err = json.Unmarshal(content, m); err == nil {
		err = m.check()
	}
	if err == nil && (m.Topic != topic || m.TopicID != id || m.Partition != partition) {
		err = fmt.Errorf("it is of %s/%s/%d", m.Topic, m.TopicID, m.Partition)
	}
	if err != nil {
		return nil, fmt.Errorf("archive: %s/%s: %w", store.URL(), name, err)
	}
	m.tag = at.Tag
	return m, nil
}

// save replaces the manifest that was read. It returns blob.ErrChanged if another process has done so.
func (m *Manifest) save(ctx context.Context, store blob.Store) error {
	content, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	condition := m.tag
	if condition == "" {
		condition = blob.Absent
	}
	// guard: archive: a manifest that another process has changed is not replaced | condition) -> blob.Always)
	tag, err := store.Put(ctx, path.Join(m.folder(), ManifestName), content, condition)
	if err != nil {
		return fmt.Errorf("archive: %w", err)
	}
	m.tag = tag
	return nil
}

// Archive is what storage has of one topic. Several goroutines may use it.
type Archive struct {
	store blob.Store
	topic string
	id    string
	parts map[int32]*Manifest
	kept  keptSegment
}

// TopicIDs returns the IDs under which storage has records of a topic, and all topics for "".
func TopicIDs(ctx context.Context, store blob.Store, topic string) (map[string][]string, error) {
	prefix := topic
	if topic != "" {
		prefix += "/"
	}
	files, err := store.List(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	ids := map[string][]string{}
	for _, f := range files {
		parts := strings.Split(f.Name, "/")
		if len(parts) == 4 && !slices.Contains(ids[parts[0]], parts[1]) {
			ids[parts[0]] = append(ids[parts[0]], parts[1])
		}
	}
	return ids, nil
}

// partitions returns the partitions of a topic that storage has, with all files of each.
func partitions(ctx context.Context, store blob.Store, topic, id string) (map[int32][]blob.Object, error) {
	below := path.Join(topic, id) + "/"
	files, err := store.List(ctx, below)
	if err != nil {
		return nil, fmt.Errorf("archive: %w", err)
	}
	found := map[int32][]blob.Object{}
	for _, f := range files {
		folder, name, ok := strings.Cut(strings.TrimPrefix(f.Name, below), "/")
		n, err := strconv.ParseInt(folder, 10, 32)
		if !ok || err != nil || n < 0 || strings.Contains(name, "/") {
			continue // of somebody else
		}
		f.Name = name
		found[int32(n)] = append(found[int32(n)], f)
	}
	return found, nil
}

// Open reads the manifests of a topic with this ID. An archive without any has no records.
func Open(ctx context.Context, store blob.Store, topic, id string) (*Archive, error) {
	a := &Archive{store: store, topic: topic, id: id, parts: map[int32]*Manifest{}}
	found, err := partitions(ctx, store, topic, id)
	if err != nil {
		return nil, err
	}
	ids := make([]int32, 0, len(found))
	for n := range found {
		ids = append(ids, n)
	}
	slices.Sort(ids)
	read := make([]*Manifest, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(storageAtOnce)
	for i, n := range ids {
		group.Go(func() (err error) {
			read[i], err = readManifest(ctx, store, topic, id, n)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for _, m := range read {
		a.parts[m.Partition] = m
	}
	return a, nil
}

// Manifests returns the manifests by partition, in order.
func (a *Archive) Manifests() []*Manifest {
	var all []*Manifest
	for _, m := range a.parts {
		all = append(all, m)
	}
	slices.SortFunc(all, func(x, y *Manifest) int { return int(x.Partition) - int(y.Partition) })
	return all
}

// Spans returns the ranges of a partition that the archive covers, by offset.
func (a *Archive) Spans(partition int32) (spans []kafkaread.Span) {
	m := a.parts[partition]
	if m == nil {
		return nil
	}
	for _, s := range m.Segments {
		if n := len(spans); n > 0 && spans[n-1].To == s.First {
			spans[n-1].To = s.Last + 1
			continue
		}
		spans = append(spans, kafkaread.Span{Partition: partition, From: s.First, To: s.Last + 1})
	}
	return spans
}

// tag returns the state of a partition's manifest, "" if there is none.
func (a *Archive) tag(partition int32) string {
	if m := a.parts[partition]; m != nil {
		return m.tag
	}
	return ""
}

// covered returns the first range at or behind an offset that the archive covers, below end; end and end if
// there is none.
func (a *Archive) covered(partition int32, offset, end int64) (from, to int64) {
	for _, s := range a.Spans(partition) {
		if s.To > offset && s.From < end {
			return max(s.From, offset), min(s.To, end)
		}
	}
	return end, end
}

// Since returns the first offset of a partition from which on a record may be of that time or later, below
// end; end if there is none.
func (a *Archive) Since(partition int32, since time.Time, end int64) int64 {
	if m := a.parts[partition]; m != nil {
		for _, s := range m.Segments {
			if s.Records > 0 && s.MaxTime >= since.UnixMilli() {
				return min(s.First, end)
			}
		}
	}
	return end
}
