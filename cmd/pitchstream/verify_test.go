package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	stream "github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/internal/verify"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// town is a Kafka, a Postgres and a Redis, into which the processor has put a stream of games.
type town struct {
	kafka            *kfake.Cluster // nil: a real one
	brokers          string
	raw, dead, group string
	flags            []string
	postgres         *pgx.Conn
	redis            *redis.Client
	prefix           string
	admin            *kadm.Client
}

// newVerifyTown is a town with a Kafka in memory.
func newVerifyTown(t *testing.T) *town {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	w := &town{kafka: cluster, brokers: cluster.ListenAddrs()[0], raw: rawTopic, dead: "pitches.dead"}
	w.group = "pitchstream"
	w.open(t)
	return w
}

// onKafkas runs a test with a Kafka in memory and with a real one, which others may use too.
func onKafkas(t *testing.T, test func(t *testing.T, w *town)) {
	t.Run("in memory", func(t *testing.T) { test(t, newVerifyTown(t)) })
	t.Run("real", func(t *testing.T) { test(t, newRealTown(t)) })
}

// newRealTown is a town with a real Kafka, which others may use too.
func newRealTown(t *testing.T) *town {
	t.Helper()
	name := testkit.Name(t)
	w := &town{brokers: testkit.Kafka(t), raw: name + ".raw", dead: name + ".dead", group: name}
	topics := []string{"--topic-raw=" + w.raw, "--topic-rows=" + name + ".rows", "--topic-dead=" + w.dead}
	w.open(t, append(topics, "--kafka-group="+w.group)...)
	return w
}

// open makes topics and schema; more are flags of every command that reads the topics.
func (w *town) open(t *testing.T, more ...string) {
	t.Helper()
	url, addr := testkit.Postgres(t), testkit.Redis(t)
	w.prefix = testkit.Name(t) + ":"
	w.flags = append([]string{
		"--kafka-brokers=" + w.brokers, "--postgres-url=" + url,
		"--redis-url=redis://" + addr, "--redis-prefix=" + w.prefix,
	}, more...)
	var err error
	w.postgres, err = pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.postgres.Close(context.Background()) })
	w.exec(t, "SET search_path = pitchstream")
	w.redis = redis.NewClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = w.redis.Close() })
	w.admin = kadm.NewClient(w.client(t))
	topics := []string{"topics", w.flags[0], "--topic-partitions=3", "--topic-replication=1"}
	for _, flag := range more {
		if strings.HasPrefix(flag, "--topic-") {
			topics = append(topics, flag)
		}
	}
	status, _, stderr := runCLI(t, topics...)
	require.Equal(t, exitOK, status, stderr)
	status, _, stderr = runCLI(t, "migrate", w.flags[1])
	require.Equal(t, exitOK, status, stderr)
}

// client is one of the town's Kafka, until the test ends.
func (w *town) client(t *testing.T, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(w.brokers))...)
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// runCLI is the program with these arguments.
func runCLI(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, err bytes.Buffer
	status = run(t.Context(), args, &stdio{In: strings.NewReader(""), Out: &out, Err: &err})
	return status, out.String(), err.String()
}

func (w *town) exec(t *testing.T, sql string, args ...any) {
	t.Helper()
	_, err := w.postgres.Exec(t.Context(), sql, args...)
	require.NoError(t, err, sql)
}

// play sends games, untidy ones, to the raw topic.
func (w *town) play(t *testing.T, pitches int) {
	t.Helper()
	o := simulate.Options{
		Seed: 7, Pitches: 350, Parallel: 3, FeedIDs: true,
		Duplicates: 0.2, Reorder: 0.2, Corrections: 0.3, Deletes: 0.2, LateIDs: 0.2, Poison: 0.1,
	}
	o.Pitches = pitches
	w.send(t, o)
}

// send sends the games of a simulation to the raw topic.
func (w *town) send(t *testing.T, o simulate.Options) {
	t.Helper()
	s, err := simulate.New(o)
	require.NoError(t, err)
	client := w.client(t)
	var records []*kgo.Record
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		r := &kgo.Record{Topic: w.raw, Key: m.Key, Value: m.Value}
		for _, h := range m.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		records = append(records, r)
	}
	for some := range slices.Chunk(records, 10) {
		require.NoError(t, client.ProduceSync(t.Context(), some...).FirstErr())
	}
}

// start runs the processor until stop.
func (w *town) start(t *testing.T) (stop func()) {
	t.Helper()
	c := &runCmd{}
	require.NoError(t, withDefaults(c, append(slices.Clone(w.flags), "--admin-addr=off")...))
	o, err := c.options(config.Live, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- stream.Run(ctx, o) }()
	return func() {
		cancel()
		require.NoError(t, <-done)
	}
}

// through waits until the group has committed all that the topic has.
func (w *town) through(t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		ends, err := w.admin.ListEndOffsets(t.Context(), w.raw)
		committed, err2 := w.admin.FetchOffsets(t.Context(), w.group)
		all := err == nil && err2 == nil
		ends.Each(func(end kadm.ListedOffset) {
			at, ok := committed.Lookup(w.raw, end.Partition)
			all = all && (end.Offset == 0 || ok && at.At >= end.Offset)
		})
		return all
	}, 3*time.Minute, 50*time.Millisecond)
}

// verify runs the command and gives its status and its report.
func (w *town) verify(t *testing.T, args ...string) (status int, r verify.Report) {
	t.Helper()
	status, stdout, stderr := runCLI(t, append(append([]string{"verify", "--json"}, args...), w.flags...)...)
	require.NoError(t, json.Unmarshal([]byte(stdout), &r), stderr)
	return status, r
}

func (w *town) clean(t *testing.T, args ...string) verify.Report {
	t.Helper()
	status, r := w.verify(t, args...)
	require.Zero(t, r.Differences, "%+v", r)
	require.Equal(t, exitOK, status)
	return r
}

// guard: verify: what is left ends with 1
func TestVerifyFindsAndRepairsWhatWasBroken(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 400)
	stop := w.start(t)
	w.through(t)
	stop()
	r := w.clean(t)
	require.Positive(t, r.Topic.Letters.Rejected)
	require.Equal(t, r.Topic.Letters.Rejected, r.Topic.Letters.Found)
	require.Positive(t, r.Topic.Topic)
	require.Equal(t, r.Topic.Topic, r.Topic.Postgres)
	require.Zero(t, r.Topic.NotCheckable+r.Topic.Moving)
	require.Equal(t, r.Redis.Postgres, r.Redis.Redis)
	require.Equal(t, r.Redis.PostgresGames, r.Redis.RedisGames)
	require.Equal(t, r.Aggregates.Rows, r.Redis.Redis)

	t.Run("rows", func(t *testing.T) { w.brokenRows(t) })
	t.Run("totals", func(t *testing.T) {
		w.exec(t, `UPDATE batter_game_totals SET pitches = pitches + 1 WHERE (batter_id, game_key) IN (SELECT batter_id, game_key FROM batter_game_totals ORDER BY 1, 2 LIMIT 3)`)
		status, r := w.verify(t, "aggregates", "--repair")
		require.Equal(t, exitOK, status, "all of them were repaired")
		require.Len(t, r.Aggregates.Differences, 3)
		require.Equal(t, 3, r.Repaired)
		require.Zero(t, r.Left)
		w.clean(t, "aggregates")
		w.verify(t, "redis", "--repair") // their sequence numbers have moved
		w.clean(t, "--no-kafka")
	})
	t.Run("keys", func(t *testing.T) { w.brokenKeys(t) })
	t.Run("letters", func(t *testing.T) { w.brokenLetters(t) })
	t.Run("retention", func(t *testing.T) { w.droppedRecords(t) })
}

// brokenRows spoils registers by hand.
func (w *town) brokenRows(t *testing.T) {
	pick := w.pitchPicker(t)
	broken := map[string]string{}
	spoil := func(kind, sql string) {
		id := pick()
		broken[id] = kind
		w.exec(t, sql, id)
	}
	const where = ` WHERE pitch_id = $1::uuid`
	spoil(schemas.DiffersMissing, `DELETE FROM pitch_registers`+where)
	spoil(schemas.DiffersMissing, `DELETE FROM pitch_registers`+where)
	spoil(schemas.DiffersOlder, `UPDATE pitch_registers SET record_ts_ms = record_ts_ms - 1000`+where)
	spoil(schemas.DiffersContent, `UPDATE pitch_registers SET is_whiff = NOT is_whiff`+where)
	spoil(schemas.DiffersContent, `UPDATE pitch_registers SET pitch_speed_mph = 60.5`+where)
	spoil(schemas.DiffersContent, `UPDATE pitch_registers SET measured_batter_id = 7, identified_batter_id = NULL, identified_revision = NULL`+where)
	spoil(schemas.DiffersContent, `UPDATE pitch_registers SET game_pk = '1'`+where)
	spoil(schemas.DiffersContent, `UPDATE pitch_registers SET deleted = true`+where)
	spoil(schemas.DiffersContent, `UPDATE pitch_registers SET event_time = event_time + interval '1 ms'`+where)
	spoil(schemas.DiffersContent, `UPDATE pitch_registers SET issues = '{made:up}'`+where)
	spoil(schemas.DiffersNewer, `UPDATE pitch_registers SET revision = revision + 1000`+where)
	spoil("", `UPDATE pitch_registers SET build = 'another', processed_at = now()`+where)
	const extra, elsewhere = "00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"
	const insert = `INSERT INTO pitch_registers (pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time, core_version)
		VALUES ($1::uuid, 0, 1, 0, 0, $2, now(), 1)`
	w.exec(t, insert, extra, rawTopic)
	w.exec(t, insert, elsewhere, "another.topic")
	broken[extra] = schemas.DiffersExtra
	for id, kind := range broken {
		if kind == "" {
			delete(broken, id)
		}
	}

	status, r := w.verify(t, "topic")
	require.Equal(t, exitFailed, status)
	require.Equal(t, broken, pitchKinds(r.Topic.Differences))
	require.EqualValues(t, 1, r.Topic.NotCheckable)
	var differ int64
	for _, g := range r.Topic.Games {
		differ += g.Differ
	}
	require.EqualValues(t, len(broken), differ)

	before := w.positions(t)
	status, r = w.verify(t, "--repair")
	require.Equal(t, exitFailed, status)
	require.Equal(t, before, w.positions(t))
	require.Equal(t, 2, r.Left, "what is newer than the topic is left to a person")
	require.Equal(t, r.Differences, r.Repaired+r.Left)
	for _, d := range r.Topic.Differences {
		require.Equal(t, d.Kind != schemas.DiffersNewer && d.Kind != schemas.DiffersExtra, d.Repaired, "%+v", d)
	}
	_, r = w.verify(t)
	left := map[string]string{extra: schemas.DiffersExtra}
	for id, kind := range broken {
		if kind == schemas.DiffersNewer {
			left[id] = kind
			w.exec(t, `UPDATE pitch_registers SET revision = revision - 1000 WHERE pitch_id = $1::uuid`, id)
		}
	}
	require.Equal(t, left, pitchKinds(r.Topic.Differences), "what is newer than the topic is left to a person")
	require.Empty(t, r.Aggregates.Differences)
	require.Empty(t, r.Redis.Differences)
	w.exec(t, `DELETE FROM pitch_registers WHERE pitch_id IN ($1::uuid, $2::uuid)`, extra, elsewhere)
	w.verify(t, "aggregates", "redis", "--repair")
	w.clean(t)
}

// pitchPicker gives standing pitches with a batter, each once.
func (w *town) pitchPicker(t *testing.T) func() string {
	t.Helper()
	rows, err := w.postgres.Query(t.Context(), `SELECT pitch_id::text FROM pitches WHERE batter_id IS NOT NULL ORDER BY md5(pitch_id::text)`)
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	return func() (id string) {
		id, ids = ids[0], ids[1:]
		return id
	}
}

func pitchKinds(found []schemas.Difference) map[string]string {
	kinds := map[string]string{}
	for _, d := range found {
		kinds[d.PitchID.String()] += d.Kind
	}
	return kinds
}

func (w *town) positions(t *testing.T) string {
	t.Helper()
	var text string
	require.NoError(t, w.postgres.QueryRow(t.Context(), `SELECT json_agg(p ORDER BY partition)::text FROM (SELECT partition, next_offset FROM stream_positions) AS p`).Scan(&text))
	return text
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

func (w *town) brokenKeys(t *testing.T) {
	keys, err := w.redis.Keys(t.Context(), w.prefix+"batter:*").Result()
	require.NoError(t, err)
	slices.Sort(keys)
	pitchers, err := w.redis.Keys(t.Context(), w.prefix+"pitcher:*").Result()
	require.NoError(t, err)
	require.NotEmpty(t, pitchers)
	keys = append(keys, pitchers...)
	require.NoError(t, w.redis.HSet(t.Context(), keys[3], "pitches", 1000).Err())
	require.NoError(t, w.redis.Del(t.Context(), keys[5]).Err())
	status, stdout, _ := runCLI(t, append([]string{"rebuild", "redis", "--dry-run"}, w.flags[1:]...)...)
	require.Equal(t, exitFailed, status)
	want := fmt.Sprintf("2 of %d keys would change: 1 missing, 1 with other values", len(keys))
	require.Contains(t, stdout, want)
	status, stdout, _ = runCLI(t, append([]string{"verify", "redis"}, w.flags...)...)
	require.Equal(t, exitFailed, status)
	require.Contains(t, stdout, "pitches is 1000, want ")
	require.Equal(t, "2 DIFFERENCES", lastLine(stdout))
	require.NoError(t, w.redis.HSet(t.Context(), keys[7], "pitches", 1000).Err())
	repair := append([]string{"verify", "redis", "--repair"}, w.flags...)
	status, stdout, _ = runCLI(t, repair...)
	require.Equal(t, exitOK, status)
	require.Equal(t, "3 differences found, all repaired: nothing is left", lastLine(stdout))
	status, stdout, _ = runCLI(t, repair...)
	require.Equal(t, exitOK, status)
	require.Equal(t, "no difference", lastLine(stdout))
	require.NoError(t, w.redis.HSet(t.Context(), keys[3], "pitches", 1000).Err())
	status, stdout, stderr := runCLI(t, append([]string{"rebuild", "redis"}, w.flags[1:]...)...)
	require.Equal(t, exitOK, status, stderr)
	require.Contains(t, stdout, "rebuilt "+w.prefix)
	w.clean(t, "redis")
	status, _, _ = runCLI(t, append([]string{"rebuild", "redis", "--dry-run"}, w.flags[1:]...)...)
	require.Equal(t, exitOK, status)
}

// brokenLetters repeats a dead letter.
func (w *town) brokenLetters(t *testing.T) {
	committed := kgo.FetchIsolationLevel(kgo.ReadCommitted())
	client := kafkaClient(t, w.kafka, kgo.ConsumeTopics("pitches.dead"), committed)
	fetches := client.PollFetches(t.Context())
	require.NoError(t, fetches.Err())
	letter := fetches.Records()[0]
	again := &kgo.Record{Topic: letter.Topic, Key: letter.Key, Value: letter.Value, Headers: letter.Headers}
	require.NoError(t, client.ProduceSync(t.Context(), again).FirstErr())
	status, r := w.verify(t, "topic")
	require.Equal(t, exitFailed, status)
	require.Len(t, r.Topic.Differences, 1)
	want := []schemas.FieldDifference{{Name: "letters", Want: "1", Got: "2"}}
	require.Equal(t, want, r.Topic.Differences[0].Fields)
	status, stdout, _ := runCLI(t, append([]string{"verify", "topic", "--repair"}, w.flags...)...)
	require.Equal(t, exitFailed, status)
	require.Equal(t, "1 DIFFERENCE FOUND, 0 repaired, 1 LEFT, which --repair cannot repair", lastLine(stdout))
}

// droppedRecords has retention take the first records of every partition.
func (w *town) droppedRecords(t *testing.T) {
	before := kadm.Offsets{}
	for p := range int32(3) {
		before.AddOffset(rawTopic, p, 40, -1)
	}
	_, err := w.admin.DeleteRecords(t.Context(), before)
	require.NoError(t, err)
	_, r := w.verify(t, "topic")
	require.Positive(t, r.Topic.NotCheckable)
	for _, d := range r.Topic.Differences {
		require.Contains(t, d.Key, "letter", "%+v", d)
	}
}

// While the processor works, nothing differs.
func TestVerifyBesideAProcessorRaisesNoFalseAlarm(t *testing.T) {
	w := newVerifyTown(t)
	stop := w.start(t)
	played := make(chan struct{})
	go func() {
		defer close(played)
		w.play(t, 300)
	}()
	for going := true; going; {
		select {
		case <-played:
			going = false
		default:
		}
		w.clean(t)
	}
	w.through(t)
	w.clean(t)
	stop()
}

// A row that Postgres refuses is a dead letter, and the next lower version is current: that is no difference.
func TestVerifyKnowsWhatPostgresRefused(t *testing.T) {
	w := newVerifyTown(t)
	w.exec(t, `
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'three balls are refused'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON pitch_registers FOR EACH ROW WHEN (NEW.balls = 3) EXECUTE FUNCTION refuse()`)
	w.play(t, 150)
	stop := w.start(t)
	w.through(t)
	stop()
	r := w.clean(t)
	require.Positive(t, r.Topic.Letters.SinkRejected)
	require.Equal(t, r.Topic.Letters.Found, r.Topic.Letters.Rejected+r.Topic.Letters.SinkRejected)
}

func TestVerifyRefusesWrongUsage(t *testing.T) {
	const pg = "--postgres-url=postgres://localhost/x"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"verify", pg}, "--kafka-brokers is missing"},
		{[]string{"verify", "redis", pg}, "--redis-url is missing"},
		{[]string{"verify", "topic", "--no-kafka", pg}, "give one of them"},
		{[]string{"verify", "everything", pg}, "must be one of"},
		{[]string{"verify", "aggregates", "--show=-1", pg}, "--show"},
		{[]string{"rebuild", "redis", pg}, "--redis-url is missing"},
		{[]string{"rebuild", "postgres"}, "postgres"},
	} {
		status, _, stderr := runCLI(t, c.args...)
		require.Equal(t, exitUsage, status, c.args)
		require.Contains(t, stderr, c.want)
	}
}

// Records that are not processed yet are counted, and are no difference; --wait compares them too.
// guard: verify: the last line names what was not compared
// guard: verify: records that do not come in time end with 1
func TestVerifyCountsWhatIsNotProcessedYet(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 50)
	r := w.clean(t, "topic")
	require.Positive(t, r.Topic.Behind)
	require.Zero(t, r.Topic.Records)
	status, stdout, stderr := runCLI(t, append([]string{"verify", "topic", "--wait=1ms"}, w.flags...)...)
	require.Equal(t, exitFailed, status)
	require.Regexp(t, `^no difference in what can be compared; \d+ records are not processed yet$`, lastLine(stdout))
	require.Regexp(t, `--wait=1ms: \d+ records were not processed in time`, stderr)
	stop := w.start(t)
	r = w.clean(t, "topic", "--wait", "1m")
	require.Zero(t, r.Topic.Behind)
	require.Positive(t, r.Topic.Records)
	stop()
}
