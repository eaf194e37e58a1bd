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
// guard: replay: of two that read as the target's group, one is refused
func TestOfTwoEqualReplaysThatBeginAtOnceOneIsRefused(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	store, err := pgsink.Open(pgsink.Config{URL: testkit.Postgres(t), Schema: "pitchstream_better"})
	require.NoError(t, err)
	t.Cleanup(store.Close) // after the locks are free, which are transactions of its pool
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	begin := func(from, game string) error {
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
		r.o.Game = game
		t.Cleanup(r.close)
		r.o.From, err = ParsePlace(from)
		require.NoError(t, err)
		r.o.To, err = ParsePlace(End)
		require.NoError(t, err)
		err := r.find(t.Context())
		r.targetStore = nil // all share it
		if err != nil {
			r.close() // a lock holds one of the pool's four connections
		}
		return err
	}
	require.NoError(t, begin(Start, ""))
	// The other process has looked for an unfinished replay before the first had stored its own.
	_, err = store.DB().Pool.Exec(t.Context(), `UPDATE pitchstream_better.replays SET finished_at = now()`)
	require.NoError(t, err)
	require.EqualError(t, begin(Start, ""), "a replay into better from start to end is under way in another process")
	require.EqualError(t, begin("0:0,1:0,2:0", ""), "another replay that the processors of better continue "+
		"behind is under way in another process")
	var stored int
	const count = `SELECT count(*) FROM pitchstream_better.replays`
	require.NoError(t, store.DB().Pool.QueryRow(t.Context(), count).Scan(&stored))
	require.Equal(t, 1, stored, "a refused one is not left unfinished")
	require.NoError(t, begin(Start, "745804"), "one with a group of its own")
}
