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
			noise := make([]byte, 40<<10)
			for i := range noise {
				noise[i] = byte(rand.IntN(256))
			}
			cl.produce(schemas.Record{Key: []byte("1"), Value: noise})
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
