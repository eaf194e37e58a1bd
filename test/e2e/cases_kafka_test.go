package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// These tests change what a real Kafka holds under a processor. They run beside each other, because most of
// their time is spent waiting for Kafka.

// feed is a stack with an admin address, to which a test sends pitches.
type feed struct {
	*stack.Stack
	admin string
	sent  int // pitches, of which each has an id of its own
}

// newFeed returns a feed of four partitions. The caller runs beside others from then on.
func newFeed(t *testing.T) *feed {
	t.Helper()
	f := &feed{Stack: stack.New(t), admin: testkit.FreeAddr()}
	f.Env = append(f.Env, "PITCHSTREAM_ADMIN_ADDR="+f.admin)
	stack.Binary(t)
	t.Parallel()
	return f
}

// pitches returns n records of batter 333, of other pitches than before.
func (f *feed) pitches(n int) (records []*kgo.Record) {
	for range n {
		f.sent++
		records = append(records, &kgo.Record{
			Topic: f.Raw(), Key: []byte(strconv.Itoa(f.sent)), Value: monster(f.sent, 1000),
			Headers: []kgo.RecordHeader{{Key: "batter_id", Value: []byte("333")}},
		})
	}
	return records
}

// recreate deletes a topic and creates it again.
func (f *feed) recreate(topics ...string) {
	f.T.Helper()
	_, err := f.Admin.DeleteTopics(f.T.Context(), topics...)
	require.NoError(f.T, err)
	f.WaitFor("the topics are gone", func() bool {
		there, err := f.Admin.ListTopics(f.T.Context(), topics...)
		require.NoError(f.T, err)
		return len(there.Names()) == 0 || there.Error() != nil
	})
	f.Output("topics", "--topic-partitions=4")
	f.Client.PurgeTopicsFromClient(topics...)
}

// waitReady waits until /readyz names nothing, or a reason with these words.
func (f *feed) waitReady(because ...string) {
	f.T.Helper()
	began := time.Now()
	f.WaitFor(fmt.Sprintf("/readyz names %q", because), func() bool {
		status, body := readyz(f.admin)
		for _, words := range because {
			if !strings.Contains(body, words) {
				return false
			}
		}
		if len(because) == 0 {
			return status == http.StatusOK
		}
		return status == http.StatusServiceUnavailable
	})
	f.T.Logf("/readyz names %q after %v", because, time.Since(began).Round(time.Millisecond))
}

func (f *feed) waitRows(n int) {
	f.T.Helper()
	began := time.Now()
	f.WaitFor(fmt.Sprintf("%d pitches are stored", n), func() bool { return pitchesOf(f.Stack) == n })
	f.T.Logf("%d pitches are stored after %v", n, time.Since(began).Round(time.Millisecond))
}

// metric returns a metric of the raw topic's partitions; nil while the processor does not answer.
func (f *feed) metric(name string) map[string]float64 {
	resp, err := http.Get("http://" + f.admin + "/metrics")
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	require.NoError(f.T, err)
	found := map[string]float64{}
	for _, m := range families["pitchstream_"+name].GetMetric() {
		for _, l := range m.GetLabel() {
			if l.GetName() == "partition" {
				found[l.GetValue()] = m.GetGauge().GetValue()
			}
		}
	}
	return found
}

// lag returns how many records wait, as the processor says.
func (f *feed) lag() (sum float64) {
	for _, n := range f.metric("lag_records") {
		sum += n
	}
	return sum
}

// A raw topic that was deleted and not created again is named within fifteen seconds. The log gets some
// lines, not thousands a second.
func TestADeletedTopicIsNamedAndDoesNotFillTheLog(t *testing.T) {
	f := newFeed(t)
	f.Produce(f.pitches(5)...)
	p := f.Start()
	f.waitRows(5)
	f.WaitCaughtUp()
	_, err := f.Admin.DeleteTopics(t.Context(), f.Raw())
	require.NoError(t, err)
	began := time.Now()
	f.waitReady(f.Raw())
	require.Less(t, time.Since(began), 40*time.Second) // 15 s, and what a busy machine adds
	f.WaitFor("ten seconds of errors", func() bool { return strings.Contains(p.Log(), "starting over") })
	require.Less(t, strings.Count(p.Log(), "\n"), 100, p.Log())
	p.Halt()
}

// A raw topic that was deleted and created again is named, while a processor runs and after a restart,
// whether or not it has grown past the old positions. Nothing of it is read until a person accepts that. Then
// it is read from its start, and verify finds no difference.
func TestATopicCreatedAnewIsReadFromItsStartOnceAccepted(t *testing.T) {
	for name, running := range map[string]bool{"while it runs": true, "while it is stopped": false} {
		for size, more := range map[string]int{"shorter": 3, "grown past": 60} {
			t.Run(name+", "+size, func(t *testing.T) {
				f := newFeed(t)
				broken := func() { f.Produce(&kgo.Record{Key: []byte("1"), Value: []byte("no pitch")}) }
				old := f.pitches(21)
				broken()
				f.Produce(old...)
				p := f.Start()
				f.waitRows(21)
				f.WaitCaughtUp()
				if !running {
					p.Halt()
				}
				f.recreate(f.Raw())
				f.Produce(f.pitches(more)...)
				f.Produce(old[:2]...) // one pitch may be in both topics
				broken()
				if !running {
					p = f.Start()
				}
				f.waitReady("gap: ", "created anew")
				require.Equal(t, 21, pitchesOf(f.Stack), "nothing is read behind the gap")
				p.Halt()
				p = f.Start("--accept-gap")
				f.waitRows(21 + more)
				f.waitReady()
				f.WaitCaughtUp()
				f.Output("verify")
				p.Halt()
				p = f.Start() // without the flag
				f.Produce(f.pitches(2)...)
				f.waitRows(23 + more)
				f.waitReady()
				f.WaitCaughtUp()
				f.Output("verify")
				p.Halt()
			})
		}
	}
}

// Topics of rows and of dead letters that were created anew are named until a person accepts that. The stream
// goes on meanwhile, into the new ones.
func TestOutputsCreatedAnewAreNamedWhileTheStreamGoesOn(t *testing.T) {
	f := newFeed(t)
	f.Produce(f.pitches(5)...)
	p := f.Start()
	f.waitRows(5)
	f.waitReady()
	f.recreate(f.Rows(), f.Dead())
	f.waitReady("topic "+f.Rows()+" was created anew", "topic "+f.Dead()+" was created anew")
	f.Produce(f.pitches(5)...)
	f.Produce(&kgo.Record{Key: []byte("1"), Value: []byte("no pitch")})
	f.waitRows(10)
	f.WaitCaughtUp()
	require.Len(t, deadLettersOf(f.Stack), 1)
	p.Halt()
	p = f.Start("--accept-gap")
	f.waitReady()
	p.Halt()
	p = f.Start()
	f.Produce(f.pitches(1)...)
	f.waitRows(11)
	f.waitReady()
	f.Output("verify")
	p.Halt()
}

func TestAddedPartitionsAreReadAndUntilThenTheyAreLag(t *testing.T) {
	f := newFeed(t)
	f.Produce(f.pitches(5)...)
	p := f.Start()
	f.waitRows(5)
	f.waitReady()
	_, err := f.Admin.UpdatePartitions(t.Context(), 8, f.Raw())
	require.NoError(t, err)
	client, err := kgo.NewClient(kgo.SeedBrokers(f.Brokers), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	defer client.Close()
	began := time.Now()
	for i, r := range f.pitches(8) {
		r.Partition = int32(i)
		f.WaitFor("the brokers lead partition "+strconv.Itoa(i), func() bool {
			err := client.ProduceSync(t.Context(), r).FirstErr()
			client.ForceMetadataRefresh() // else a client that asked too early asks again after five minutes
			return err == nil
		})
	}
	f.WaitFor("the processor knows all partitions", func() bool { return len(f.metric("lag_records")) == 8 })
	known := time.Since(began)
	f.waitRows(13)
	t.Logf("added partitions are known after %v, and read after %v", known, time.Since(began))
	f.WaitFor("no record waits", func() bool { return f.lag() == 0 })
	f.waitReady()
	f.WaitCaughtUp()
	f.Output("verify")
	p.Halt()
}

// answer is what the API says of a batter.
type answer struct {
	Stale bool   `json:"stale"`
	LagMS *int64 `json:"lag_ms"`
}

// A feed that is written in transactions ends in a marker, which no consumer gets.
func TestAFeedWithTransactionsIsReadToItsMarkers(t *testing.T) {
	f := newFeed(t)
	api := testkit.FreeAddr()
	p := f.Start()
	server := f.StartCommand("serve", "--api-addr="+api, "--admin-addr=off")
	fresh := func() (a answer, ok bool) {
		resp, err := http.Get("http://" + api + "/v1/batters/333")
		if err != nil {
			return a, false
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		return a, resp.StatusCode == http.StatusOK && json.Unmarshal(b, &a) == nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(f.Brokers), kgo.TransactionalID(f.Name),
		kgo.TransactionTimeout(10*time.Minute))
	require.NoError(t, err)
	defer client.Close()
	begin := func(records []*kgo.Record) {
		require.NoError(t, client.BeginTransaction())
		require.NoError(t, client.ProduceSync(t.Context(), records...).FirstErr())
	}
	end := func(how kgo.TransactionEndTry) { require.NoError(t, client.EndTransaction(t.Context(), how)) }
	atEnd := func() {
		t.Helper()
		f.WaitFor("positions and offsets are at the ends", func() bool {
			ends, err := f.Admin.ListEndOffsets(t.Context(), f.Raw())
			require.NoError(t, err)
			at := f.metric("position_offset")
			isThere := f.Lag() == 0 && f.lag() == 0
			ends.Each(func(o kadm.ListedOffset) {
				isThere = isThere && at[strconv.Itoa(int(o.Partition))] == float64(o.Offset)
			})
			return isThere
		})
		f.waitReady()
		f.WaitFor("the answer is up to date", func() bool {
			a, ok := fresh()
			return ok && !a.Stale && a.LagMS != nil && *a.LagMS == 0
		})
	}
	begin(f.pitches(5))
	end(kgo.TryCommit)
	atEnd()
	begin(f.pitches(5))
	end(kgo.TryAbort)
	atEnd()
	require.Equal(t, 5, pitchesOf(f.Stack))

	begin(f.pitches(5))
	f.Produce(f.pitches(5)...)
	f.WaitFor("records behind an open transaction are lag", func() bool { return f.lag() > 0 })
	f.WaitFor("the answer says that records wait", func() bool {
		a, ok := fresh()
		return ok && a.LagMS != nil && *a.LagMS > 0
	})
	f.waitReady() // nothing of it can be read, so nothing is stuck
	end(kgo.TryCommit)
	atEnd()
	require.Equal(t, 15, pitchesOf(f.Stack))
	f.Output("verify")
	server.Halt()
	p.Halt()
}

// The brokers refuse a dead letter. Readiness says why, for as long as it lasts.
func TestARefusedDeadLetterIsNamedWhileItLasts(t *testing.T) {
	f := newFeed(t)
	limit := func(n string) {
		_, err := f.Admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &n}}, f.Dead())
		require.NoError(t, err)
	}
	limit("100")
	f.Produce(&kgo.Record{Key: []byte("1"), Value: []byte("no pitch")})
	f.Produce(f.pitches(3)...)
	p := f.Start("--breaker-in-a-row=0", "--breaker-share=0")
	f.waitReady("kafka: ", "topic "+f.Dead()+" refuses a record", "raise its max.message.bytes")
	limit("1000000")
	f.waitReady()
	f.WaitCaughtUp()
	require.Len(t, deadLettersOf(f.Stack), 1)
	f.Output("verify")
	p.Halt()
}

// A raw topic that replaces timestamps is named by topics, counted by the processor, and refused by a load
// whose records have a time of their own.
// guard: records with the time of their arrival are counted
func TestATopicThatReplacesTimestampsIsNamed(t *testing.T) {
	f := newFeed(t)
	arrival := "LogAppendTime"
	_, err := f.Admin.AlterTopicConfigs(t.Context(),
		[]kadm.AlterConfig{{Name: "message.timestamp.type", Value: &arrival}}, f.Raw())
	require.NoError(t, err)
	require.Contains(t, f.Output("topics", "--topic-partitions=4"), "message.timestamp.type: LogAppendTime, want CreateTime")
	p := f.Start()
	f.Produce(f.pitches(5)...)
	f.waitRows(5)
	f.waitReady()
	resp, err := http.Get("http://" + f.admin + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.Contains(t, string(b), "pitchstream_arrival_time_records_total 5\n")
	p.Halt()

	file := filepath.Join(t.TempDir(), "745804_1.jsonl")
	require.NoError(t, os.WriteFile(file, monster(1, 1000), 0o600))
	f.Output("load", file) // with the time of the load
	load := exec.Command(stack.Binary(t), "load", "--timestamp=2000-01-01T00:00:00Z", file)
	load.Env = f.Env
	out, err := load.CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "kafka-configs.sh")
	ends, err := f.Admin.ListEndOffsets(t.Context(), f.Raw())
	require.NoError(t, err)
	sent := int64(0)
	ends.Each(func(o kadm.ListedOffset) { sent += o.Offset })
	require.EqualValues(t, 6, sent, "nothing was sent with a time that would be replaced")
}

var repairOfSizes = regexp.MustCompile(`(?m)^sizes: .*\n  repair: .*--entity-name (\S+) --add-config max.message.bytes=(\d+)$`)

// Limits that do not fit together are named with the command that repairs them, and nothing is left of them
// after it.
func TestTopicsNamesTheCommandThatMakesSizesFit(t *testing.T) {
	f := newFeed(t)
	set := func(topic, bytes string) {
		_, err := f.Admin.AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &bytes}}, topic)
		require.NoError(t, err)
	}
	set(f.Raw(), "1000000")
	set(f.Dead(), "900000")
	set(f.Rows(), "2000")
	f.Output("topics", "--topic-partitions=4") // not a check
	check := exec.Command(stack.Binary(t), "topics", "--topic-partitions=4", "--check")
	check.Env = f.Env
	out, err := check.CombinedOutput()
	require.Error(t, err)
	found := repairOfSizes.FindAllStringSubmatch(string(out), -1)
	require.Len(t, found, 3, string(out))
	for range 2 { // what the largest record is changes with the first
		for _, repair := range repairOfSizes.FindAllStringSubmatch(f.Output("topics", "--topic-partitions=4"), -1) {
			set(repair[1], repair[2])
		}
	}
	require.NotContains(t, f.Output("topics", "--topic-partitions=4"), "sizes:")
}
