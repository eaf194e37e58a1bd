package archive

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// The topic's start and the archive's files move while a reader reads them.

// openTopic returns the topic with its archive, and what can be read of it.
func openTopic(t *testing.T, cluster *kfake.Cluster, store blob.Store) (*Topic, kafkaread.Spans) {
	t.Helper()
	seeds := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
	topic := NewTopic(seeds, kadm.NewClient(testkit.KafkaClient(t, cluster)), testkit.RawTopic, store.URL())
	spans, err := topic.Bounds(t.Context())
	require.NoError(t, err)
	return topic, spans
}

// offsetsOf reads the spans, calls first before the first records are taken, and returns all offsets of
// partition 0.
func offsetsOf(t *testing.T, topic *Topic, spans kafkaread.Spans, first func()) (offsets []int64, err error) {
	t.Helper()
	err = topic.Read(t.Context(), spans, func(records []*kgo.Record) error {
		if first != nil {
			first()
			first = nil
		}
		for _, r := range records {
			offsets = append(offsets, r.Offset)
		}
		return nil
	})
	return offsets, err
}

func upTo(n int64) (all []int64) {
	for i := range n {
		all = append(all, i)
	}
	return all
}

// guard: archive: a start that moves while the archive is read is not jumped over
// guard: archive: records that nobody has any more are an error
// guard: kafkaread: deleted records are an error for who has them elsewhere
func TestAReplayReadsWhatRetentionDeletesMeanwhileFromTheArchive(t *testing.T) {
	begin := func(t *testing.T) (*kfake.Cluster, blob.Store, *Topic, kafkaread.Spans) {
		cluster, store := testkit.FakeKafka(t), folderStore(t)
		random := rand.New(rand.NewPCG(1, 3))
		produce(t, cluster, 0, some(random, 100)...)
		archiveOnce(t, cluster, store, 4<<10)
		produce(t, cluster, 0, some(random, 50)...)
		deleteBelow(t, cluster, 0, 50)
		topic, spans := openTopic(t, cluster, store)
		require.Equal(t, kafkaread.Span{From: 0, To: 150}, spans[0])
		return cluster, store, topic, spans
	}
	t.Run("archived", func(t *testing.T) {
		cluster, store, topic, spans := begin(t)
		got, err := offsetsOf(t, topic, spans, func() {
			archiveOnce(t, cluster, store, 4<<10)
			deleteBelow(t, cluster, 0, 120)
		})
		require.NoError(t, err)
		require.Equal(t, upTo(150), got)
	})
	t.Run("not archived", func(t *testing.T) {
		cluster, _, topic, spans := begin(t)
		got, err := offsetsOf(t, topic, spans, func() { deleteBelow(t, cluster, 0, 120) })
		require.ErrorContains(t, err, "pitches.raw/0: the records 100 to 119 were deleted from the topic")
		require.Equal(t, upTo(100), got)
	})
}

// guard: archive: a reader beside compact reads the merged segments
func TestAReaderBesideCompactReadsEachRecordOnce(t *testing.T) {
	cluster, store := testkit.FakeKafka(t), folderStore(t)
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(1, 5)), 100)...)
	archiveOnce(t, cluster, store, 4<<10)
	deleteBelow(t, cluster, 0, 100)
	topic, spans := openTopic(t, cluster, store)
	got, err := offsetsOf(t, topic, spans, func() {
		_, err := Compact(t.Context(), selection(store), 64<<10, false)
		require.NoError(t, err)
	})
	require.NoError(t, err)
	require.Equal(t, upTo(100), got)

	m := manifests(t, cluster, store)[0]
	require.Greater(t, len(m.Segments), 3)
	topic, spans = openTopic(t, cluster, store)
	got, err = offsetsOf(t, topic, spans, func() {
		require.NoError(t, store.Delete(t.Context(), path.Join(m.folder(), m.Segments[3].name())))
	})
	require.ErrorIs(t, err, blob.ErrNotFound, "the manifest lists it still")
	require.Equal(t, upTo(m.Segments[3].First), got)
}

// guard: archive: what was read is written before the run begins again
func TestWhatWasReadIsWrittenWhenTheStartOfTheTopicOvertakesIt(t *testing.T) {
	cluster, store := testkit.FakeKafka(t), folderStore(t)
	random := rand.New(rand.NewPCG(6, 1))
	produce(t, cluster, 0, some(random, 50)...)
	o := optionsOf(cluster, store, 32<<20)
	o.Client, o.Once = append(o.Client, kgo.FetchMaxWait(10*time.Millisecond)), false
	var isHeld atomic.Bool
	held, released := make(chan struct{}), make(chan struct{})
	cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if isHeld.CompareAndSwap(true, false) {
			cluster.SleepControl(func() {
				close(held)
				<-released
			})
		}
		return nil, nil, false
	})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var read, again sync.Once
	o.Progress = func(done, _ int64) {
		switch done {
		case 50:
			read.Do(func() { // the next fetch waits until records are gone that it asks for
				isHeld.Store(true)
				go func() {
					<-held
					produce(t, cluster, 0, some(random, 50)...)
					deleteBelow(t, cluster, 0, 80)
					close(released)
				}()
			})
		case 20, 70: // 80 to 99
			again.Do(stop)
		}
	}
	r, err := Run(ctx, o)
	require.NoError(t, err)
	require.Equal(t, []kafkaread.Span{{Partition: 0, From: 50, To: 80}}, r.Gaps)
	var offsets []int64
	for _, record := range archived(t, cluster, store)[0] {
		offsets = append(offsets, record.Offset)
	}
	require.Equal(t, append(upTo(50), upTo(100)[80:]...), offsets)
}

// busyStore is one beside which an archiver adds segments, whenever a file of a partition was put.
type busyStore struct {
	blob.Store
	below string // of the partition
	add   func()
}

func (s *busyStore) Put(ctx context.Context, name string, content []byte, condition string) (string, error) {
	tag, err := s.Store.Put(ctx, name, content, condition)
	if add := s.add; err == nil && path.Dir(name) == s.below && path.Base(name) != ManifestName {
		s.add = func() {}
		add()
	}
	return tag, err
}

// guard: archive: compact reads the manifest of a partition when its turn comes
// guard: archive: compact goes on beside an archiver
func TestCompactGoesOnWhileAnArchiverAddsSegments(t *testing.T) {
	cluster, store := testkit.FakeKafka(t), folderStore(t)
	random := rand.New(rand.NewPCG(1, 15))
	add := func() {
		for p := range int32(2) {
			produce(t, cluster, p, some(random, 20)...)
			archiveOnce(t, cluster, store, 4<<10)
		}
	}
	add()
	busy := &busyStore{Store: store, below: manifests(t, cluster, store)[0].folder(), add: add}
	s := selection(store)
	s.Store = busy
	changes, err := Compact(t.Context(), s, 64<<20, false)
	require.NoError(t, err)
	all := manifests(t, cluster, store)
	require.Greater(t, len(all[0].Segments), 1, "what the archiver added while partition 0 was compacted")
	require.Len(t, all[1].Segments, 1, "what it added before partition 1 was")
	require.Greater(t, changes[1].Before, changes[0].Before)
	for _, records := range archived(t, cluster, store) {
		require.Len(t, records, 40)
	}
}

// guard: archive: a file of another compaction stays
func TestCompactRemovesFilesThatNoManifestListsOnceTheyAreOld(t *testing.T) {
	cluster, store := testkit.FakeKafka(t), folderStore(t)
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(2, 15)), 10)...)
	archiveOnce(t, cluster, store, 64<<10)
	m := manifests(t, cluster, store)[0]
	name := path.Join(m.folder(), Segment{First: 0, Last: 3}.name())
	_, err := store.Put(t.Context(), name, []byte("x"), blob.Always)
	require.NoError(t, err)
	dir, _ := blob.LocalPath(store.URL())
	for removed, age := range []time.Duration{50 * time.Minute, 70 * time.Minute} {
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), time.Time{}, time.Now().Add(-age)))
		changes, err := Compact(t.Context(), selection(store), 64<<20, false)
		require.NoError(t, err)
		require.Equal(t, removed, changes[0].Removed)
	}
}

// changedStore is one whose manifest another process changes before every third replacement.
type changedStore struct {
	blob.Store
	saves int
}

func (s *changedStore) Put(
	ctx context.Context, name string, content []byte, condition string,
) (string, error) {
	if path.Base(name) == ManifestName {
		s.saves++
		was, _, err := s.Read(ctx, name, MaxManifestBytes)
		if err == nil && s.saves%3 == 0 {
			_, err = s.Store.Put(ctx, name, append(was, '\n'), blob.Always)
		}
		if err != nil && !errors.Is(err, blob.ErrNotFound) {
			return "", err
		}
	}
	return s.Store.Put(ctx, name, content, condition)
}

// guard: archive: a run that gets on is not counted among those in a row
func TestAnArchiverThatGetsOnBeginsAgainAsOftenAsItMust(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	produce(t, cluster, 0, some(rand.New(rand.NewPCG(7, 1)), 40)...)
	store := &changedStore{Store: folderStore(t)}
	archiveOnce(t, cluster, store, 1)
	require.Greater(t, store.saves, 3*11)
	require.Len(t, archived(t, cluster, store)[0], 40)
}
