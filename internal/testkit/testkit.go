// Package testkit gives tests real servers: Kafka, Postgres and Redis, and the data that tests read.
//
//	func TestMain(m *testing.M) { testkit.Main(m) }
//
//	func TestUpsert(t *testing.T) {
//		url := testkit.Postgres(t) // an empty database of its own
//		…
//	}
//
// Where a server comes from, the first that is there:
//
//  1. one that runs already: PITCHSTREAM_TEST_KAFKA_BROKERS, PITCHSTREAM_TEST_POSTGRES_URL (a user who may
//     create databases), PITCHSTREAM_TEST_REDIS_ADDR;
//  2. a container engine (unless PITCHSTREAM_TEST_CONTAINERS=off), with the images
//     PITCHSTREAM_TEST_KAFKA_IMAGE (apache/kafka:4.1.1), …_POSTGRES_IMAGE (postgres:17),
//     …_REDIS_IMAGE (redis:7);
//  3. for Postgres and Redis, the programs installed on this machine; for Kafka, an unpacked release in the
//     folder PITCHSTREAM_TEST_KAFKA_HOME, with Java. PITCHSTREAM_TEST_REDIS_SERVER names another program than
//     redis-server, and is taken before a container.
//
// Without any of them the test is skipped with a message that says what to install. Under CI (environment
// variable CI not empty) it fails, so that a green build has run every test.
//
// Kafka and Postgres are shared by the tests of a process: use Name for topics and groups. OwnKafka,
// OwnPostgres and OwnRedis start a server for one test, which that test may stop, kill and start again.
package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// Kafka gives the address (host:port, or several with commas) of a broker that the tests of this process
// share. Topics must be created; a record may have 34 MiB; a transaction may last 15 minutes and is aborted
// within a second of its time-out.
func Kafka(t testing.TB) (brokers string) {
	t.Helper()
	if given := os.Getenv("PITCHSTREAM_TEST_KAFKA_BROKERS"); given != "" {
		return given
	}
	return shared.get(t, kafkaSpec()).Addr
}

// Postgres gives the URL of a database of the test's own, empty, on a server that the tests of this process
// share. The database goes with the test. When the test fails, it is kept, and the log says how to open it.
func Postgres(t testing.TB) (url string) {
	t.Helper()
	if given := os.Getenv("PITCHSTREAM_TEST_POSTGRES_URL"); given != "" {
		return freshDatabase(t, given, true)
	}
	s := shared.get(t, postgresSpec())
	_, dies := s.host.(local)
	return freshDatabase(t, s.URL, keepServers() && !dies)
}

// Redis gives the address (host:port) of a server started with args, redis-server's options, which goes with
// the test: empty, nothing kept on disk unless args say so. Without args it may be a server that others use
// too (PITCHSTREAM_TEST_REDIS_ADDR): put everything under a prefix by Name.
func Redis(t testing.TB, args ...string) (addr string) {
	t.Helper()
	if given := os.Getenv("PITCHSTREAM_TEST_REDIS_ADDR"); given != "" && len(args) == 0 {
		return given
	}
	return OwnRedis(t, args...).Addr
}

// OwnKafka starts a broker like that of Kafka for this test, which may stop, kill and start it.
func OwnKafka(t testing.TB) *Server { t.Helper(); return own(t, kafkaSpec()) }

// OwnPostgres starts a server for this test with these settings ("max_connections=20"), which the test may
// stop, kill and start. Unlike the shared one it writes to disk as in production, unless a setting says
// fsync=off.
func OwnPostgres(t testing.TB, settings ...string) *Server {
	t.Helper()
	return own(t, postgresSpec(append([]string{"fsync=on"}, settings...)...))
}

// OwnRedis starts a server for this test with redis-server's options, which the test may stop, kill and
// start.
func OwnRedis(t testing.TB, args ...string) *Server { t.Helper(); return own(t, redisSpec(args...)) }

// Unavailable skips a test that cannot run here. Under CI it fails the test, because a skip would hide it.
func Unavailable(t testing.TB, reason string) {
	t.Helper()
	// guard: what a test lacks fails it under CI
	if os.Getenv("CI") != "" {
		t.Fatalf("%s (CI is set: not skipped)", reason)
	}
	t.Skip(reason)
}

// keepServers reports whether the containers stay after the tests for inspection: PITCHSTREAM_TEST_KEEP=1.
func keepServers() bool { return os.Getenv("PITCHSTREAM_TEST_KEEP") != "" }

// Main runs the tests of a package, ends the servers that they share, and fails when goroutines are left. It
// does not return. ignores are exceptions to the leak check; each one needs a reason.
func Main(m *testing.M, ignores ...goleak.Option) {
	os.Exit(run(m, ignores))
}

func run(m *testing.M, ignores []goleak.Option) int {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		if s, ok := <-interrupted; ok {
			_ = closeAll()
			fmt.Fprintln(os.Stderr, "testkit:", s)
			os.Exit(1)
		}
	}()
	code := m.Run()
	signal.Stop(interrupted)
	close(interrupted)
	if err := closeAll(); err != nil {
		fmt.Fprintln(os.Stderr, "testkit: ending the servers:", err)
		code = max(code, 1)
	}
	if code != 0 {
		return code // a failed test may leave goroutines, which are not the cause
	}
	if err := goleak.Find(ignores...); err != nil {
		fmt.Fprintln(os.Stderr, "testkit: goroutines were left behind:", err)
		return 1
	}
	return 0
}

// closeAll ends the shared servers of this process, and removes its shared folders.
func closeAll() error {
	return errors.Join(shared.close(), whenDone(), removeSharedDirs())
}
