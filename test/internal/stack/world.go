// Package world is one target of pitchstream on real servers, for the tests of the whole: the binary, its topics and
// stores, and the books that must balance over all of them.
package world

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/sink/pgsink"
)

// World is three servers and what one target is called on them.
type World struct {
	T        *testing.T
	Brokers  string
	Postgres string // the URL of an empty database
	Redis    string // host:port
	Name     string // topics, group and prefix are called after it
	Env      []string
	Client   *kgo.Client
	Admin    *kadm.Client
	Patience time.Duration // how long WaitFor waits
}

// New is a world on the servers that the tests of this process share.
func New(t *testing.T) *World {
	t.Helper()
	return On(t, testkit.Kafka(t), testkit.Postgres(t), testkit.Redis(t), 4)
}

// On makes the topics, with so many partitions, and the schema on these servers.
func On(t *testing.T, brokers, postgres, redis string, partitions int) *World {
	t.Helper()
	w := &World{T: t, Brokers: brokers, Postgres: postgres, Redis: redis, Name: testkit.Name(t), Patience: 2 * time.Minute}
	w.Env = append(os.Environ(),
		"PITCHSTREAM_KAFKA_BROKERS="+w.Brokers, "PITCHSTREAM_KAFKA_GROUP="+w.Name, "PITCHSTREAM_POSTGRES_URL="+w.Postgres,
		"PITCHSTREAM_REDIS_URL=redis://"+w.Redis, "PITCHSTREAM_REDIS_PREFIX="+w.Name+":", "PITCHSTREAM_TOPIC_RAW="+w.Raw(),
		"PITCHSTREAM_TOPIC_ROWS="+w.Rows(), "PITCHSTREAM_TOPIC_DEAD="+w.Dead(), "PITCHSTREAM_ADMIN_ADDR=off",
	)
	var err error
	w.Client, err = kgo.NewClient(kgo.SeedBrokers(w.Brokers), kgo.AlwaysRetryEOF(), kgo.ProducerBatchMaxBytes(20<<20), kgo.MaxBufferedBytes(64<<20))
	require.NoError(t, err)
	t.Cleanup(w.Client.Close)
	w.Admin = kadm.NewClient(w.Client)
	w.Must("topics", "--topic-partitions", strconv.Itoa(partitions))
	w.Must("migrate")
	return w
}

// Raw, Rows and Dead are the topics.
func (w *World) Raw() string  { return w.Name + ".raw" }
func (w *World) Rows() string { return w.Name + ".rows" }
func (w *World) Dead() string { return w.Name + ".dead" }

// Binary builds the command once a test process, unless PITCHSTREAM_TEST_BINARY names one.
func Binary(t *testing.T) string {
	t.Helper()
	if built == "" {
		dir, err := os.MkdirTemp("", "pitchstream-test-")
		require.NoError(t, err)
		out := filepath.Join(dir, "pitchstream")
		cmd := exec.Command("go", "build", "-o", out, "./cmd/pitchstream")
		cmd.Dir = testkit.Root()
		b, err := cmd.CombinedOutput()
		require.NoError(t, err, string(b))
		built = out
	}
	return built
}

var built = os.Getenv("PITCHSTREAM_TEST_BINARY")

// Must runs a command of the binary to its end and answers its standard output.
func (w *World) Must(args ...string) string {
	w.T.Helper()
	cmd := exec.CommandContext(w.T.Context(), Binary(w.T), args...)
	cmd.Env = w.Env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	require.NoError(w.T, cmd.Run(), "pitchstream %v\n%s", args, &errs)
	return out.String()
}

// WaitFor polls servers that cannot tell us of an event.
func (w *World) WaitFor(what string, cond func() bool) {
	w.T.Helper()
	ctx, cancel := context.WithTimeout(w.T.Context(), w.Patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			w.T.Fatalf("never happened: %s", what)
		case <-tick.C:
		}
	}
}

// Store opens the store of record.
func (w *World) Store() *pgsink.Sink {
	w.T.Helper()
	s, err := pgsink.Open(pgsink.Config{URL: w.Postgres, Schema: "pitchstream", Group: w.Name})
	require.NoError(w.T, err)
	w.T.Cleanup(s.Close)
	return s
}
