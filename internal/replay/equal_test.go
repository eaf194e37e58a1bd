package replay

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// guard: replay: of two equal ones that begin at once, one is refused
func TestOfTwoEqualReplaysThatBeginAtOnceOneIsRefused(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	store, err := pgsink.Open(pgsink.Config{URL: testkit.Postgres(t), Schema: "pitchstream_better"})
	require.NoError(t, err)
	t.Cleanup(store.Close) // after the locks are free, which are transactions of its pool
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	begin := func(from string) error {
		admin := kadm.NewClient(testkit.KafkaClient(t, cluster))
		seeds := []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
		r := &replay{
			o: Options{
				Live:   target.Options{TopicRaw: testkit.RawTopic},
				Target: schemas.Target{Name: "better", Schema: "pitchstream_better", Group: "g.better"},
			},
			log: slog.New(slog.DiscardHandler), admin: admin, targetStore: store,
			raw:   archive.NewTopic(seeds, admin, testkit.RawTopic, ""),
			books: pgbooks.New(store.DB()), replays: pgbooks.NewReplays(store.DB()),
		}
		t.Cleanup(r.close)
		r.o.From, err = ParsePlace(from)
		require.NoError(t, err)
		r.o.To, err = ParsePlace(End)
		require.NoError(t, err)
		err := r.find(t.Context())
		r.targetStore = nil // all share it
		return err
	}
	require.NoError(t, begin(Start))
	// The other process has looked for an unfinished replay before the first had stored its own.
	_, err = store.DB().Pool.Exec(t.Context(), `UPDATE pitchstream_better.replays SET finished_at = now()`)
	require.NoError(t, err)
	require.EqualError(t, begin(Start), "a replay into better from start to end is under way in another process")
	require.NoError(t, begin("0:0,1:0,2:0"))
}
