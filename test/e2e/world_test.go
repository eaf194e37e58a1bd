package e2e

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"pitchstream/internal/testkit"
	"pitchstream/schemas"
	"pitchstream/sink/pgsink"
	"pitchstream/sink/redissink"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// world is three real servers and what one target of pitchstream is called on them.
type world struct {
	t                *testing.T
	brokers, pg, rds string
	name             string // topics and group are called after it
	env              []string
	client           *kgo.Client
	admin            *kadm.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, brokers: testkit.Kafka(t), pg: testkit.Postgres(t), rds: testkit.Redis(t), name: testkit.Name(t)}
	w.env = append(os.Environ(),
		"PITCHSTREAM_KAFKA_BROKERS="+w.brokers, "PITCHSTREAM_KAFKA_GROUP="+w.name, "PITCHSTREAM_POSTGRES_URL="+w.pg,
		"PITCHSTREAM_REDIS_URL=redis://"+w.rds, "PITCHSTREAM_REDIS_PREFIX="+w.name+":", "PITCHSTREAM_TOPIC_RAW="+w.raw(),
		"PITCHSTREAM_TOPIC_ROWS="+w.rows(), "PITCHSTREAM_TOPIC_DEAD="+w.dead(), "PITCHSTREAM_ADMIN_ADDR=off",
	)
	var err error
	w.client, err = kgo.NewClient(kgo.SeedBrokers(w.brokers), kgo.ProducerBatchMaxBytes(20<<20), kgo.MaxBufferedBytes(64<<20))
	require.NoError(t, err)
	t.Cleanup(w.client.Close)
	w.admin = kadm.NewClient(w.client)
	w.must("topics", "--topic-partitions", "4")
	w.must("migrate")
	return w
}

func (w *world) raw() string  { return w.name + ".raw" }
func (w *world) rows() string { return w.name + ".rows" }
func (w *world) dead() string { return w.name + ".dead" }

// binary builds the command once a test process, unless PITCHSTREAM_TEST_BINARY names one.
var binary = func() func(t *testing.T) string {
	path := os.Getenv("PITCHSTREAM_TEST_BINARY")
	return func(t *testing.T) string {
		t.Helper()
		if path == "" {
			dir, err := os.MkdirTemp("", "pitchstream-e2e-")
			require.NoError(t, err)
			out := filepath.Join(dir, "pitchstream")
			cmd := exec.Command("go", "build", "-o", out, "./cmd/pitchstream")
			cmd.Dir = testkit.Root()
			b, err := cmd.CombinedOutput()
			require.NoError(t, err, string(b))
			path = out
		}
		return path
	}
}()

// must runs a command of the binary to its end and answers its standard output.
func (w *world) must(args ...string) string {
	w.t.Helper()
	cmd := exec.CommandContext(w.t.Context(), binary(w.t), args...)
	cmd.Env = w.env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(w.t, cmd.Run(), "pitchstream %v\n%s", args, &errs)
	return out.String()
}

// process is a running processor.
type process struct {
	w    *world
	cmd  *exec.Cmd
	log  string // the file with its log
	done chan error
}

// start runs a processor until the test ends, at the latest.
func (w *world) start(args ...string) *process {
	w.t.Helper()
	cmd := exec.Command(binary(w.t), append([]string{"run"}, args...)...)
	cmd.Env = w.env
	log, err := os.CreateTemp(w.t.TempDir(), "processor-*.log")
	require.NoError(w.t, err)
	cmd.Stderr = log
	require.NoError(w.t, cmd.Start())
	p := &process{w: w, cmd: cmd, log: log.Name(), done: make(chan error, 1)}
	go func() {
		p.done <- cmd.Wait()
		_ = log.Close()
		close(p.done)
	}()
	w.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.done
		if w.t.Failed() {
			b, _ := os.ReadFile(p.log)
			w.t.Logf("log of process %d, its end:\n%s", cmd.Process.Pid, b[max(0, len(b)-4000):])
		}
	})
	return p
}

// halt is SIGTERM; the processor must end well within ten seconds.
func (p *process) halt() {
	p.w.t.Helper()
	began := time.Now()
	require.NoError(p.w.t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-p.done:
		require.NoError(p.w.t, err)
	case <-time.After(10 * time.Second):
		p.w.t.Fatal("the processor did not end within 10 s of SIGTERM")
	}
	p.w.t.Logf("SIGTERM to exit: %v", time.Since(began).Round(time.Millisecond))
}

// lag is how many records the group has not committed.
func (w *world) lag() int64 {
	w.t.Helper()
	ends, err := w.admin.ListEndOffsets(w.t.Context(), w.raw())
	require.NoError(w.t, err)
	committed, err := w.admin.FetchOffsets(w.t.Context(), w.name)
	if err != nil {
		return 1 // the coordinator is not there yet
	}
	var lag int64
	ends.Each(func(end kadm.ListedOffset) {
		lag += end.Offset
		if at, ok := committed.Lookup(w.raw(), end.Partition); ok {
			lag -= at.At
		}
	})
	return lag
}

// waitFor polls servers that cannot tell us of an event.
func (w *world) waitFor(what string, cond func() bool) {
	w.t.Helper()
	patience := 2 * time.Minute
	if os.Getenv("PITCHSTREAM_SOAK_PITCHES") != "" {
		patience = 20 * time.Minute
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			w.t.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

func (w *world) waitCaughtUp() {
	w.t.Helper()
	w.waitFor("the group has committed everything", func() bool { return w.lag() == 0 })
}

// rewind puts the group at the start of the topic.
func (w *world) rewind() {
	w.t.Helper()
	starts, err := w.admin.ListStartOffsets(w.t.Context(), w.raw())
	require.NoError(w.t, err)
	require.NoError(w.t, w.admin.CommitAllOffsets(w.t.Context(), w.name, starts.Offsets()))
}

// produce sends records as they are, keyed, and waits for the acknowledgements.
func (w *world) produce(records ...*kgo.Record) {
	w.t.Helper()
	for _, r := range records {
		r.Topic = w.raw()
	}
	require.NoError(w.t, w.client.ProduceSync(w.t.Context(), records...).FirstErr())
}

// readAll reads a topic to its end as a reader of committed records does.
func (w *world) readAll(topic string) (records []*kgo.Record) {
	w.t.Helper()
	ends, err := w.admin.ListCommittedOffsets(w.t.Context(), topic)
	require.NoError(w.t, err)
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.brokers), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(w.t, err)
	defer cl.Close()
	for len(left) > 0 {
		fetches := cl.PollFetches(w.t.Context())
		require.NoError(w.t, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				records = append(records, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	return records
}

func (w *world) store() *pgsink.Sink {
	w.t.Helper()
	s, err := pgsink.Open(pgsink.Config{URL: w.pg, Schema: "pitchstream", Group: w.name})
	require.NoError(w.t, err)
	w.t.Cleanup(s.Close)
	return s
}

func (w *world) redis() *redissink.Reader {
	w.t.Helper()
	r, err := redissink.OpenReader(redissink.Config{URL: "redis://" + w.rds, Prefix: w.name + ":"})
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = r.Close() })
	return r
}

// freeAddr is a loopback address that nobody listens on.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

func headers(r *kgo.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

func kafkaHeaders(from []schemas.Header) (to []kgo.RecordHeader) {
	for _, h := range from {
		to = append(to, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return to
}
