package chaos

import (
	"bytes"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

func TestMain(m *testing.M) { testkit.Main(m) }

const (
	processors = 3
	partitions = 6
	// shortly is how long a question about the state of the servers may take amid a fault.
	shortly = 3 * time.Second
)

// cluster is all the servers and the three processors.
type cluster struct {
	t       *testing.T
	net     *network
	stack   *stack.Stack
	logs    string
	brokers []*broker

	pgPrograms string
	pgUser     *child.User
	databases  []*database
	first      int // the primary
	keepers    []*keeper
	sentinels  []string
	redisURL   string

	may                   map[kind]bool // the kinds of the schedule
	clocks                *clocks       // nil: no kind sets one wrong
	binary, older, skewed string
	operators             *operators

	mu         sync.Mutex // held while a processor is killed or started
	processors []*testkit.Server
	began      [processors]int64 // where the log of the present process begins
	vain       int               // processors that gave up while they were starting
}

// newCluster starts everything.
func newCluster(t *testing.T, plan []fault) *cluster {
	t.Helper()
	logs := os.Getenv("CHAOS_LOGS")
	if logs == "" {
		logs = t.TempDir()
	}
	require.NoError(t, os.MkdirAll(logs, 0o755))
	c := &cluster{t: t, net: newNetwork(), logs: logs, may: kindsIn(plan), operators: &operators{}}
	c.builds()
	if c.may[brokerClock] || c.may[masterClock] || c.may[standbyClock] {
		c.clocks = newClocks(t)
	}
	began := time.Now()
	c.startPostgres()
	c.startRedis()
	c.startKafka()
	c.startStack()
	for i := range processors {
		c.startProcessor(i)
	}
	c.await("every processor is ready", func() bool { return c.wasReady(0) && c.wasReady(1) && c.wasReady(2) })
	t.Logf("all servers run after %v", time.Since(began).Round(time.Second))
	return c
}

// startStack makes topics, schema and clients.
func (c *cluster) startStack() {
	c.t.Helper()
	s := &stack.Stack{T: c.t, Brokers: c.bootstrap(), Postgres: c.primary().direct, Name: testkit.Name(c.t),
		Patience: 2 * time.Minute}
	s.Env = append(os.Environ(), "PITCHSTREAM_KAFKA_BROKERS="+s.Brokers, "PITCHSTREAM_KAFKA_GROUP="+s.Name,
		"PITCHSTREAM_POSTGRES_URL="+c.postgresURL(), "PITCHSTREAM_REDIS_URL="+c.redisURL,
		"PITCHSTREAM_REDIS_PREFIX="+s.Name+":", "PITCHSTREAM_TOPIC_RAW="+s.Raw(),
		"PITCHSTREAM_TOPIC_ROWS="+s.Rows(), "PITCHSTREAM_TOPIC_DEAD="+s.Dead(), "PITCHSTREAM_ADMIN_ADDR=off")
	var err error
	s.Client, err = kgo.NewClient(kgo.SeedBrokers(strings.Split(s.Brokers, ",")...), kgo.AlwaysRetryEOF(),
		kgo.ProducerBatchMaxBytes(20<<20),
		kgo.MaxBufferedBytes(64<<20), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(c.t, err)
	c.t.Cleanup(s.Client.Close)
	s.Admin = kadm.NewClient(s.Client)
	c.stack = s
	s.Output("topics", "--topic-partitions", strconv.Itoa(partitions))
	s.Output("migrate")
}

// diskFor returns a disk of its own for a server where the schedule fills it, and else nil.
func (c *cluster) diskFor(owner *child.User, k kind) *disk {
	c.t.Helper()
	if !c.may[k] {
		return nil
	}
	return newDisk(c.t, owner)
}

// clockOf returns the environment of a server whose clock the schedule sets wrong, and else nil.
func (c *cluster) clockOf(name string, k kind) []string {
	c.t.Helper()
	if !c.may[k] {
		return nil
	}
	return c.clocks.env(c.t, name)
}

// runBinary starts a command of the binary.
func (c *cluster) runBinary(name string, args ...string) *testkit.Server {
	c.t.Helper()
	p := testkit.RunProgram(c.t, testkit.Program{
		Name: name, Path: stack.Binary(c.t), Args: args, Env: c.stack.Env, LogFile: c.logFile(name),
	})
	c.add(name, p)
	return p
}

// add makes a program known to the network.
func (c *cluster) add(name string, s *testkit.Server) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	c.net.programs[name] = s.Pid
}

func (c *cluster) logFile(name string) string { return filepath.Join(c.logs, name+".log") }

// await polls until ok, because the servers send no event for it.
func (c *cluster) await(what string, ok func() bool) {
	c.t.Helper()
	const patience = 2 * time.Minute
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			c.t.Fatalf("within %v it did not happen that %s", patience, what)
		}
	}
}

// direct points the stack at the servers themselves, for the books at the end.
func (c *cluster) direct() {
	c.stack.Postgres = c.primary().direct
	c.stack.Redis = c.master().server.Addr
	for i, e := range c.stack.Env {
		if len(e) > 25 && e[:25] == "PITCHSTREAM_POSTGRES_URL=" {
			u, err := url.Parse(c.stack.Postgres)
			require.NoError(c.t, err)
			c.stack.Env[i] = e[:25] + u.String()
		}
	}
}

func (c *cluster) appendTo(path string) *os.File {
	c.t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	require.NoError(c.t, err)
	return f
}

func size(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// wasReady reports whether the present process of a processor has logged that it is ready.
func (c *cluster) wasReady(i int) bool { return bytes.Contains(c.log(i), []byte("msg=ready")) }

func (c *cluster) lastWords(i int) string {
	log := c.log(i)
	return string(log[max(0, len(log)-3000):])
}

func (c *cluster) log(i int) []byte {
	c.t.Helper()
	log, err := os.ReadFile(c.logFile(fmt.Sprint("processor-", i+1)))
	require.NoError(c.t, err)
	return log[min(c.began[i], int64(len(log))):]
}
