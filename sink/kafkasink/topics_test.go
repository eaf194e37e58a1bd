package kafkasink

import (
	"encoding/json"
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

func jsonUnmarshal(b []byte, v any) error { return json.Unmarshal(b, v) }

func TestTopicsAreMadeOnceAndDifferencesNamed(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	defer cluster.Close()
	cl, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...))
	require.NoError(t, err)
	defer cl.Close()
	admin := kadm.NewClient(cl)
	want := Topics(TopicsConfig{Raw: "raw", Rows: "rows", Dead: "dead", Partitions: 3, Replication: 1, MaxMessageBytes: 5 << 20})

	states, err := EnsureTopics(t.Context(), admin, want, true)
	require.NoError(t, err)
	for _, s := range states {
		require.True(t, s.Missing, s.Topic.Name)
	}
	states, err = EnsureTopics(t.Context(), admin, want, false)
	require.NoError(t, err)
	for _, s := range states {
		require.True(t, s.Created, s.Topic.Name)
	}
	states, err = EnsureTopics(t.Context(), admin, want, false)
	require.NoError(t, err)
	for _, s := range states {
		require.False(t, s.Created || s.Missing, s.Topic.Name)
		require.Empty(t, s.Differences, s.Topic.Name)
	}
	dead, err := MaxMessageBytes(t.Context(), admin, "dead")
	require.NoError(t, err)
	require.EqualValues(t, 6<<20, dead, "a letter has more headers than its record")

	other := Topics(TopicsConfig{Raw: "raw", Rows: "rows", Dead: "dead", Partitions: 4, Replication: 1})
	states, err = EnsureTopics(t.Context(), admin, other, false)
	require.NoError(t, err)
	require.Contains(t, states[0].Differences, "partitions: 3, want 4")
	require.Contains(t, states[0].Differences, "max.message.bytes: 5242880, want 20971520")

	arrival := "LogAppendTime"
	_, err = admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: timestampType, Value: &arrival}}, "raw")
	require.NoError(t, err)
	states, err = EnsureTopics(t.Context(), admin, want, true)
	require.NoError(t, err)
	require.Equal(t, []string{"message.timestamp.type: LogAppendTime, want CreateTime"}, states[0].Differences)
	require.Equal(t, "kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name raw "+
		"--add-config message.timestamp.type=CreateTime", states[0].Repair)
}

// guard: topics: limits that do not fit together are named
func TestLimitsThatDoNotFitTogetherAreNamed(t *testing.T) {
	const mib = 1 << 20
	right := sizes{
		names: TopicsConfig{Raw: "raw", Rows: "rows", Dead: "dead"}, raw: 20 * mib, rows: mib, dead: 21 * mib, replicas: 3,
		maxRecordBytes: 16 * mib, brokers: map[int32]map[string]string{1: {
			"socket.request.max.bytes": "104857600", "message.max.bytes": "22020096", "fetch.max.bytes": "57671680",
			"replica.fetch.max.bytes": "22020096", "replica.fetch.response.max.bytes": "22020096",
		}},
	}
	require.Empty(t, append(right.ofTopics(), right.ofBrokers()...))
	for name, c := range map[string]struct {
		change func(s *sizes)
		want   []string // what each text and its repair have
	}{
		"raw below the largest record": {func(s *sizes) { s.raw = 10 * mib },
			[]string{"topic raw takes batches of 10485760", "entity-name raw --add-config max.message.bytes=17825792"}},
		"a larger record": {func(s *sizes) { s.maxRecordBytes = 64 * mib }, []string{
			"--max-record-bytes is 67108864", "max.message.bytes=68157440", "topic dead takes 22020096", "max.message.bytes=68157440",
		}},
		"raw beyond what can be read": {func(s *sizes) { s.raw, s.dead, s.brokers = 70*mib, 71*mib, nil },
			[]string{"single records are read", "max.message.bytes=67108864"}},
		"dead below raw": {func(s *sizes) { s.dead = 20 * mib },
			[]string{"topic dead takes 20971520", "entity-name dead --add-config max.message.bytes=22020096"}},
		"small rows": {func(s *sizes) { s.rows = 1000 }, []string{"topic rows takes 1000", "entity-name rows --add-config max.message.bytes=1048576"}},
		"a broker's socket": {func(s *sizes) { s.brokers[1] = map[string]string{"socket.request.max.bytes": "1000000"} },
			[]string{"broker 1: socket.request.max.bytes is 1000000", "set socket.request.max.bytes=23068672"}},
		"a broker's defaults": {func(s *sizes) {
			s.brokers[1] = map[string]string{"message.max.bytes": "1048588", "replica.fetch.max.bytes": "1048576",
				"replica.fetch.response.max.bytes": "10485760", "fetch.max.bytes": "1000"}
			s.brokers[2] = map[string]string{"message.max.bytes": "1048588"}
		}, []string{
			"broker 1, 2: message.max.bytes is 1048588", "entity-type brokers --entity-default", "broker 1: fetch.max.bytes is 1000",
			"set fetch.max.bytes=22020096", "replica.fetch.max.bytes is 1048576", "set replica.fetch.max.bytes=22020096",
			"replica.fetch.response.max.bytes is 10485760", "set replica.fetch.response",
		}},
	} {
		s := right
		s.brokers = maps.Clone(right.brokers)
		c.change(&s)
		var got []string
		for _, m := range append(s.ofTopics(), s.ofBrokers()...) {
			got = append(got, m.Text, m.Repair)
		}
		require.Len(t, got, len(c.want), "%s: %v", name, got)
		for i, want := range c.want {
			require.Contains(t, got[i], want, name)
		}
	}
}
