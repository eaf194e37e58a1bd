package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// pitch returns a small record of an event.
func pitch(eventID string) string {
	return `{"summary_acts":{"pitch":{"eventId":"` + eventID + `","result":"Ball"}}}`
}

func writeFiles(t *testing.T, files map[string]string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	return dir
}

// keyed returns the values of a topic's records by their keys, in order.
func keyed(records map[int32][]*kgo.Record) map[string][]string {
	byKey := map[string][]string{}
	for _, partition := range slices.Sorted(maps.Keys(records)) {
		for _, r := range records[partition] {
			byKey[string(r.Key)] = append(byKey[string(r.Key)], string(r.Value))
		}
	}
	return byKey
}

func all(records map[int32][]*kgo.Record) (rs []*kgo.Record) {
	for _, partition := range records {
		rs = append(rs, partition...)
	}
	return rs
}

func brokers(cluster *kfake.Cluster) []kgo.Opt {
	return []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}
}

// seasonFiles writes n files of 40 records, one per game, and returns the records by game.
func seasonFiles(t *testing.T, n int) (dir string, want map[string][]string) {
	files, want := map[string]string{}, map[string][]string{}
	for g := range n {
		var text strings.Builder
		for i := range 40 {
			record := pitch(fmt.Sprintf("00000000-0000-4000-8000-%012d", 1000*g+i))
			want[fmt.Sprint(100+g)] = append(want[fmt.Sprint(100+g)], record)
			text.WriteString(record + "\n")
		}
		files[fmt.Sprintf("%d_1.jsonl", 100+g)] = text.String()
	}
	return writeFiles(t, files), want
}

// failsAt is a producer that fails to send its nth record only.
type failsAt struct {
	*kafkasink.Producer
	n   int
	why error
}

func (f *failsAt) Send(ctx context.Context, rec *kgo.Record, acked func(error)) error {
	if f.n--; f.n == 0 {
		f.Refuse(f.why, acked)
		return nil
	}
	return f.Producer.Send(ctx, rec, acked)
}

// After a failure of Kafka the next run completes the load: no record is missing, each game is in order, and
// no settled record is sent again.
func TestALoadThatFailedIsCompletedByTheNext(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	dir, want := seasonFiles(t, 30)
	state := filepath.Join(t.TempDir(), "load.state")
	away := errors.New("unavailable")
	options := kafkasink.ProducerOptions{Client: brokers(cluster), Topic: testkit.RawTopic}
	producer, err := kafkasink.OpenProducer(t.Context(), options)
	require.NoError(t, err)
	out := &failsAt{Producer: producer, n: 500, why: away}
	l, err := loadWith(t.Context(), t, out, Options{Paths: []string{dir}, StatePath: state})
	require.ErrorIs(t, err, away)
	require.ErrorContains(t, err, "kafka does not take records: ")
	before := len(all(testkit.RawRecords(t, cluster)))
	require.GreaterOrEqual(t, before, 499)
	first := l.counts.sum(l.in)
	require.Equal(t, first.Records, first.Sent+first.Refused+first.Unconfirmed)
	require.EqualValues(t, before, first.Sent)

	again, err := Run(t.Context(),
		testOptions(Options{Paths: []string{dir}, StatePath: state, Client: brokers(cluster)}))
	require.NoError(t, err)
	require.EqualValues(t, 499, again.SentBefore)
	got, repeats := keyed(testkit.RawRecords(t, cluster)), 0
	for game, records := range got {
		first := []string{}
		for _, r := range records {
			if slices.Contains(first, r) {
				repeats++
				continue
			}
			first = append(first, r)
		}
		slices.Sort(first) // in the game of the failure, later records come before it
		require.Equal(t, want[game], first, game)
	}
	require.Len(t, got, 30)
	require.Equal(t, before-499, repeats, "only records acknowledged after the failure are sent again")
}

// fakeSender stands in for Kafka: it keeps the records, and answers as scripted, or not at all.
type fakeSender struct {
	answers []error // to the first records; nil after them
	silent  bool    // no answers before Close
	sent    []*kgo.Record
	waiting []func(error)
}

func (f *fakeSender) Send(ctx context.Context, rec *kgo.Record, acked func(error)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	f.sent = append(f.sent, rec)
	f.waiting = append(f.waiting, acked)
	return nil
}

func (f *fakeSender) Refuse(err error, acked func(error)) { panic("nothing is too large here") }

// Flush answers every record, those after a failure as well.
func (f *fakeSender) Flush(ctx context.Context) error {
	if f.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, acked := range f.waiting {
		var answer error
		if len(f.answers) > 0 {
			answer, f.answers = f.answers[0], f.answers[1:]
		}
		acked(answer)
	}
	f.waiting = nil
	return nil
}

func (f *fakeSender) Close() {
	for _, acked := range f.waiting {
		acked(kafkasink.ErrNotSent)
	}
}

// testOptions completes options as the tests need them.
func testOptions(o Options) Options {
	o.Topic, o.Timestamp.Text, o.MaxRecordBytes = testkit.RawTopic, "now", 1<<20
	return o
}

// loadWith runs a load with another sender than Kafka.
func loadWith(ctx context.Context, t *testing.T, out sender, o Options) (*loader, error) {
	t.Helper()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	o = testOptions(o)
	o.Check = true // opened without Kafka
	l, err := open(ctx, stop, o)
	require.NoError(t, err)
	l.o.Check, l.out = false, out
	return l, l.run(ctx)
}

func withState(t *testing.T, dir string) Options {
	return Options{Paths: []string{dir}, StatePath: filepath.Join(t.TempDir(), "state")}
}

// The next run sends records after a failure again, rather than leave a gap.
func TestNothingAfterAFailureCountsAsSettled(t *testing.T) {
	dir := writeFiles(t, map[string]string{"1_1.jsonl": pitch("a") + "\n" + pitch("b") + "\n" + pitch("c") + "\n" + pitch("d") + "\n"})
	away := errors.New("unavailable")
	out := &fakeSender{answers: []error{nil, nil, away, nil}}
	l, err := loadWith(t.Context(), t, out, withState(t, dir))
	require.ErrorIs(t, err, away)
	require.EqualValues(t, 2, l.state.SettledRecords(l.in.Files()[0]))
	for i, want := range []string{"a", "b", "c", "d"} {
		require.Equal(t, pitch(want), string(out.sent[i].Value), "a record keeps its value while it is in flight")
	}
}

// stopper fails the first record while the second is being sent.
type stopper struct{ fakeSender }

func (s *stopper) Send(ctx context.Context, rec *kgo.Record, acked func(error)) error {
	err := s.fakeSender.Send(ctx, rec, acked)
	if len(s.sent) == 2 {
		_ = s.Flush(ctx)
	}
	return err
}

func TestALoadStopsWhenKafkaFails(t *testing.T) {
	dir := writeFiles(t, map[string]string{"1_1.jsonl": strings.Repeat(pitch("a")+"\n", 50)})
	away := errors.New("unavailable")
	out := &stopper{fakeSender{answers: []error{away}}}
	_, err := loadWith(t.Context(), t, out, withState(t, dir))
	require.ErrorIs(t, err, away)
	require.Len(t, out.sent, 2)
}

func TestAnInterruptedLoadWaitsAFewSecondsForAcknowledgements(t *testing.T) {
	dir := writeFiles(t, map[string]string{"1_1.jsonl": pitch("a") + "\n" + pitch("b") + "\n"})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		begun := time.Now()
		l, err := loadWith(ctx, t, &fakeSender{silent: true}, withState(t, dir))
		require.EqualError(t, err, "interrupted: run the same command again to continue")
		require.Equal(t, time.Minute+stopTimeout, time.Since(begun))
		require.Zero(t, l.state.SettledRecords(l.in.Files()[0]))
		r := l.counts.sum(l.in)
		require.Equal(t, []int64{2, 0, 2}, []int64{r.Records, r.Sent, r.Unconfirmed})
	})
}

func TestRealPaceKeepsTheTimeBetweenEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		at := time.Date(2024, 9, 28, 19, 5, 0, 0, time.UTC)
		var p realPace
		for _, step := range []struct{ event, want time.Duration }{
			{0, 0}, {20 * time.Second, 20 * time.Second},
			{5 * time.Second, 20 * time.Second}, {time.Minute, time.Minute},
		} {
			require.NoError(t, p.wait(t.Context(), at.Add(step.event)))
			require.Equal(t, step.want, time.Since(begun))
		}
		require.NoError(t, p.wait(t.Context(), time.Time{}), "no time is known: no delay")
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop")
		cancel(stop)
		require.ErrorIs(t, p.wait(ctx, at.Add(time.Hour)), stop)
	})
}

func TestTheRealRecordsWouldBecomeRows(t *testing.T) {
	r, err := Run(t.Context(), testOptions(Options{Paths: []string{testkit.Hawkeye(t)}, Check: true}))
	require.NoError(t, err)
	require.Equal(t, []int64{12, 12, 12, 4}, []int64{r.Records, r.Sent, r.Rows, r.Games})
	require.Empty(t, r.DeadLetters)
}

// guard: load: a state file is not continued with other identifiers
// guard: load: a state file is not continued into a topic that was made anew
func TestAStateFileNamesATopicOrIdentifiersThatHaveChanged(t *testing.T) {
	cluster := testkit.FakeKafka(t)
	dir, _ := seasonFiles(t, 1)
	o := withState(t, dir)
	o.Client, o.IDsPath = brokers(cluster), filepath.Join(t.TempDir(), "ids.csv")
	load := func(ids string) error {
		require.NoError(t, os.WriteFile(o.IDsPath, []byte(ids), 0o600))
		_, err := Run(t.Context(), testOptions(o))
		return err
	}
	const ids = "event_id,batter_id\n00000000-0000-4000-8000-000000000001,7\n"
	require.NoError(t, load(ids))
	require.NoError(t, load(ids))
	const other = `is of a run with content of ids \(SHA-256\) "[0-9a-f]{64}", this one has .*: name another state file`
	err := load(strings.Replace(ids, "7", "8", 1))
	require.Error(t, err)
	require.Regexp(t, other, err.Error())

	admin := kadm.NewClient(testkit.KafkaClient(t, cluster))
	_, err = admin.DeleteTopic(t.Context(), testkit.RawTopic)
	require.NoError(t, err)
	_, err = admin.CreateTopic(t.Context(), 1, 1, nil, testkit.RawTopic)
	require.NoError(t, err)
	require.ErrorContains(t, load(ids), `is of a run with topic ID "`)
}

// guard: load: an empty input is no success
func TestALoadOfNothingFails(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "1_1.jsonl")
	require.NoError(t, os.WriteFile(empty, []byte("\n"), 0o644))
	for _, path := range []string{empty, filepath.Dir(empty), fileinput.Stdin} {
		o := testOptions(Options{Paths: []string{path}, Stdin: strings.NewReader(""), Check: true})
		_, err := Run(t.Context(), o)
		require.ErrorContains(t, err, "no record was found in "+path)
		require.ErrorContains(t, err, "holds no record")
		o.AllowEmpty = true
		_, err = Run(t.Context(), o)
		require.NoError(t, err)
	}
}
