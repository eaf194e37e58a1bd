package api

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// kafka is a topic in memory, with its faults.
type kafka struct {
	mu    sync.Mutex
	paths map[schemas.Coordinates]*schemas.SwingPath
	err   error
	// broken has errors of single records, by offset
	broken map[int64]error
	reads  int
	hold   chan struct{} // what a reading waits for; nil: nothing
}

func (k *kafka) SwingPath(ctx context.Context, at schemas.Coordinates) (*schemas.SwingPath, error) {
	k.mu.Lock()
	k.reads++
	at.TimestampMS = 0 // the key of paths
	hold, path, err := k.hold, k.paths[at], cmp.Or(k.err, k.broken[at.Offset])
	k.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return path, err
}

func (k *kafka) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.reads
}

// swinging are stores with n swings, whose records stand in Kafka.
func swinging(n int) (*stores, *kafka) {
	s, k := newStores(), &kafka{paths: map[schemas.Coordinates]*schemas.SwingPath{}}
	s.rows = rows(n)
	for i := range s.rows {
		r := &s.rows[i]
		r.IsSwing, r.IsContact, r.BatSpeedMPH, r.SourceOffset = true, true, schemas.Some(70.5), int64(i)
		k.paths[schemas.Coordinates{Topic: "pitches.raw", Offset: int64(i)}] = &schemas.SwingPath{
			Bat: []schemas.BatPoint{
				{TimeS: 0.1, Head: schemas.Some(schemas.Point{1, 2, 3}), SpeedMPH: schemas.Some(70.5)},
				{TimeS: 0.2, Handle: schemas.Some(schemas.Point{1, 2, float64(i)})},
			},
			Pitch:   []schemas.BallPoint{{TimeS: 0.1, Pos: schemas.Point{0, 50, 5}}},
			Hit:     []schemas.BallPoint{{TimeS: 0.5, Pos: schemas.Point{0, 9, 5}}},
			Contact: &schemas.Contact{TimeS: 0.4, Kind: schemas.ContactHit},
			Sampled: schemas.SampleCounts{Bat: 370, Ball: 50},
		}
	}
	return s, k
}

func pathOf(r schemas.StoredRow) string { return "/v1/pitches/" + r.PitchID.String() + "/swing" }

// guard: api: of a miss nothing was hit
// guard: api: no record is read without a swing
func TestASwingToBeDrawn(t *testing.T) {
	s, topic := swinging(3)
	s.rows[1].IsContact = false
	s.rows[2].IsSwing = false
	k := newAsker(t, s, func(c *Config) { c.Records = topic })
	body := k.get(200, opSwing, pathOf(s.rows[0]))
	require.Len(t, body["bat"], 2)
	require.Nil(t, body["bat"].([]any)[0].(map[string]any)["handle"])
	require.Equal(t, "hit", body["contact"].(map[string]any)["kind"])
	require.Len(t, body["hit"], 1)
	require.Equal(t, 70.5, body["bat_speed_mph"])
	require.Equal(t, true, body["strike_zone"].(map[string]any)["assumed"])
	require.Equal(t, []any{}, k.get(200, opSwing, pathOf(s.rows[1]))["hit"], "of a miss nothing was hit")
	require.Equal(t, problemNotFound, k.get(404, opSwing, pathOf(s.rows[2]))["type"])
	require.Equal(t, 2, topic.count(), "no record is read of a pitch without a swing")
}

// A correction is another record: what was drawn before is not shown for it.
func TestASwingIsThatOfTheVersionThatStands(t *testing.T) {
	s, topic := swinging(2)
	k := newAsker(t, s, func(c *Config) { c.Records = topic })
	handle := func() any {
		return k.get(200, opSwing, pathOf(s.rows[0]))["bat"].([]any)[1].(map[string]any)["handle"].([]any)[2]
	}
	require.Equal(t, 0., handle())
	require.Equal(t, 0., handle())
	require.Equal(t, 1, topic.count(), "a version is read once")
	s.set(func() { s.rows[0].SourceOffset, s.rows[0].Revision = 1, 1 })
	require.Equal(t, 1., handle())
	require.Equal(t, 2, topic.count())
}

// guard: api: a Kafka that has failed is left alone
func TestASwingThatCannotBeRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, topic := swinging(2)
		k := newAsker(t, s, func(c *Config) { c.Records = topic })
		topic.err = errGone
		require.Equal(t, problemUnavailable, k.get(503, opSwing, pathOf(s.rows[0]))["type"])
		require.Equal(t, problemUnavailable, k.get(503, opSwing, pathOf(s.rows[1]))["type"])
		require.Equal(t, 1, topic.count(), "a Kafka that has just failed is not asked again")
		topic.mu.Lock()
		topic.err = nil
		topic.paths = nil
		topic.mu.Unlock()
		time.Sleep(gateClosed)
		require.Equal(t, 404, k.ask(pathOf(s.rows[0])).Code, "the record is gone")
		require.Equal(t, problemUnavailable, newAsker(t, s, nil).get(503, opSwing, pathOf(s.rows[0]))["type"], "no Kafka was named")
	})
}

// One broken batch must not take the other swings from everybody.
func TestABrokenRecordOfASwingCostsOnlyItsOwnRequest(t *testing.T) {
	for _, err := range []error{schemas.ErrUnreadable, schemas.ErrOccupied} {
		s, topic := swinging(2)
		topic.broken = map[int64]error{0: fmt.Errorf("kafka: %w", err)}
		k := newAsker(t, s, func(c *Config) { c.Records = topic })
		if err == schemas.ErrUnreadable {
			require.Equal(t, problemNotFound, k.get(404, opSwing, pathOf(s.rows[0]))["type"])
		} else {
			require.Equal(t, problemBusy, k.get(503, opSwing, pathOf(s.rows[0]))["type"])
		}
		k.get(200, opSwing, pathOf(s.rows[1]))
		require.Equal(t, 2, topic.count())
	}
}

// Many who look at one swing cost one reading; of many swings only a few are read at a time, and no caller
// waits for long.
// guard: api: few swings are read at a time
func TestFewSwingsAreReadAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, topic := swinging(20)
		topic.hold = make(chan struct{})
		k := newAsker(t, s, func(c *Config) { c.Records = topic })
		codes := make(chan int, 100)
		ask := func(i int) { codes <- k.ask(pathOf(s.rows[i])).Code }
		for i := range pathsAtATime {
			for range 3 {
				go ask(i)
			}
		}
		synctest.Wait()
		require.Equal(t, pathsAtATime, topic.count())
		go ask(10)
		require.Equal(t, 503, <-codes, "his turn did not come")
		require.Equal(t, pathsAtATime, topic.count())
		close(topic.hold)
		for range 3 * pathsAtATime {
			require.Equal(t, 200, <-codes)
		}
		require.Equal(t, pathsAtATime, topic.count())
	})
}

// A record that is our undoing is no other's.
// guard: api: a record that panics is no other's undoing
func TestAPathThatPanics(t *testing.T) {
	s, _ := swinging(1)
	k := newAsker(t, s, func(c *Config) { c.Records = panicking{} })
	require.Equal(t, problemUnavailable, k.get(503, opSwing, pathOf(s.rows[0]))["type"])
}

// A bug in the middle of an answer must not look like its end.
// guard: api: a client sees that an answer was broken off
func TestAPanicAfterTheFirstByteBreaksTheConnection(t *testing.T) {
	s, _ := swinging(1)
	k := newAsker(t, s, nil)
	server := httptest.NewServer(observed(k.API, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/late" {
			w.WriteHeader(http.StatusOK)
			_, _ = io.WriteString(w, "half")
			_ = http.NewResponseController(w).Flush()
		}
		panic("a bug")
	})))
	defer server.Close()
	early, err := http.Get(server.URL + "/early")
	require.NoError(t, err)
	defer early.Body.Close()
	require.Equal(t, http.StatusInternalServerError, early.StatusCode)
	late, err := http.Get(server.URL + "/late")
	require.NoError(t, err)
	defer late.Body.Close()
	_, err = io.ReadAll(late.Body)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

type panicking struct{}

func (panicking) SwingPath(context.Context, schemas.Coordinates) (*schemas.SwingPath, error) {
	panic("a bug")
}

func TestLastSwings(t *testing.T) {
	s, _ := swinging(25)
	s.rows[0].IsSwing = false
	s.players = []schemas.Player{{ID: 1, Name: "A", Team: "T"}}
	k := newAsker(t, s, nil)
	body := k.get(200, opHisSwings, "/v1/batters/1/swings?limit=10")
	require.Len(t, body["swings"], 10)
	require.Equal(t, "A", body["name"])
	require.Equal(t, s.rows[1].PitchID.String(), body["swings"].([]any)[0].(map[string]any)["pitch_id"])
	require.Equal(t, s.rows[1].EventTime.String(), body["as_of"])
	k.get(404, opHisSwings, "/v1/batters/9/swings")

	body = k.get(200, opSwings, "/v1/swings?ids=9,1,9&limit=3")
	require.Len(t, body["batters"], 2)
	require.Empty(t, body["batters"].([]any)[0].(map[string]any)["swings"])
	his := body["batters"].([]any)[1].(map[string]any)
	require.Len(t, his["swings"], 3)
	require.Equal(t, 1, s.called("Swings"), "one question for all")
	seen := his["swings"].([]any)
	for his["next_cursor"] != nil {
		his = k.get(200, opHisSwings, fmt.Sprint("/v1/batters/1/swings?limit=10&cursor=", his["next_cursor"]))
		seen = append(seen, his["swings"].([]any)...)
	}
	require.Equal(t, k.get(200, opHisSwings, "/v1/batters/1/swings?limit=200")["swings"], seen)
	require.Len(t, seen, 24)
	body = k.get(200, opSwings, "/v1/swings?ids=9,1&limit=24")
	for _, b := range body["batters"].([]any) {
		require.NotContains(t, b, "next_cursor", "there is no more")
	}
	k.get(200, opSwings, "/v1/swings?ids=9,1&limit=3")
	for _, bad := range []string{"", "?ids=1&limit=51", "?ids=x", "?ids=1&limit=0"} {
		k.get(422, opSwings, "/v1/swings"+bad)
	}
	s.set(func() { s.storeErr = errGone })
	body = k.get(200, opSwings, "/v1/swings?ids=9,1&limit=3")
	require.Equal(t, []any{"memory", true}, []any{body["source"], body["stale"]})
	k.get(503, opSwings, fmt.Sprintf("/v1/swings?ids=%d", 7))
}

// slowRecords take a third of a second each.
type slowRecords struct{}

func (slowRecords) SwingPath(context.Context, schemas.Coordinates) (*schemas.SwingPath, error) {
	time.Sleep(300 * time.Millisecond) // tidy: in a bubble of synctest
	return &schemas.SwingPath{}, nil
}

// guard: api: clients read swings in turn
func TestOneWhoReadsManySwingsHoldsUpNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := swinging(40)
		k := newAsker(t, s, func(c *Config) { c.Records = slowRecords{} })
		for i := range 39 {
			go k.ask(pathOf(s.rows[i]))
		}
		synctest.Wait()
		require.Equal(t, 200, k.from("192.0.2.2:1", pathOf(s.rows[39])).Code)
		time.Sleep(10 * time.Second) // tidy: in a bubble of synctest
	})
}
