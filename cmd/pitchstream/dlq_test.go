package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

const deadTopic = "pitches.dead"

// smallRecords makes a record of 5 KB too large, so that it becomes a dead letter.
const smallRecords = "--max-record-bytes=4096"

// kind is a sort of letter, and what becomes of it.
type kind struct {
	name    string
	code    schemas.Code // with which an older build had rejected it
	value   func(id schemas.PitchID) string
	headers []schemas.Header
	fails   schemas.Code // with which today's build rejects it; "": it passes
	older   bool         // a newer version stands
}

func recordOfPitch(id schemas.PitchID, more string) string {
	return fmt.Sprintf(`{"summary_acts":{"pitch":{"eventId":"%s","type":"Slider","result":"Ball"}}%s}`, id, more)
}

func kinds() []kind {
	plain := func(more string) func(schemas.PitchID) string {
		return func(id schemas.PitchID) string { return recordOfPitch(id, more) }
	}
	fixed := func(value string) func(schemas.PitchID) string {
		return func(schemas.PitchID) string { return value }
	}
	header := func(key, value string) []schemas.Header {
		return []schemas.Header{{Key: key, Value: []byte(value)}}
	}
	return []kind{
		{name: "a fault of the old core", code: schemas.CodeInternal, value: plain("")},
		{name: "units that are read now", code: schemas.CodeUnsupportedUnits, value: plain(`,"units":{"length":"foot"}`), headers: header("batter_id", "592450")},
		{name: "what an older build took for too large", code: schemas.CodeTooLarge, value: plain(`,"x":"` + strings.Repeat("y", 2000) + `"`)},
		{name: "superseded", code: schemas.CodeInternal, value: plain(""), older: true},
		{name: "a delete", code: schemas.CodeInternal, value: fixed(""), headers: header("op", "delete")},
		{name: "an identify", code: schemas.CodeInternal, value: fixed(""), headers: append(header("op", "identify"), header("batter_id", "660271")...)},
		{name: "Postgres takes it now", code: schemas.CodeSinkRejected, value: plain("")},
		{name: "Postgres still refuses it", code: schemas.CodeSinkRejected, value: plain(`,"summary_score":{"count":{"balls":{"plateAppearance":3}}}`), fails: schemas.CodeSinkRejected},
		{name: "torn", code: schemas.CodeMalformedJSON, fails: schemas.CodeMalformedJSON, value: func(id schemas.PitchID) string { return recordOfPitch(id, "")[:40+int(id[0])%20] }},
		{name: "no pitch", code: schemas.CodeNotAPitch, value: fixed(`[1]`), fails: schemas.CodeNotAPitch},
		{name: "metres", code: schemas.CodeUnsupportedUnits, value: plain(`,"units":{"length":"metre"}`), fails: schemas.CodeUnsupportedUnits},
		{name: "broken samples", code: schemas.CodeSchemaViolation, value: plain(`,"samples_bat":[{},3]`), fails: schemas.CodeSchemaViolation},
		{name: "the next format", code: schemas.CodeUnsupportedVersion, value: plain(""), headers: header("schema_version", "2.0"), fails: schemas.CodeUnsupportedVersion},
		{name: "too large", code: schemas.CodeTooLarge, value: plain(`,"x":"` + strings.Repeat("y", 5000) + `"`), fails: schemas.CodeTooLarge},
		{name: "now it is not even JSON", code: schemas.CodeInternal, value: fixed(`{"a":NaN}`), fails: schemas.CodeMalformedJSON},
	}
}

// deadTown is a town with dead letters that an older build had written.
type deadTown struct {
	*town
	client  *kgo.Client
	written map[schemas.DeadLetterID]writtenLetter
	next    int64
}

type writtenLetter struct {
	kind
	id    schemas.PitchID
	value []byte
}

func newDeadTown(t *testing.T) *deadTown {
	t.Helper()
	w := newVerifyTown(t)
	w.exec(t, `
		CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'three balls are refused'; END $$;
		CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON pitch_registers FOR EACH ROW WHEN (NEW.balls = 3) EXECUTE FUNCTION refuse()`)
	w.flags = append(w.flags, smallRecords)
	return &deadTown{
		town: w, client: kafkaClient(t, w.kafka), written: map[schemas.DeadLetterID]writtenLetter{},
		next: 1_000_000,
	}
}

// originMS is the time of the records that failed. A newer version of a pitch is of the day after.
var originMS = time.Date(2026, 4, 5, 19, 0, 0, 0, time.UTC).UnixMilli()

// Each call of letter writes one dead letter. Its origin is not in the raw topic, as after retention.
func (w *deadTown) letter(t *testing.T, r *rand.Rand, k kind) schemas.DeadLetterID {
	t.Helper()
	var id schemas.PitchID
	for i := range id {
		id[i] = byte(r.Uint32())
	}
	w.next++
	game := strconv.Itoa(745800 + r.IntN(5))
	origin := schemas.Coordinates{
		Topic: rawTopic, Partition: int32(r.IntN(3)), Offset: w.next, TimestampMS: originMS + w.next,
	}
	rec := schemas.Record{Coordinates: origin, Key: []byte(game), Value: []byte(k.value(id)), Headers: append([]schemas.Header{{Key: "venue", Value: []byte("Wrigley")}}, k.headers...)}
	if len(rec.Value) == 0 {
		rec.Value = nil
		rec.Headers = append(rec.Headers, schemas.Header{Key: "pitch_id", Value: []byte(id.String())})
	}
	if k.older {
		newer := &kgo.Record{
			Topic: rawTopic, Key: rec.Key, Value: rec.Value, Timestamp: time.UnixMilli(originMS).Add(24 * time.Hour),
		}
		w.client.Produce(t.Context(), newer, nil)
	}
	w.client.Produce(t.Context(), w.encoder("old").DeadLetter(schemas.DeadLetter{Record: rec, Origin: origin, Code: k.code,
		Message: fmt.Sprintf("%s at byte %d: of pitch %s: %q", k.code, r.IntN(500), id, id.String()[:5])}, time.Now()), nil)
	l := schemas.DeadLetterID{Origin: origin, Attempts: 1}
	w.written[l] = writtenLetter{k, id, rec.Value}
	return l
}

// start runs a processor that does not hold, however much is rejected here.
func (w *deadTown) start(t *testing.T) (stop func()) {
	t.Helper()
	town := *w.town
	town.flags = append(slices.Clone(w.flags), "--breaker-share=0", "--breaker-in-a-row=0")
	return town.start(t)
}

func (w *deadTown) encoder(build string) kafkasink.Encoder {
	return kafkasink.Encoder{DeadTopic: deadTopic, RowsTopic: "pitches.rows", Group: "pitchstream", Build: build}
}

func (w *deadTown) dlq(t *testing.T, args ...string) (status int, stdout string) {
	t.Helper()
	var flags []string
	for _, f := range w.flags {
		if !strings.HasPrefix(f, "--redis") {
			flags = append(flags, f)
		}
	}
	status, stdout, stderr := runCLI(t, append(append([]string{"dlq"}, args...), flags...)...)
	if status == exitUsage || strings.Contains(stderr, "pitchstream:") {
		t.Log(stderr)
	}
	return status, stdout
}

func dlqJSON[T any](t *testing.T, w *deadTown, want int, args ...string) (report T) {
	t.Helper()
	status, stdout := w.dlq(t, append(args, "--json")...)
	require.NoError(t, json.Unmarshal([]byte(stdout), &report), stdout)
	require.Equal(t, want, status, stdout)
	return report
}

// The result of letters is every dead letter that can be read from the topic.
func (w *deadTown) letters(t *testing.T) []deadletter.Letter {
	t.Helper()
	options := []kgo.Opt{kgo.SeedBrokers(w.kafka.ListenAddrs()...)}
	desk, err := deadletter.Open(t.Context(), deadletter.Options{
		Client: options, Raw: rawTopic, Dead: deadTopic,
	})
	require.NoError(t, err)
	defer desk.Close()
	var all []deadletter.Letter
	require.NoError(t, desk.Each(t.Context(), deadletter.Filter{}, func(l *deadletter.Letter) (bool, error) {
		all = append(all, *l)
		return true, nil
	}))
	return all
}

func (w *deadTown) rawRecords(t *testing.T) (n int64) {
	t.Helper()
	ends, err := w.admin.ListEndOffsets(t.Context(), rawTopic)
	require.NoError(t, err)
	ends.Each(func(o kadm.ListedOffset) { n += o.Offset })
	return n
}

// standing returns digests of the rows in Postgres, without the columns that say who wrote them and when.
func (w *deadTown) standing(t *testing.T) string {
	t.Helper()
	var text string
	require.NoError(t, w.postgres.QueryRow(t.Context(), `SELECT
		(SELECT md5(coalesce(string_agg(to_jsonb(p)::text, ',' ORDER BY pitch_id), '')) FROM (SELECT *, NULL AS build, NULL AS processed_at, NULL AS previous_batter_id, NULL AS previous_pitcher_id, NULL AS previous_game_pk FROM pitch_registers) p)
		|| (SELECT md5(coalesce(string_agg(to_jsonb(b)::text, ',' ORDER BY batter_id), '')) FROM (SELECT batter_id, pitches, swing_count, last_pitch FROM batter_stats) b)`).Scan(&text))
	return text
}

// Each dead letter fares as predicted, and one that was retried is not retried again.
// guard: dead letters: a retried one is not open
// guard: dead letters: a discarded one is not open
// guard: dead letters: what this build has tried is passed over
// guard: dead letters: a foreign one is not sent
// guard: dead letters: what was being sent is looked for
// guard: dead letters: what is sent is written down
// guard: dead letters: the store is asked what it refuses
// guard: dead letters: the current version is compared
// guard: dead letters: a trial is taken back
func TestDLQPredictionIsWhatHappens(t *testing.T) {
	n := 1000
	if long := os.Getenv("PITCHSTREAM_DLQ_LETTERS"); long != "" {
		var err error
		n, err = strconv.Atoi(long)
		require.NoError(t, err)
	}
	w := newDeadTown(t)
	r := rand.New(rand.NewPCG(8, 1))
	all := kinds()
	counts := map[string]int{}
	for range n {
		k := all[r.IntN(len(all))]
		w.letter(t, r, k)
		counts[k.name]++
	}
	require.NoError(t, w.client.Flush(t.Context()))
	stop := w.start(t)
	w.through(t)

	want := map[schemas.Code]int64{}
	var fails, older int64
	for _, k := range all {
		if k.fails != "" {
			want[k.fails] += int64(counts[k.name])
			fails += int64(counts[k.name])
		}
		if k.older {
			older += int64(counts[k.name])
		}
	}
	before := w.standing(t)
	began := time.Now()
	predicted := dlqJSON[deadletter.Report](t, w, exitFailed, "retry", "--dry-run")
	require.Equal(t, before, w.standing(t), "a dry run changes nothing")
	t.Logf("dry-run of %d letters in %v: %d would pass, %d superseded, %d would fail: %v", n, time.Since(began).Round(time.Millisecond),
		predicted.WouldPass, predicted.Superseded, predicted.WouldFail, predicted.FailCodes)
	require.EqualValues(t, n, predicted.Selected)
	require.Equal(t, want, predicted.FailCodes)
	require.Equal(t, older, predicted.Superseded)
	require.Equal(t, int64(n)-fails-older, predicted.WouldPass)
	require.Equal(t, fails, predicted.WouldFail)

	olderStand := w.versions(t, func(k kind) bool { return k.older })
	raw := w.rawRecords(t)
	began = time.Now()
	sent := dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--rate=0")
	t.Logf("retry in %v: %+v", time.Since(began).Round(time.Millisecond), sent)
	require.EqualValues(t, n, sent.Sent)
	require.Equal(t, raw+int64(n), w.rawRecords(t))
	w.through(t)
	w.sameAsPredicted(t)
	require.Equal(t, olderStand, w.versions(t, func(k kind) bool { return k.older }), "a letter that is older than what stands overwrote it")
	require.Len(t, w.versions(t, func(k kind) bool { return k.fails == "" && !k.older && k.value(schemas.PitchID{}) != "" }),
		counts["a fault of the old core"]+counts["units that are read now"]+counts["what an older build took for too large"]+counts["Postgres takes it now"])

	standing, raw, dead := w.standing(t), w.rawRecords(t), len(w.letters(t))
	for range 2 {
		again := dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--rate=0")
		require.Zero(t, again.Sent, "%+v", again)
		require.Equal(t, fails, again.Tried)
	}
	w.through(t)
	require.Equal(t, raw, w.rawRecords(t))
	require.Len(t, w.letters(t), dead)
	require.Equal(t, standing, w.standing(t))

	// And everything once more, as no person should: the same versions end in the same state.
	everything := dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--rate=0", "--again")
	require.EqualValues(t, n, everything.Sent, "of a record that failed again only its last letter")
	w.through(t)
	require.Equal(t, standing, w.standing(t))
	stop()
}

// sameAsPredicted compares the dead letters that came back with those that were predicted to.
func (w *deadTown) sameAsPredicted(t *testing.T) {
	t.Helper()
	came := map[schemas.DeadLetterID]deadletter.Letter{}
	for _, l := range w.letters(t) {
		if l.ID.Attempts > 1 {
			require.NotContains(t, came, l.ID, "twice")
			came[l.ID] = l
		}
	}
	for id, is := range w.written {
		id.Attempts++
		l, back := came[id]
		require.Equal(t, is.fails != "", back, "%s: %s", is.name, l.Message)
		if back {
			require.Equal(t, is.fails, l.Code, is.name)
			require.Equal(t, sha256.Sum256(is.value), sha256.Sum256(l.Value))
		}
		delete(came, id)
	}
	require.Empty(t, came)
}

// versions are those of the standing pitches of some kinds of letters.
func (w *deadTown) versions(t *testing.T, of func(kind) bool) map[string]int64 {
	t.Helper()
	rows, err := w.postgres.Query(t.Context(), `SELECT pitch_id::text, record_ts_ms FROM pitches`)
	require.NoError(t, err)
	stand := map[string]int64{}
	for rows.Next() {
		var id string
		var at int64
		require.NoError(t, rows.Scan(&id, &at))
		stand[id] = at
	}
	require.NoError(t, rows.Err())
	out := map[string]int64{}
	for _, l := range w.written {
		if at, ok := stand[l.id.String()]; ok && of(l.kind) {
			out[l.id.String()] = at
		}
	}
	return out
}

// After twenty redrives a dead letter has small headers, each of them once, and the same value.
// guard: dead letters: a retried one is not open
// guard: dead letters: a discarded one is not open
// guard: dead letters: what this build has tried is passed over
// guard: dead letters: a foreign one is not sent
// guard: dead letters: what was being sent is looked for
// guard: dead letters: what is sent is written down
// guard: dead letters: the store is asked what it refuses
// guard: dead letters: the current version is compared
// guard: dead letters: a trial is taken back
func TestDLQTwentyRedrives(t *testing.T) {
	w := newDeadTown(t)
	r := rand.New(rand.NewPCG(3, 4))
	all := kinds()
	torn := all[slices.IndexFunc(all, func(k kind) bool { return k.name == "torn" })]
	id := w.letter(t, r, torn)
	require.NoError(t, w.client.Flush(t.Context()))
	stop := w.start(t)
	for range 20 {
		report := dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--again", "--rate=0")
		require.EqualValues(t, 1, report.Sent)
		w.through(t)
	}
	stop()
	came := w.letters(t)
	require.Len(t, came, 21)
	last := came[slices.IndexFunc(came, func(l deadletter.Letter) bool { return l.ID.Attempts == 21 })]
	require.Equal(t, id.Origin, last.ID.Origin)
	require.Equal(t, sha256.Sum256(w.written[id].value), sha256.Sum256(last.Value))
	size, seen := 0, map[string]bool{}
	for _, h := range last.Headers {
		require.False(t, seen[h.Key], "%s stands twice", h.Key)
		seen[h.Key] = true
		if h.Key != "venue" {
			size += len(h.Key) + len(h.Value)
		}
	}
	require.Less(t, size, 8<<10)
	t.Logf("after 20 redrives: %d headers, %d bytes", len(last.Headers), size)
	require.True(t, seen["venue"])
	ls := dlqJSON[deadletter.Report](t, w, exitOK, "ls")
	require.Equal(t, deadletter.Sums{
		DeadLetterSums: schemas.DeadLetterSums{Letters: 21, Open: 1, Retried: 20}, Tried: 1,
	}, ls.Sums)
}

// A retry that was killed while it sent is continued: no record is sent twice, and none is left out.
// guard: dead letters: a retried one is not open
// guard: dead letters: a discarded one is not open
// guard: dead letters: what this build has tried is passed over
// guard: dead letters: a foreign one is not sent
// guard: dead letters: what was being sent is looked for
// guard: dead letters: what is sent is written down
// guard: dead letters: the store is asked what it refuses
// guard: dead letters: the current version is compared
// guard: dead letters: a trial is taken back
func TestDLQRetryGoesOnAfterAKill(t *testing.T) {
	w := newDeadTown(t)
	r := rand.New(rand.NewPCG(5, 6))
	var ids []schemas.DeadLetterID
	for range 30 {
		ids = append(ids, w.letter(t, r, kinds()[0]))
	}
	require.NoError(t, w.client.Flush(t.Context()))
	// A retry had sent ten of them, twenty were written down as being sent, and then it was killed.
	for i, l := range w.letters(t) {
		if i < 20 {
			w.exec(t, `INSERT INTO letter_decisions VALUES ($1, $2, $3, $4, $5, 'sending', NULL, 'a@b', 'x', now())`,
				l.ID.Origin.Topic, l.ID.Origin.Partition, l.ID.Origin.Offset, l.ID.Origin.TimestampMS, l.ID.Attempts)
		}
		if i < 10 {
			require.NoError(t, w.client.ProduceSync(t.Context(), l.Again(rawTopic)).FirstErr())
		}
	}
	standing := w.standing(t)
	require.EqualValues(t, 30, dlqJSON[deadletter.Report](t, w, exitOK, "retry", "--dry-run").WouldPass)
	require.Equal(t, standing, w.standing(t), "a dry run leaves no row")
	report := dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--rate=0")
	require.EqualValues(t, 10, report.Found)
	require.EqualValues(t, 20, report.Sent)
	require.EqualValues(t, 30, w.rawRecords(t))
	var retried int
	require.NoError(t, w.postgres.QueryRow(t.Context(), `SELECT count(*) FROM letter_decisions WHERE action = 'retried' AND raw_offset IS NOT NULL`).Scan(&retried))
	require.Equal(t, 30, retried)
	require.Len(t, ids, 30)
}

// guard: dead letters: a retried one is not open
// guard: dead letters: a discarded one is not open
// guard: dead letters: what this build has tried is passed over
// guard: dead letters: a foreign one is not sent
// guard: dead letters: what was being sent is looked for
// guard: dead letters: what is sent is written down
// guard: dead letters: the store is asked what it refuses
// guard: dead letters: the current version is compared
// guard: dead letters: a trial is taken back
func TestDLQFiltersLimitsAndPassing(t *testing.T) {
	w := newDeadTown(t)
	r := rand.New(rand.NewPCG(7, 8))
	all := kinds()
	for i := range 60 {
		w.letter(t, r, all[i%len(all)])
	}
	// Another program has written to the topic, and one dead letter is in it twice.
	w.client.Produce(t.Context(), &kgo.Record{Topic: deadTopic, Key: []byte("x"), Value: []byte("{}")}, nil)
	require.NoError(t, w.client.Flush(t.Context()))
	first := w.letters(t)[0]
	again := &kgo.Record{Topic: deadTopic, Key: first.Key, Value: first.Value}
	for _, h := range first.Headers {
		again.Headers = append(again.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	require.NoError(t, w.client.ProduceSync(t.Context(), again).FirstErr())

	ls := dlqJSON[deadletter.Report](t, w, exitOK, "ls")
	require.EqualValues(t, 61, ls.Letters)
	require.EqualValues(t, 1, ls.Repeated)
	require.EqualValues(t, 1, ls.Foreign)
	require.EqualValues(t, 60, ls.Open)
	require.Len(t, ls.Groups, 9, "one for each code that the old build had, and the foreign one")
	share := 0.0
	for _, g := range ls.Groups {
		share += g.Share
		require.NotContains(t, g.Shape, "-", "an identifier is left in the shape")
	}
	require.InDelta(t, 1, share, 1e-9)

	sent := dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--code=internal", "--limit=5", "--rate=0")
	require.EqualValues(t, 5, sent.Sent)
	sent = dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--passing", "--rate=0")
	passing := ls.WouldPass + ls.Superseded // ls asks the core only, and no newer version is in the store
	refused := int64(60 / len(all))
	require.InDelta(t, passing-refused-5, sent.Sent, 5)
	require.Positive(t, sent.Foreign)
	none := dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--until=2020-01-01T00:00:00Z")
	require.Zero(t, none.Selected)
	none = dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--game=1")
	require.Zero(t, none.Selected)

	status, stdout := w.dlq(t, "discard", "--reason=torn by the sender", "--code=malformed_json,not_a_pitch")
	require.Equal(t, exitFailed, status, "nobody was there to agree")
	require.Empty(t, stdout)
	status, stdout = w.dlq(t, "discard", "--reason=torn by the sender", "--code=malformed_json,not_a_pitch", "--yes")
	require.Equal(t, exitOK, status)
	require.Contains(t, stdout, "8 dead letters discarded")
	status, stdout = w.dlq(t, "discard", "--reason=again", "--code=malformed_json,not_a_pitch", "--yes")
	require.Equal(t, exitOK, status)
	require.Contains(t, stdout, "0 dead letters discarded")
	ls = dlqJSON[deadletter.Report](t, w, exitOK, "ls")
	require.EqualValues(t, 8, ls.Discarded)
	raw := w.rawRecords(t)
	before := dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--code=malformed_json", "--rate=0")
	require.Zero(t, before.Sent)
	require.Equal(t, raw, w.rawRecords(t))
	again5 := dlqJSON[deadletter.RetryReport](t, w, exitOK, "retry", "--code=malformed_json", "--again", "--rate=0")
	require.EqualValues(t, 4, again5.Sent)
}

func TestDLQShowMarksTheFault(t *testing.T) {
	w := newDeadTown(t)
	for _, l := range []struct{ value, message string }{
		{`{"a": NaN}`, `malformed_json at byte 6: not JSON from here on: "NaN}"`},
		{`{"summary_acts":{"pitch":{"x":1}},"samples_bat":[{},3,{}]}`, `schema_violation at samples_bat[1]: it is not an object`},
		{`{"summary_acts":{"other":1}}`, `not_a_pitch at summary_acts.pitch: it is missing, empty or not an object`},
	} {
		code, _, _ := strings.Cut(l.message, " ")
		rec := schemas.Record{
			Coordinates: schemas.Coordinates{Topic: rawTopic, Partition: 1, Offset: 5, TimestampMS: originMS},
			Value:       []byte(l.value),
		}
		r := w.encoder("old").DeadLetter(schemas.DeadLetter{Record: rec, Origin: rec.Coordinates, Code: schemas.Code(code), Message: l.message}, time.Now())
		require.NoError(t, w.client.ProduceSync(t.Context(), r).FirstErr())
	}
	status, out := w.dlq(t, "show", "--limit=0")
	require.Equal(t, exitOK, status)
	for _, marked := range []string{
		"    {\"a\": NaN}\n    " + strings.Repeat(" ", 6) + "^\n",
		`{"summary_acts":{"pitch":{"x":1}},"samples_bat":[{},3,{}]}` + "\n    " + strings.Repeat(" ", 52) + "^\n",
		"    {\"summary_acts\":{\"other\":1}}\n    " + strings.Repeat(" ", 16) + strings.Repeat("^", len(`{"other":1}`)) + "\n",
	} {
		require.Contains(t, out, marked)
	}
	first := w.letters(t)[0]
	status, out = w.dlq(t, "show", fmt.Sprintf("%d:%d", first.At.Partition, first.At.Offset), "--json")
	require.Equal(t, exitOK, status)
	var shown struct {
		ValueBase64   []byte `json:"value_base64"`
		Status, Today string
	}
	require.NoError(t, json.Unmarshal([]byte(out), &shown))
	require.Equal(t, first.Value, shown.ValueBase64)
	require.Equal(t, "open", shown.Status)
	require.Contains(t, shown.Today, "would fail again")
	status, _ = w.dlq(t, "show", "0:99999")
	require.Equal(t, exitFailed, status)
}

func TestDLQExportIsWhole(t *testing.T) {
	w := newDeadTown(t)
	r := rand.New(rand.NewPCG(9, 9))
	for i := range 30 {
		w.letter(t, r, kinds()[i%len(kinds())])
	}
	require.NoError(t, w.client.Flush(t.Context()))
	dir := filepath.Join(t.TempDir(), "out")
	status, out := w.dlq(t, "export", "-o", dir)
	require.Equal(t, exitOK, status)
	require.Contains(t, out, "30 dead letters")
	written, err := os.ReadFile(filepath.Join(dir, "rejected.jsonl"))
	require.NoError(t, err)
	status, out = w.dlq(t, "export")
	require.Equal(t, exitOK, status)
	require.Len(t, strings.Split(out, "\n"), 31)
	status, _ = w.dlq(t, "export", "-o", dir)
	require.Equal(t, exitFailed, status, "a file that is there is kept")
	values := map[string]int{}
	for line := range bytes.Lines(written) {
		var l deadletter.Exported
		require.NoError(t, json.Unmarshal(line, &l))
		require.Contains(t, l.Source, deadTopic+"/")
		require.NotEmpty(t, l.Headers)
		values[string(l.ValueBase64)]++
	}
	want := map[string]int{}
	for _, l := range w.written {
		want[string(l.value)]++
	}
	require.True(t, maps.Equal(want, values))
}

func TestDLQRefusesWrongUsage(t *testing.T) {
	const kafka, pg = "--kafka-brokers=localhost:1", "--postgres-url=postgres://localhost/x"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"dlq", "ls"}, "--kafka-brokers is missing"},
		{[]string{"dlq", "ls", kafka, "--code=wrong"}, "want one of too_large"},
		{[]string{"dlq", "ls", kafka, "--since=yesterday"}, "want a time as"},
		{[]string{"dlq", "ls", kafka, "--since=1h", "--until=2h"}, "no dead letter is meant"},
		{[]string{"dlq", "show", kafka, "12"}, "PARTITION:OFFSET"},
		{[]string{"dlq", "retry", kafka}, "--postgres-url is missing"},
		{[]string{"dlq", "retry", kafka, pg, "--rate=-1"}, "--rate"},
		{[]string{"dlq", "retry", kafka, pg, "3"}, "PARTITION:OFFSET"},
		{[]string{"dlq", "retry", kafka, pg, "--dry-run", "--limit=3"}, "leave out --limit"},
		{[]string{"dlq", "discard", kafka, pg}, "--reason"},
		{[]string{"dlq", "discard", kafka, pg, "--reason= "}, "--reason"},
		{[]string{"dlq", "ls", kafka, "--timeout=0s"}, "--timeout"},
	} {
		status, _, stderr := runCLI(t, c.args...)
		require.Equal(t, exitUsage, status, c.args)
		require.Contains(t, stderr, c.want)
	}
}

func TestAskingTakesOnlyYes(t *testing.T) {
	for answer, yes := range map[string]bool{"y\n": true, "YES\n": true, "\n": false, "": false, "n\n": false, "maybe\n": false} {
		var out bytes.Buffer
		require.Equal(t, yes, ask(strings.NewReader(answer), &out, "discard?") == nil, answer)
		require.Equal(t, "discard? [y/N] ", out.String())
	}
}
