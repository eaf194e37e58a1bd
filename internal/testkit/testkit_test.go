package testkit

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestMain is also the process that is killed, for the test that does so.
func TestMain(m *testing.M) {
	if os.Getenv("TESTKIT_TEST_VICTIM") != "" {
		s, err := launch(context.Background(), redisSpec())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(s.Addr)
		select {}
	}
	Main(m)
}

func TestKafkaTakesARecordOfTheLargestSizeInATransaction(t *testing.T) {
	topic := Name(t)
	c := kafkaClient(t, Kafka(t), kgo.TransactionalID(topic), kgo.ProducerBatchMaxBytes(34<<20),
		kgo.ConsumeTopics(topic))
	createTopic(t, c, topic)

	require.NoError(t, c.BeginTransaction())
	sent := &kgo.Record{Topic: topic, Value: make([]byte, 33<<20)}
	require.NoError(t, c.ProduceSync(t.Context(), sent).FirstErr())
	require.NoError(t, c.EndTransaction(t.Context(), kgo.TryCommit))

	got := c.PollFetches(t.Context())
	require.NoError(t, got.Err())
	require.Len(t, got.Records(), 1)
	require.Len(t, got.Records()[0].Value, 33<<20)
}

func TestKafkaMakesNoTopicUnasked(t *testing.T) {
	c := kafkaClient(t, Kafka(t), kgo.UnknownTopicRetries(0))
	err := c.ProduceSync(t.Context(), &kgo.Record{Topic: Name(t)}).FirstErr()
	require.ErrorContains(t, err, "UNKNOWN_TOPIC_OR_PARTITION")
}

func TestAKilledKafkaComesBackWithItsRecords(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a broker twice")
	}
	s := OwnKafka(t)
	topic := Name(t)
	c := kafkaClient(t, s.Addr, kgo.ConsumeTopics(topic))
	createTopic(t, c, topic)
	require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("before")}).FirstErr())

	s.Kill(t)
	s.Start(t)
	require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("after")}).FirstErr())
	var values []string
	for len(values) < 2 {
		c.PollFetches(t.Context()).EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
		require.NoError(t, t.Context().Err())
	}
	require.Equal(t, []string{"before", "after"}, values)
}

func TestEachPostgresIsADatabaseOfItsOwn(t *testing.T) {
	one, two := connect(t, Postgres(t)), connect(t, Postgres(t))
	for _, c := range []*pgx.Conn{one, two} {
		_, err := c.Exec(t.Context(), "CREATE TABLE pitches (id int)")
		require.NoError(t, err, "the table of another test is not here")
	}
}

func TestAPostgresGoesWithItsTest(t *testing.T) {
	var url string
	t.Run("the test", func(t *testing.T) { url = Postgres(t) })
	_, err := pgx.Connect(t.Context(), url)
	require.ErrorContains(t, err, "does not exist")
}

func TestAStoppedOrKilledPostgresComesBackWithItsRows(t *testing.T) {
	s := OwnPostgres(t, "max_connections=7")
	c := connect(t, s.URL)
	_, err := c.Exec(t.Context(), "CREATE TABLE pitches (id int)")
	require.NoError(t, err)
	for _, end := range []func(testing.TB){s.Stop, s.Kill} {
		end(t)
		_, err = pgx.Connect(t.Context(), s.URL)
		require.Error(t, err)
		s.Start(t)
		var setting string
		c := connect(t, s.URL)
		require.NoError(t, c.QueryRow(t.Context(), "SHOW max_connections").Scan(&setting))
		require.Equal(t, "7", setting)
		_, err = c.Exec(t.Context(), "SELECT FROM pitches")
		require.NoError(t, err)
	}
}

func TestRedisIsEmptyAndTakesOptions(t *testing.T) {
	c := redis.NewClient(&redis.Options{Addr: Redis(t, "--maxmemory", "64mb")})
	defer c.Close()
	require.Zero(t, c.DBSize(t.Context()).Val())
	require.Equal(t, map[string]string{"maxmemory": "67108864"}, c.ConfigGet(t.Context(), "maxmemory").Val())
}

func TestAKilledRedisComesBackEmptyUnlessItKeepsAFile(t *testing.T) {
	for _, args := range [][]string{nil, {"--appendonly", "yes", "--appendfsync", "always"}} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			s := OwnRedis(t, args...)
			c := redis.NewClient(&redis.Options{Addr: s.Addr, MaxRetries: -1, DialerRetries: 1})
			defer c.Close()
			require.NoError(t, c.Set(t.Context(), "k", "v", 0).Err())
			s.Kill(t)
			require.Error(t, c.Ping(t.Context()).Err())
			s.Start(t)
			require.EqualValues(t, min(len(args), 1), c.Exists(t.Context(), "k").Val())
		})
	}
}

func TestServersEndWithAKilledTest(t *testing.T) {
	Redis(t) // skips where there is none
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "TESTKIT_TEST_VICTIM=1")
	stdout, err := victim.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, victim.Start())
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	c, err := net.Dial("tcp", strings.TrimSpace(addr))
	require.NoError(t, err)
	defer c.Close()

	require.NoError(t, victim.Process.Kill())
	_ = victim.Wait()
	_, err = c.Read(make([]byte, 1)) // until the server is gone
	require.Error(t, err)
}

func TestNamesTellTheirTestAndAreNeverTheSame(t *testing.T) {
	t.Run("with Ünusual/chars and "+strings.Repeat("length ", 20), func(t *testing.T) {
		name := Name(t)
		require.Regexp(t, regexp.MustCompile(`^testnamestelltheirtest[a-z0-9-]+$`), name)
		require.LessOrEqual(t, len(name), 63, "a Postgres name has at most 63 bytes")
		require.NotEqual(t, name, Name(t))
	})
}

func TestDataIsWhereTheVariableSays(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PITCHSTREAM_VECTORS", dir)
	t.Setenv("PITCHSTREAM_HAWKEYE", dir)
	require.Equal(t, dir, Vectors(t))
	require.Equal(t, dir, Hawkeye(t))
	require.FileExists(t, Root()+"/go.mod")
}

// guard: what a test lacks fails it under CI
func TestWhatIsMissingSkipsButFailsUnderCI(t *testing.T) {
	for ci, want := range map[string]string{
		"":     "skipped: no folder /nowhere: set PITCHSTREAM_VECTORS",
		"true": "failed: no folder /nowhere: set PITCHSTREAM_VECTORS (CI is set: not skipped)",
	} {
		t.Setenv("CI", ci)
		t.Setenv("PITCHSTREAM_VECTORS", "/nowhere")
		require.Equal(t, want, verdict(t, func(t testing.TB) { Vectors(t) }))
	}
}

func TestServersThatRunAlreadyAreTaken(t *testing.T) {
	t.Setenv("PITCHSTREAM_TEST_KAFKA_BROKERS", "one:9092,two:9092")
	t.Setenv("PITCHSTREAM_TEST_REDIS_ADDR", "three:6379")
	require.Equal(t, "one:9092,two:9092", Kafka(t))
	require.Equal(t, "three:6379", Redis(t))
	t.Setenv("PITCHSTREAM_TEST_POSTGRES_URL", OwnPostgres(t).URL)
	var id int
	require.NoError(t, connect(t, Postgres(t)).QueryRow(t.Context(), "SELECT 1").Scan(&id))
}

// verdict returns how a test ended whose body is f.
func verdict(t *testing.T, f func(testing.TB)) string {
	fake := &fakeT{TB: t}
	done := make(chan struct{})
	go func() { defer close(done); f(fake); fake.said = "passed" }()
	<-done
	return fake.said
}

// fakeT is a test that remembers how it was ended.
type fakeT struct {
	testing.TB
	said string
}

func (s *fakeT) Helper() {}
func (s *fakeT) Skip(args ...any) {
	s.said = "skipped: " + fmt.Sprint(args...)
	runtime.Goexit()
}
func (s *fakeT) Fatalf(format string, args ...any) {
	s.said = "failed: " + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func kafkaClient(t *testing.T, brokers string, options ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append(options, kgo.SeedBrokers(strings.Split(brokers, ",")...))...)
	require.NoError(t, err)
	t.Cleanup(c.Close)
	return c
}

func createTopic(t *testing.T, c *kgo.Client, topic string) {
	t.Helper()
	limit := "35651584"
	_, err := kadm.NewClient(c).CreateTopic(t.Context(), 1, 1, map[string]*string{"max.message.bytes": &limit}, topic)
	require.NoError(t, err)
}

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(context.Background()) })
	return c
}
