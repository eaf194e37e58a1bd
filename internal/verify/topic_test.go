package verify

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// registers is a store that holds the registers in memory.
type registers struct {
	positions []schemas.Position
	byPitch   map[schemas.PitchID]schemas.StoredRegisters
}

func (r *registers) AppliedPositions(context.Context) ([]schemas.Position, error) {
	return r.positions, nil
}

func (r *registers) Registers(
	_ context.Context, after schemas.PitchID, limit int,
) (page []schemas.StoredRegisters, err error) {
	for _, id := range r.ids() {
		if bytes.Compare(id[:], after[:]) > 0 && len(page) < limit {
			page = append(page, r.byPitch[id])
		}
	}
	return page, nil
}

func (r *registers) RegistersOf(
	_ context.Context, ids []schemas.PitchID,
) (page []schemas.StoredRegisters, err error) {
	for _, id := range ids {
		if is, ok := r.byPitch[id]; ok {
			page = append(page, is)
		}
	}
	return page, nil
}

func (r *registers) ids() (ids []schemas.PitchID) {
	for id := range r.byPitch {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b schemas.PitchID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// apply writes a batch as Postgres does: the greatest version of each register wins.
func (r *registers) apply(_ context.Context, b schemas.Batch) (rows int, err error) {
	for _, p := range b.Pitches {
		is := r.byPitch[p.PitchID]
		is.PitchID, is.CoreVersion = p.PitchID, features.CoreVersion
		for _, c := range p.Measured {
			if is.Measured == nil || c.Version.Compare(is.Measured.Version) >= 0 {
				is.Measured = &c
			}
		}
		for _, c := range p.Identified {
			if is.Identified == nil || c.Version.Compare(is.Identified.Version) >= 0 {
				is.Identified = &c
			}
		}
		r.byPitch[p.PitchID] = is
	}
	return len(b.Pitches), nil
}

// played returns a topic with a simulated game in it, and the store of a processor that has read it all.
func played(t *testing.T) (Kafka, *registers) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "raw", "dead"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	kafka := Kafka{Client: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Raw: "raw", Dead: "dead", Group: "g"}
	client, err := kgo.NewClient(kafka.Client...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	s, err := simulate.New(simulate.Options{Seed: 1, Pitches: 60})
	require.NoError(t, err)
	store := &registers{byPitch: map[schemas.PitchID]schemas.StoredRegisters{}}
	var changes []schemas.Change
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		r := &kgo.Record{Topic: "raw", Key: m.Key, Value: m.Value, Headers: kafkaread.Headers(m.Headers)}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
		c, rejection := features.Transform(kafkaread.Record(r), features.Limits{})
		require.Nil(t, rejection)
		changes = append(changes, c)
		store.positions = []schemas.Position{{Topic: "raw", NextOffset: r.Offset + 1}}
	}
	_, err = store.apply(t.Context(), schemas.Batch{Pitches: reduce(changes)})
	require.NoError(t, err)
	return kafka, store
}

func compare(t *testing.T, kafka Kafka, store *registers, repair bool) TopicReport {
	t.Helper()
	c := newComparison(store, kafka)
	if repair {
		c.repair = store.apply
	}
	require.NoError(t, c.run(t.Context()))
	return c.report
}

func kindsOf(r TopicReport) map[schemas.PitchID]string {
	kinds := map[schemas.PitchID]string{}
	for _, d := range r.Differences {
		kinds[*d.PitchID] = d.Kind
	}
	return kinds
}

func TestAStoreThatHoldsTheTopicDoesNotDiffer(t *testing.T) {
	kafka, store := played(t)
	r := compare(t, kafka, store, false)
	require.Empty(t, r.Differences)
	require.Positive(t, r.Topic)
	require.Equal(t, r.Topic, r.Postgres)
	require.Zero(t, r.Moving+r.NotCheckable)
}

// A topic that was deleted and created again holds nothing that was processed. Its records are not missing
// in the store, and no stored pitch is about to arrive in it.
//
// guard: verify: a topic that was created anew is not taken for the former one
func TestATopicThatWasCreatedAnewIsHeld(t *testing.T) {
	kafka, store := played(t)
	stored := int64(len(store.byPitch))
	client, err := kgo.NewClient(kafka.Client...)
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	id := func() string {
		topics, err := admin.ListTopics(t.Context(), "raw")
		require.NoError(t, err)
		is := topics["raw"].ID
		return base64.RawURLEncoding.EncodeToString(is[:])
	}
	store.positions[0].TopicID = id()
	require.Empty(t, compare(t, kafka, store, false).Held)
	_, err = admin.DeleteTopics(t.Context(), "raw")
	require.NoError(t, err)
	_, err = admin.CreateTopic(t.Context(), 1, 1, nil, "raw")
	require.NoError(t, err)
	again, err := kgo.NewClient(kafka.Client...) // that does not know the former topic
	require.NoError(t, err)
	defer again.Close()
	record := &kgo.Record{Topic: "raw", Value: []byte("{}")}
	require.NoError(t, again.ProduceSync(t.Context(), record).FirstErr())
	r := compare(t, kafka, store, false)
	require.Equal(t, []string{"raw/0: the topic was created anew, and no processor has accepted that"}, r.Held)
	require.Equal(t, []int64{1, 0, 0, stored}, []int64{r.Behind, r.Records, r.Moving, r.NotCheckable})
	require.Empty(t, r.Differences)
	var out bytes.Buffer
	require.NoError(t, Print(&out, Report{Topic: &r}, PrintOptions{}))
	require.Contains(t, out.String(), "no difference in what can be compared; 1 partition is held by a gap")
}

// Retention may delete records before they are read: no position has that gap. One of a log that was cut back
// is in the position, and stays there while a person has accepted it and no batch was read.
//
// guard: verify: a partition whose next records are deleted is held
func TestAPartitionWithAGapIsHeld(t *testing.T) {
	kafka, store := played(t)
	next := store.positions[0].NextOffset
	for gap, want := range map[string]string{
		"the topic has become shorter": "raw/0: the topic has become shorter (held, or accepted and not read yet)",
		"":                             "",
	} {
		store.positions[0].Gap = gap
		r := compare(t, kafka, store, false)
		require.Equal(t, want, strings.Join(r.Held, "; "))
		require.Zero(t, r.Behind)
	}
	client, err := kgo.NewClient(kafka.Client...)
	require.NoError(t, err)
	defer client.Close()
	before := kadm.Offsets{}
	before.Add(kadm.Offset{Topic: "raw", At: next - 2})
	_, err = kadm.NewClient(client).DeleteRecords(t.Context(), before)
	require.NoError(t, err)
	require.Empty(t, compare(t, kafka, store, false).Held, "all that was deleted was read")
	store.positions[0].NextOffset = next - 5
	r := compare(t, kafka, store, false)
	want := fmt.Sprintf("raw/0: the next record to apply is offset %d, but the topic begins at %d", next-5, next-2)
	require.Equal(t, []string{want}, r.Held)
	require.EqualValues(t, 2, r.Behind)
	store.positions[0].NextOffset, store.positions[0].Gap = next-2, "the next record to apply is offset 1"
	require.Equal(t, []string{"raw/0: the next record to apply is offset 1 (held, or accepted and not read yet)"},
		compare(t, kafka, store, false).Held)
}

// Retention has deleted records before a processor read them. The archive has them, which no processor reads.
//
// guard: verify: records that only the archive has are not behind
func TestAGapThatTheArchiveCoversIsHeld(t *testing.T) {
	kafka, store := played(t)
	next := store.positions[0].NextOffset
	kafka.Archive = t.TempDir()
	folder, err := blob.Open(kafka.Archive)
	require.NoError(t, err)
	_, err = archive.Run(t.Context(), archive.Options{
		Client: kafka.Client, Topic: "raw", Store: folder, SegmentBytes: 64 << 10, Once: true,
		Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	client, err := kgo.NewClient(kafka.Client...)
	require.NoError(t, err)
	defer client.Close()
	before := kadm.Offsets{}
	before.Add(kadm.Offset{Topic: "raw", At: next - 2})
	_, err = kadm.NewClient(client).DeleteRecords(t.Context(), before)
	require.NoError(t, err)
	require.Empty(t, compare(t, kafka, store, false).Held)
	store.positions[0].NextOffset = next - 5
	r := compare(t, kafka, store, false)
	require.EqualValues(t, next-5, r.Records, "those below the position are compared with the archive")
	require.EqualValues(t, 2, r.Behind)
	require.Equal(t, []string{fmt.Sprintf("raw/0: the next record to apply is offset %d, but the topic begins at %d; "+
		"a replay from the archive reads what it has of the records between", next-5, next-2)}, r.Held)
}

// Each kind of difference is found, and a repair leaves those that the topic cannot decide. It counts the
// rows that their topic does not get.
//
// guard: verify: rows that a repair does not send are counted
func TestBrokenRegistersAreFoundAndRepairedFromTheTopic(t *testing.T) {
	kafka, store := played(t)
	ids := store.ids()
	change := func(id schemas.PitchID, f func(*schemas.Change)) {
		is := store.byPitch[id]
		c := *is.Measured
		f(&c)
		is.Measured = &c
		store.byPitch[id] = is
	}
	delete(store.byPitch, ids[0])
	change(ids[1], func(c *schemas.Change) { c.Version.TimestampMS-- })
	change(ids[2], func(c *schemas.Change) { c.Version.Revision += 10 })
	change(ids[3], func(c *schemas.Change) { c.EventTime++ })
	extra := store.byPitch[ids[4]]
	extra.PitchID = schemas.PitchID{1}
	store.byPitch[extra.PitchID] = extra

	want := map[schemas.PitchID]string{
		ids[0]: schemas.DiffersMissing, ids[1]: schemas.DiffersOlder, ids[2]: schemas.DiffersNewer,
		ids[3]: schemas.DiffersContent, extra.PitchID: schemas.DiffersExtra,
	}
	require.Equal(t, want, kindsOf(compare(t, kafka, store, false)))
	repaired := compare(t, kafka, store, true)
	require.Equal(t, int64(3), repaired.RowsNotSent)
	require.Positive(t, repaired.RowsNotSentSince)
	for _, d := range repaired.Differences {
		topicDecides := d.Kind != schemas.DiffersNewer && d.Kind != schemas.DiffersExtra
		require.Equal(t, topicDecides, d.Repaired, "%+v", d)
	}
	left := map[schemas.PitchID]string{ids[2]: schemas.DiffersNewer, extra.PitchID: schemas.DiffersExtra}
	require.Equal(t, left, kindsOf(compare(t, kafka, store, false)))
}

// A version beyond the stored positions is on its way. One before the first record cannot be checked, nor one
// that may be of a former topic.
// guard: verify: a version of a former topic is no difference
func TestVersionsOutsideOfWhatWasReadAreNoDifference(t *testing.T) {
	kafka, store := played(t)
	store.positions[0].NextOffset -= 10
	r := compare(t, kafka, store, false)
	require.Empty(t, r.Differences)
	require.Positive(t, r.Moving)

	j := judge{raw: "raw", spans: kafkaread.Spans{0: {From: 5, To: 9}}, pitches: newResolved()}
	at := func(offset int64) *schemas.Change {
		return &schemas.Change{Origin: schemas.Coordinates{Topic: "raw"}, Version: schemas.Version{Offset: offset}}
	}
	for offset, want := range map[int64]string{4: notCheckable, 5: schemas.DiffersExtra, 9: moving} {
		require.Equal(t, want, j.verdictOf(schemas.StoredRegisters{Measured: at(offset)}).measured, offset)
	}
	j.former = map[int32]int64{0: 8}
	for offset, want := range map[int64]string{7: notCheckable, 8: schemas.DiffersExtra} {
		require.Equal(t, want, j.verdictOf(schemas.StoredRegisters{Measured: at(offset)}).measured, offset)
	}
}

// guard: verify: a dead letter of a former topic is no difference
func TestDeadLettersAreComparedOneByOne(t *testing.T) {
	spans := kafkaread.Spans{0: {To: 10}}
	l := deadLetters{kafka: Kafka{Raw: "raw"}, about: map[place]deadLetter{
		{0, 1}: {times: 1, ours: true}, {0, 2}: {times: 2, ours: true}, {0, 3}: {times: 1, ours: true},
		{0, 4}: {times: 1, refused: true}, {0, 5}: {times: 1}, {0, 11}: {times: 1, ours: true},
	}}
	rejected := map[place]bool{{0, 1}: true, {0, 2}: true, {0, 6}: true, {0, 12}: true}
	r, found := l.judge(rejected, spans)
	require.Equal(t, DeadLetters{Rejected: 3, Found: 5, SinkRejected: 1, OtherBuild: 1}, r)
	kinds := map[string]string{}
	for _, d := range found {
		kinds[d.Key] = d.Kind
	}
	require.Equal(t, map[string]string{
		"letter of raw/0 offset 2": schemas.DiffersExtra, "letter of raw/0 offset 3": schemas.DiffersExtra,
		"letter of raw/0 offset 6": schemas.DiffersMissing,
	}, kinds)
	l.deleted = true
	r, found = l.judge(rejected, spans)
	require.EqualValues(t, 1, r.NotCheckable)
	require.Len(t, found, 2)
	l.former = map[int32]int64{0: 3}
	r, found = l.judge(rejected, spans)
	require.EqualValues(t, 2, r.FormerTopic)
	require.Len(t, found, 1, "that of offset 3")
}

// fedRegisters is a store into whose topic records come while its positions are read.
type fedRegisters struct {
	*registers
	onRead func()
}

func (r *fedRegisters) AppliedPositions(ctx context.Context) ([]schemas.Position, error) {
	r.onRead()
	return r.registers.AppliedPositions(ctx)
}

// A wait is for the records that the topic has when it begins: a live feed goes on.
// guard: verify: what a live feed sends meanwhile is not waited for
func TestAWaitEndsWhileALiveFeedGoesOn(t *testing.T) {
	kafka, store := played(t)
	end := store.positions[0].NextOffset
	client, err := kgo.NewClient(append(kafka.Client, kgo.DefaultProduceTopic("raw"))...)
	require.NoError(t, err)
	defer client.Close()
	reads := 0
	fed := &fedRegisters{registers: store, onRead: func() {
		reads++
		store.positions[0].NextOffset = end - 1
		if reads > 1 {
			store.positions[0].NextOffset = end
		}
		if reads > 5 {
			store.positions[0].NextOffset = end + int64(reads) // the test fails soon
		}
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Value: []byte("{")}).FirstErr())
	}}
	kafka.Wait = time.Minute
	c := newComparison(fed, kafka)
	require.NoError(t, c.run(t.Context()))
	require.Zero(t, c.report.Late)
	require.Less(t, reads, 5)
}

// guard: verify: records behind a gap are not waited for
func TestRecordsThatAreNotProcessedInTimeAreLate(t *testing.T) {
	kafka, store := played(t)
	kafka.Wait = time.Nanosecond
	require.Zero(t, compare(t, kafka, store, false).Late)
	store.positions[0].NextOffset -= 5
	require.EqualValues(t, 5, compare(t, kafka, store, false).Late)
	store.positions[0].Gap = "lost"
	r := compare(t, kafka, store, false)
	require.NotEmpty(t, r.Held)
	require.EqualValues(t, 5, r.Behind)
	require.Zero(t, r.Late)
}
