package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/redissink"
	"github.com/pitchstream/pitchstream/test/internal/history"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// observers write pitches of their own and read them in every way that there is, while everything fails. Each
// writer has a batter, whose records are in one partition.
type observers struct {
	c       *cluster
	history history.History
	began   time.Time
	api     string
	http    *http.Client
	writers []*writer
	cancel  context.CancelFunc
	running sync.WaitGroup
}

// writer is one batter, and who sends his pitches.
type writer struct {
	batter    int64
	partition int32

	mu      sync.Mutex
	pitches []string       // in the order of their first version
	version map[string]int // the last that was acknowledged
	mph     map[string]int // its exit velocity, in tenths
	records int            // acknowledged
	last    string         // the pitch of the last record
	offset  int64          // of the last record
}

// between is the pause between two answers to one reader.
const between = 400 * time.Millisecond

// watch starts the API, the writers and the readers.
func (c *cluster) watch(seed uint64) *observers {
	c.t.Helper()
	o := &observers{c: c, began: time.Now(), api: testkit.FreeAddr(),
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	c.runBinary("serve", "serve", "--api-addr="+o.api, "--log-format=text")
	ctx, cancel := context.WithCancel(context.Background())
	o.cancel = cancel
	for i := range 2 {
		w := &writer{batter: 990_000 + int64(i), partition: int32(i)}
		w.version, w.mph = map[string]int{}, map[string]int{}
		o.writers = append(o.writers, w)
		o.history.Adds(fmt.Sprint(w.batter), history.Prefix{Text: w.sum()})
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		o.running.Go(func() { o.write(ctx, w, r) })
		o.again(ctx, func() { o.readAPI(ctx, w) })
		o.again(ctx, func() { o.readAtLeast(ctx, w) })
		o.again(ctx, func() { o.readRedis(ctx, w) })
		o.again(ctx, func() { o.readPostgres(ctx, w) })
		o.again(ctx, func() { o.follow(ctx, w) })
	}
	o.running.Go(func() { o.tail(ctx, c.stack.Rows(), o.history.SawRow) })
	o.running.Go(func() { o.tail(ctx, c.stack.Dead(), o.history.SawDead) })
	c.t.Cleanup(o.stop)
	return o
}

// stop ends writers and readers.
func (o *observers) stop() {
	o.cancel()
	o.running.Wait()
	o.http.CloseIdleConnections()
}

func (o *observers) now() int64 { return int64(time.Since(o.began)) }

// again reads over and over.
func (o *observers) again(ctx context.Context, read func()) {
	o.running.Go(func() {
		for pause(ctx, between) {
			read()
		}
	})
}

// write sends a record at a time: a new pitch, or another version of one that was sent before.
func (o *observers) write(ctx context.Context, w *writer, r *rand.Rand) {
	for pause(ctx, time.Duration(200+r.IntN(300))*time.Millisecond) {
		w.mu.Lock()
		pitch := uuid.NewString()
		if len(w.pitches) > 0 && r.IntN(2) == 0 {
			pitch = w.pitches[max(0, len(w.pitches)-1-r.IntN(5))]
		}
		version, mph := w.version[pitch]+1, 500+r.IntN(700)
		w.mu.Unlock()
		sent := o.now()
		record := &kgo.Record{Topic: o.c.stack.Raw(), Partition: w.partition, Key: fmt.Appendf(nil, "history-%d", w.batter),
			Value: fmt.Appendf(nil, `{"summary_acts":{"pitch":{"eventId":"%s","result":"HitIntoPlay"},"hit":{"speed":{"mph":%d.%d}}}}`,
				pitch, mph/10, mph%10)}
		for _, h := range [][2]string{{"batter_id", fmt.Sprint(w.batter)}, {"revision", fmt.Sprint(version)},
			{"event_time", "2024-09-28T22:04:37.926Z"}} {
			record.Headers = append(record.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
		// Not canceled with the others, so that it is known whether the record arrived.
		sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), given)
		err := o.c.stack.Client.ProduceSync(sending, record).FirstErr()
		cancel()
		o.history.Wrote(history.Write{Pitch: pitch, Version: version, Sent: sent, Acked: err == nil,
			Partition: record.Partition, Offset: record.Offset})
		if err != nil {
			o.c.t.Errorf("a writer's record: %v", err)
			return
		}
		w.note(pitch, version, mph, record.Offset)
		o.history.Adds(fmt.Sprint(w.batter), history.Prefix{Text: w.sum(), Sent: sent})
	}
}

func (w *writer) note(pitch string, version, mph int, offset int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if version == 1 {
		w.pitches = append(w.pitches, pitch)
	}
	w.version[pitch], w.mph[pitch] = version, mph
	w.last, w.offset = pitch, offset
	w.records++
}

// sum returns what the records so far add up to, computed by none of the code under test.
func (w *writer) sum() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	most, all := 0, 0
	for _, mph := range w.mph {
		most, all = max(most, mph), all+mph
	}
	return text(int64(len(w.mph)), float64(most)/10, float64(all)/10/float64(max(1, len(w.mph))))
}

// text is how the history knows a sum: pitches, the greatest exit velocity, and the total in tenths.
func text(pitches int64, most, average float64) string {
	return fmt.Sprintf("%d pitches, %.1f mph at most, %.0f tenths in all", pitches, most, math.Round(average*float64(pitches)*10))
}

// mark returns what an at_least of this moment asks for.
func (w *writer) mark() (atLeast string, records int, pitch string, version int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return fmt.Sprintf("%d:%d", w.partition, w.offset), w.records, w.last, w.version[w.last]
}

// batterSays is what the API says of a batter.
type batterSays struct {
	Pitches int64    `json:"pitches"`
	Most    *float64 `json:"max_exit_velocity_mph"`
	Average *float64 `json:"avg_exit_velocity_mph"`
	Source  string   `json:"source"`
	Stale   bool     `json:"stale"`
}

func (b batterSays) text() string {
	if b.Most == nil || b.Average == nil {
		return text(b.Pitches, 0, 0)
	}
	return text(b.Pitches, *b.Most, *b.Average)
}

// get asks the API. ok is false where it did not answer, or said that it cannot now.
func (o *observers) get(ctx context.Context, path string, into any) (there, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.api+path, nil)
	resp, err := o.http.Do(req)
	if err != nil {
		return false, false
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return true, json.NewDecoder(resp.Body).Decode(into) == nil
	case http.StatusNotFound:
		return false, true
	}
	return false, false
}

func (o *observers) readAPI(ctx context.Context, w *writer) {
	s := history.Sum{Batter: fmt.Sprint(w.batter), Began: o.now()}
	var b batterSays
	if _, ok := o.get(ctx, "/v1/batters/"+s.Batter, &b); ok {
		s.Text, s.Ended = b.text(), o.now()
		o.history.SawSum(s)
	}
}

// readAtLeast reads what was written last: of the batter, and the pitch itself.
func (o *observers) readAtLeast(ctx context.Context, w *writer) {
	mark, records, pitch, version := w.mark()
	if records == 0 {
		return
	}
	s := history.Sum{Batter: fmt.Sprint(w.batter), AtLeast: records, Began: o.now()}
	var b batterSays
	if _, ok := o.get(ctx, "/v1/batters/"+s.Batter+"?at_least="+mark, &b); ok {
		s.Text, s.Ended = b.text(), o.now()
		o.history.SawSum(s)
	}
	r := history.Read{Pitch: pitch, AtLeast: version, Began: o.now()}
	var row struct {
		Revision int `json:"revision"`
	}
	if _, ok := o.get(ctx, "/v1/pitches/"+pitch+"?at_least="+mark, &row); ok {
		r.Version, r.Ended = row.Revision, o.now()
		o.history.Saw(r)
	}
}

func (o *observers) readRedis(ctx context.Context, w *writer) {
	reader, err := redissink.OpenReader(redissink.Config{URL: o.c.redisURL, Prefix: o.c.stack.Name + ":"})
	if err != nil {
		return
	}
	defer reader.Close()
	for ctx.Err() == nil {
		s := history.Sum{Batter: fmt.Sprint(w.batter), Began: o.now()}
		states, err := reader.States(ctx, []schemas.PlayerKey{{Side: schemas.Batter, PlayerID: w.batter}})
		if err != nil {
			return
		}
		if states[0] != nil && !states[0].Suspect {
			stats := states[0].Stats
			b := batterSays{Pitches: stats.Pitches}
			b.Most, b.Average = stats.MaxExitVelocityMPH.Pointer(), stats.AvgExitVelocityMPH.Pointer()
			s.Text, s.Ended = b.text(), o.now()
			o.history.SawSum(s)
		}
		if !pause(ctx, between) {
			return
		}
	}
}

// readPostgres reads from the primary, which shows the present version.
func (o *observers) readPostgres(ctx context.Context, w *writer) {
	connecting, cancel := context.WithTimeout(ctx, shortly)
	defer cancel()
	conn, err := pgx.Connect(connecting, o.c.postgresURL()+"&target_session_attrs=read-write")
	if err != nil {
		return
	}
	defer conn.Close(context.WithoutCancel(ctx))
	for {
		if !pause(ctx, between) || !o.query(ctx, conn, w) {
			return
		}
	}
}

func (o *observers) query(ctx context.Context, conn *pgx.Conn, w *writer) bool {
	ctx, cancel := context.WithTimeout(ctx, shortly)
	defer cancel()
	if _, _, pitch, version := w.mark(); version > 0 {
		r := history.Read{Pitch: pitch, Present: true, Began: o.now()}
		err := conn.QueryRow(ctx, `SELECT coalesce(max(revision), 0) FROM pitchstream.pitch_registers WHERE pitch_id = $1`,
			pitch).Scan(&r.Version)
		if err != nil {
			return false
		}
		r.Ended = o.now()
		o.history.Saw(r)
	}
	s := history.Sum{Batter: fmt.Sprint(w.batter), Began: o.now()}
	var b batterSays
	err := conn.QueryRow(ctx, `SELECT count(*), max(exit_velocity_mph), avg(exit_velocity_mph) FROM pitchstream.pitches
		WHERE batter_id = $1`, w.batter).Scan(&b.Pitches, &b.Most, &b.Average)
	if err != nil {
		return false
	}
	s.Text, s.Ended = b.text(), o.now()
	o.history.SawSum(s)
	return true
}

// follow reads one stream of a batter until it breaks.
func (o *observers) follow(ctx context.Context, w *writer) {
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s/v1/batters/%d/stream", o.api, w.batter), nil)
	resp, err := o.http.Do(req)
	if err != nil {
		return
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return
	}
	name, event := uuid.NewString(), ""
	lines := bufio.NewScanner(resp.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if kind, ok := strings.CutPrefix(line, "event: "); ok {
			event = kind
		}
		data, ok := strings.CutPrefix(line, "data: ")
		var b batterSays
		if !ok || event != "state" || json.Unmarshal([]byte(data), &b) != nil {
			continue
		}
		o.history.SawSum(history.Sum{Batter: fmt.Sprint(w.batter), Text: b.text(), Stream: name, Ended: o.now(),
			Note: fmt.Sprintf("source %s, stale %v", b.Source, b.Stale)})
	}
}

// tail reads a topic as an application does, with read_committed.
func (o *observers) tail(ctx context.Context, topic string, saw func(history.Entry)) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(o.c.bootstrap(), ",")...), kgo.AlwaysRetryEOF(),
		kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return
	}
	defer cl.Close()
	for ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) { saw(entry(r)) })
	}
}

// entry is what the history knows of a record of a topic.
func entry(r *kgo.Record) history.Entry {
	h := stack.Headers(r)
	e := history.Entry{Partition: r.Partition, Offset: r.Offset, Key: string(r.Key)}
	if code, ok := h["dlq.code"]; ok {
		e.Key = fmt.Sprintf("%s/%s %s", h["dlq.partition"], h["dlq.offset"], code)
		return e
	}
	_, _ = fmt.Sscan(h["revision"], &e.Version)
	return e
}

// pitches returns how many pitches the writers sent.
func (o *observers) pitches() (n int) {
	for _, w := range o.writers {
		n += len(w.pitches)
	}
	return n
}

// settle ends the observers and says what was not possible.
func (o *observers) settle(want stack.Books) {
	t, s := o.c.t, o.c.stack
	t.Helper()
	o.stop()
	var rows, dead []history.Entry
	s.Each(s.Rows(), func(r *kgo.Record) { rows = append(rows, entry(r)) })
	s.Each(s.Dead(), func(r *kgo.Record) { dead = append(dead, entry(r)) })
	for key := range want.DeadLetters {
		o.history.Rejected(key)
	}
	current := map[string]int{}
	for _, r := range want.Rows {
		if id := r.BatterID; id.Present && (id.Value == o.writers[0].batter || id.Value == o.writers[1].batter) {
			current[r.PitchID.String()] = int(r.Revision)
		}
	}
	o.history.End(rows, dead, current)
	faults := o.history.Check()
	t.Logf("history: %s; %d impossible", o.history.Size(), len(faults))
	require.Empty(t, faults)
}
