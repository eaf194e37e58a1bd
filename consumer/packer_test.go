package consumer

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// The dead-letter topic accepts less than some dead letters have uncompressed, and less than some batches:
// all arrive.
// guard: batches of dead letters fit into their topic
// guard: each dead letter fits into its topic
func TestDeadLettersFitIntoTheirTopic(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		const takes = 200 << 10
		limit := "204800"
		_, err := kadm.NewClient(cl.client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, deadTopic)
		require.NoError(t, err)
		for range 12 {
			cl.produce(schemas.Record{Key: []byte("1"), Value: noise(40 << 10)})
		}
		cl.produce(schemas.Record{Key: []byte("1"), Value: bytes.Repeat([]byte("a"), 500<<10)})
		w := cl.start(func(c *Config) {
			c.DeadLetterMaxBytes = takes
			c.Client = append(c.Client, kgo.ProducerBatchCompression(kgo.Lz4Compression()))
		})
		cl.waitCommitted()
		w.halt()
		cl.requireConsistent()
	})
}

// noise is what no compression makes smaller.
func noise(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rand.IntN(256))
	}
	return b
}

// The dead-letter topic takes less than it said when the processor started.
// guard: bytes: a dead letter that its topic refuses is truncated
func TestADeadLetterThatItsTopicRefusesIsTruncated(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		limit := "50000"
		_, err := kadm.NewClient(cl.client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &limit}}, deadTopic)
		require.NoError(t, err)
		cl.produce(schemas.Record{Key: []byte("1"), Value: noise(80_000)})
		w := cl.start(func(c *Config) { c.DeadLetterMaxBytes = 200_000 })
		cl.waitCommitted()
		w.halt()
		letters := cl.readAll(deadTopic)
		require.Len(t, letters, 1)
		require.Less(t, len(letters[0].Value), 50_000)
		require.NotEmpty(t, letters[0].Value)
	})
}
