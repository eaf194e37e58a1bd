package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/doctor"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// patients are servers whose settings a test may spoil.
type patients struct {
	*stack.Stack
	db  *pgx.Conn
	red *redis.Client
}

// sql runs a statement, and the one that undoes it when the returned function is called.
func (p *patients) sql(do, undo string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		p.exec(t, do)
		return func() { p.exec(t, undo) }
	}
}

func (p *patients) exec(t *testing.T, statement string) {
	_, err := p.db.Exec(context.Background(), statement)
	require.NoError(t, err, statement)
}

// database sets a setting for the sessions of the database.
func (p *patients) database(setting string) func(*testing.T) func() {
	name := pgx.Identifier{p.db.Config().Database}.Sanitize()
	return p.sql("ALTER DATABASE "+name+" SET "+setting, "ALTER DATABASE "+name+" RESET ALL")
}

// system sets a setting of the server that sessions cannot set, and waits until it holds.
func (p *patients) system(name, value string) func(*testing.T) func() {
	set := func(t *testing.T, statement string, changed func(now string) bool) {
		p.exec(t, statement)
		p.exec(t, "SELECT pg_reload_conf()")
		p.WaitFor(name+" is reloaded", func() bool {
			var now string
			require.NoError(t, p.db.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&now))
			return changed(now)
		})
	}
	return func(t *testing.T) func() {
		var before string
		require.NoError(t, p.db.QueryRow(t.Context(), "SELECT current_setting($1)", name).Scan(&before))
		set(t, "ALTER SYSTEM SET "+name+" = "+value, func(now string) bool { return now != before })
		return func() { set(t, "ALTER SYSTEM RESET "+name, func(now string) bool { return now == before }) }
	}
}

// topic sets a setting of a topic.
func (p *patients) topic(topic, name, value string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		was, err := p.Admin.DescribeTopicConfigs(t.Context(), topic)
		require.NoError(t, err)
		var before *string
		for _, c := range was[0].Configs {
			if c.Key == name && c.Source.String() == "DYNAMIC_TOPIC_CONFIG" {
				before = c.Value
			}
		}
		alter := func(c kadm.AlterConfig) {
			answers, err := p.Admin.AlterTopicConfigs(context.Background(), []kadm.AlterConfig{c}, topic)
			require.NoError(t, err)
			require.NoError(t, answers[0].Err)
		}
		alter(kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
		return func() {
			op := kadm.SetConfig
			if before == nil {
				op = kadm.DeleteConfig
			}
			alter(kadm.AlterConfig{Op: op, Name: name, Value: before})
		}
	}
}

// config sets a setting of Redis.
func (p *patients) config(name, value string) func(*testing.T) func() {
	return func(t *testing.T) func() {
		was, err := p.red.ConfigGet(t.Context(), name).Result()
		require.NoError(t, err)
		require.NoError(t, p.red.ConfigSet(t.Context(), name, value).Err())
		return func() { require.NoError(t, p.red.ConfigSet(context.Background(), name, was[name]).Err()) }
	}
}

// nothing spoils nothing: the flags of the case do.
func nothing(*testing.T) func() { return func() {} }

// examine runs doctor and returns the names of its findings, and its exit status.
func (p *patients) examine(t *testing.T, args ...string) (names []string, r doctor.Report, status int) {
	cmd := exec.CommandContext(t.Context(), stack.Binary(t), append([]string{"doctor", "--json"}, args...)...)
	cmd.Env = p.Env
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	_ = cmd.Run() // its status is compared by the caller
	require.NoError(t, json.Unmarshal(out.Bytes(), &r), "%s%s", out.String(), errs.String())
	for _, f := range r.Findings {
		require.NotEmpty(t, f.Seen)
		require.NotEmpty(t, f.Why)
		require.NotEmpty(t, f.Fix)
		names = append(names, f.Name)
	}
	return names, r, cmd.ProcessState.ExitCode()
}

func TestDoctorNamesEachWrongSettingAndNothingElse(t *testing.T) {
	postgres, server := testkit.OwnPostgres(t), testkit.OwnRedis(t)
	p := &patients{Stack: stack.On(t, testkit.Kafka(t), postgres.URL, server.Addr, 4)}
	var err error
	p.db, err = pgx.Connect(t.Context(), postgres.URL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = p.db.Close(context.Background()) })
	p.red = redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = p.red.Close() })
	names, r, status := p.examine(t)
	require.Empty(t, names, "%+v", r.Findings)
	require.Empty(t, r.NotChecked)
	require.Zero(t, status)

	raw, rows, dead := p.Raw(), p.Rows(), p.Dead()
	role := p.db.Config().User
	for _, c := range []struct {
		want  string
		spoil func(*testing.T) func()
		args  []string
	}{
		{"kafka.raw.unclean.leader.election.enable", p.topic(raw, "unclean.leader.election.enable", "true"), nil},
		{"kafka.raw.cleanup.policy", p.topic(raw, "cleanup.policy", "compact"), nil},
		{"kafka.raw.message.timestamp.type", p.topic(raw, "message.timestamp.type", "LogAppendTime"), nil},
		{"kafka.raw.retention.ms", p.topic(raw, "retention.ms", "3600000"), nil},
		{"kafka.raw.retention.bytes", p.topic(raw, "retention.bytes", "1000000"), nil},
		{"kafka.raw.max.message.bytes", p.topic(raw, "max.message.bytes", "1048576"), nil},
		{"kafka.raw.min.insync.replicas", p.topic(raw, "min.insync.replicas", "2"), nil},
		{"kafka.raw.message.timestamp.before.max.ms", p.topic(raw, "message.timestamp.before.max.ms", "86400000"), nil},
		{"kafka.rows.cleanup.policy", p.topic(rows, "cleanup.policy", "delete"), nil},
		{"kafka.rows.unclean.leader.election.enable", p.topic(rows, "unclean.leader.election.enable", "true"), nil},
		{"kafka.dead.cleanup.policy", p.topic(dead, "cleanup.policy", "compact"), nil},
		{"kafka.dead.retention.ms", p.topic(dead, "retention.ms", "86400000"), nil},
		{"kafka.dead.max.message.bytes", p.topic(dead, "max.message.bytes", "1048576"), nil},
		{"kafka.raw.exists", nothing, []string{"--topic-raw", raw + ".not-there"}},
		{"kafka.reachable", nothing, []string{"--kafka-brokers", "127.0.0.1:1", "--timeout", "2s"}},

		{"postgres.full_page_writes", p.system("full_page_writes", "off"), nil},
		{"postgres.synchronous_commit", p.database("synchronous_commit = off"), nil},
		{"postgres.autovacuum", p.system("autovacuum", "off"), nil},
		{"postgres.restart_after_crash", p.system("restart_after_crash", "off"), nil},
		{"postgres.zero_damaged_pages", p.database("zero_damaged_pages = on"), nil},
		{"postgres.session_replication_role", p.database("session_replication_role = replica"), nil},
		{"postgres.default_transaction_read_only", p.database("default_transaction_read_only = on"), nil},
		{"postgres.default_transaction_isolation", p.database("default_transaction_isolation = serializable"), nil},
		{"postgres.statement_timeout", p.database("statement_timeout = '5s'"), nil},
		{"postgres.lock_timeout", p.database("lock_timeout = '1s'"), nil},
		{"postgres.idle_in_transaction_session_timeout", p.database("idle_in_transaction_session_timeout = '1s'"), nil},
		{"postgres.idle_session_timeout", p.database("idle_session_timeout = '20s'"), nil},
		{"postgres.schema", nothing, []string{"--postgres-schema", "not_there"}},
		{
			"postgres.migrations", p.sql(
				"INSERT INTO pitchstream.schema_migrations VALUES (9999, 'of_a_newer_build', '')",
				"DELETE FROM pitchstream.schema_migrations WHERE version = 9999"), nil,
		},
		{
			"postgres.migrations", p.sql(
				"CREATE TABLE kept AS SELECT * FROM pitchstream.schema_migrations WHERE version = 3;"+
					"DELETE FROM pitchstream.schema_migrations WHERE version = 3",
				"INSERT INTO pitchstream.schema_migrations SELECT * FROM kept; DROP TABLE kept"), nil,
		},
		{
			"postgres.rights", p.sql("CREATE ROLE bare LOGIN; ALTER ROLE "+role+" SET role = 'bare'",
				"ALTER ROLE "+role+" RESET role; DROP ROLE bare"), nil,
		},
		{"postgres.connection_limit", p.sql("ALTER ROLE "+role+" CONNECTION LIMIT 4", "ALTER ROLE "+role+" CONNECTION LIMIT -1"), nil},
		{"postgres.reachable", nothing, []string{"--postgres-url", "postgres://u:p@127.0.0.1:1/d"}},

		{"redis.maxmemory-policy", p.config("maxmemory-policy", "allkeys-lru"), nil},
		{"redis.maxmemory", p.config("maxmemory", "1000000"), nil},
		{"redis.min-replicas-to-write", p.config("min-replicas-to-write", "1"), nil},
		{"redis.timeout", p.config("timeout", "5"), nil},
		{"redis.role", func(t *testing.T) func() {
			require.NoError(t, p.red.ReplicaOf(t.Context(), "127.0.0.1", "1").Err())
			return func() { require.NoError(t, p.red.ReplicaOf(context.Background(), "NO", "ONE").Err()) }
		}, nil},
		{"redis.rights", func(t *testing.T) func() {
			require.NoError(t, p.red.Do(t.Context(), "ACL", "SETUSER", "few", "on", ">few", "~*", "+@all", "-hset").Err())
			return func() { require.NoError(t, p.red.Do(context.Background(), "ACL", "DELUSER", "few").Err()) }
		}, []string{"--redis-url", "redis://few:few@" + server.Addr}},
		{"redis.reachable", nothing, []string{"--redis-url", "redis://127.0.0.1:1"}},
	} {
		t.Run(c.want, func(t *testing.T) {
			repair := c.spoil(t)
			names, r, status := p.examine(t, c.args...)
			repair()
			if c.want == "redis.role" { // a replica without its master lacks the link to it, too
				require.Contains(t, names, c.want)
				return
			}
			require.Equal(t, []string{c.want}, names, "%+v", r.Findings)
			require.Equal(t, 1, status)
		})
	}
	names, r, status = p.examine(t)
	require.Empty(t, names, "%+v", r.Findings)
	require.Zero(t, status)
	p.positions(t)
}

// positions spoils what only Kafka and Postgres know together.
func (p *patients) positions(t *testing.T) {
	ahead := &kgo.Record{Topic: p.Raw(), Timestamp: time.Now().Add(30 * time.Minute), Value: []byte("{}")}
	require.NoError(t, p.Client.ProduceSync(t.Context(), ahead).FirstErr())
	names, _, _ := p.examine(t)
	require.Equal(t, []string{"kafka.raw.clock"}, names)
	insert := "INSERT INTO pitchstream.stream_positions (consumer_group, topic, partition, next_offset) VALUES ('" +
		p.Name + "', '" + p.Raw() + "', "
	for partition, next := range map[int]string{99: "5", 0: "500"} {
		p.exec(t, insert+strconv.Itoa(partition)+", "+next+")")
	}
	names, _, _ = p.examine(t)
	require.ElementsMatch(t, []string{"kafka.raw.partitions", "kafka.raw.position", "kafka.raw.clock"}, names)
}

func TestDoctorNamesADatabaseWithoutFsync(t *testing.T) {
	p := &patients{Stack: stack.New(t)} // the shared server of the tests is one
	names, r, status := p.examine(t, "--only", "postgres")
	require.Equal(t, []string{"postgres.fsync"}, names)
	require.Equal(t, doctor.Error, r.Findings[0].Severity)
	require.Equal(t, 1, status)
}

// A processor makes the same checks beside the stream, and logs an error once.
func TestRunLogsASettingThatCanCostDataOnce(t *testing.T) {
	s := stack.New(t) // its Postgres has no fsync
	p := s.Start()
	const line = `"check":"postgres.fsync"`
	s.WaitFor("the check is logged", func() bool { return strings.Contains(p.Log(), line) })
	s.Produce(&kgo.Record{Value: []byte("{}")})
	s.WaitCaughtUp()
	p.Halt()
	log := p.Log()
	require.Equal(t, 1, strings.Count(log, line), log)
	require.Equal(t, 1, strings.Count(log, `"check":`), "nothing else is wrong\n%s", log)
}
