package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestARecordComesBackByteForByte(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	produce(t, cluster, 0, odd()...)
	store := folderStore(t)
	archiveOnce(t, cluster, store, 64<<10)
	want, got := testkit.RawRecords(t, cluster), archived(t, cluster, store)
	require.Len(t, got[0], len(odd()))
	for i, r := range got[0] {
		require.Equal(t, kafkaread.Record(want[0][i]), r, "record %d", i)
	}
}

// The batch is not unpacked whole, as it is too large for that.
// guard: archive: long keys and headers are archived whole
func TestLongKeysOfALargeBatchComeBackByteForByte(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ProducerBatchMaxBytes(64<<20),
		kgo.ProducerBatchCompression(kgo.ZstdCompression()))
	require.NoError(t, err)
	defer client.Close()
	r := &kgo.Record{
		Topic: "pitches.raw", Key: bytes.Repeat([]byte("key"), 10_000), Value: bytes.Repeat([]byte(" "), 33<<20),
	}
	for i := range 20 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: fmt.Sprint(i), Value: bytes.Repeat([]byte("h"), 20_000)})
	}
	require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	store := folderStore(t)
	archiveOnce(t, cluster, store, 64<<10)
	got := archived(t, cluster, store)[r.Partition]
	require.Len(t, got, 1)
	require.Nil(t, got[0].Cut)
	require.Equal(t, r.Key, got[0].Key)
	require.Equal(t, r.Headers, kafkaread.Headers(got[0].Headers))
}

// The escapes of names make a line six times as long as its headers.
// guard: archive: a line that is written can be read
func TestALineThatIsWrittenIsWithinTheBoundOfItsReaders(t *testing.T) {
	revision := schemas.Header{Key: "revision", Value: []byte("2")}
	r := schemas.Record{Value: []byte("{}"), Key: []byte("1")}
	long := strings.Repeat("\x01", 1<<20)
	for range 20 {
		r.Headers = append(r.Headers, schemas.Header{Key: long})
	}
	r.Headers = append(r.Headers, revision)
	b := newBuilder(0)
	require.NoError(t, b.add(&r))
	s, content, err := b.finish()
	require.NoError(t, err)
	var got schemas.Record
	_, err = unpack(content, s, whole(s), maxRawBytes, func(r schemas.Record) error { got = r; return nil })
	require.NoError(t, err)
	require.Equal(t, "{}", string(got.Value))
	require.Equal(t, revision, got.Headers[len(got.Headers)-1])
	require.EqualValues(t, 20, got.Cut.Headers)
}

func TestWhatNoLineHoldsIsCut(t *testing.T) {
	long := make([]byte, maxLineBytes*3/4)
	for name, r := range map[string]schemas.Record{
		"value": {Value: long, Key: []byte("1")},
		"key":   {Key: long, Value: []byte("1")},
		"both":  {Key: long, Value: long},
	} {
		t.Run(name, func(t *testing.T) {
			key, value := len(r.Key), len(r.Value)
			fit(&r)
			require.LessOrEqual(t, mostBytes(&r), maxLineBytes)
			require.EqualValues(t, value, r.Cut.Bytes)
			require.Equal(t, len(r.Key) < key, r.Cut.KeyBytes == int64(key))
			require.NotEmpty(t, r.Value)
			require.NotEmpty(t, r.Key)
		})
	}
	r := schemas.Record{Value: long[:maxValueBytes], Headers: make([]schemas.Header, 100_000)}
	for i := range r.Headers {
		r.Headers[i].Key = strings.Repeat("\x01", 30)
	}
	fit(&r)
	require.LessOrEqual(t, mostBytes(&r), maxLineBytes)
	require.Len(t, r.Value, maxValueBytes, "the headers are cut first")
	require.EqualValues(t, 100_000, int64(len(r.Headers))+r.Cut.Headers)
	for i, r := range odd() {
		rec := kafkaread.Record(r)
		fit(&rec)
		require.Nil(t, rec.Cut)
		text, err := json.Marshal(lineOf(&rec))
		require.NoError(t, err)
		require.LessOrEqual(t, len(text), mostBytes(&rec), "record %d", i)
	}
}

// odd returns records whose parts are of every kind that Kafka allows.
func odd() []*kgo.Record {
	binary := []byte{0, 1, 0xff, '"', '\\', 0xe2, 0x80, 0xa8}
	all := [][]byte{nil, {}, []byte("745804"), []byte(`{"a":"ü\u0000","b":[1,2]}`), binary, []byte("\xed\xa0\x80"),
		[]byte("<&>\u2028\ufffd"), bytes.Repeat([]byte{0}, 10_000)}
	var records []*kgo.Record
	for i, key := range all {
		for j, value := range all {
			r := &kgo.Record{Key: key, Value: value, Timestamp: time.UnixMilli(int64(1_700_000_000_000 + i*1000 + j))}
			for k := range i {
				r.Headers = append(r.Headers, kgo.RecordHeader{Key: fmt.Sprint("h", k%3, "ü"), Value: all[(k+j)%len(all)]})
			}
			records = append(records, r)
		}
	}
	return records
}

func TestAKilledArchiverArchivesEachRecordOnce(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	dir := t.TempDir()
	store, err := blob.Open(dir)
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 25 {
		for p := range int32(3) {
			produce(t, cluster, p, some(random, 40)...)
		}
		dying := &dyingStore{Store: store, left: random.IntN(12), afterwards: random.IntN(2) == 0}
		o := optionsOf(cluster, dying, 64<<10)
		_, err := Run(t.Context(), o)
		if err != nil {
			require.ErrorIs(t, err, errKilled, "round %d", round)
		}
	}
	archiveOnce(t, cluster, store, 64<<10)
	want, got := testkit.RawRecords(t, cluster), archived(t, cluster, store)
	for p := range int32(3) {
		require.Len(t, got[p], len(want[p]))
		for i := range got[p] {
			require.Equal(t, kafkaread.Record(want[p][i]), got[p][i])
		}
	}
	found, err := Verify(t.Context(), selection(store), func(int64, int64) {})
	require.NoError(t, err)
	for _, c := range found {
		require.Empty(t, c.Problems)
		require.Empty(t, c.Gaps)
	}
}

// guard: archive: a manifest that another process has changed is not replaced
func TestAManifestIsReplacedByOneProcess(t *testing.T) {
	store := folderStore(t)
	var read [2]*Manifest
	for i := range read {
		var err error
		read[i], err = readManifest(t.Context(), store, "raw", "id", 0)
		require.NoError(t, err)
		read[i].Next = int64(i)
	}
	require.NoError(t, read[0].save(t.Context(), store))
	require.ErrorIs(t, read[1].save(t.Context(), store), blob.ErrChanged)
	read[0].Next = 7
	require.NoError(t, read[0].save(t.Context(), store))
	m, err := readManifest(t.Context(), store, "raw", "id", 0)
	require.NoError(t, err)
	require.EqualValues(t, 7, m.Next)
}

func TestOfTwoArchiversAtOnePlaceNoneWritesARecordTwice(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	store := folderStore(t)
	random := rand.New(rand.NewPCG(3, 4))
	for p := range int32(3) {
		produce(t, cluster, p, some(random, 500)...)
	}
	ended := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := Run(t.Context(), optionsOf(cluster, store, 64<<10))
			ended <- err
		}()
	}
	require.NoError(t, errors.Join(<-ended, <-ended))
	want, got := testkit.RawRecords(t, cluster), archived(t, cluster, store)
	for p := range int32(3) {
		require.Len(t, got[p], len(want[p]))
	}
}

// guard: archive: what was merged is removed
func TestCompactKeepsEveryRecordAndPruneTheNewest(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	store := folderStore(t)
	random := rand.New(rand.NewPCG(5, 6))
	for day := range 10 {
		records := some(random, 30)
		for _, r := range records {
			r.Timestamp = time.Date(2024, 4, 1+day, 12, 0, 0, 0, time.UTC)
		}
		produce(t, cluster, 0, records...)
		archiveOnce(t, cluster, store, 64<<10)
	}
	before := archived(t, cluster, store)
	changes, err := Compact(t.Context(), selection(store), 32<<20, true)
	require.NoError(t, err)
	require.Greater(t, changes[0].Before, changes[0].After)
	require.Equal(t, before, archived(t, cluster, store), "a dry run changes nothing")
	_, err = Compact(t.Context(), selection(store), 32<<20, false)
	require.NoError(t, err)
	require.Equal(t, before, archived(t, cluster, store))
	all, err := List(t.Context(), selection(store), true)
	require.NoError(t, err)
	require.Equal(t, 1, all[0].Segments)
	require.Empty(t, all[0].Unlisted)

	produce(t, cluster, 0, some(random, 5)...)
	archiveOnce(t, cluster, store, 64<<10)
	// The archive took the days when they were played.
	m := manifests(t, cluster, store)[0]
	m.Segments[0].ArchivedMS = time.Date(2024, 4, 10, 13, 0, 0, 0, time.UTC).UnixMilli()
	require.NoError(t, m.save(t.Context(), store))
	_, err = Prune(t.Context(), selection(store), time.Date(2024, 4, 11, 0, 0, 0, 0, time.UTC), false)
	require.NoError(t, err)
	require.Len(t, archived(t, cluster, store)[0], 5)
	archiveOnce(t, cluster, store, 64<<10)
	require.Len(t, archived(t, cluster, store)[0], 5, "what was pruned is not archived again")
}

// guard: archive: prune keeps what came lately
// guard: archive: merging makes no segment younger
func TestPruneKeepsASeasonThatWasLoadedLatelyWithAnOldTimestamp(t *testing.T) {
	cluster, store := testkit.FakeKafka(t), folderStore(t)
	random := rand.New(rand.NewPCG(15, 6))
	load := func() {
		records := some(random, 5)
		for _, r := range records {
			r.Timestamp = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		}
		produce(t, cluster, 0, records...)
		archiveOnce(t, cluster, store, 64<<10)
	}
	load()
	load()
	long, old := time.Now().AddDate(-3, 0, 0), time.Now().AddDate(-1, 0, 0)
	change, err := Prune(t.Context(), selection(store), old, true)
	require.NoError(t, err)
	require.Zero(t, change[0].Removed)

	// An older build wrote the first: its file says when it came.
	m := manifests(t, cluster, store)[0]
	m.Segments[0].ArchivedMS, m.Segments[1].ArchivedMS = 0, long.UnixMilli()
	require.NoError(t, m.save(t.Context(), store))
	dir, _ := blob.LocalPath(store.URL())
	first := filepath.Join(dir, m.folder(), m.Segments[0].name())
	require.NoError(t, os.Chtimes(first, time.Time{}, long.AddDate(0, -1, 0)))
	_, err = Compact(t.Context(), selection(store), 32<<20, false)
	require.NoError(t, err)
	m = manifests(t, cluster, store)[0]
	require.Len(t, m.Segments, 1)
	require.Equal(t, long.UnixMilli(), m.Segments[0].ArchivedMS)
	load()
	change, err = Prune(t.Context(), selection(store), old, true)
	require.NoError(t, err)
	require.Equal(t, 1, change[0].Removed)
	require.EqualValues(t, 10, change[0].Records)
	require.Equal(t, long.UnixMilli(), int64(change[0].ArchivedTo))
	require.Equal(t, 2000, change[0].To.Time().UTC().Year())
	require.Len(t, archived(t, cluster, store)[0], 15, "a dry run removes nothing")
	_, err = Prune(t.Context(), selection(store), old, false)
	require.NoError(t, err)
	require.Len(t, archived(t, cluster, store)[0], 5)
}

// guard: archive: records that were gone before they were archived are named
func TestRecordsThatWereGoneAreNamed(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	store := folderStore(t)
	random := rand.New(rand.NewPCG(7, 8))
	produce(t, cluster, 0, some(random, 20)...)
	archiveOnce(t, cluster, store, 64<<10)
	produce(t, cluster, 0, some(random, 20)...)
	deleteBelow(t, cluster, 0, 30)
	r, err := Run(t.Context(), optionsOf(cluster, store, 64<<10))
	require.NoError(t, err)
	gap := []kafkaread.Span{{Partition: 0, From: 20, To: 30}}
	require.Equal(t, gap, r.Gaps)
	all, err := List(t.Context(), selection(store), false)
	require.NoError(t, err)
	require.Equal(t, gap, all[0].Gaps)
}

// guard: archive: a segment with another hash is not read
// guard: archive: a segment unpacks to no more than it says
// guard: archive: a line is bounded
func TestAHostileSegmentIsAnErrorThatNamesIt(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(9, 9)), 50)...)
	pack := func(content []byte) []byte {
		zip, err := zstd.NewWriter(nil)
		require.NoError(t, err)
		return zip.EncodeAll(content, nil)
	}
	for name, c := range map[string]struct {
		harm func(s *Segment, content []byte) []byte
		want string
	}{
		"a bit": {func(_ *Segment, b []byte) []byte { b[len(b)/2] ^= 1; return b }, "SHA-256"},
		"cut":   {func(_ *Segment, b []byte) []byte { return b[:len(b)-9] }, "by its manifest"},
		"cut, with its hash": {func(s *Segment, b []byte) []byte {
			*s, b = rehash(*s, b[:len(b)-9]), b[:len(b)-9]
			return b
		}, "EOF"},
		"a bomb": {func(s *Segment, _ []byte) []byte {
			b := pack(bytes.Repeat([]byte("x"), 200<<20))
			*s = rehash(*s, b)
			return b
		}, "it unpacks to more than"},
		"a bomb that the manifest allows": {func(s *Segment, _ []byte) []byte {
			b := pack(bytes.Repeat([]byte("x"), 200<<20))
			*s = rehash(*s, b)
			s.RawBytes = maxRawBytes
			return b
		}, "a line has more than"},
		"offsets twice": {func(s *Segment, b []byte) []byte {
			lines := strings.SplitAfter(string(unpacked(t, b)), "\n")
			b = pack([]byte(lines[0] + lines[0]))
			*s = rehash(*s, b)
			return b
		}, "has offset 0: want one from 1"},
		"fewer records": {func(s *Segment, b []byte) []byte {
			lines := strings.SplitAfter(string(unpacked(t, b)), "\n")
			b = pack([]byte(lines[0]))
			*s = rehash(*s, b)
			return b
		}, "1 records, and 50"},
	} {
		t.Run(name, func(t *testing.T) {
			store := folderStore(t)
			archiveOnce(t, cluster, store, 32<<20)
			m := manifests(t, cluster, store)[0]
			path := filepath.Join(store.URL(), m.folder(), m.Segments[0].name())
			content, err := os.ReadFile(path)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(path, c.harm(&m.Segments[0], content), 0o600))
			require.NoError(t, m.save(t.Context(), store))
			a, err := Open(t.Context(), store, testkit.RawTopic, m.TopicID)
			require.NoError(t, err)
			err = a.Read(t.Context(), kafkaread.Span{To: 100}, func([]*kgo.Record) error { return nil })
			var damaged *DamagedError
			require.ErrorAs(t, err, &damaged)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, m.Segments[0].name())
			found, err := Verify(t.Context(), selection(store), func(int64, int64) {})
			require.NoError(t, err)
			require.Len(t, found[0].Problems, 1)
		})
	}
}

func unpacked(t *testing.T, content []byte) []byte {
	in, err := zstd.NewReader(nil)
	require.NoError(t, err)
	defer in.Close()
	raw, err := in.DecodeAll(content, nil)
	require.NoError(t, err)
	return raw
}

// rehash returns a segment whose manifest agrees with another file.
func rehash(s Segment, content []byte) Segment {
	m, _ := measure(content, Segment{First: 0, Last: -1})
	s.Bytes, s.SHA256 = m.Bytes, m.SHA256
	return s
}

// guard: archive: a segment is bounded
func TestSegmentsAndWhatWaitsAreBounded(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	var records []*kgo.Record
	for i := range 60 {
		value := make([]byte, 30_000)
		random := rand.NewChaCha8([32]byte{byte(i)})
		_, _ = random.Read(value)
		records = append(records, &kgo.Record{Value: value})
	}
	for p := range int32(3) {
		produce(t, cluster, p, records...)
	}
	store := folderStore(t)
	archiveOnce(t, cluster, store, 256<<10)
	for _, m := range manifests(t, cluster, store) {
		require.Greater(t, len(m.Segments), 5)
		for _, s := range m.Segments {
			require.LessOrEqual(t, s.RawBytes, int64(256<<10+45_000))
		}
	}
	store = folderStore(t)
	o := optionsOf(cluster, store, 256<<20)
	o.BufferBytes = 1 << 20
	_, err := Run(t.Context(), o)
	require.NoError(t, err)
	n := 0
	for _, m := range manifests(t, cluster, store) {
		n += len(m.Segments)
	}
	require.Greater(t, n, 4)
}

func TestOneRecordIsFound(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(11, 9)), 50)...)
	store := folderStore(t)
	archiveOnce(t, cluster, store, 64<<10)
	a, err := Open(t.Context(), store, testkit.RawTopic, manifests(t, cluster, store)[0].TopicID)
	require.NoError(t, err)
	want := testkit.RawRecords(t, cluster)[0][17]
	got, err := a.Record(t.Context(), schemas.Coordinates{Topic: testkit.RawTopic, Offset: 17}, 1<<20)
	require.NoError(t, err)
	require.Equal(t, kafkaread.Record(want), got)
	_, err = a.Record(t.Context(), schemas.Coordinates{Topic: testkit.RawTopic, Offset: 50}, 1<<20)
	require.ErrorIs(t, err, kafkaread.ErrGone)
}

var errKilled = errors.New("killed")

// dyingStore fails every write after some, the first one before or after it was made, as a kill does.
type dyingStore struct {
	blob.Store
	left       int
	afterwards bool
}

func (s *dyingStore) Put(ctx context.Context, name string, content []byte, condition string) (string, error) {
	s.left--
	if s.left < 0 && (s.left < -1 || !s.afterwards) {
		return "", errKilled
	}
	tag, err := s.Store.Put(ctx, name, content, condition)
	if s.left < 0 {
		err = errKilled
	}
	return tag, err
}

// guard: archive: who waits does not read the manifests each time
func TestWhoWaitsReadsTheManifestsOnce(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(3, 9)), 20)...)
	store := folderStore(t)
	archiveOnce(t, cluster, store, 64<<10)
	deleteBelow(t, cluster, 0, 15)
	client := testkit.KafkaClient(t, cluster)
	topic := NewTopic(nil, kadm.NewClient(client), testkit.RawTopic, store.URL()).Another()
	from := func(bounds func(context.Context) (kafkaread.Spans, error)) int64 {
		spans, err := bounds(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, 20, spans[0].To)
		return spans[0].From
	}
	require.EqualValues(t, 0, from(topic.BoundsAgain))
	require.NoError(t, os.RemoveAll(filepath.Join(store.URL(), testkit.RawTopic)))
	require.EqualValues(t, 0, from(topic.BoundsAgain))
	require.EqualValues(t, 15, from(topic.Bounds))
}

func folderStore(t *testing.T) blob.Store {
	store, err := blob.Open(t.TempDir())
	require.NoError(t, err)
	return store
}

func selection(store blob.Store) Selection { return Selection{Store: store, Topic: testkit.RawTopic} }

func optionsOf(cluster *kfake.Cluster, store blob.Store, segmentBytes int64) Options {
	return Options{
		Client: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Topic: testkit.RawTopic, Group: "g.archive",
		Store: store, SegmentBytes: segmentBytes, BufferBytes: 64 << 20, MaxAge: time.Minute, Once: true,
		Log: slog.New(slog.DiscardHandler),
	}
}

func archiveOnce(t *testing.T, cluster *kfake.Cluster, store blob.Store, segmentBytes int64) {
	t.Helper()
	_, err := Run(t.Context(), optionsOf(cluster, store, segmentBytes))
	require.NoError(t, err)
}

// manifests returns those of the three partitions.
func manifests(t *testing.T, cluster *kfake.Cluster, store blob.Store) []*Manifest {
	t.Helper()
	id, err := TopicID(t.Context(), kadm.NewClient(testkit.KafkaClient(t, cluster)), testkit.RawTopic)
	require.NoError(t, err)
	a, err := Open(t.Context(), store, testkit.RawTopic, id)
	require.NoError(t, err)
	return a.Manifests()
}

// archived returns all records of the archive, by partition.
func archived(t *testing.T, cluster *kfake.Cluster, store blob.Store) map[int32][]schemas.Record {
	t.Helper()
	found := map[int32][]schemas.Record{}
	for _, m := range manifests(t, cluster, store) {
		a := &Archive{store: store, topic: m.Topic, id: m.TopicID, parts: map[int32]*Manifest{m.Partition: m}}
		span := kafkaread.Span{Partition: m.Partition, To: m.Next}
		err := a.Read(t.Context(), span, func(records []*kgo.Record) error {
			for _, r := range records {
				found[m.Partition] = append(found[m.Partition], kafkaread.Record(r))
			}
			return nil
		})
		require.NoError(t, err)
	}
	return found
}

// some returns records that are alike, as those of a feed are.
func some(random *rand.Rand, n int) (records []*kgo.Record) {
	for range n {
		value := fmt.Appendf(nil, `{"speed":%v,"samples":[%s]}`, random.Float64(), strings.Repeat("0.125,", random.IntN(900)))
		records = append(records, &kgo.Record{Key: []byte("745804"), Value: value})
	}
	return records
}

func produce(t *testing.T, cluster *kfake.Cluster, partition int32, records ...*kgo.Record) {
	t.Helper()
	client := testkit.KafkaClient(t, cluster, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	var copies []*kgo.Record
	for _, r := range records {
		c := *r
		c.Topic, c.Partition = testkit.RawTopic, partition
		copies = append(copies, &c)
	}
	require.NoError(t, client.ProduceSync(t.Context(), copies...).FirstErr())
}

func deleteBelow(t *testing.T, cluster *kfake.Cluster, partition int32, offset int64) {
	t.Helper()
	offsets := kadm.Offsets{}
	offsets.Add(kadm.Offset{Topic: testkit.RawTopic, Partition: partition, At: offset})
	answers, err := kadm.NewClient(testkit.KafkaClient(t, cluster)).DeleteRecords(t.Context(), offsets)
	require.NoError(t, err)
	require.NoError(t, answers.Error())
}
