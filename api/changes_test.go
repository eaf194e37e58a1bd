package api

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

const opChanges = "/v1/changes"

// feedStore is a Store with a feed in memory.
type feedStore struct {
	fakeStore
	mu      sync.Mutex
	changes []schemas.FeedChange
	feed    string
	oldest  int64
	asked   int
	failing bool
	ends    map[string]int64 // of the feeds before
	slow    time.Duration    // each answer takes it
	lags    bool             // each other answer is of a standby that lacks the last five changes
}

// restart begins another feed, as a server that was started again does with its next change.
func (s *feedStore) restart(feed string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ends == nil {
		s.ends = map[string]int64{}
	}
	s.ends[s.feed], s.feed = int64(len(s.changes)), feed
}

func (s *feedStore) Changes(
	ctx context.Context, after *schemas.FeedID, limit int,
) (page schemas.FeedPage, err error) {
	if s.slow > 0 {
		select {
		case <-ctx.Done():
			return page, ctx.Err()
		case <-time.After(s.slow):
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asked++; s.storeErr != nil {
		return page, s.storeErr
	}
	if s.failing = s.failing && s.asked < 1000; s.failing { // not for ever: who asks without a pause is seen
		return page, sqlState("57014") // for which the gate stays open
	}
	page = schemas.FeedPage{Feed: s.feed, Oldest: s.oldest, Newest: int64(len(s.changes))}
	if after == nil {
		return page, nil
	}
	if s.lags && s.asked%2 == 0 {
		if page.Newest -= 5; after.Seq > page.Newest {
			return page, fmt.Errorf("postgres: changes: %w", schemas.ErrFeedBehind)
		}
	}
	end, isKnown := s.ends[after.Feed]
	if after.Feed == "" || after.Feed == s.feed {
		end, isKnown = page.Newest, true
	}
	if !isKnown || after.Seq > end || after.Seq < page.Oldest {
		return page, fmt.Errorf("postgres: changes: %w: a test", schemas.ErrFeedGone)
	}
	page.Changes = slices.Clone(s.changes[after.Seq:min(after.Seq+int64(limit), page.Newest)])
	return page, nil
}

// add adds changes of a size, by the length of the venue.
func (s *feedStore) add(n, size int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		row := schemas.StoredRow{Row: schemas.Row{Venue: schemas.Text(strings.Repeat("x", size)), Issues: []string{}}}
		row.CoreVersion = 1
		s.changes = append(s.changes, schemas.FeedChange{
			Seq: int64(len(s.changes) + 1), Kind: schemas.FeedInserted, New: &row,
		})
	}
}

func feeding(t *testing.T, change func(*Config)) (*feedStore, *asker) {
	t.Helper()
	s := &feedStore{fakeStore: fakeStore{newStores()}, feed: "abc"}
	return s, newAsker(t, s.stores, func(c *Config) {
		c.Store = s
		if change != nil {
			change(c)
		}
	})
}

// seqs are the ids and kinds of the lines of an answer, each valid.
func (k *asker) lines(t *testing.T, path string, headers ...string) (all []string) {
	t.Helper()
	w := k.ask(path, headers...)
	require.Equal(t, 200, w.Code, w.Body)
	require.Equal(t, mediaNDJSON, w.Header().Get("Content-Type"))
	for line := range strings.Lines(w.Body.String()) {
		k.valid(opChanges, 200, mediaNDJSON, []byte(line))
		var c Change
		require.NoError(t, json.Unmarshal([]byte(line), &c))
		all = append(all, c.ID+" "+c.Kind)
	}
	return all
}

func TestChangesAsLines(t *testing.T) {
	s, k := feeding(t, nil)
	require.Equal(t, []string{"abc:0 position"}, k.lines(t, "/v1/changes?since=now"))
	s.add(450, 10)
	require.Equal(t, []string{"abc:450 position"}, k.lines(t, "/v1/changes?since=now"))
	require.Equal(t, []string{"abc:449 inserted", "abc:450 inserted", "abc:450 position"}, k.lines(t, "/v1/changes?since=448"))
	require.Equal(t, []string{"abc:101 inserted", "abc:102 inserted", "abc:102 position"}, k.lines(t, "/v1/changes?since=abc:100&limit=2"))
	require.Len(t, k.lines(t, "/v1/changes?since=start"), 451)
	require.Equal(t, []string{"abc:450 position"}, k.lines(t, "/v1/changes?since=3", "Last-Event-ID: abc:450"))
	s.oldest = 100
	for _, since := range []string{"99", "451", "def:100"} {
		gone := k.get(410, opChanges, "/v1/changes?since="+since)
		require.Equal(t, problemGone, gone["type"])
		require.NotContains(t, gone["detail"], "postgres")
	}
	require.Len(t, k.lines(t, "/v1/changes?since=start"), 351)
	for _, wrong := range []string{"", "?since=-1", "?since=abc", "?since=1&limit=0", "?since=1:2:3", "?since=", "?since=99999999999999999999"} {
		k.get(422, opChanges, "/v1/changes"+wrong)
	}
	s.set(func() { s.storeErr = errGone })
	k.get(503, opChanges, "/v1/changes?since=1")
	_, err := New(Config{Live: s.stores, Store: fakeStore{s.stores}})
	require.NoError(t, err)
	newAsker(t, newStores(), nil).get(404, opChanges, "/v1/changes?since=1")
}

// guard: changes: the tail is bounded
func TestChangesAreBoundedInMemory(t *testing.T) {
	s, k := feeding(t, nil)
	s.add(300, 100_000) // 30 MB: a page has 20 MB
	require.Len(t, k.lines(t, "/v1/changes?since=0"), 301)
	k.tail.join(schemas.FeedID{Feed: "abc"})
	for k.tail.poll(t.Context()) {
	}
	require.LessOrEqual(t, k.tail.bytes, tailBytes)
	require.Greater(t, k.tail.bytes, tailBytes/2)
	entries, _, where := k.tail.after(schemas.FeedID{Feed: "abc", Seq: 299}, 0)
	require.Equal(t, tailReady, where)
	require.Len(t, entries, 1)
	_, _, where = k.tail.after(schemas.FeedID{Feed: "abc"}, 0)
	require.Equal(t, tailBehind, where)
	k.tail.leave()
	require.Zero(t, k.tail.bytes)
}

// followed runs a test in virtual time, with the API's loops and a feed of this many changes.
func followed(t *testing.T, changes int, f func(t *testing.T, s *feedStore, k *asker)) {
	s := &feedStore{feed: "abc"}
	s.add(changes, 10)
	streaming(t, func(c *Config) {
		s.fakeStore = fakeStore{c.Live.(*stores)}
		c.Store = s
	}, func(t *testing.T, _ *stores, k *asker) { f(t, s, k) })
}

// follow opens the feed behind a place, as lines that go on.
func (k *asker) follow(since string) *listener {
	return k.listen(opChanges, "/v1/changes?follow=true&since="+since)
}

// changes are the lines so far.
func (l *listener) changes() (all []Change) {
	l.k.t.Helper()
	synctest.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.Body.String()) {
		var c Change
		require.NoError(l.k.t, json.Unmarshal([]byte(line), &c))
		all = append(all, c)
	}
	return all
}

// guard: changes: a client gets the feed of its last change
func TestAPositionIsOfTheFeedOfTheLastChange(t *testing.T) {
	followed(t, 3, func(t *testing.T, s *feedStore, k *asker) {
		l := k.follow("abc:3")
		pass(time.Second)
		s.restart("def")
		s.add(2, 10)
		pass(16 * time.Second)
		lines := l.changes()
		require.Equal(t, "position", lines[len(lines)-1].Kind)
		for _, c := range lines {
			k.lines(t, "/v1/changes?since="+c.ID)
		}
		require.Equal(t, "def:5", lines[len(lines)-1].ID)
	})
}

// guard: changes: a standby that lags closes no way
func TestAStandbyThatLagsEndsNoFeed(t *testing.T) {
	followed(t, 3, func(t *testing.T, s *feedStore, k *asker) {
		l := k.follow("abc:3")
		pass(time.Second)
		s.lags = true
		for n := range 10 {
			s.add(1, 10)
			pass(time.Second)
			lines := l.changes()
			require.EqualValues(t, 4+n, lines[len(lines)-1].Seq)
			k.get(200, opGames, "/v1/games")
		}
		s.asked = 1 // so that the standby is next
		k.get(503, opChanges, "/v1/changes?since=abc:13")
		k.get(200, opGames, "/v1/games")
	})
}

// guard: changes: no reader waits for one that is far behind
func TestAReaderThatIsFarBehindHoldsUpNobody(t *testing.T) {
	const changes = 20_000
	followed(t, changes, func(t *testing.T, s *feedStore, k *asker) {
		s.slow = 100 * time.Millisecond
		behind := k.follow("start")
		pass(time.Second)
		live := k.follow("now")
		pass(time.Second)
		for n := range 3 {
			s.add(1, 10)
			pass(time.Second)
			lines := live.changes()
			require.EqualValues(t, changes+1+n, lines[len(lines)-1].Seq)
		}
		pass(30 * time.Second)
		seq := int64(0)
		for _, c := range behind.changes() {
			if c.Kind != "position" {
				seq++
			}
			require.Equal(t, seq, c.Seq)
		}
		require.EqualValues(t, changes+3, seq)
		asked := s.asked
		s.add(1, 10)
		pass(time.Second)
		require.LessOrEqual(t, s.asked-asked, 11, "all read one tail again")
	})
}

// guard: changes: a client that is behind ends with the streams
func TestAClientOfChangesThatIsBehindEndsWithTheStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, k := feeding(t, nil)
		s.add(20_000, 10)
		s.slow = 100 * time.Millisecond
		k.tail.join(schemas.FeedID{Feed: "abc", Seq: 20_000}) // another client, which is up to date
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan error, 1)
		go func() { ran <- k.Run(ctx) }()
		l := k.follow("start")
		pass(time.Second)
		stop()
		require.NoError(t, <-ran)
		pass(time.Second)
		sent := len(l.changes())
		require.Less(t, sent, 5000)
		require.Zero(t, value(t, k.metrics.streams))
	})
}

// guard: changes: a client does not ask again at once for what did not come
func TestAClientOfChangesPausesWhereNothingCame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, k := feeding(t, nil)
		s.add(300, 10)
		s.slow = time.Millisecond
		k.tail.join(schemas.FeedID{Feed: "def", Seq: 300}) // another client, of another feed
		l := k.follow("abc:300")
		pass(10 * time.Second)
		require.GreaterOrEqual(t, s.asked, 10)
		require.LessOrEqual(t, s.asked, 30)
		l.stop()
		synctest.Wait()
	})
}

// guard: changes: a tail that ended waits for a reader
func TestATailThatEndedReadsNothing(t *testing.T) {
	s, k := feeding(t, nil)
	s.add(300, 10)
	generation := k.tail.join(schemas.FeedID{Feed: "gone", Seq: 5})
	require.False(t, k.tail.poll(t.Context()))
	_, _, where := k.tail.after(schemas.FeedID{Feed: "gone", Seq: 5}, generation)
	require.Equal(t, tailEnded, where)
	asked := s.asked
	require.False(t, k.tail.poll(t.Context()))
	require.Equal(t, asked, s.asked)
	k.tail.join(schemas.FeedID{Feed: "abc", Seq: 300})
	k.tail.leave() // the first one, who comes late
	s.add(1, 10)
	require.False(t, k.tail.poll(t.Context()))
	require.True(t, k.tail.covers(schemas.FeedID{Feed: "abc", Seq: 300}))
}

// guard: changes: a place of another feed is asked for in Postgres
func TestATailKnowsOnlyThePlacesThatLeadToIt(t *testing.T) {
	s, k := feeding(t, nil)
	s.add(3, 10)
	at := func(feed string, seq int64) (where int) {
		_, _, where = k.tail.after(schemas.FeedID{Feed: feed, Seq: seq}, 0)
		return where
	}
	k.tail.join(schemas.FeedID{Feed: "abc", Seq: 1})
	k.tail.poll(t.Context())
	s.restart("def")
	s.add(3, 10)
	k.tail.poll(t.Context())
	require.Equal(t, tailReady, at("abc", 1))
	require.Equal(t, tailReady, at("abc", 3))
	require.Equal(t, tailReady, at("def", 5))
	require.Equal(t, tailBehind, at("abc", 5), "no change of this feed has that number")
	require.Equal(t, tailBehind, at("ghi", 5))
}

// guard: changes: a page is bounded in bytes
func TestAPageOfChangesIsBoundedInBytes(t *testing.T) {
	s := &feedStore{}
	s.add(3, pageBytes/2)
	s.add(1, 2*pageBytes)
	encoded := func(from int) (seqs []int64) {
		for _, e := range encodePage(&schemas.FeedPage{Feed: "abc", Changes: s.changes[from:]}) {
			seqs = append(seqs, e.seq)
		}
		return seqs
	}
	require.Equal(t, []int64{1}, encoded(0), "two are more than a page")
	require.Equal(t, []int64{3}, encoded(2))
	require.Equal(t, []int64{4}, encoded(3), "one that is greater than a page is a page")
	require.Empty(t, encoded(4))

	s.changes = nil
	s.add(1, 1)
	frame := len(encodeChange(nil, "abc", &s.changes[0]).frame) - 1
	s.changes = nil
	s.add(2, pageBytes/2-frame)
	require.Equal(t, []int64{1, 2}, encoded(0), "at the bound")
	s.changes = nil
	s.add(2, pageBytes/2-frame+1)
	require.Equal(t, []int64{1}, encoded(0), "above the bound")
}

// heldFeed is a feed whose pages wait until a test lets them.
type heldFeed struct {
	*feedStore
	reading, answer chan struct{}
}

func (s heldFeed) Changes(
	ctx context.Context, after *schemas.FeedID, limit int,
) (schemas.FeedPage, error) {
	if limit > 0 {
		s.reading <- struct{}{}
		<-s.answer
	}
	return s.feedStore.Changes(ctx, after, limit)
}

// A client that reads the feed on many connections has its turns, as one that sends requests.
//
// guard: changes: pages of one client are read in turn
// guard: changes: a page waits for Postgres without a turn
func TestPagesOfChangesOfOneClientLeaveTurnsToOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		held := heldFeed{reading: make(chan struct{}, 100), answer: make(chan struct{})}
		s, k := feeding(t, func(c *Config) { held.feedStore, c.Store = c.Store.(*feedStore), &held })
		s.add(450, 10)
		s.put(state(1, 1))
		q := &k.cfg.turns.processors
		q.alone, q.shared, q.total = 4, 1, 8
		answers := make(chan string, pageLoads)
		for range pageLoads {
			go func() { answers <- k.from("10.0.0.1:1", "/v1/changes?since=0").Body.String() }()
		}
		synctest.Wait()
		require.Len(t, held.reading, pageLoads)
		require.Zero(t, q.busy, "alone it computes while it waits")
		require.Equal(t, 200, k.from("10.0.0.2:1", "/v1/batters/1").Code)
		q.note(requester{addr: netip.MustParsePrefix("10.0.0.1/32")}, time.Second)
		for range pageLoads {
			held.answer <- struct{}{}
		}
		synctest.Wait()
		require.Len(t, held.reading, pageLoads+1, "while others ask, it reads one page at a time")
		require.Equal(t, 1, q.busy)
		require.Equal(t, 200, k.from("10.0.0.2:1", "/v1/batters/1").Code)
		close(held.answer)
		for range pageLoads {
			require.Equal(t, 451, strings.Count(<-answers, "\n"))
		}
		require.Zero(t, q.busy)
	})
}

// guard: changes: pages that are being sent are bounded
func TestPagesOfChangesThatAreBeingSentAreBounded(t *testing.T) {
	s, k := feeding(t, nil)
	s.add(3, 10)
	require.True(t, k.large.TryAcquire(largeBytes) && k.waiting.TryAcquire(largeBytes))
	require.Empty(t, k.lines(t, "/v1/changes?since=0"), "the answer is cut off")
	k.large.Release(largeBytes)
	require.Len(t, k.lines(t, "/v1/changes?since=0"), 4)
	require.True(t, k.large.TryAcquire(largeBytes), "it is given back")
}

// guard: changes: a client waits for a store that is unavailable
func TestAClientOfChangesWaitsForTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, k := feeding(t, nil)
		s.add(300, 10)
		k.tail.join(schemas.FeedID{Feed: "abc", Seq: 300}) // another client, which is up to date
		f, err := openFeed(t.Context(), k.API, &changesIn{Since: "abc:0", Follow: true})
		require.NoError(t, err)
		w := &listener{ResponseRecorder: httptest.NewRecorder()}
		f.client = client{w: w, control: http.NewResponseController(w), limit: time.Second}
		set := func(failing bool) (asked int) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.failing, asked = failing, s.asked
			return asked
		}
		before := set(true)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { f.serve(ctx); close(done) }()
		pass(10 * time.Second)
		asked := set(false) - before
		require.GreaterOrEqual(t, asked, 10)
		require.LessOrEqual(t, asked, 30, "it pauses before it asks again")
		pass(time.Second)
		stop()
		<-done
		lines := strings.Split(strings.TrimSpace(w.Body.String()), "\n")
		require.Len(t, lines, 301)
		require.Contains(t, lines[300], `"seq":300`)
	})
}

// rowText is a row without when and by which build it was processed.
func rowText(t *testing.T, row []byte) string {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(row, &fields); err != nil {
		t.Error(err)
		return ""
	}
	delete(fields, "processed_at")
	delete(fields, "build")
	text, _ := json.Marshal(fields)
	return string(text)
}

// phone is a client of the feed: what it has kept is the id, and the rows.
type phone struct {
	url  string
	id   string
	seq  int64
	rows map[string]string
	cuts int
}

// follow applies changes until the connection is cut at a random place, ctx ends, or the number was reached.
func (p *phone) follow(ctx context.Context, t *testing.T, rnd *rand.Rand, last int64) error {
	query := "?since=" + p.id
	kind := rnd.IntN(3)
	if kind == 1 {
		query += "&follow=true"
	}
	req, _ := http.NewRequestWithContext(ctx, "GET", p.url+"/v1/changes"+query, nil)
	if kind == 2 {
		req.Header.Set("Accept", mediaSSE)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil // a cut
	}
	defer resp.Body.Close()
	if resp.StatusCode == 503 || resp.StatusCode == 429 {
		return nil
	}
	if resp.StatusCode != 200 {
		body, _ := io.ReadAll(resp.Body)
		return fmt.Errorf("since=%s: %d %s", p.id, resp.StatusCode, body)
	}
	in := bufio.NewReader(io.LimitReader(resp.Body, int64(1+rnd.IntN(100_000))))
	for p.seq < last {
		line, err := in.ReadBytes('\n')
		if err != nil { // a line without an end is not a line
			p.cuts++
			return nil
		}
		if line = bytes.TrimPrefix(line, []byte("data: ")); line[0] != '{' {
			continue
		}
		if err := p.take(t, line); err != nil {
			return err
		}
	}
	return nil
}

func (p *phone) take(t *testing.T, line []byte) error {
	var c struct {
		ID, Kind string
		Seq      int64
		PitchID  string `json:"pitch_id"`
		Old, New json.RawMessage
	}
	if err := json.Unmarshal(line, &c); err != nil {
		return err
	}
	if c.Kind != "position" {
		have, had := p.rows[c.PitchID]
		switch {
		case c.Seq != p.seq+1:
			return fmt.Errorf("change %d came after %d", c.Seq, p.seq)
		case had != (c.Old != nil), had && rowText(t, c.Old) != have:
			return fmt.Errorf("change %d has an old row that is not the client's:\n%s\n%s", c.Seq, c.Old, have)
		}
		if delete(p.rows, c.PitchID); c.New != nil {
			p.rows[c.PitchID] = rowText(t, c.New)
		}
	} else if c.Seq != p.seq {
		return fmt.Errorf("position %d at %d", c.Seq, p.seq)
	}
	p.id, p.seq = c.ID, c.Seq
	return nil
}

// Clients come, are cut at random bytes and come back, while processors write. At the end each has the table
// of Postgres. PITCHSTREAM_TEST_CLIENTS is how many: 1,000 by make changes.
func TestClientsThatAreCutEndAtTheTable(t *testing.T) {
	clients := 30
	if n, err := strconv.Atoi(os.Getenv("PITCHSTREAM_TEST_CLIENTS")); err == nil {
		clients = n
	}
	cfg := pgsink.Config{URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 1}
	store, err := pgsink.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	read, err := pgread.Open(cfg)
	require.NoError(t, err)
	t.Cleanup(read.Close)
	a, err := New(Config{Live: newStores(), Store: read, Build: "test"})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = a.Run(ctx) })
	server := httptest.NewServer(a)
	t.Cleanup(func() { stop(); server.CloseClientConnections(); server.Close(); running.Wait() })

	const batches, size = 60, 10
	var writers sync.WaitGroup
	for p := range 2 {
		changes := sinktest.NewGenerator(uint64(20+p), 30).Changes(batches * size)
		writers.Go(func() {
			for i := range batches {
				if _, err := store.Apply(t.Context(), sinktest.BatchOf(changes[i*size:(i+1)*size]...)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	// A client that waits for more is cut when all is written.
	writing, written := context.WithCancel(t.Context())
	go func() { writers.Wait(); written() }()

	phones := make([]phone, clients)
	var following sync.WaitGroup
	began := time.Now()
	for i := range phones {
		p := &phones[i]
		p.url, p.id, p.rows = server.URL, "start", map[string]string{}
		following.Go(func() {
			rnd := rand.New(rand.NewPCG(30, uint64(i)))
			ctx := writing
			for last := int64(1 << 60); p.seq < last && !t.Failed(); {
				if writing.Err() != nil && last == 1<<60 {
					page, err := read.Changes(t.Context(), nil, 0)
					if err != nil {
						t.Error(err)
						return
					}
					ctx, last = t.Context(), page.Newest
				}
				if err := p.follow(ctx, t, rnd, last); err != nil {
					t.Error(err)
				}
			}
		})
	}
	following.Wait()
	rows, err := pgbooks.New(store.DB()).Rows(t.Context())
	require.NoError(t, err)
	want := map[string]string{}
	for i := range rows {
		want[rows[i].PitchID.String()] = rowText(t, rows[i].AppendJSON(nil))
	}
	cuts := 0
	for i := range phones {
		require.True(t, maps.Equal(want, phones[i].rows), "client %d of %s", i, phones[i].id)
		cuts += phones[i].cuts
	}
	t.Logf("%d clients, %d changes, %d cuts, %d rows, %v", clients, phones[0].seq, cuts, len(want), time.Since(began))
}

// hollow is a feed with changes that it does not give.
type hollow struct{ *feedStore }

func (hollow) Changes(context.Context, *schemas.FeedID, int) (schemas.FeedPage, error) {
	return schemas.FeedPage{Feed: "abc", Newest: 5}, nil
}

// guard: changes: an answer is cut off where nothing came
func TestAnAnswerEndsWhereNothingCame(t *testing.T) {
	s, _ := feeding(t, nil)
	k := newAsker(t, s.stores, func(c *Config) { c.Store = hollow{s} })
	require.Empty(t, k.lines(t, "/v1/changes?since=0"))
}
