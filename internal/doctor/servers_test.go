package doctor

import (
	"context"
	"fmt"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// found are the names of what doctor finds.
func found(t *testing.T, o Options) (all map[string]Finding, r *Report) {
	t.Helper()
	r, err := Run(t.Context(), o)
	require.NoError(t, err)
	all = map[string]Finding{}
	for _, f := range r.Findings {
		all[f.Name] = f
	}
	return all, r
}

// plainRole makes a role as of processors, and returns the URL with it.
func plainRole(t *testing.T, server string) string {
	t.Helper()
	c, err := pgx.Connect(t.Context(), server)
	require.NoError(t, err)
	_, err = c.Exec(t.Context(), "SET synchronous_commit = local; CREATE ROLE plain LOGIN PASSWORD 'hush'")
	require.NoError(t, err)
	require.NoError(t, c.Close(t.Context()))
	u, err := url.Parse(server)
	require.NoError(t, err)
	u.User = url.UserPassword("plain", "hush")
	return u.String()
}

// admit lets standbys connect.
func admit(t *testing.T, server string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), server)
	require.NoError(t, err)
	var file string
	require.NoError(t, c.QueryRow(t.Context(), "SHOW hba_file").Scan(&file))
	_, err = c.Exec(t.Context(), "COPY (SELECT 'host replication all all trust') TO PROGRAM 'cat >> "+file+"'")
	require.NoError(t, err)
	_, err = c.Exec(t.Context(), "SELECT pg_reload_conf()")
	require.NoError(t, err)
	require.NoError(t, c.Close(t.Context()))
}

// guard: doctor: the URL may name the size of the pool
func TestTheURLMayNameTheSizeOfThePool(t *testing.T) {
	all, _ := found(t, Options{PostgresURL: testkit.Postgres(t) + "&pool_max_conns=7", Schema: "pitchstream"})
	require.NotContains(t, all, "postgres.reachable")
	require.Contains(t, all, "postgres.schema", "it looked")
}

// An ordinary role, as that of processors, sees neither the type of the sessions of others nor the state of
// standbys.
// guard: doctor: the connections of others count
// guard: doctor: a standby that this role may not see is not missing
func TestAnOrdinaryRoleSeesWhatItMay(t *testing.T) {
	server := testkit.OwnPostgres(t, "max_connections=10", "synchronous_standby_names=other", "synchronous_commit=on")
	plain := plainRole(t, server.URL)
	o := Options{PostgresURL: plain, Schema: "pitchstream"}
	all, _ := found(t, o)
	require.Contains(t, all, "postgres.synchronous_standby_names", "none is connected")
	require.NotContains(t, all, "postgres.max_connections")

	admit(t, server.URL)
	config, err := pgconn.ParseConfig(server.URL)
	require.NoError(t, err)
	config.RuntimeParams["replication"] = "true"
	var standby *pgconn.PgConn
	require.Eventually(t, func() bool { // once the file is read
		standby, err = pgconn.ConnectConfig(t.Context(), config)
		return err == nil
	}, 20*time.Second, 20*time.Millisecond)
	t.Cleanup(func() { _ = standby.Close(context.Background()) })
	all, r := found(t, o)
	require.NotContains(t, all, "postgres.synchronous_standby_names")
	require.Contains(t, r.NotChecked,
		"postgres.replication: this role does not see how far the standbys are: GRANT pg_monitor TO it")

	for range 6 {
		c, err := pgx.Connect(t.Context(), server.URL)
		require.NoError(t, err)
		t.Cleanup(func() { _ = c.Close(context.Background()) })
	}
	all, _ = found(t, o)
	require.Contains(t, all, "postgres.max_connections")
}

// guard: doctor: a writer among several servers is the primary
func TestAWriterIsExaminedAtThePrimary(t *testing.T) {
	standby, primary := testkit.StandbyAndPrimary(t, nil)
	place := "postgres://postgres:hush@" + standby.Addr + "," + primary.Addr + "/postgres?sslmode=disable"
	all, _ := found(t, Options{PostgresURL: place, Schema: "pitchstream"})
	require.NotContains(t, all, "postgres.in_hot_standby")
	require.Contains(t, all, "postgres.schema")
	all, _ = found(t, Options{PostgresURL: place + "&target_session_attrs=any", Schema: "pitchstream"})
	require.Contains(t, all, "postgres.in_hot_standby", "the URL has said so")
}

// guard: doctor: a login that Redis refuses is named
func TestALoginThatRedisRefusesIsNamed(t *testing.T) {
	addr := testkit.Redis(t, "--requirepass", "right")
	for login, want := range map[string]bool{"": true, ":wrong@": true, ":right@": false} {
		all, _ := found(t, Options{Redis: &redissink.Config{URL: "redis://" + login + addr, Prefix: "ps:live:"}})
		_, isNamed := all["redis.login"]
		require.Equal(t, want, isNamed, login)
	}
}

// guard: doctor: a position that Kafka has by now is not beyond the end
func TestAPositionThatKafkaHasByNowIsNotBeyondTheEnd(t *testing.T) {
	cluster := testkit.FakeKafka(t, kfake.SeedTopics(1, "raw"))
	client := testkit.KafkaClient(t, cluster, kgo.DefaultProduceTopic("raw"))
	for range 5 {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Value: []byte("x")}).FirstErr())
	}
	for next, want := range map[int64]int{5: 0, 6: 1} {
		x := &exam{o: Options{Kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Timeout: 1e10}}
		// Kafka was asked when it had 2 records, and Postgres after 5 were stored.
		x.seen.topics = map[string]topicSeen{"raw": {
			name: "raw", partitions: 1, starts: map[int32]int64{0: 0}, ends: map[int32]int64{0: 2},
		}}
		x.seen.positions = []position{{Partition: 0, Next: next}}
		x.askAgain(t.Context())
		require.Len(t, x.compare().found, want)
	}
}

// guard: doctor: the right to write dead letters in transactions is checked
func TestTheRightOfTransactionsIsChecked(t *testing.T) {
	cluster := testkit.FakeKafka(t, kfake.SeedTopics(1, "raw", "rows", "dead"))
	o := Options{
		Kafka: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Group: "g",
		RawTopic: "raw", RowsTopic: "rows", DeadTopic: "dead",
	}
	all, r := found(t, o)
	require.NotContains(t, all, "kafka.rights.transactions")
	require.NotContains(t, r.NotChecked, "kafka.rights.transactions")
	cluster.ControlKey(int16(kmsg.DescribeTransactions), func(req kmsg.Request) (kmsg.Response, error, bool) {
		answer := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
		state := kmsg.NewDescribeTransactionsResponseTransactionState()
		state.ErrorCode = kerr.TransactionalIDAuthorizationFailed.Code
		answer.TransactionStates = append(answer.TransactionStates, state)
		return answer, nil, true
	})
	all, _ = found(t, o)
	require.Contains(t, all, "kafka.rights.transactions")
}

// A new cluster makes its topics of groups and transactions at the first question, and loads them then.
//
// guard: doctor: a coordinator that is not ready is asked again
func TestACoordinatorThatIsNotReadyIsAskedAgain(t *testing.T) {
	for _, early := range []*kerr.Error{kerr.NotCoordinator, kerr.CoordinatorLoadInProgress} {
		t.Run(early.Message, func(t *testing.T) {
			cluster := testkit.FakeKafka(t, kfake.SeedTopics(1, "raw", "rows", "dead"))
			var groups, transactions atomic.Int64
			const refusals = 5 // the client itself asks three times
			cluster.ControlKey(int16(kmsg.DescribeGroups), func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				answer := req.ResponseKind().(*kmsg.DescribeGroupsResponse)
				group := kmsg.NewDescribeGroupsResponseGroup()
				group.Group, group.ErrorCode = "g", early.Code
				answer.Groups = append(answer.Groups, group)
				return answer, nil, groups.Add(1) <= refusals
			})
			cluster.ControlKey(int16(kmsg.DescribeTransactions), func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				answer := req.ResponseKind().(*kmsg.DescribeTransactionsResponse)
				state := kmsg.NewDescribeTransactionsResponseTransactionState()
				state.TransactionalID, state.ErrorCode = "g/doctor", early.Code
				answer.TransactionStates = append(answer.TransactionStates, state)
				return answer, nil, transactions.Add(1) <= refusals
			})
			_, r := found(t, Options{
				Kafka: []kgo.Opt{
					kgo.SeedBrokers(cluster.ListenAddrs()...),
					kgo.RetryBackoffFn(func(int) time.Duration { return time.Millisecond }),
				},
				Group: "g", RawTopic: "raw", RowsTopic: "rows", DeadTopic: "dead",
			})
			require.NotContains(t, fmt.Sprint(r.NotChecked), "kafka.rights")
			require.Greater(t, transactions.Load(), int64(refusals))
			require.Greater(t, groups.Load(), int64(refusals))
		})
	}
}
