package deadletter

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestShapesLeaveOutWhatDiffers(t *testing.T) {
	for message, shape := range map[string]string{
		`malformed_json at byte 1834: not JSON from here on: "NaN, 1.2"`:                                          `malformed_json at byte N: not JSON from here on: "…"`,
		`malformed_json at byte 7: not JSON from here on: "a \" b"`:                                               `malformed_json at byte N: not JSON from here on: "…"`,
		`schema_violation at samples_bat[12]: it is not an object`:                                                `schema_violation at samples_bat[N]: it is not an object`,
		`unsupported_units at units.length: it is not "foot", the only unit that is read`:                         `unsupported_units at units.length: it is not "foot", the only unit that is read`,
		`postgres 23514: row for 84f189a5-98fd-478d-b982-e8032a1f14bf violates (constraint x)`:                    `postgres N: row for ID violates (constraint x)`,
		`too_large: the value has 17,825,792 bytes, more than the limit of 16777216`:                              `too_large: the value has N bytes, more than the limit of N`,
		`internal: the core failed: hash e732875407c933c5c9e88f6ad311586f1861e886c6ee9cf1d87ab77a026fd6de is bad`: `internal: the core failed: hash ID is bad`,
		`malformed_json at byte 7: invalid UTF-8`:                                                                 `malformed_json at byte N: invalid UTF-8`,
		`malformed_json: the value is UTF-16 text: produce UTF-8`:                                                 `malformed_json: the value is UTF-16 text: produce UTF-8`,
		``: ``,
	} {
		require.Equal(t, shape, Shape(message))
	}
}

// deadRecord is a record of the dead-letter topic.
func deadRecord(value string, headers ...string) *kgo.Record {
	r := &kgo.Record{Topic: "pitches.dead", Partition: 2, Offset: 7, Timestamp: time.UnixMilli(1000), Key: []byte("745804"), Value: []byte(value)}
	for i := 0; i < len(headers); i += 2 {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: headers[i], Value: []byte(headers[i+1])})
	}
	return r
}

func ours(more ...string) []string {
	return append([]string{"venue", "Wrigley", "dlq.code", "internal", "dlq.message", "internal: it failed", "dlq.origin.topic", "pitches.raw", "dlq.origin.partition", "3",
		"dlq.origin.offset", "42", "dlq.origin.timestamp", "2024-09-28T22:04:37.926Z", "dlq.topic", "pitches.raw", "dlq.partition", "5", "dlq.offset", "99",
		"dlq.attempts", "2", "dlq.first_failed_at", "2024-09-29T00:00:00.000Z", "dlq.failed_at", "2024-09-30T00:00:00.000Z", "__connect.errors.topic", "pitches.raw"}, more...)
}

func TestARecordIsSentAgainAsItFirstWas(t *testing.T) {
	l := Read(kafkaread.Record(deadRecord("{}", ours()...)))
	require.True(t, l.HasOrigin)
	require.Equal(t, schemas.DeadLetterID{Origin: schemas.Coordinates{Topic: "pitches.raw", Partition: 3, Offset: 42, TimestampMS: 1727561077926}, Attempts: 2}, l.ID)
	require.Equal(t, "745804", l.GamePK)
	again := l.Again("pitches.raw")
	require.Equal(t, "pitches.raw", again.Topic)
	require.EqualValues(t, 5, again.Partition, "where it failed")
	require.Equal(t, []byte("{}"), again.Value)
	require.Equal(t, []byte("745804"), again.Key)
	var names []string
	for _, h := range again.Headers {
		names = append(names, h.Key)
	}
	require.Equal(t, []string{"venue", "dlq.origin.topic", "dlq.origin.partition", "dlq.origin.offset", "dlq.origin.timestamp", "dlq.attempts", "dlq.first_failed_at"}, names)
	rec := l.Record()
	require.Equal(t, l.ID.Origin, features.Origin(rec), "the version is the origin's")
	require.Equal(t, l.ID, Read(kafkaread.Record(&kgo.Record{Topic: "pitches.raw", Key: again.Key, Value: again.Value, Headers: again.Headers})).ID, "a resumed retry knows it again")
	other := l.Again("another.raw")
	require.EqualValues(t, anyPartition, other.Partition)
}

func TestALetterWithoutAnOriginIsForeign(t *testing.T) {
	l := Read(kafkaread.Record(deadRecord("{}", "dlq.code", "internal", "dlq.origin.topic", "pitches.raw")))
	require.False(t, l.HasOrigin)
	require.Equal(t, schemas.Coordinates{Topic: "pitches.dead", Partition: 2, Offset: 7, TimestampMS: 1000}, l.ID.Origin)
	require.EqualValues(t, 1000, l.FailedAt)
}

func TestThePartitionerKeepsTheNamedPartition(t *testing.T) {
	p := Partitioner().ForTopic("pitches.raw")
	byKey := kgo.StickyKeyPartitioner(nil).ForTopic("pitches.raw")
	for _, c := range []struct {
		named int32
		n     int
		kept  bool
	}{{5, 8, true}, {0, 1, true}, {5, 4, false}, {anyPartition, 8, false}} {
		r := &kgo.Record{Partition: c.named, Key: []byte("745804")}
		want := int(c.named)
		if !c.kept {
			want = byKey.Partition(&kgo.Record{Key: r.Key}, c.n)
		}
		require.Equal(t, want, p.Partition(r, c.n))
		require.True(t, p.RequiresConsistency(r))
	}
}

func judgedLetter(attempts int32, code schemas.Code, status Status, selected bool, outcome Outcome) *judged {
	l := &judged{Judgement: Judgement{Status: status, Outcome: outcome, fails: code}, selected: selected}
	l.ID = schemas.DeadLetterID{Origin: schemas.Coordinates{Topic: "pitches.raw", Offset: 42}, Attempts: attempts}
	l.HasOrigin, l.Code, l.Message = true, code, string(code)+": it failed"
	return l
}

func TestOfARecordThatFailedAgainOnlyTheLastLetterIsOpen(t *testing.T) {
	for _, order := range [][]int32{{1, 2, 3}, {3, 2, 1}, {2, 3, 1}} {
		b := newBook()
		for _, attempts := range order {
			l := judgedLetter(attempts, schemas.CodeMalformedJSON, StatusOpen, true, Fails)
			b.seen(&l.Letter)
			b.add(l)
			b.add(l) // the same identity once more
		}
		r := b.close()
		require.Equal(t, Sums{
			DeadLetterSums: schemas.DeadLetterSums{Letters: 3, Open: 1, FailedAgain: 2}, Selected: 1, WouldFail: 1,
		}, r.Sums)
		require.Equal(t, map[schemas.Code]int64{schemas.CodeMalformedJSON: 1}, r.FailCodes)
		require.EqualValues(t, 3, r.Repeated)
		l := judgedLetter(2, schemas.CodeMalformedJSON, StatusOpen, true, Fails)
		require.False(t, b.take(&l.Letter, false))
		l = judgedLetter(3, schemas.CodeMalformedJSON, StatusOpen, true, Fails)
		require.False(t, b.take(&l.Letter, true), "it would not pass")
		require.True(t, b.take(&l.Letter, false))
		require.False(t, b.take(&l.Letter, false), "twice")
	}
}

func TestTooManyShapesShareAGroup(t *testing.T) {
	b := newBook()
	for i := range 3 * maxGroups {
		l := judgedLetter(1, schemas.CodeInternal, StatusOpen, true, Passes)
		l.ID.Origin.Offset = int64(i)
		l.Message = "internal: " + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))
		b.add(l)
	}
	r := b.close()
	require.Len(t, r.Groups, maxGroups+1)
	require.Equal(t, otherShapes, r.Groups[0].Shape)
	require.EqualValues(t, 2*maxGroups, r.Groups[0].Letters)
}

// Another program's headers can be as long as a record, and different each time.
// guard: dead letters: what the headers say is bounded
func TestWhatTheHeadersOfADeadLetterSayIsBounded(t *testing.T) {
	b := newBook()
	for i := range 5 * maxGroups {
		word := ""
		for n := i; n > 0; n /= 26 {
			word += string(rune('a' + n%26))
		}
		long := word + strings.Repeat("a", 2*maxTextBytes)
		l := judged{Letter: Read(kafkaread.Record(deadRecord("", "dlq.code", long, "dlq.message", long, "dlq.group", long,
			"dlq.build", long, "game_pk", long)))}
		l.Status, l.ID.Origin.Offset = StatusForeign, int64(i)
		b.add(&l)
	}
	r := b.close()
	require.EqualValues(t, 5*maxGroups, r.Letters)
	kept := 0
	for _, g := range r.Groups {
		kept += len(g.Code) + len(g.Shape) + len(g.Example.Message) + len(g.Example.GamePK)
	}
	require.LessOrEqual(t, kept, (maxGroups+1)*(3*(maxTextBytes+4)+maxCodeBytes+4))
}

// A code that this build does not know is no code, where its record is gone and would fail.
func TestADeadLetterOfAnUnknownCodeIsCounted(t *testing.T) {
	b := newBook()
	b.add(judgedLetter(1, "of_another_build", StatusOpen, true, Fails))
	require.Equal(t, map[schemas.Code]int64{"": 1}, b.close().FailCodes)
}

func TestAPlaceIsFoundInTheValue(t *testing.T) {
	for _, c := range []struct {
		value, path string
		found       string
		whole       bool
	}{
		{`{"a":{"b":[1,{"c":"x"}]}}`, "a.b[1].c", `"x"`, true},
		{`{"a":1,"a":{"b":2}}`, "a.b", `2`, true},
		{` {"a":{"b":2}} `, "a.c", `{"b":2}`, false},
		{`{"a":[1,2]}`, "a[5]", `[1,2]`, false},
		{`[1,2]`, "a", `[1,2]`, false},
		{`{"a":"\u00e9é","b":3}`, "b", `3`, true},
	} {
		from, to, whole := locate([]byte(c.value), c.path)
		require.Equal(t, c.found, c.value[from:to], c.path)
		require.Equal(t, c.whole, whole, c.path)
	}
	from, _, _ := locate([]byte(`{"a":`), "a")
	require.Equal(t, -1, from)
}

func TestTheMarkIsUnderTheFault(t *testing.T) {
	l := Read(kafkaread.Record(deadRecord("{\"é\tb\": NaN, \"x\": 1}", ours()...)))
	l.Code, l.Message = schemas.CodeMalformedJSON, "malformed_json at byte 9: not JSON"
	p := l.Fault(features.Limits{})
	require.Equal(t, Place{From: 9, To: 10}, p)
	text, from, to := l.Shown(p, 5)
	require.Equal(t, "… b\": NaN, \"…", text)
	require.Equal(t, "N", string([]rune(text)[from:to]))
	text, from, to = l.Shown(Place{From: -1, To: -1}, 3)
	require.Equal(t, "{\"é ", text[:5])
	require.Equal(t, []int{-1, -1}, []int{from, to})
	end := Place{From: len(l.Value), To: len(l.Value)}
	text, from, to = l.Shown(end, 4)
	require.Equal(t, "…: 1}", text)
	require.Equal(t, []int{5, 6}, []int{from, to}, "one column behind the end")
	header := Read(kafkaread.Record(deadRecord("", ours("op", "upsrt")...)))
	header.Message = `schema_violation at op: the op "upsrt" is unknown`
	require.Equal(t, Place{Path: "op", Header: true, From: -1, To: -1}, header.Fault(features.Limits{}))
}

func TestWhatStandsAsNewOrNewerSupersedes(t *testing.T) {
	change := schemas.Change{Version: schemas.Version{Revision: 1, TimestampMS: 5}}
	at := func(revision int64) *schemas.Change {
		return &schemas.Change{Version: schemas.Version{Revision: revision, TimestampMS: 5}}
	}
	require.True(t, supersedes(schemas.StoredRegisters{Measured: at(1)}, change), "equal")
	require.True(t, supersedes(schemas.StoredRegisters{Measured: at(2)}, change), "newer")
	require.False(t, supersedes(schemas.StoredRegisters{Measured: at(0)}, change), "older")
	require.False(t, supersedes(schemas.StoredRegisters{Identified: at(9)}, change), "another register")
	change.Op = schemas.OpIdentify
	require.True(t, supersedes(schemas.StoredRegisters{Identified: at(9)}, change))
	require.False(t, supersedes(schemas.StoredRegisters{Measured: at(9)}, change))
}

// guard: bytes: a record is read whole only within the limit
func TestARecordAboveTheLimitIsNotReadWhole(t *testing.T) {
	d := &Desk{o: Options{Limits: features.Limits{MaxRecordBytes: 1000}}, reader: kafkaread.NewReader()}
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // no brokers: an attempt to read ends at once
	complete := func(bytes int) error {
		return d.Complete(ctx, &Letter{Cut: &schemas.Cut{Bytes: int64(bytes)}})
	}
	require.ErrorIs(t, complete(d.o.valueLimit()), context.Canceled)
	require.ErrorIs(t, complete(d.o.valueLimit()+1), errTooLarge)
}

// The raw topic was created anew, and has another record where the one of the dead letter was.
// guard: dead letters: a truncated one is sent again as the record that failed
func TestATruncatedDeadLetterIsCompletedWithItsOwnRecordOnly(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "raw"))
	require.NoError(t, err)
	defer cluster.Close()
	servers := kgo.SeedBrokers(cluster.ListenAddrs()...)
	client, err := kgo.NewClient(servers)
	require.NoError(t, err)
	defer client.Close()
	value := []byte("the record that failed")
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "raw", Value: value}).FirstErr())
	d := &Desk{reader: kafkaread.NewReader(servers)}
	defer d.reader.Close()
	complete := func(whole []byte) (*Letter, error) {
		l := &Letter{
			Failed: schemas.Coordinates{Topic: "raw"},
			Cut:    &schemas.Cut{Bytes: int64(len(whole)), SHA256: sha256.Sum256(whole)},
		}
		return l, d.Complete(t.Context(), l)
	}
	l, err := complete(value)
	require.NoError(t, err)
	require.Equal(t, value, l.Value)
	_, err = complete([]byte("a record that is gone!"))
	require.ErrorIs(t, err, kafkaread.ErrGone)
}

// The record is in a batch that is read as a stream, which cuts long keys. One that cannot be held is not
// sent, and not said to be larger than a limit of the value, nor to pass.
// guard: dead letters: a long key beside a short value is read whole
// guard: dead letters: one with a very long key would not pass
// guard: dead letters: one with a very long key is not sent again with half of it
// guard: bytes: a single record has its whole key
func TestATruncatedDeadLetterGetsItsWholeKeyOrNone(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "raw"))
	require.NoError(t, err)
	defer cluster.Close()
	servers := kgo.SeedBrokers(cluster.ListenAddrs()...)
	client, err := kgo.NewClient(servers, kgo.ProducerBatchMaxBytes(64<<20))
	require.NoError(t, err)
	defer client.Close()
	o := Options{Limits: features.Limits{MaxRecordBytes: 5 << 20}}
	d := &Desk{reader: kafkaread.NewReader(servers), o: o}
	defer d.reader.Close()
	complete := func(r *kgo.Record) (*Letter, error) {
		r.Topic = "raw"
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
		l := &Letter{
			Failed: schemas.Coordinates{Topic: "raw", Offset: r.Offset},
			Cut: &schemas.Cut{
				Bytes: int64(len(r.Value)), SHA256: sha256.Sum256(r.Value), KeyBytes: int64(len(r.Key)),
			},
		}
		return l, d.Complete(t.Context(), l)
	}
	key := bytes.Repeat([]byte("k"), 20_000)
	l, err := complete(&kgo.Record{Key: key, Value: bytes.Repeat([]byte(" "), 5<<20)})
	require.NoError(t, err)
	require.Equal(t, key, l.Key)
	key = bytes.Repeat([]byte("k"), 5<<20)
	l, err = complete(&kgo.Record{Key: key, Value: []byte("x")})
	require.NoError(t, err)
	require.True(t, bytes.Equal(key, l.Key))
	for why, r := range map[string]*kgo.Record{
		"a key of 7340032 bytes, and 0 headers": {Key: bytes.Repeat([]byte("k"), 7<<20), Value: []byte("x")},
		"a key of 1 bytes, and 891290 headers": {
			Key: []byte("1"), Value: []byte("x"), Headers: make([]kgo.RecordHeader, 1<<20),
		},
	} {
		l, err = complete(r)
		require.ErrorIs(t, err, errLongFields)
		require.NotErrorIs(t, err, errTooLarge)
		require.True(t, isLost(err))
		require.ErrorContains(t, err, why)
		j := &judged{Letter: *l}
		require.NoError(t, d.completeAll(t.Context(), []*judged{j}))
		require.Equal(t, Fails, j.Outcome)
		require.Contains(t, j.Why, why)
	}
}

// largestQuestion is of a store that knows no decisions.
type largestQuestion struct {
	Known
	ids int
}

func (q *largestQuestion) DeadLetterDecisions(
	_ context.Context, ids []schemas.DeadLetterID,
) ([]schemas.DeadLetterDecision, error) {
	q.ids = max(q.ids, len(ids))
	return nil, nil
}

// Packed, the dead letters of one poll are small.
// guard: bytes: dead letters are judged before they hold too much
func TestDeadLettersAreJudgedBeforeTheyHoldTooMuch(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "dead"))
	require.NoError(t, err)
	defer cluster.Close()
	servers := kgo.SeedBrokers(cluster.ListenAddrs()...)
	client, err := kgo.NewClient(servers, kgo.ProducerBatchMaxBytes(2<<20),
		kgo.ProducerBatchCompression(kgo.Lz4Compression()))
	require.NoError(t, err)
	defer client.Close()
	var letters []*kgo.Record
	for range heldBytes>>20 + 3 {
		letters = append(letters, &kgo.Record{Topic: "dead", Value: make([]byte, 1<<20)})
	}
	require.NoError(t, client.ProduceSync(t.Context(), letters...).FirstErr())
	known := &largestQuestion{}
	d, err := Open(t.Context(), Options{Client: []kgo.Opt{servers}, Dead: "dead", Known: known})
	require.NoError(t, err)
	defer d.Close()
	r, err := d.Survey(t.Context(), Question{})
	require.NoError(t, err)
	require.EqualValues(t, len(letters), r.Letters)
	require.Equal(t, heldBytes>>20, known.ids)
}

// discards is a store in which every dead letter was discarded.
type discards struct{ Store }

func (discards) DeadLetterDecisions(
	_ context.Context, ids []schemas.DeadLetterID,
) (all []schemas.DeadLetterDecision, err error) {
	for _, id := range ids {
		all = append(all, schemas.DeadLetterDecision{ID: id, Action: schemas.DeadLetterDiscarded})
	}
	return all, nil
}

func (discards) RegistersOf(context.Context, []schemas.PitchID) ([]schemas.StoredRegisters, error) {
	return nil, nil
}

func (discards) DeadLettersSending(context.Context) ([]schemas.DeadLetterDecision, error) {
	return nil, nil
}

func (discards) DecideDeadLetters(context.Context, []schemas.DeadLetterDecision) error { return nil }

func (discards) LockDeadLetters(context.Context) (unlock func(), ok bool, err error) {
	return func() {}, true, nil
}

// sentRecords is a Sender that keeps what it is given.
type sentRecords []*kgo.Record

func (s *sentRecords) Send(_ context.Context, r *kgo.Record, acked func(error)) error {
	*s = append(*s, r)
	acked(nil)
	return nil
}

func (*sentRecords) Flush(context.Context) error { return nil }

// Sent again, a record without its origin would be a new version, which wins over the current one.
// guard: dead letters: a foreign one is never selected
func TestAForeignDeadLetterIsNotSentAfterADiscardEither(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "dead"))
	require.NoError(t, err)
	defer cluster.Close()
	servers := kgo.SeedBrokers(cluster.ListenAddrs()...)
	client, err := kgo.NewClient(servers)
	require.NoError(t, err)
	defer client.Close()
	foreign := deadRecord("foreign", "dlq.code", "internal", "dlq.origin.topic", "pitches.raw")
	own := deadRecord("own", ours()...)
	for _, r := range []*kgo.Record{foreign, own} {
		r.Topic, r.Partition = "dead", 0
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
	d, err := Open(t.Context(), Options{
		Client: []kgo.Opt{servers}, Dead: "dead", Raw: "pitches.raw", Store: discards{}, CoreOnly: true,
	})
	require.NoError(t, err)
	defer d.Close()
	var sent sentRecords
	report, err := d.Retry(t.Context(), RetryOptions{Again: true}, &sent)
	require.NoError(t, err)
	require.Len(t, sent, 1)
	require.Equal(t, "own", string(sent[0].Value))
	require.EqualValues(t, 1, report.Selected)
	require.EqualValues(t, 1, report.Sent)
}

func TestFiltersTakeWhatTheySay(t *testing.T) {
	l := Read(kafkaread.Record(deadRecord("{}", ours()...)))
	at := l.FailedAt.Time()
	for _, c := range []struct {
		f    Filter
		want bool
	}{
		{Filter{}, true},
		{Filter{Codes: []schemas.Code{schemas.CodeInternal}}, true},
		{Filter{Codes: []schemas.Code{schemas.CodeTooLarge}}, false},
		{Filter{Since: at}, true},
		{Filter{Since: at.Add(time.Millisecond)}, false},
		{Filter{Until: at}, false},
		{Filter{Until: at.Add(time.Millisecond)}, true},
		{Filter{GamePK: "745804"}, true},
		{Filter{GamePK: "1"}, false},
		{Filter{At: []schemas.Coordinates{{Partition: 2, Offset: 7}}}, true},
		{Filter{At: []schemas.Coordinates{{Partition: 2, Offset: 8}}}, false},
	} {
		require.Equal(t, c.want, c.f.Takes(&l), "%+v", c.f)
	}
}

// readOnly is a store that knows of no decision and takes none.
type readOnly struct{ Store }

func (readOnly) DeadLetterDecisions(
	context.Context, []schemas.DeadLetterID,
) ([]schemas.DeadLetterDecision, error) {
	return nil, nil
}

func (readOnly) RegistersOf(context.Context, []schemas.PitchID) ([]schemas.StoredRegisters, error) {
	return nil, nil
}

func (readOnly) DeadLettersSending(context.Context) ([]schemas.DeadLetterDecision, error) {
	return nil, nil
}

func (readOnly) DecideDeadLetters(context.Context, []schemas.DeadLetterDecision) error {
	return errors.New("no disk")
}

func (readOnly) LockDeadLetters(context.Context) (unlock func(), ok bool, err error) {
	return func() {}, true, nil
}

// guard: dead letters: a discard that was not recorded is not counted
func TestDiscardCountsOnlyWhatTheStoreHasTaken(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "dead", "raw"))
	require.NoError(t, err)
	defer cluster.Close()
	servers := kgo.SeedBrokers(cluster.ListenAddrs()...)
	client, err := kgo.NewClient(servers)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: "dead", Value: []byte("{}")}).FirstErr())
	d, err := Open(t.Context(), Options{Client: []kgo.Opt{servers}, Raw: "raw", Dead: "dead", Store: readOnly{}})
	require.NoError(t, err)
	defer d.Close()
	discarded, err := d.Discard(t.Context(), Filter{}, "a test")
	require.ErrorContains(t, err, "no disk")
	require.Zero(t, discarded)
}
