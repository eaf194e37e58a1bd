package load

import (
	"net/url"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	storeLatency = 20 * time.Millisecond
	takes        = 10000
	partitions   = 8
	// records of a transaction: few enough that two processors, too, wait for the stores and not for the two
	// cores
	together = "25"
)

// Where a batch waits for far stores and not for a processor's time, a second processor does nearly as much
// as the first.
func TestTwoProcessorsDoTheWorkOfTwo(t *testing.T) {
	if os.Getenv("PITCHSTREAM_LOAD") == "" {
		t.Skip("takes a minute: PITCHSTREAM_LOAD=1")
	}
	testkit.Kafka(t) // skips the whole where there is none
	records := cheapTakes(t)
	var ratios []float64
	for range 3 {
		one, two := rate(t, records, 1), rate(t, records, 2)
		t.Logf("one processor %.0f records/s, two %.0f: %.2f times", one, two, two/one)
		ratios = append(ratios, two/one)
	}
	slices.Sort(ratios)
	require.GreaterOrEqual(t, ratios[1], 1.8, "the median of %.2f", ratios)
}

// cheapTakes are pitches without a swing, which cost little to decode, of many games.
func cheapTakes(t *testing.T) (records []*kgo.Record) {
	s, err := simulate.New(simulate.Options{Seed: 1, Games: 90})
	require.NoError(t, err)
	for m, ok := s.Next(); ok && len(records) < takes; m, ok = s.Next() {
		if len(m.Value) < 20_000 {
			r := &kgo.Record{Key: m.Key, Value: m.Value, Partition: int32(len(records) % partitions)}
			records = append(records, r)
		}
	}
	require.Len(t, records, takes)
	return records
}

// rate is how many records a second so many processors apply, once all of them have their partitions.
func rate(t *testing.T, records []*kgo.Record, processors int) (perSecond float64) {
	t.Run(map[int]string{1: "one", 2: "two"}[processors], func(t *testing.T) {
		pg, err := url.Parse(testkit.Postgres(t))
		require.NoError(t, err)
		postgres := newDistance(t, pg.Host, storeLatency)
		pg.Host = postgres.addr
		redis := newDistance(t, testkit.Redis(t), storeLatency)
		w := stack.On(t, testkit.Kafka(t), pg.String(), redis.addr, partitions)
		for range processors {
			w.Start("--poll-max-records=" + together)
		}
		w.WaitFor("every processor has partitions", func() bool { return haveEqual(w, processors) })

		release := postgres.hold()
		t.Cleanup(release)
		produce(t, w, records)
		began := time.Now()
		release()
		w.WaitFor("all is committed", func() bool { return w.Lag() == 0 })
		perSecond = float64(len(records)) / time.Since(began).Seconds()
	})
	return perSecond
}

// haveEqual reports that the partitions are shared out equally, and have positions.
func haveEqual(w *stack.Stack, processors int) bool {
	groups, err := w.Admin.DescribeGroups(w.T.Context(), w.Name)
	if err != nil { // of a group that has no coordinator yet
		return false
	}
	members := groups[w.Name].Members
	if groups[w.Name].State != "Stable" || len(members) != processors {
		return false
	}
	for _, m := range members {
		assigned, ok := m.Assigned.AsConsumer()
		if !ok || len(assigned.Topics) == 0 || len(assigned.Topics[0].Partitions) != partitions/processors {
			return false
		}
	}
	return true
}

func produce(t *testing.T, w *stack.Stack, records []*kgo.Record) {
	client, err := kgo.NewClient(kgo.SeedBrokers(w.Brokers), kgo.DefaultProduceTopic(w.Raw()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	fresh := make([]*kgo.Record, len(records)) // the client writes into them
	for i, r := range records {
		fresh[i] = &kgo.Record{Key: r.Key, Value: r.Value, Partition: r.Partition}
	}
	require.NoError(t, client.ProduceSync(t.Context(), fresh...).FirstErr())
}
