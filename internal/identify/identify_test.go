package identify

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func pitch(n int) schemas.PitchID {
	id, _ := schemas.ParsePitchID(fmt.Sprintf("00000000-0000-4000-8000-%012d", n))
	return id
}

func document(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile("testdata/feed.json")
	require.NoError(t, err)
	return string(b)
}

// guard: identify: who was replaced within an at-bat keeps the pitches before
// guard: identify: a pitcher who was replaced within an at-bat keeps the pitches before
// guard: identify: the event's own pitcher counts
func TestEachPitchIsOfThoseWhoStoodThere(t *testing.T) {
	f, err := parseFeed([]byte(document(t)))
	require.NoError(t, err)
	plays, withoutID := f.plays()
	require.EqualValues(t, 1, withoutID)
	one := schemas.Some[int64]
	play := func(n int, batter, pitcher, team, atBat, number int64, side, hand string) Play {
		return Play{
			ID: pitch(n), BatterID: one(batter), PitcherID: one(pitcher), TeamID: one(team),
			AtBat: atBat, Pitch: number, BatSide: side, PitchHand: hand,
		}
	}
	require.Equal(t, []Play{
		play(1, 101, 901, 112, 1, 1, "L", "R"),
		play(2, 101, 901, 112, 1, 0, "L", "R"),  // a pick-off
		play(11, 102, 901, 112, 2, 1, "L", "R"), // a switch hitter against the pitcher before
		play(12, 102, 902, 112, 2, 2, "R", "L"), // the same against the new one; a pinch runner changes nothing
		play(13, 101, 902, 112, 2, 3, "L", "L"), // the pinch hitter
		play(21, 201, 302, 158, 3, 1, "", ""),   // of a pitcher of whom the feed says nothing
	}, plays)
}

func TestAFeedThatIsNoneIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		`[]`:                 "not as feed/live",
		`{`:                  "not as feed/live",
		`{"gamePk": "x"}`:    "not as feed/live",
		`{}`:                 "no gamePk",
		`{"gamePk": 745804}`: "want a time code",
	} {
		_, err := parseFeed([]byte(text))
		require.ErrorContains(t, err, want, text)
	}
}

// guard: identify: what a patch copies is bounded
func TestPatchesChangeADocument(t *testing.T) {
	const doc = `{"a": {"b": [1, 2, 3], "c~/": "x"}, "d": null}`
	for patch, want := range map[string]string{
		`{"op": "add", "path": "/a/b/1", "value": 9}`:                           `{"a": {"b": [1, 9, 2, 3], "c~/": "x"}, "d": null}`,
		`{"op": "add", "path": "/a/b/3", "value": 9}`:                           `{"a": {"b": [1, 2, 3, 9], "c~/": "x"}, "d": null}`,
		`{"op": "add", "path": "/a/b/-", "value": {"e": 1}}`:                    `{"a": {"b": [1, 2, 3, {"e": 1}], "c~/": "x"}, "d": null}`,
		`{"op": "replace", "path": "/a/c~0~1", "value": true}`:                  `{"a": {"b": [1, 2, 3], "c~/": true}, "d": null}`,
		`{"op": "replace", "path": "/a/b/0", "value": 7}`:                       `{"a": {"b": [7, 2, 3], "c~/": "x"}, "d": null}`,
		`{"op": "replace", "path": "/d", "value": 1}`:                           `{"a": {"b": [1, 2, 3], "c~/": "x"}, "d": 1}`,
		`{"op": "remove", "path": "/a/b/1"}`:                                    `{"a": {"b": [1, 3], "c~/": "x"}, "d": null}`,
		`{"op": "remove", "path": "/a"}`:                                        `{"d": null}`,
		`{"op": "move", "from": "/a/b", "path": "/d"}`:                          `{"a": {"c~/": "x"}, "d": [1, 2, 3]}`,
		`{"op": "copy", "from": "/a/b", "path": "/a/b/0"}`:                      `{"a": {"b": [[1, 2, 3], 1, 2, 3], "c~/": "x"}, "d": null}`,
		`{"op": "test", "path": "/a/b", "value": [1, 2, 3]}`:                    doc,
		`{"op": "replace", "path": "", "value": {"z": 1}}`:                      `{"z": 1}`,
		`{"op": "remove", "path": "/a/b/3"}`:                                    "there is no",
		`{"op": "remove", "path": "/a/b/01"}`:                                   "there is no",
		`{"op": "remove", "path": "/a/b/-"}`:                                    "there is no",
		`{"op": "remove", "path": "/x"}`:                                        "there is no",
		`{"op": "add", "path": "/a/b/5", "value": 1}`:                           "there is no",
		`{"op": "add", "path": "/x/y", "value": 1}`:                             "there is no",
		`{"op": "add", "path": "/d/y", "value": 1}`:                             "there is no",
		`{"op": "replace", "path": "/x", "value": 1}`:                           "there is no",
		`{"op": "replace", "path": "x", "value": 1}`:                            "does not begin",
		`{"op": "test", "path": "/a/b/0", "value": 2}`:                          "fails",
		`{"op": "move", "from": "/x", "path": "/d"}`:                            "there is no",
		`{"op": "frobnicate", "path": "/d"}`:                                    "is unknown",
		strings.Repeat(`{"op": "copy", "from": "/a/b", "path": "/a/b/-"},`, 18): "copies more than",
	} {
		var before any
		require.NoError(t, json.Unmarshal([]byte(doc), &before))
		after, operations, err := applyPatches(before, []byte(`[{"diff": [`+strings.TrimSuffix(patch, ",")+`]}]`))
		if !strings.HasPrefix(want, "{") {
			require.ErrorContains(t, err, want, patch)
			continue
		}
		require.NoError(t, err, patch)
		require.Equal(t, 1, operations)
		got, err := json.Marshal(after)
		require.NoError(t, err)
		require.JSONEq(t, want, string(got), patch)
	}
}

// league speaks as the league's public API does. The document is under feed/live. Under diffPatch is a list
// of patches since a time code, empty if there are none, or the whole document.
type league struct {
	mu      sync.Mutex
	doc     string
	patches map[string]string // by startTimecode
	fail    []int             // statuses of the next answers
	asked   []string          // path and query, with the header If-None-Match if it has one
	step    func(n int)       // called before the nth request; may change the league
}

func (l *league) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.step != nil {
		l.step(len(l.asked))
	}
	what := strings.TrimPrefix(r.URL.RequestURI(), "/api/v1.1/game/745804/feed/live")
	etag := fmt.Sprintf(`"%d"`, len(l.doc))
	l.asked = append(l.asked, what)
	if len(l.fail) > 0 {
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(l.fail[0])
		l.fail = l.fail[1:]
		return
	}
	switch code := r.URL.Query().Get("startTimecode"); {
	case strings.Contains(what, "diffPatch") && l.patches[code] != "":
		_, _ = w.Write([]byte(l.patches[code]))
	case strings.Contains(what, "diffPatch"):
		_, _ = w.Write([]byte("[]"))
	case r.Header.Get("If-None-Match") == etag:
		w.WriteHeader(http.StatusNotModified)
	default:
		w.Header().Set("ETag", etag)
		_, _ = w.Write([]byte(l.doc))
	}
}

// fixture is a Kafka in memory, and a Postgres that has processed a part of the topic.
type fixture struct {
	kafka  *kfake.Cluster
	league *league
	o      Options
	waits  []time.Duration
	books  *books
}

type books struct {
	positions  []schemas.Position
	identified map[schemas.PitchID]*schemas.Change
	fail       error
	asked      int
}

func (b *books) AppliedPositions(context.Context) ([]schemas.Position, error) {
	return b.positions, b.fail
}
func (b *books) RegistersOf(
	_ context.Context, ids []schemas.PitchID,
) (out []schemas.StoredRegisters, _ error) {
	b.asked++
	for _, id := range ids {
		if c := b.identified[id]; c != nil {
			out = append(out, schemas.StoredRegisters{PitchID: id, Identified: c})
		}
	}
	return out, b.fail
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{
		kafka: testkit.FakeKafka(t), league: &league{doc: document(t), patches: map[string]string{}},
		books: &books{identified: map[schemas.PitchID]*schemas.Change{}},
	}
	server := httptest.NewServer(f.league)
	t.Cleanup(server.Close)
	client := server.Client()
	t.Cleanup(client.CloseIdleConnections)
	f.o = Options{
		Feed: server.URL + "/api/v1.1/game/745804/feed/live", HTTP: client, Topic: testkit.RawTopic,
		Client: []kgo.Opt{kgo.SeedBrokers(f.kafka.ListenAddrs()...)}, Books: f.books,
		pause: func(ctx context.Context, d time.Duration) error {
			f.waits = append(f.waits, d)
			return ctx.Err()
		},
	}
	return f
}

func (f *fixture) run(t *testing.T) *Report {
	t.Helper()
	r, err := Run(t.Context(), f.o)
	require.NoError(t, err)
	return r
}

// sent returns the names in the topic, a line a record in order.
func (f *fixture) sent(t *testing.T) (lines []string) {
	t.Helper()
	all := kafkaread.Spans{}
	for partition := range int32(3) {
		all[partition] = kafkaread.Span{Partition: partition, To: f.end(t, partition)}
	}
	err := kafkaread.Read(t.Context(), f.o.Client, f.o.Topic, all, func(records []*kgo.Record) error {
		for _, r := range records {
			c, rejection := features.Transform(kafkaread.Record(r), features.Limits{})
			require.Nil(t, rejection)
			require.Equal(t, schemas.OpIdentify, c.Op)
			at := time.UnixMilli(c.Version.Revision).UTC().Format("15:04:05")
			lines = append(lines, fmt.Sprintf("%s %s %s b%d p%d t%d", r.Key, at, c.PitchID.String()[34:],
				c.IDs.BatterID.Value, c.IDs.PitcherID.Value, c.IDs.TeamID.Value))
		}
		return nil
	})
	require.NoError(t, err)
	return lines
}

func (f *fixture) end(t *testing.T, partition int32) int64 {
	info := f.kafka.PartitionInfo(f.o.Topic, partition)
	require.NotNil(t, info)
	return info.HighWatermark
}

// process stores what is in the topic, as a processor does.
func (f *fixture) process(t *testing.T) {
	t.Helper()
	all := kafkaread.Spans{}
	f.books.positions = nil
	for partition := range int32(3) {
		end := f.end(t, partition)
		all[partition] = kafkaread.Span{Partition: partition, To: end}
		f.books.positions = append(f.books.positions,
			schemas.Position{Topic: f.o.Topic, Partition: partition, NextOffset: end})
	}
	err := kafkaread.Read(t.Context(), f.o.Client, f.o.Topic, all, func(records []*kgo.Record) error {
		for _, r := range records {
			c, _ := features.Transform(kafkaread.Record(r), features.Limits{})
			f.books.identified[c.PitchID] = &c
		}
		return nil
	})
	require.NoError(t, err)
}

var firstSent = []string{
	"745804 19:05:00 01 b101 p901 t112", "745804 19:05:00 02 b101 p901 t112", "745804 19:05:00 11 b102 p901 t112",
	"745804 19:05:00 12 b102 p902 t112", "745804 19:05:00 13 b101 p902 t112", "745804 19:05:00 21 b201 p302 t158",
}

// guard: identify: what is known is not sent again
func TestNothingIsSentTwice(t *testing.T) {
	f := newFixture(t)
	r := f.run(t)
	require.EqualValues(t, 6, r.Sent)
	require.EqualValues(t, 1, r.WithoutID)
	require.Equal(t, "745804", r.Game)
	require.Equal(t, "Live", r.State)
	require.Equal(t, firstSent, f.sent(t))
	for _, state := range []string{"only the topic has them", "Postgres has them"} {
		r = f.run(t)
		require.Zero(t, r.Sent, state)
		require.EqualValues(t, 6, r.Same, state)
		require.Len(t, f.sent(t), 6)
		f.process(t)
	}
	f.books.positions[0].TopicID = "of-an-earlier-topic" // its offsets mean other records
	require.Zero(t, f.run(t).Sent)
	f.books.positions, f.books.identified = nil, map[schemas.PitchID]*schemas.Change{} // restored from a backup
	require.Zero(t, f.run(t).Sent)
}

// guard: identify: the newest identify of a pitch counts
func TestTheNewestNamesAreKnownInWhateverOrderTheyAreRead(t *testing.T) {
	k := newKnown(nil, nil)
	for _, revision := range []int64{2, 3, 1} {
		names := schemas.Identifiers{BatterID: schemas.Some(revision)}
		k.add(&schemas.Change{PitchID: pitch(1), Version: schemas.Version{Revision: revision}, IDs: names})
	}
	require.EqualValues(t, 3, k.names[pitch(1)].names.BatterID.Value)
}

// guard: identify: older names do not replace newer ones
func TestACorrectionIsSentAndAnOlderFeedIsNot(t *testing.T) {
	f := newFixture(t)
	f.run(t)
	older := f.league.doc
	f.league.doc = strings.NewReplacer("190500", "191500", `{"id": 201}`, `{"id": 202}`).Replace(older)
	r := f.run(t)
	require.EqualValues(t, 1, r.Sent)
	require.EqualValues(t, 5, r.Same)
	want := append(firstSent[:6:6], "745804 19:15:00 21 b202 p302 t158")
	require.Equal(t, want, f.sent(t))
	f.league.doc = older
	r = f.run(t)
	require.Zero(t, r.Sent)
	require.EqualValues(t, 1, r.Older)
	f.process(t)
	require.EqualValues(t, 1, f.run(t).Older)
	require.Equal(t, want, f.sent(t))
}

// guard: identify: a pitch without any name makes no record
func TestAPitchWithoutNamesMakesNoRecord(t *testing.T) {
	f := newFixture(t)
	f.league.doc = strings.NewReplacer(`"batter": {"id": 201}`, `"batter": {}`, `"bottom"`, `"neither"`,
		`{"pitcher": {"id": 302}}`, `{}`, `{"id": 301}`, `{}`).Replace(f.league.doc)
	r := f.run(t)
	require.EqualValues(t, 1, r.Nameless)
	require.EqualValues(t, 5, r.Sent)
}

const secondPatch = `[
  {"diff": [
    {"op": "replace", "path": "/metaData/timeStamp", "value": "20240928_190510"},
    {"op": "add", "path": "/liveData/plays/allPlays/2/playEvents/1", "value":
      {"type": "pitch", "pitchNumber": 2, "playId": "00000000-0000-4000-8000-000000000022"}},
    {"op": "replace", "path": "/liveData/plays/allPlays/2/matchup/batter/id", "value": 203}
  ]},
  {"diff": [{"op": "replace", "path": "/metaData/timeStamp", "value": "20240928_190520"}]}
]`

const lastPatch = `[{"diff": [
  {"op": "replace", "path": "/metaData/timeStamp", "value": "20240928_220000"},
  {"op": "replace", "path": "/gameData/status/abstractGameState", "value": "Final"}
]}]`

// ended makes the document that of the end of the game.
var ended = strings.NewReplacer("190500", "220001", `"Live"`, `"Final"`, `{"id": 201}`, `{"id": 203}`)

func TestAGameIsFollowedToItsEnd(t *testing.T) {
	f := newFixture(t)
	f.o.Follow = true
	l := f.league
	l.step = func(n int) {
		switch n {
		case 2:
			l.patches["20240928_190500"] = secondPatch
		case 4:
			l.fail = []int{503, 429}
		case 6:
			l.patches["20240928_190520"] = lastPatch
			l.doc = ended.Replace(l.doc)
		}
	}
	r := f.run(t)
	require.Equal(t, []string{
		"", "/diffPatch?startTimecode=20240928_190500", "/diffPatch?startTimecode=20240928_190500",
		"/diffPatch?startTimecode=20240928_190520", "/diffPatch?startTimecode=20240928_190520",
		"/diffPatch?startTimecode=20240928_190520", "/diffPatch?startTimecode=20240928_190520", "",
	}, l.asked)
	require.Equal(t, append(firstSent[:6:6],
		"745804 19:05:20 21 b203 p302 t158", "745804 19:05:20 22 b203 p301 t158"), f.sent(t))
	require.Equal(t, "Final", r.State)
	require.EqualValues(t, 8, r.Sent)
	require.EqualValues(t, 2, r.Failures)
	const asked = 10 * time.Second
	require.Equal(t, []time.Duration{asked, asked, asked, asked}, f.waits[:4])
	require.Equal(t, []time.Duration{7 * time.Second, 7 * time.Second, 0}, f.waits[4:], "the server's Retry-After")
}

// guard: identify: a patch that does not move the time code would be applied twice
func TestPatchesThatDoNotFitAreReplacedByTheWholeDocument(t *testing.T) {
	for name, patch := range map[string]string{
		"no such place":       `[{"diff": [{"op": "remove", "path": "/liveData/plays/allPlays/99"}]}]`,
		"no move of the time": `[{"diff": [{"op": "remove", "path": "/liveData/plays/allPlays/0"}]}]`,
		"another game":        `[{"diff": [{"op": "replace", "path": "/gamePk", "value": 1}]}]`,
		"no JSON":             `[{`,
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			f.o.Follow = true
			f.league.patches["20240928_190500"] = patch
			f.league.step = func(n int) {
				if n == 5 {
					f.league.doc = strings.NewReplacer("190500", "190600", `"Live"`, `"Final"`).Replace(f.league.doc)
				}
				if n == 3 {
					f.league.doc = strings.Replace(f.league.doc, "190500", "190400", 1)
				}
				if n == 4 {
					f.league.doc = strings.Replace(f.league.doc, "190400", "190500", 1)
				}
			}
			r := f.run(t)
			require.EqualValues(t, 6, r.Sent)
			require.Equal(t, firstSent, f.sent(t))
			require.Equal(t, []string{"", "/diffPatch?startTimecode=20240928_190500", ""}, f.league.asked[:3])
		})
	}
}

// guard: identify: an older copy from a cache changes nothing
func TestAWholeDocumentInPlaceOfPatchesIsTaken(t *testing.T) {
	f := newFixture(t)
	f.o.Follow = true
	f.league.doc = strings.Replace(f.league.doc, `"Live"`, `"Final"`, 1)
	s := newSource(f.o)
	first, err := s.next(t.Context())
	require.NoError(t, err)
	require.NotNil(t, first)
	f.league.patches["20240928_190500"] = strings.Replace(f.league.doc, "190500", "190600", 1)
	second, err := s.next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "20240928_190600", second.MetaData.TimeStamp)
	third, err := s.next(t.Context())
	require.NoError(t, err)
	require.Nil(t, third, "nothing changed")
	s.wholeAt = s.wholeAt.Add(-wholeEvery)
	f.league.doc += " " // another ETag
	again, err := s.next(t.Context())
	require.NoError(t, err)
	require.Nil(t, again, "an older copy")
	require.Equal(t, "", f.league.asked[3], "all of it now and then")
}

func TestAnUnchangedDocumentIsNotReadAgain(t *testing.T) {
	f := newFixture(t)
	s := newSource(f.o)
	_, err := s.next(t.Context())
	require.NoError(t, err)
	s.wholeAt = s.wholeAt.Add(-wholeEvery)
	before := f.league.asked
	again, err := s.next(t.Context())
	require.NoError(t, err)
	require.Nil(t, again)
	require.Len(t, f.league.asked, len(before)+1)
}

// guard: identify: an answer is bounded
// guard: identify: what patches add up to is bounded
func TestAnswersAreBounded(t *testing.T) {
	f := newFixture(t)
	f.o.MaxFeedBytes = int64(len(f.league.doc))
	s := newSource(f.o)
	_, err := s.next(t.Context())
	require.NoError(t, err)
	next := "20240928_190500"
	for i := range 3 { // the second adds up to more than the bound, so the third is for the whole document
		now := fmt.Sprintf("20240928_19060%d", i)
		f.league.patches[next] = `[{"diff": [{"op": "replace", "path": "/metaData/timeStamp", "value": "` + now + `"}]}]` +
			strings.Repeat(" ", len(f.league.doc)/2)
		next = now
		_, err = s.next(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, []string{
		"", "/diffPatch?startTimecode=20240928_190500", "/diffPatch?startTimecode=20240928_190600", "",
	}, f.league.asked)
	f.league.doc += " "
	s.wholeAt = time.Time{}
	_, err = s.next(t.Context())
	require.ErrorContains(t, err, "raise --max-feed-bytes")
}

func TestAFirstAnswerThatWillNotChangeEndsTheRun(t *testing.T) {
	f := newFixture(t)
	f.o.Follow = true
	f.league.fail = []int{500, 404}
	r, err := Run(t.Context(), f.o)
	status, ok := errors.AsType[*StatusError](err)
	require.True(t, ok, err)
	require.Equal(t, 404, status.Status)
	require.EqualValues(t, 1, r.Failures, "the first passes")
	require.Empty(t, f.sent(t))
}

// guard: identify: what could not be sent is sent later
func TestWhatCouldNotBeSentIsSentLater(t *testing.T) {
	f := newFixture(t)
	f.o.Follow = true
	var ends [4]int64 // of the topic, before each request
	f.league.step = func(n int) {
		for partition := range int32(3) {
			if n < len(ends) {
				ends[n] += f.kafka.PartitionInfo(f.o.Topic, partition).HighWatermark
			}
		}
		switch n {
		case 1:
			f.books.fail = errors.New("Postgres is unavailable")
			f.league.patches["20240928_190500"] = secondPatch
		case 2:
			f.books.fail = nil
		case 3:
			f.league.patches["20240928_190520"] = lastPatch
			f.league.doc = ended.Replace(f.league.doc)
		}
	}
	r := f.run(t)
	require.EqualValues(t, 1, r.Failures)
	require.EqualValues(t, 8, r.Sent)
	require.Len(t, f.sent(t), 8)
	require.Equal(t, ends[1], ends[2])
	require.Greater(t, ends[3], ends[2], "before the feed changes again")
}

// guard: identify: an earlier run is fenced before it is read what it sent
func TestTheSecondRunOfAGameTakesOver(t *testing.T) {
	f := newFixture(t)
	all := func([]byte, schemas.PitchID) bool { return true }
	first, err := openSender(t.Context(), f.o, "745804", all)
	require.NoError(t, err)
	defer first.close()
	i := item{key: "745804", id: pitch(1), names: schemas.Identifiers{BatterID: schemas.Some[int64](1)}, revision: 5}
	require.NoError(t, first.send(t.Context(), []item{i}, &Report{}))
	second, err := openSender(t.Context(), f.o, "745804", all)
	require.NoError(t, err)
	defer second.close()
	require.ErrorIs(t, first.send(t.Context(), []item{i}, &Report{}), ErrTakenOver)
	r := &Report{}
	news, err := second.news(t.Context(), []item{i}, r)
	require.NoError(t, err)
	require.Empty(t, news)
	require.EqualValues(t, 1, r.Same)
	require.Len(t, f.sent(t), 1)
}

// A run that dies within a transaction leaves nothing that counts, and the next one sends everything once.
func TestARunThatDiesIsRepeated(t *testing.T) {
	f := newFixture(t)
	died, err := openSender(t.Context(), f.o, "745804", func([]byte, schemas.PitchID) bool { return true })
	require.NoError(t, err)
	defer died.close()
	i := item{key: "745804", id: pitch(1), names: schemas.Identifiers{BatterID: schemas.Some[int64](101)}, revision: 5}
	require.NoError(t, died.client.BeginTransaction())
	require.NoError(t, died.client.ProduceSync(t.Context(), i.record()).FirstErr())
	require.EqualValues(t, 6, f.run(t).Sent)
	require.Equal(t, firstSent, f.sent(t))
	require.Zero(t, f.run(t).Sent)
	require.Error(t, died.client.EndTransaction(t.Context(), kgo.TryCommit), "it woke up")
	require.Equal(t, firstSent, f.sent(t))
}

// mutated returns a copy in which bytes are changed, cut out or repeated.
func mutated(r *rand.Rand, b []byte) []byte {
	b = slices.Clone(b)
	for range 1 + r.IntN(3) {
		at := r.IntN(len(b))
		end := min(len(b), at+r.IntN(60))
		switch r.IntN(3) {
		case 0:
			b[at] = byte(r.IntN(256))
		case 1:
			b = slices.Delete(b, at, end)
		case 2:
			b = slices.Insert(b, r.IntN(len(b)), slices.Clone(b[at:end])...)
		}
		if len(b) == 0 {
			return []byte("{}")
		}
	}
	return b
}

// Feeds and patches with arbitrary faults are read or refused, and a pitch is never there twice.
func TestFaultyFeedsAndPatches(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	whole := []byte(document(t))
	read, changed := 0, 0
	for range 3000 {
		text := whole
		if r.IntN(2) == 0 {
			text = mutated(r, whole)
		}
		f, err := parseFeed(text)
		if err != nil {
			continue
		}
		read++
		seen := map[schemas.PitchID]bool{}
		plays, _ := f.plays()
		for _, p := range plays {
			require.False(t, seen[p.ID])
			seen[p.ID] = true
		}
		var doc any
		require.NoError(t, json.Unmarshal(text, &doc))
		if doc, _, err = applyPatches(doc, mutated(r, []byte(secondPatch))); err == nil {
			changed++
			_, err = json.Marshal(doc)
			require.NoError(t, err)
		}
	}
	require.Greater(t, read, 1000)
	require.Greater(t, changed, 20)
}

func TestADryRunSendsNothing(t *testing.T) {
	f := newFixture(t)
	f.o.DryRun = true
	r := f.run(t)
	require.Zero(t, r.Sent)
	require.Len(t, r.News, 6)
	require.Empty(t, f.sent(t))
	f.o.Client, f.o.Books, f.o.Feed = nil, nil, "testdata/feed.json"
	require.Equal(t, r.News, f.run(t).News, "of a file, without any server")
}

// The records carry the at-bat, the pitch in it and the hands, so that the core reads what the feed says.
func TestARecordNamesTheAtBatAndTheHands(t *testing.T) {
	f := newFixture(t)
	f.run(t)
	f.process(t)
	require.Equal(t, schemas.Identifiers{
		BatterID: schemas.Some[int64](101), PitcherID: schemas.Some[int64](901), TeamID: schemas.Some[int64](112),
		AtBatNumber: schemas.Some[int16](1), PitchNumber: schemas.Some[int16](1),
		BatterSide: schemas.BatsLeft, PitcherHand: schemas.ThrowsRight,
	}, f.books.identified[pitch(1)].IDs)
	older := *f.books.identified[pitch(1)] // of a build that knew no at-bats
	older.IDs.AtBatNumber, older.IDs.BatterSide = schemas.Opt[int16]{}, ""
	f.books.identified[pitch(1)] = &older
	require.EqualValues(t, 1, f.run(t).Sent, "what is missing is sent again")
	bare := (item{id: pitch(1), names: schemas.Identifiers{TeamID: schemas.Some[int64](1)}}).record()
	require.Len(t, bare.Headers, 4, "what is missing has no header")
	wild := Play{AtBat: 1000, Pitch: -1}
	require.Equal(t, schemas.Identifiers{}, wild.names())
}

func TestTheNamesOfAFileCountOverAllOthers(t *testing.T) {
	f := newFixture(t)
	f.run(t)
	path := filepath.Join(t.TempDir(), "names.csv")
	const head = "event_id,batter_id,pitcher_id,team_id,game_pk,at_bat_number,pitch_number,batter_side,pitcher_hand\n"
	require.NoError(t, os.WriteFile(path, []byte(head+pitch(1).String()+",101,901,112,745804,1,1,L,R\n"+
		pitch(2).String()+",555,,,745804,,,,\n"+pitch(99).String()+",,,,,3,,,\n"), 0o600))
	feed := f.o
	f.o.Feed, f.o.File, f.o.Game = "", path, "1"
	r := f.run(t)
	require.EqualValues(t, 3, r.Pitches)
	require.EqualValues(t, 1, r.Sent)
	require.EqualValues(t, 1, r.Same)
	require.EqualValues(t, 1, r.Nameless)
	require.Contains(t, f.sent(t)[6], "02 b555 p0 t0")
	require.Zero(t, f.run(t).Sent, "nor is it sent twice")
	f.o = feed
	require.EqualValues(t, 1, f.run(t).Older, "the feed of before does not undo it")
	require.NoError(t, os.WriteFile(path, []byte("event_id,batter_id\nabc,1\n"), 0o600))
	f.o.File = path
	_, err := Run(t.Context(), f.o)
	require.ErrorContains(t, err, "are no UUID")
}

// A feed on disk may be packed, or saved by a program that writes a byte order mark, as the other inputs may.
func TestAFeedIsReadHoweverItWasSaved(t *testing.T) {
	document, err := os.ReadFile("testdata/feed.json")
	require.NoError(t, err)
	pack := func(text []byte) []byte {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		_, err := z.Write(text)
		require.NoError(t, err)
		require.NoError(t, z.Close())
		return out.Bytes()
	}
	path := filepath.Join(t.TempDir(), "feed.json")
	plays := func(text []byte, most int64) ([]Play, error) {
		require.NoError(t, os.WriteFile(path, text, 0o600))
		_, plays, err := Plays(t.Context(), Options{Feed: path, MaxFeedBytes: most})
		return plays, err
	}
	size := int64(len(document))
	want, err := plays(document, size)
	require.NoError(t, err)
	require.Len(t, want, 6)
	marked := append([]byte("\ufeff"), document...)
	for name, text := range map[string][]byte{"a mark": marked, "gzip": pack(document), "both": pack(marked), "twice": pack(pack(document))} {
		got, err := plays(text, size)
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	_, err = plays(pack(document), size-1)
	require.ErrorContains(t, err, "raise --max-feed-bytes")
	for text, want := range map[string]string{"\xff\xfe{\x00": "it is UTF-16 text, which is not read here: give the JSON of feed/live", "PK\x03\x04": "it is an archive"} {
		_, err = plays([]byte(text), size)
		require.ErrorContains(t, err, want)
	}
}
