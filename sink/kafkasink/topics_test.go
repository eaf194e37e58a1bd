package kafkasink

import (
	"encoding/json"
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
