package replay

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func TestAPlaceIsAWordATimeOrOffsets(t *testing.T) {
	span, since := kafkaread.Span{Partition: 1, From: 10, To: 20}, kafkaread.Span{Partition: 1, From: 14, To: 20}
	for text, want := range map[string]int64{
		"start": 10, "end": 20, "position": 17, "2024-09-28T19:05:00Z": 14,
		"1:15": 15, "1:5": 10, "1:99": 20, "0:3": 17, "0:3,1:12": 12,
	} {
		p, err := ParsePlace(text)
		require.NoError(t, err, text)
		require.Equal(t, text, p.String())
		require.Equal(t, want, p.locate(span, since, 17), text)
	}
	for _, text := range []string{"", "yesterday", "1", "1:", ":1", "1:-1", "-1:1", "1:2,"} {
		_, err := ParsePlace(text)
		require.Error(t, err, text)
	}
}

func TestProgressNeverGoesBack(t *testing.T) {
	var done []int64
	parts := []schemas.ReplayPart{{Partition: 0, From: 5, To: 15, Next: 7}, {Partition: 1, From: 0, To: 10}}
	p := newProgress(schemas.ReplayState{Parts: parts}, func(n, total int64) {
		require.EqualValues(t, 20, total)
		done = append(done, n)
	})
	p.set(0, 10)
	p.set(0, 8) // read again after an aborted batch
	p.set(1, 4)
	require.Equal(t, []int64{2, 5, 9}, done)
}

// A replay counts each record between its bounds once, a second one of the same part begins anew.
func TestRunCountsTheRecordsOfItsPart(t *testing.T) {
	o, client := openReplay(t)
	for i := range 20 { // none of them is a pitch
		r := &kgo.Record{Topic: "raw", Partition: int32(i % 2), Value: []byte("{")}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}

	var err error
	o.From, err = ParsePlace("0:2,1:4")
	require.NoError(t, err)
	o.To, err = ParsePlace("0:7")
	require.NoError(t, err)
	var ids []string
	for range 2 {
		r, err := Run(t.Context(), o)
		require.NoError(t, err)
		require.NoError(t, r.Err())
		require.Equal(t, schemas.ReplayCounts{Records: 11, Letters: 11}, r.Counts)
		ids = append(ids, r.Replay)
	}
	require.NotEqual(t, ids[0], ids[1])
	groups, err := kadm.NewClient(client).ListGroups(t.Context())
	require.NoError(t, err)
	require.Empty(t, groups.Groups(), "a group of its own is deleted at the end")
	o.To, err = ParsePlace("5:1")
	require.NoError(t, err)
	_, err = Run(t.Context(), o)
	require.ErrorContains(t, err, "topic raw has no partition 5")
}

// guard: replay: a resumed replay lacks what it was asked for, not what the flags say
func TestAResumedReplayEndsAsTheOneThatBeganIt(t *testing.T) {
	o, client := openReplay(t)
	for i := range 20 {
		r := &kgo.Record{Topic: "raw", Partition: int32(i % 2), Value: []byte("{")}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
	var err error
	o.From, err = ParsePlace("0:2,1:4")
	require.NoError(t, err)
	o.To, err = ParsePlace("end")
	require.NoError(t, err)
	killed := &replay{o: o, log: o.Processor.Log}
	require.NoError(t, killed.open(t.Context()))
	killed.close()
	o.Resume = killed.state.ID
	o.From, err = ParsePlace("start") // as the flag's default is
	require.NoError(t, err)
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Empty(t, r.Missing)
	require.EqualValues(t, 14, r.Counts.Records)
}

// A process of the target was killed after the store had a record, and before Kafka had its offset.
// guard: replay: from the position begins where the group has committed
// guard: replay: a coordinator that is not there yet is waited for
func TestFromThePositionAfterAKillBetweenTheCommits(t *testing.T) {
	o, client, kafka := openReplayOn(t)
	o.Target = schemas.Target{Name: "better", Schema: "pitchstream_better", Group: "live.better",
		Rows: "rows", Dead: "dead"}
	o.Processor.Group, o.Processor.Postgres.Schema = o.Target.Group, o.Target.Schema
	var err error
	o.To, err = ParsePlace("end")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, c := range []struct {
		from       string
		sent, want int64
	}{{"start", 20, 20}, {"position", 4, 5}} {
		for i := range c.sent {
			r := &kgo.Record{Topic: "raw", Partition: int32(i % 2), Value: []byte("{")}
			require.NoError(t, client.ProduceSync(ctx, r).FirstErr())
		}
		o.From, err = ParsePlace(c.from)
		require.NoError(t, err)
		if o.From.isPosition() {
			kafka.ControlKey(kmsg.OffsetFetch.Int16(), func(asked kmsg.Request) (kmsg.Response, error, bool) {
				answer := asked.ResponseKind().(*kmsg.OffsetFetchResponse)
				for _, g := range asked.(*kmsg.OffsetFetchRequest).Groups {
					answer.Groups = append(answer.Groups, kmsg.OffsetFetchResponseGroup{
						Group: g.Group, ErrorCode: kerr.CoordinatorNotAvailable.Code,
					})
				}
				return answer, nil, true
			})
		}
		r, err := Run(ctx, o)
		require.NoError(t, err)
		require.NoError(t, r.Err())
		require.Equal(t, c.want, r.Counts.Records, "from the %s", c.from)
		var offsets kadm.Offsets
		offsets.AddOffset("raw", 0, 9, -1)
		require.NoError(t, kadm.NewClient(client).CommitAllOffsets(ctx, o.Target.Group, offsets))
	}
}

// A replay with an archive reads what the topic has no more, and sends each dead letter once.
// guard: archive: records and offsets are committed together
func TestRunReadsWhatIsGoneFromTheArchive(t *testing.T) {
	o, client := openReplay(t)
	for i := range 60 {
		r := &kgo.Record{Topic: "raw", Partition: int32(i % 2), Value: []byte("{")}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
	store, err := blob.Open(t.TempDir())
	require.NoError(t, err)
	_, err = archive.Run(t.Context(), archive.Options{
		Client: o.Processor.Kafka, Topic: "raw", Store: store, SegmentBytes: 1 << 10, BufferBytes: 1 << 20,
		MaxAge: time.Minute, Once: true, Log: slog.New(slog.DiscardHandler),
	})
	require.NoError(t, err)
	gone := kadm.Offsets{}
	gone.AddOffset("raw", 0, 30, -1)
	gone.AddOffset("raw", 1, 12, -1)
	_, err = kadm.NewClient(client).DeleteRecords(t.Context(), gone)
	require.NoError(t, err)
	o.Archive = store.URL()
	o.From, err = ParsePlace("start")
	require.NoError(t, err)
	o.To, err = ParsePlace("end")
	require.NoError(t, err)
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	require.Equal(t, schemas.ReplayCounts{Records: 60, Letters: 60}, r.Counts)
	dead, err := kadm.NewClient(client).ListCommittedOffsets(t.Context(), "dead")
	require.NoError(t, err)
	n := int64(0)
	dead.Each(func(o kadm.ListedOffset) { n += o.Offset })
	require.GreaterOrEqual(t, n, int64(60))
}

// The gates of a backfill judge what a replay read, so its counts are stored when it ends.
// guard: members: a replay counts the members of its records
func TestAReplayStoresTheMembersOfItsRecords(t *testing.T) {
	o, client := openReplay(t)
	for i := range 12 {
		r := &kgo.Record{Topic: "raw", Partition: int32(i % 2), Key: []byte("G"), Value: fmt.Appendf(nil,
			`{"summary_acts": {"pitch": {"type": "Slider", "eventId": "%d"}}}`, i)}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
	var err error
	o.From, err = ParsePlace("start")
	require.NoError(t, err)
	o.To, err = ParsePlace("end")
	require.NoError(t, err)
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	require.NoError(t, r.Err())
	store, err := o.Processor.OpenStore()
	require.NoError(t, err)
	defer store.Close()
	var records, typed int
	require.NoError(t, store.DB().Pool.QueryRow(t.Context(), `
		SELECT (profile ->> 'records')::int, (profile #>> '{paths,summary_acts.pitch.type,kinds,text,n}')::int
		FROM pitchstream.quality_members`).Scan(&records, &typed))
	require.Equal(t, 12, records)
	require.Equal(t, 12, typed)
}

// openReplay returns the options of a replay into live, on topics without records, and a client of Kafka.
func openReplay(t *testing.T) (Options, *kgo.Client) {
	t.Helper()
	o, client, _ := openReplayOn(t)
	return o, client
}

func openReplayOn(t *testing.T) (Options, *kgo.Client, *kfake.Cluster) {
	t.Helper()
	kafka, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(2, "raw", "rows", "dead"))
	require.NoError(t, err)
	t.Cleanup(kafka.Close)
	o := Options{
		Live:     target.Options{Postgres: config.Postgres{Schema: "pitchstream"}, Group: "live", TopicRaw: "raw"},
		Parallel: 2, DeadLetters: true, LiveFirst: true, MaxLiveLag: time.Second,
	}
	require.NoError(t, o.Live.Postgres.URL.UnmarshalText([]byte(testkit.Postgres(t))))
	o.Target = schemas.Target{Name: "live", Schema: "pitchstream", Group: "live", Rows: "rows", Dead: "dead"}
	o.Processor = processor.Options{
		Kafka: []kgo.Opt{kgo.SeedBrokers(kafka.ListenAddrs()...), kgo.RequestRetries(0)}, Group: "live",
		RawTopic: "raw", RowsTopic: "rows", DeadTopic: "dead",
		Postgres: pgsink.Config{URL: o.Live.Postgres.URL.Reveal(), Schema: "pitchstream"},
		Redis:    redissink.Config{URL: "redis://" + testkit.Redis(t), Prefix: testkit.Name(t) + ":"},
		Log:      slog.New(slog.DiscardHandler),
	}
	store, err := o.Processor.OpenStore()
	require.NoError(t, err)
	defer store.Close()
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	client, err := kgo.NewClient(append(o.Processor.Kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return o, client, kafka
}
