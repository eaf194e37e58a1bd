package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

const maxRecord = 16 << 20

// monster is a pitch whose value has size bytes.
func monster(id, size int) []byte {
	head := fmt.Sprintf(`{"summary_acts":{"pitch":{"eventId":"00000000-0000-4000-8000-%012d"}},"pad":"`, id)
	return append(append([]byte(head), bytes.Repeat([]byte("a"), size-len(head)-2)...), `"}`...)
}

func samples(id int, one string, n int) []byte {
	return fmt.Appendf(nil, `{"summary_acts":{"pitch":{"eventId":"00000000-0000-4000-8000-%012d"}},"samples_bat":[%s%s]}`,
		id, strings.Repeat(one+",", n-1), one)
}

// Every record becomes a row or a dead letter, and the processor stays within its memory.
// guard: a batch is committed before its dead letters hold too much
func TestRecordsAtTheLimits(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	w := stack.On(t, strings.Join(cluster.ListenAddrs(), ","), testkit.Postgres(t), testkit.Redis(t), 2)
	big := []kgo.RecordHeader{{Key: "trace", Value: bytes.Repeat([]byte("h"), 10<<20)}}
	values := []struct {
		value   []byte
		headers []kgo.RecordHeader
	}{
		{monster(1, maxRecord), nil},
		{monster(2, maxRecord+1), nil},
		{samples(3, `{"time":1}`, 1_000_000), nil},
		{samples(4, `{"h":1}`, 1_000_000), nil},
		{bytes.Repeat([]byte("["), maxRecord), nil},
		{bytes.Repeat([]byte(`{"a":`), maxRecord/5), nil},
		{bytes.Repeat([]byte(`{"samples_bat":[`), maxRecord/16), nil},
		{[]byte(strings.Repeat("9", maxRecord)), nil},
		{monster(5, 200), big},
		{[]byte("no pitch"), big},
		{bytes.Repeat([]byte{0xff}, maxRecord), nil},
		{nil, nil},
		{monster(6, 1000), nil},
	}
	for range 3 { // what one of them needs is not kept for the next
		for _, v := range values {
			w.Produce(&kgo.Record{Topic: w.Raw(), Key: []byte("716404"), Value: v.value, Headers: v.headers})
		}
	}
	// These pack twenty times smaller than they are, and a fetch is bounded as packed.
	p := w.Start("--breaker-in-a-row=0", "--breaker-share=0", "--fetch-max-bytes=2MiB")
	w.WaitCaughtUp()
	books := requireBooks(w, 1)
	require.Equal(t, 5, len(books.Rows))
	peak := peakBytes(t, p)
	t.Logf("%d records, %d letters, peak %d MiB", len(values)*3, len(books.DeadLetters), peak>>20)
	require.Less(t, peak, int64(320<<20), "192 MiB, and what single records need beyond: unpacked, decoded, packed as a letter")
	p.Halt()
}

// peakBytes returns the largest resident set that the process has had (Linux).
func peakBytes(t *testing.T, p *stack.Process) int64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Pid))
	require.NoError(t, err)
	_, after, ok := strings.Cut(string(status), "\nVmHWM:")
	require.True(t, ok)
	var kib int64
	_, err = fmt.Sscan(after, &kib)
	require.NoError(t, err)
	return kib << 10
}
