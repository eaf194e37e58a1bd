package archive

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// Content is what an archive has of one partition.
type Content struct {
	Topic     string           `json:"topic"`
	TopicID   string           `json:"topic_id"`
	Partition int32            `json:"partition"`
	First     int64            `json:"first_offset"` // of the first segment
	Next      int64            `json:"next_offset"`
	Segments  int              `json:"segments"`
	Records   int64            `json:"records"`
	Bytes     int64            `json:"bytes"`
	RawBytes  int64            `json:"raw_bytes"`
	From      schemas.TimeMS   `json:"from"` // timestamps of the records; 0 without any
	To        schemas.TimeMS   `json:"to"`
	Gaps      []kafkaread.Span `json:"gaps,omitempty"`
	// Files are the segments, for those who ask for each.
	Files []Segment `json:"files,omitempty"`
	// Problems are what is wrong, of a verification.
	Problems []string `json:"problems,omitempty"`
	// Unlisted are files that no manifest lists, left over from a run that was killed.
	Unlisted []string `json:"unlisted,omitempty"`
}

func contentOf(m *Manifest) Content {
	c := Content{
		Topic: m.Topic, TopicID: m.TopicID, Partition: m.Partition, Next: m.Next, Segments: len(m.Segments),
		Gaps: m.Gaps(), First: m.Next,
	}
	for i, s := range m.Segments {
		if i == 0 {
			c.First = s.First
		}
		c.From, c.To = covering(s, c.From, c.To, c.Records == 0)
		c.Records += s.Records
		c.Bytes += s.Bytes
		c.RawBytes += s.RawBytes
	}
	return c
}

// covering returns the time range from from to to widened by the records of a segment. isEmpty says that the
// range has no record yet.
func covering(s Segment, from, to schemas.TimeMS, isEmpty bool) (_, _ schemas.TimeMS) {
	first, last := schemas.TimeMS(s.MinTime), schemas.TimeMS(s.MaxTime)
	switch {
	case s.Records == 0:
		return from, to
	case isEmpty:
		return first, last
	}
	return min(from, first), max(to, last)
}

// Selection says which part of an archive a command is about.
type Selection struct {
	Store   blob.Store
	Topic   string
	TopicID string // "": all
}

// each calls use with each manifest of the selection, and the other files beside it.
func (s Selection) each(ctx context.Context, use func(m *Manifest, files []blob.Object) error) error {
	ids, err := TopicIDs(ctx, s.Store, s.Topic)
	if err != nil {
		return err
	}
	found := ids[s.Topic]
	slices.Sort(found)
	isFound := false
	for _, id := range found {
		if s.TopicID != "" && s.TopicID != id {
			continue
		}
		a, err := Open(ctx, s.Store, s.Topic, id)
		if err != nil {
			return err
		}
		files, err := partitions(ctx, s.Store, s.Topic, id)
		if err != nil {
			return err
		}
		for _, m := range a.Manifests() {
			isFound = true
			if err := use(m, files[m.Partition]); err != nil {
				return err
			}
		}
	}
	if !isFound {
		return fmt.Errorf("archive: %s has no records of topic %s: run pitchstream archive, or look at the place "+
			"and the topic's name", s.Store.URL(), s.Topic)
	}
	return nil
}

// List returns what an archive has, by topic ID and partition.
func List(ctx context.Context, s Selection, withFiles bool) (all []Content, err error) {
	err = s.each(ctx, func(m *Manifest, files []blob.Object) error {
		c := contentOf(m)
		c.Unlisted = unlisted(m, files)
		if withFiles {
			c.Files = m.Segments
		}
		all = append(all, c)
		return nil
	})
	return all, err
}

// unlisted returns the segments that a manifest does not list.
func unlisted(m *Manifest, files []blob.Object) (names []string) {
	listed := map[string]bool{}
	for _, s := range m.Segments {
		listed[s.name()] = true
	}
	for _, f := range files {
		if _, ok := parseSegment(f.Name); ok && !listed[f.Name] {
			names = append(names, f.Name)
		}
	}
	return names
}

// Verify reads every segment, and returns what is wrong with each partition.
func Verify(ctx context.Context, s Selection, progress func(done, total int64)) (all []Content, err error) {
	total, done := int64(0), int64(0)
	listed, err := List(ctx, s, false)
	if err != nil {
		return nil, err
	}
	for _, c := range listed {
		total += c.Records
	}
	err = s.each(ctx, func(m *Manifest, files []blob.Object) error {
		c := contentOf(m)
		c.Unlisted = unlisted(m, files)
		for _, segment := range m.Segments {
			if err := verifyOne(ctx, s.Store, m, segment); errors.Is(err, context.Canceled) {
				return err
			} else if err != nil {
				c.Problems = append(c.Problems, err.Error())
			}
			done += segment.Records
			progress(done, total)
		}
		all = append(all, c)
		return nil
	})
	return all, err
}

func verifyOne(ctx context.Context, store blob.Store, m *Manifest, s Segment) error {
	content, err := fetch(ctx, store, m.folder(), s)
	if err != nil {
		return err
	}
	low, high, n := int64(0), int64(0), 0
	err = unpackChecked(store, m.folder(), content, s, whole(s), func(r schemas.Record) error {
		if r.Topic != m.Topic || r.Partition != m.Partition {
			const text = "archive: %s/%s: offset %d is of %s/%d"
			return fmt.Errorf(text, m.folder(), s.name(), r.Offset, r.Topic, r.Partition)
		}
		if n == 0 || r.TimestampMS < low {
			low = r.TimestampMS
		}
		if n == 0 || r.TimestampMS > high {
			high = r.TimestampMS
		}
		n++
		return nil
	})
	if err == nil && (low != s.MinTime || high != s.MaxTime) {
		err = fmt.Errorf("archive: %s/%s: its records are from %d to %d ms, and from %d to %d by its manifest",
			m.folder(), s.name(), low, high, s.MinTime, s.MaxTime)
	}
	return err
}

// Change is what Compact or Prune did to a partition.
type Change struct {
	Topic     string `json:"topic"`
	TopicID   string `json:"topic_id"`
	Partition int32  `json:"partition"`
	Before    int    `json:"segments_before"`
	After     int    `json:"segments_after"`
	Records   int64  `json:"records"` // in the segments that were merged or removed
	Bytes     int64  `json:"bytes"`   // of them
	Removed   int    `json:"files_removed"`
	// From and To are the timestamps of those records, and ArchivedFrom and ArchivedTo say when the archive
	// took their segments. 0: there are none.
	From         schemas.TimeMS `json:"from"`
	To           schemas.TimeMS `json:"to"`
	ArchivedFrom schemas.TimeMS `json:"archived_from"`
	ArchivedTo   schemas.TimeMS `json:"archived_to"`
}

// count adds a segment that is merged or removed, which the archive took at a time.
func (c *Change) count(s Segment, archivedMS int64) {
	at := schemas.TimeMS(archivedMS)
	if c.ArchivedFrom == 0 || at < c.ArchivedFrom {
		c.ArchivedFrom = at
	}
	c.ArchivedTo = max(c.ArchivedTo, at)
	c.From, c.To = covering(s, c.From, c.To, c.Records == 0)
	c.Records += s.Records
	c.Bytes += s.Bytes
}

// reread returns the manifest of a partition as it is now, and the files beside it. A change of one partition
// may take minutes, in which an archiver adds segments to the others.
func reread(ctx context.Context, store blob.Store, m *Manifest) (*Manifest, []blob.Object, error) {
	m, err := readManifest(ctx, store, m.Topic, m.TopicID, m.Partition)
	if err != nil {
		return nil, nil, err
	}
	files, err := store.List(ctx, m.folder()+"/")
	if err != nil {
		return nil, nil, fmt.Errorf("archive: %w", err)
	}
	for i := range files {
		files[i].Name = path.Base(files[i].Name)
	}
	return m, files, nil
}

// archivedMS returns when the archive took a segment. A manifest of an older build does not say so: then it
// is when the file was written.
func archivedMS(s Segment, files []blob.Object) int64 {
	if s.ArchivedMS != 0 {
		return s.ArchivedMS
	}
	for _, f := range files {
		if f.Name == s.name() {
			return f.Modified.UnixMilli()
		}
	}
	return time.Now().UnixMilli() // the file is missing, which Verify says
}

// leftAfter is the age from which on a file that no manifest lists was left by a run that was killed. A
// younger one may be of a compaction that is about to list it.
const leftAfter = time.Hour

// Compact merges segments in a row that are smaller than half of segmentBytes, and removes files of an hour
// ago that no manifest lists. A reader that holds the old manifest reads it again.
func Compact(ctx context.Context, s Selection, segmentBytes int64, isDry bool) (all []Change, err error) {
	err = s.each(ctx, func(listed *Manifest, before []blob.Object) error {
		// guard: archive: compact reads the manifest of a partition when its turn comes | instead m, files, err := listed, before, error(nil)
		m, files, err := reread(ctx, s.Store, listed)
		if err != nil {
			return err
		}
		runs := runsOf(m.Segments, segmentBytes)
		change := Change{
			Topic: m.Topic, TopicID: m.TopicID, Partition: m.Partition, Before: len(m.Segments), After: len(runs),
		}
		gone := map[string]bool{}
		// A file behind the end is of an archiver that is about to list it.
		for _, name := range unlisted(m, files) {
			old, _ := parseSegment(name)
			at := slices.IndexFunc(files, func(f blob.Object) bool { return f.Name == name })
			isOld := time.Since(files[at].Modified) > leftAfter
			// guard: archive: a file of another compaction stays | isOld && -> isOld != !isOld &&
			if isOld && old.First < m.Next {
				gone[name] = true
			}
		}
		for _, run := range runs {
			if len(run) == 1 {
				continue
			}
			for _, old := range run {
				change.count(old, archivedMS(old, files))
				gone[old.name()] = true
			}
			if !isDry {
				if m, err = replaceRun(ctx, s.Store, m, run, files); err != nil {
					return err
				}
			}
		}
		change.Removed = len(gone)
		if !isDry {
			// guard: archive: what was merged is removed | removeAll(ctx, s.Store, m, gone) -> error(nil)
			if err := removeAll(ctx, s.Store, m, gone); err != nil {
				return err
			}
		}
		all = append(all, change)
		return nil
	})
	return all, err
}

// replaceRun merges segments in a row, and lists the merged one in their place. An archiver may add segments
// in the meantime. It returns the manifest that was saved.
func replaceRun(
	ctx context.Context, store blob.Store, m *Manifest, run []Segment, files []blob.Object,
) (*Manifest, error) {
	merged, err := merge(ctx, store, m, run, files)
	if err != nil {
		return nil, err
	}
	for again := 0; ; again++ {
		at := slices.Index(m.Segments, run[0])
		if at < 0 || len(m.Segments) < at+len(run) || !slices.Equal(m.Segments[at:at+len(run)], run) {
			return nil, fmt.Errorf("archive: %s: another process has merged or removed the segments from offset %d "+
				"to %d: run the command again", m.folder(), merged.First, merged.Last)
		}
		m.Segments = slices.Replace(m.Segments, at, at+len(run), merged)
		err := m.save(ctx, store)
		// guard: archive: compact goes on beside an archiver | !errors.Is(err, blob.ErrChanged) -> true
		if !errors.Is(err, blob.ErrChanged) || again == maxSaves {
			return m, err
		}
		if m, err = readManifest(ctx, store, m.Topic, m.TopicID, m.Partition); err != nil {
			return nil, err
		}
	}
}

// maxSaves bounds how often in a row a manifest is read again because another process has changed it.
const maxSaves = 10

// runsOf returns segments in groups to be merged, in order.
func runsOf(segments []Segment, segmentBytes int64) (runs [][]Segment) {
	size := int64(0)
	for _, s := range segments {
		if n := len(runs); n > 0 {
			last := runs[n-1]
			follows := last[len(last)-1].Last+1 == s.First
			isSmall := s.RawBytes < segmentBytes/2 && last[len(last)-1].RawBytes < segmentBytes/2
			if follows && isSmall && size+s.RawBytes <= segmentBytes {
				runs[n-1] = append(last, s)
				size += s.RawBytes
				continue
			}
		}
		runs = append(runs, []Segment{s})
		size = s.RawBytes
	}
	return runs
}

// merge writes the records of segments in a row as one.
func merge(
	ctx context.Context, store blob.Store, m *Manifest, run []Segment, files []blob.Object,
) (Segment, error) {
	b := newBuilder(run[0].First)
	taken := int64(0)
	for _, old := range run {
		content, err := fetch(ctx, store, m.folder(), old)
		if err != nil {
			return Segment{}, err
		}
		add := func(r schemas.Record) error { return b.add(&r) }
		err = unpackChecked(store, m.folder(), content, old, whole(old), add)
		if err != nil {
			return Segment{}, err
		}
		b.cover(old.Last)
		taken = max(taken, archivedMS(old, files))
	}
	s, content, err := b.finish()
	if err != nil {
		return Segment{}, err
	}
	// guard: archive: merging makes no segment younger
	s.ArchivedMS = taken
	if _, err := store.Put(ctx, path.Join(m.folder(), s.name()), content, blob.Always); err != nil {
		return Segment{}, fmt.Errorf("archive: %w", err)
	}
	return s, nil
}

func removeAll(ctx context.Context, store blob.Store, m *Manifest, names map[string]bool) error {
	for name := range names {
		if err := store.Delete(ctx, path.Join(m.folder(), name)); err != nil {
			return fmt.Errorf("archive: %w", err)
		}
	}
	return nil
}

// Prune removes the segments at the beginning of each partition that the archive took before a time, and
// whose records are all older. The time of a record alone says nothing: a season that is loaded may have any.
func Prune(ctx context.Context, s Selection, before time.Time, isDry bool) (all []Change, err error) {
	err = s.each(ctx, func(m *Manifest, _ []blob.Object) error {
		m, files, err := reread(ctx, s.Store, m)
		if err != nil {
			return err
		}
		change := Change{Topic: m.Topic, TopicID: m.TopicID, Partition: m.Partition, Before: len(m.Segments)}
		gone := map[string]bool{}
		for _, segment := range m.Segments {
			taken := archivedMS(segment, files)
			limit := before.UnixMilli()
			// guard: archive: prune keeps what came lately | taken >= limit || ->
			if taken >= limit || segment.MaxTime >= limit {
				break // what follows stays as well, so that the archive has no hole
			}
			gone[segment.name()] = true
			change.count(segment, taken)
		}
		change.After, change.Removed = len(m.Segments)-len(gone), len(gone)
		all = append(all, change)
		if isDry || len(gone) == 0 {
			return nil
		}
		m.Segments = m.Segments[len(gone):]
		if err := m.save(ctx, s.Store); err != nil {
			return err
		}
		return removeAll(ctx, s.Store, m, gone)
	})
	return all, err
}

// ParseBefore reads the time of a prune: a time, or a date.
func ParseBefore(text string) (time.Time, error) {
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return at, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, fmt.Errorf("%s: want a time as 2021-01-01T00:00:00Z, or a date as 2021-01-01", text)
	}
	return at, nil
}
