package consumer

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
)

// manyRecords is a decompressor that takes the first batch for one of very many records.
type manyRecords struct {
	refused atomic.Int64
}

func (d *manyRecords) Decompress(src []byte, codec kgo.CompressionCodecType) ([]byte, error) {
	if codec != kgo.CodecNone && d.refused.Add(1) == 1 {
		return nil, &kafkaread.TooManyRecordsError{Records: 12_000_000, Share: 100 * kafkaread.SharedRecords}
	}
	return kgo.DefaultDecompressor().Decompress(src, codec)
}

// guard: a batch of very many records stops no partition
// guard: polls become large again behind a batch of very many records
func TestABatchOfVeryManyRecordsStopsNoPartition(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		cl.client.Close()
		cl.client = cl.newClient(kgo.ProducerBatchCompression(kgo.SnappyCompression()))
		t.Cleanup(cl.client.Close)
		s := newScorer(5)
		cl.produce(good(s, 21)...)
		d := &manyRecords{}
		w := cl.start(func(c *Config) {
			c.CommitEvery, c.PollMaxRecords = -1, 50
			c.Client = append(c.Client, kgo.WithDecompressor(d))
		})
		cl.waitCommitted()
		require.Equal(t, 21, w.seen.batchCount(), "one record at a time")
		time.Sleep(packedQuiet)
		cl.produce(good(s, 1)...)
		cl.waitFor("another session", func() bool {
			return strings.Contains(w.log.String(), errPackedRead.Error())
		})
		cl.waitCommitted()
		require.EqualValues(t, kafkaread.SharedRecords, w.cfg.share.Load())
		w.halt()
		cl.requireConsistent()
	})
}
