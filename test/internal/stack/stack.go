// Package stack runs pitchstream's real binary on real servers, for the tests of the whole system. It creates
// the topics and the schema, starts processors and other commands, and compares the content of the stores
// with what the raw topic must lead to.
package stack

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

// Stack is Kafka, Postgres and Redis with one set of topics, one schema and one prefix. Its methods fail the
// test on every error.
type Stack struct {
	T        *testing.T
	Brokers  string // their addresses, with commas
	Postgres string // the URL of a database that only this stack uses
	Redis    string // host:port
	Name     string // the consumer group; topics and the prefix in Redis begin with it
	Env      []string
	Client   *kgo.Client
	Admin    *kadm.Client
	Patience time.Duration // the longest that WaitFor waits
}

// New returns a stack on the servers that the tests of this process share.
func New(t *testing.T) *Stack {
	t.Helper()
	return On(t, testkit.Kafka(t), testkit.Postgres(t), testkit.Redis(t), 4)
}

// On returns a stack on these servers. It creates the topics with this number of partitions, and the schema.
func On(t *testing.T, brokers, postgres, redis string, partitions int) *Stack {
	t.Helper()
	s := &Stack{
		T: t, Brokers: brokers, Postgres: postgres, Redis: redis, Name: testkit.Name(t), Patience: 2 * time.Minute,
	}
	s.Env = append(os.Environ(), "PITCHSTREAM_KAFKA_BROKERS="+s.Brokers, "PITCHSTREAM_KAFKA_GROUP="+s.Name,
		"PITCHSTREAM_POSTGRES_URL="+s.Postgres, "PITCHSTREAM_REDIS_URL=redis://"+s.Redis,
		"PITCHSTREAM_REDIS_PREFIX="+s.Name+":", "PITCHSTREAM_TOPIC_RAW="+s.Raw(),
		"PITCHSTREAM_TOPIC_ROWS="+s.Rows(), "PITCHSTREAM_TOPIC_DEAD="+s.Dead(), "PITCHSTREAM_ADMIN_ADDR=off")
	var err error
	s.Client, err = kgo.NewClient(kgo.SeedBrokers(strings.Split(s.Brokers, ",")...), kgo.AlwaysRetryEOF(),
		kgo.ProducerBatchMaxBytes(20<<20), kgo.MaxBufferedBytes(64<<20))
	require.NoError(t, err)
	t.Cleanup(s.Client.Close)
	s.Admin = kadm.NewClient(s.Client)
	s.Output("topics", "--topic-partitions", strconv.Itoa(partitions))
	s.Output("migrate")
	return s
}

// Raw returns the name of the topic of raw records.
func (s *Stack) Raw() string { return s.Name + ".raw" }

// Rows returns the name of the topic of rows.
func (s *Stack) Rows() string { return s.Name + ".rows" }

// Dead returns the name of the topic of dead letters.
func (s *Stack) Dead() string { return s.Name + ".dead" }

// Output runs a command of the binary to its end and returns its standard output. A failed command fails the
// test.
func (s *Stack) Output(args ...string) string {
	s.T.Helper()
	cmd := exec.CommandContext(s.T.Context(), Binary(s.T), args...)
	cmd.Env = s.Env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(s.T, cmd.Run(), "pitchstream %v\n%s%s", args, &out, &errs) // verify prints what differs
	return out.String()
}

// WaitFor polls cond until it is true, because the servers send no event for it. It fails the test after
// s.Patience.
func (s *Stack) WaitFor(what string, cond func() bool) {
	s.T.Helper()
	ctx, cancel := context.WithTimeout(s.T.Context(), s.Patience)
	defer cancel()
	tick := time.Tick(20 * time.Millisecond)
	for !cond() {
		select {
		case <-ctx.Done():
			s.T.Fatalf("within %v it did not happen that %s", s.Patience, what)
		case <-tick:
		}
	}
}

// Store opens the store in Postgres.
func (s *Stack) Store() *pgsink.Sink {
	s.T.Helper()
	store, err := pgsink.Open(pgsink.Config{URL: s.Postgres, Schema: "pitchstream", Group: s.Name})
	require.NoError(s.T, err)
	s.T.Cleanup(store.Close)
	return store
}

// Produce sends records to the raw topic and waits until all are acknowledged.
func (s *Stack) Produce(records ...*kgo.Record) {
	s.T.Helper()
	for _, r := range records {
		r.Topic = s.Raw()
	}
	require.NoError(s.T, s.Client.ProduceSync(s.T.Context(), records...).FirstErr())
}

// Load returns simulated pitches with everything that goes wrong in a stream, and a client that sends to the
// raw topic until Kafka has acknowledged. The caller closes the client.
func (s *Stack) Load(seed uint64, pitches int) (*simulate.Simulator, *kgo.Client) {
	s.T.Helper()
	sim, err := simulate.New(simulate.Options{Seed: seed, Pitches: pitches,
		Duplicates: 0.05, Reorder: 0.05, Corrections: 0.05, Deletes: 0.01, LateIDs: 0.10, Poison: 0.01})
	require.NoError(s.T, err)
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(s.Brokers, ",")...), kgo.AlwaysRetryEOF(),
		kgo.DefaultProduceTopic(s.Raw()), kgo.ProducerBatchMaxBytes(20<<20),
		kgo.MaxBufferedBytes(64<<20), kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	require.NoError(s.T, err)
	return sim, client
}

// Lag returns how many records of the raw topic the group has not committed.
func (s *Stack) Lag() int64 {
	s.T.Helper()
	ends, err := s.Admin.ListEndOffsets(s.T.Context(), s.Raw())
	require.NoError(s.T, err)
	committed, err := s.Admin.FetchOffsets(s.T.Context(), s.Name)
	if err != nil {
		return 1 // the group has no coordinator yet
	}
	var lag int64
	ends.Each(func(end kadm.ListedOffset) {
		lag += end.Offset
		if at, ok := committed.Lookup(s.Raw(), end.Partition); ok {
			lag -= at.At
		}
	})
	return lag
}

// WaitCaughtUp waits until the group has committed every record of the raw topic.
func (s *Stack) WaitCaughtUp() {
	s.T.Helper()
	s.WaitFor("the group has committed everything", func() bool { return s.Lag() == 0 })
}

// Each calls do for every record from the beginning of a topic to its present end, with read_committed. It
// first waits until no transaction is open, because an open one hides the records after it.
func (s *Stack) Each(topic string, do func(*kgo.Record)) {
	s.T.Helper()
	left := map[int32]int64{}
	s.WaitFor("no transaction is open on "+topic, func() bool {
		stable, err := s.Admin.ListCommittedOffsets(s.T.Context(), topic)
		require.NoError(s.T, err)
		ends, err := s.Admin.ListEndOffsets(s.T.Context(), topic)
		require.NoError(s.T, err)
		open := false
		ends.Each(func(end kadm.ListedOffset) {
			at, _ := stable.Lookup(topic, end.Partition)
			open = open || at.Offset < end.Offset
			if end.Offset > 0 {
				left[end.Partition] = end.Offset
			}
		})
		return !open
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(s.Brokers, ",")...), kgo.AlwaysRetryEOF(),
		kgo.ConsumeTopics(topic),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(s.T, err)
	defer cl.Close()
	for len(left) > 0 {
		fetches := cl.PollFetches(s.T.Context())
		require.NoError(s.T, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				do(r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
}

// Headers returns a record's headers by name.
func Headers(r *kgo.Record) map[string]string {
	m := map[string]string{}
	for _, h := range r.Headers {
		m[h.Key] = string(h.Value)
	}
	return m
}

// Binary returns the path of the command, which it builds once in each test process. PITCHSTREAM_TEST_BINARY
// names a binary to use instead.
func Binary(t *testing.T) string {
	t.Helper()
	if built == "" {
		built = Build(t)
	}
	return built
}

// Build builds the command with these arguments of go build, and returns its path.
func Build(t *testing.T, args ...string) string {
	t.Helper()
	out := filepath.Join(testkit.SharedDir(t), "pitchstream")
	cmd := exec.Command("go", append(append([]string{"build", "-o", out}, args...), "./cmd/pitchstream")...)
	cmd.Dir = testkit.Root()
	b, err := cmd.CombinedOutput()
	require.NoError(t, err, string(b))
	return out
}

var built = os.Getenv("PITCHSTREAM_TEST_BINARY")

// Process is a running processor, or another command that runs until it is stopped.
type Process struct {
	Pid int

	stack *Stack
	cmd   *exec.Cmd
	log   string     // its file
	done  chan error // closed after the process has ended; before, it carries the error of Wait once
}

// Start starts a processor. It is killed when the test ends.
func (s *Stack) Start(args ...string) *Process {
	s.T.Helper()
	return s.StartCommand(append([]string{"run"}, args...)...)
}

// StartCommand starts a command. It is killed when the test ends; where the test failed, the end of its log
// is printed.
func (s *Stack) StartCommand(args ...string) *Process {
	s.T.Helper()
	return s.StartBinary(Binary(s.T), args...)
}

// StartBinary is StartCommand with another build of the binary.
func (s *Stack) StartBinary(binary string, args ...string) *Process {
	s.T.Helper()
	cmd := exec.Command(binary, args...)
	cmd.Env = s.Env
	log, err := os.CreateTemp(s.T.TempDir(), "processor-*.log")
	require.NoError(s.T, err)
	cmd.Stderr = log
	require.NoError(s.T, cmd.Start())
	p := &Process{Pid: cmd.Process.Pid, stack: s, cmd: cmd, log: log.Name(), done: make(chan error, 1)}
	go func() {
		p.done <- cmd.Wait()
		_ = log.Close()
		close(p.done)
	}()
	s.T.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-p.done //nolint:errcheck // only that it has ended counts
		if s.T.Failed() {
			all := p.Log()
			s.T.Logf("end of the log of process %d:\n%s", p.Pid, all[max(0, len(all)-4000):])
		}
	})
	return p
}

// Log returns what the process has logged so far.
func (p *Process) Log() string {
	all, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(all)
}

// Halt sends SIGTERM and waits for the end of the process, which must come within ten seconds.
func (p *Process) Halt() {
	p.stack.T.Helper()
	began := time.Now()
	require.NoError(p.stack.T, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case err := <-p.done:
		require.NoError(p.stack.T, err)
	case <-time.After(10 * time.Second):
		p.stack.T.Fatal("the process did not end within 10 s of SIGTERM")
	}
	p.stack.T.Logf("SIGTERM to exit: %v", time.Since(began).Round(time.Millisecond))
}
