package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/replay"
	"github.com/pitchstream/pitchstream/schemas"
)

// replay runs the command, which must reach its end, and gives its report.
func (w *town) replay(t *testing.T, args ...string) replay.Report {
	t.Helper()
	args = append([]string{"replay", "--json", "--log-level=debug"}, args...)
	status, stdout, stderr := runCLI(t, append(args, w.flags...)...)
	require.Equal(t, exitOK, status, "%s\n%s", stdout, stderr)
	var r replay.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &r), stderr)
	require.True(t, r.Balances, "%+v", r.Counts)
	require.True(t, r.Finished)
	return r
}

// table is everything that a query gives, as text.
func (w *town) table(t *testing.T, sql string) []string {
	t.Helper()
	rows, err := w.postgres.Query(t.Context(), sql)
	require.NoError(t, err, sql)
	lines, err := pgx.CollectRows(rows, func(r pgx.CollectableRow) (string, error) {
		values, err := r.Values()
		return strings.TrimSuffix(fmt.Sprintln(values...), "\n"), err
	})
	require.NoError(t, err, sql)
	return lines
}

// standing is all that readers of a schema see, save when and by which build it was computed; averages to
// nine digits.
func (w *town) standing(t *testing.T, schema string) map[string][]string {
	t.Helper()
	columns := func(of []schemas.Column, but ...string) string {
		var names []string
		for _, c := range of {
			switch {
			case slices.Contains(but, c.Name):
			case strings.HasPrefix(c.Name, "avg_"):
				names = append(names, "round("+c.Name+"::numeric, 9)")
			default:
				names = append(names, c.Name)
			}
		}
		return strings.Join(names, ", ")
	}
	return map[string][]string{
		"rows":         w.table(t, `SELECT `+columns(schemas.StoredColumns, "processed_at", "build")+` FROM `+schema+`.pitches ORDER BY pitch_id`),
		"registers":    w.table(t, `SELECT to_jsonb(r) - 'processed_at' - 'build' - ARRAY['previous_batter_id', 'previous_pitcher_id', 'previous_game_pk', 'repeats', 'conflicts', 'gone_game_pk', 'gone_day', 'gone_venue'] FROM `+schema+`.pitch_registers r ORDER BY pitch_id`),
		"batters":      w.table(t, `SELECT batter_id, `+columns(schemas.StatsColumns)+` FROM `+schema+`.batter_stats ORDER BY 1`),
		"batter games": w.table(t, `SELECT batter_id, game_pk, `+columns(schemas.StatsColumns)+` FROM `+schema+`.batter_game_stats ORDER BY 1, 2`),
	}
}

// count is how many records a topic has.
func (w *town) count(t *testing.T, topic string) (n int64) {
	t.Helper()
	w.records(t, topic, func(*kgo.Record) { n++ })
	return n
}

// records calls each with the committed records of a topic.
func (w *town) records(t *testing.T, topic string, each func(*kgo.Record)) {
	t.Helper()
	spans, err := kafkaread.Bounds(t.Context(), w.admin, topic, kgo.ReadCommitted())
	require.NoError(t, err)
	brokers := []kgo.Opt{kgo.SeedBrokers(w.brokers)}
	require.NoError(t, kafkaread.Read(t.Context(), brokers, topic, spans, func(records []*kgo.Record) error {
		for _, r := range records {
			each(r)
		}
		return nil
	}))
}

// A replay of everything onto live changes no value that readers see, and nothing of the processors'.
// guard: replay: no dead letters onto live
// guard: replay: a group of its own beside processors
func TestReplayOntoLiveChangesNothing(t *testing.T) { onKafkas(t, replayOntoLive) }

func replayOntoLive(t *testing.T, w *town) {
	w.play(t, 500)
	stop := w.start(t)
	w.through(t)
	stop()
	w.exec(t, `UPDATE pitch_registers SET build = 'of old', processed_at = '2020-01-01'`)
	positions := `SELECT * FROM stream_positions WHERE consumer_group = '` + w.group + `' ORDER BY partition`
	before, at := w.standing(t, "pitchstream"), w.table(t, positions)
	applied, err := w.redis.HGetAll(t.Context(), w.prefix+"applied").Result()
	require.NoError(t, err)
	letters, records := w.count(t, w.dead), w.count(t, w.raw)
	committed, err := w.admin.FetchOffsets(t.Context(), w.group)
	require.NoError(t, err)

	r := w.replay(t, "--into=live")
	require.Equal(t, before, w.standing(t, "pitchstream"))
	require.Equal(t, at, w.table(t, positions))
	require.Empty(t, w.table(t, `SELECT pitch_id FROM pitches WHERE build = 'of old' OR processed_at < '2021-01-01'`), "every row that stands was written again")
	require.Equal(t, letters, w.count(t, w.dead))
	now, err := w.redis.HGetAll(t.Context(), w.prefix+"applied").Result()
	require.NoError(t, err)
	require.Equal(t, applied, now)
	since, err := w.admin.FetchOffsets(t.Context(), w.group)
	require.NoError(t, err)
	require.Equal(t, committed, since)
	w.clean(t) // Kafka, Postgres and Redis, dead letters too

	require.Equal(t, records, r.Counts.Records)
	require.Equal(t, letters, r.Counts.Letters)
	require.Positive(t, r.Counts.Superseded)
	require.Positive(t, r.Counts.Deletes)
	require.Positive(t, r.Counts.IDs)
	groups, err := w.admin.ListGroups(t.Context())
	require.NoError(t, err)
	others := func(group string) bool { return !strings.HasPrefix(group, w.group) }
	require.Equal(t, []string{w.group}, slices.DeleteFunc(groups.Groups(), others), "its own group is gone")
}

// A replay fills a game that was deleted in live, and records that live's processor has not read yet. The
// processor then continues where it was, and sends the dead letters of what it reads.
// guard: replay: applied is the processors'
// guard: replay: a group of its own beside processors
func TestReplayFillsWhatWasMissed(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 300)
	stop := w.start(t)
	w.through(t)
	before := w.standing(t, "pitchstream")
	game := w.table(t, `SELECT game_pk FROM pitches WHERE game_pk IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC LIMIT 1`)[0]
	w.exec(t, `DELETE FROM pitch_registers WHERE game_pk = $1`, game)
	r := w.replay(t, "--into=live", "--game="+game)
	require.Equal(t, w.countIf(t, rawTopic, isOfGame(game)), r.Counts.Records)
	require.Equal(t, before["rows"], w.standing(t, "pitchstream")["rows"])
	w.clean(t, "topic", "aggregates")

	stop()
	applied, err := w.redis.HGetAll(t.Context(), w.prefix+"applied").Result()
	require.NoError(t, err)
	letters := w.count(t, "pitches.dead")
	client := w.client(t, kgo.DefaultProduceTopic(rawTopic))
	for i := range 30 { // of new games, and bad ones among them
		value := fmt.Sprintf(`{"summary_acts":{"pitch":{"eventId":"0b1e7c1e-6f0a-4f6b-8d6e-1f2a3b4c5d%02d"}}}`, i)
		r := &kgo.Record{Key: fmt.Append(nil, i), Value: []byte(value[:len(value)-i%2])}
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
	w.replay(t, "--into=live")
	require.Len(t, w.standing(t, "pitchstream")["rows"], len(before["rows"])+15)
	now, err := w.redis.HGetAll(t.Context(), w.prefix+"applied").Result()
	require.NoError(t, err)
	require.Equal(t, applied, now, "applied is the processors'")
	require.Equal(t, letters, w.count(t, "pitches.dead"))
	defer w.start(t)()
	w.through(t)
	require.Equal(t, letters+15, w.count(t, "pitches.dead"))
	w.clean(t)
}

// isOfGame finds the records of a game by their header, else by their key.
func isOfGame(game string) func(*kgo.Record) bool {
	return func(r *kgo.Record) bool {
		of := string(r.Key)
		for _, h := range r.Headers {
			if h.Key == schemas.HeaderGamePK && len(h.Value) > 0 {
				of = string(h.Value)
			}
		}
		return of == game
	}
}

func (w *town) countIf(t *testing.T, topic string, want func(*kgo.Record) bool) (n int64) {
	t.Helper()
	w.records(t, topic, func(r *kgo.Record) {
		if want(r) {
			n++
		}
	})
	return n
}

// Another replay, or a processor, continues where a replay into a fresh target ended: no record and no dead
// letter is left out.
// guard: replay: no offset is committed beyond what is stored
func TestWhereAReplayEndedAnotherGoesOn(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 400)
	spans, err := kafkaread.Bounds(t.Context(), w.admin, rawTopic, kgo.ReadCommitted())
	require.NoError(t, err)
	to := func(share int64) string {
		var at []string
		for id, span := range spans {
			at = append(at, fmt.Sprintf("%d:%d", id, span.To*share/3))
		}
		return "--to=" + strings.Join(at, ",")
	}
	first := w.replay(t, "--into=better", to(1))
	second := w.replay(t, "--into=better", "--from=position", to(2))
	for i, p := range second.Parts {
		require.Equal(t, first.Parts[i].To, p.From)
	}
	stop := w.feed(t, "better")
	w.fed(t, "better")
	status, _, stderr := runCLI(t, append([]string{"replay", "--into=better", "--from=position"}, w.flags...)...)
	require.Equal(t, exitFailed, status)
	require.Contains(t, stderr, "processors of better read on from its position already: 1")
	stop()
	letters := w.count(t, "pitches.dead.better")
	require.Positive(t, letters)
	var stdout string
	status, stdout, stderr = runCLI(t, append([]string{"verify", "--target=better"}, w.flags...)...)
	require.Equal(t, exitOK, status, "%s\n%s", stdout, stderr)
	third := w.replay(t, "--into=better", "--from=position")
	require.Zero(t, third.Counts.Records)
	whole := w.replay(t, "--into=better")
	require.Equal(t, letters, whole.Counts.Letters)
}

// Bounds are offsets, or times, and a replay reads what is between them: no more, no less.
// guard: replay: nothing beyond its bounds
func TestReplayKeepsItsBounds(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 200)
	spans, err := kafkaread.Bounds(t.Context(), w.admin, rawTopic, kgo.ReadCommitted())
	require.NoError(t, err)
	var most int32
	for id, span := range spans {
		if span.To > spans[most].To {
			most = id
		}
	}
	require.Greater(t, spans[most].To, int64(20))
	from, to := []string{}, []string{}
	for id, span := range spans { // all of the others are left out, once from above and once from below
		if id == most {
			from, to = append(from, fmt.Sprintf("%d:5", id)), append(to, fmt.Sprintf("%d:15", id))
		} else if id%2 == 0 {
			from = append(from, fmt.Sprintf("%d:%d", id, span.To))
		} else {
			to = append(to, fmt.Sprintf("%d:0", id))
		}
	}
	r := w.replay(t, "--into=live", "--from="+strings.Join(from, ","), "--to="+strings.Join(to, ","))
	require.EqualValues(t, 10, r.Counts.Records)
	part := r.Parts[most]
	want := schemas.ReplayPart{Partition: most, From: 5, To: 15, Next: 15, ReplayCounts: part.ReplayCounts}
	require.Equal(t, want, part)

	var first, between int64
	var times []time.Time
	w.records(t, rawTopic, func(r *kgo.Record) { times = append(times, r.Timestamp) })
	slices.SortFunc(times, time.Time.Compare)
	since, until := times[len(times)/4], times[len(times)/2]
	w.records(t, rawTopic, func(r *kgo.Record) {
		if r.Partition == 0 && r.Timestamp.Before(since) {
			first++
		}
		if !r.Timestamp.Before(since) && r.Timestamp.Before(until) {
			between++
		}
	})
	text := func(at time.Time) string { return at.UTC().Format(time.RFC3339Nano) }
	r = w.replay(t, "--into=live", "--from="+text(since), "--to="+text(until))
	require.Equal(t, between, r.Counts.Records)
	require.Equal(t, first, r.Parts[0].From)

	status, _, stderr := runCLI(t, append([]string{"replay", "--into=live", "--from=yesterday"}, w.flags...)...)
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, "RFC 3339")
}

// A replay of a topic that is written in transactions ends, although a mark and not a record is last in each
// partition.
func TestReplayEndsBehindATransaction(t *testing.T) {
	w := newVerifyTown(t)
	client := w.client(t, kgo.TransactionalID("loader"), kgo.DefaultProduceTopic(rawTopic))
	for _, end := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort} {
		require.NoError(t, client.BeginTransaction())
		for i := range 9 {
			r := &kgo.Record{Partition: int32(i % 3), Key: []byte("1"), Value: []byte("{")}
			require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
		}
		require.NoError(t, client.EndTransaction(t.Context(), end))
	}
	r := w.replay(t, "--into=live", "--letters")
	require.EqualValues(t, 9, r.Counts.Letters)
	require.EqualValues(t, 9, w.count(t, "pitches.dead"))
}
