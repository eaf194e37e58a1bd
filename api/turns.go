package api

import (
	"container/heap"
	"container/list"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"runtime"
	"sync"
	"time"
)

// Turns keep a client that asks for much from slowing one that asks for little. A request has a turn while
// it computes: while it is parsed, encoded and compressed. It gives the turn back while it waits for a store,
// and before its answer is written to a client that may read slowly. So few turns are enough even where
// stores are far away, and the next turn is soon free.
//
// A request that has read a store keeps its place there until it has its turn again. So few hold rows that
// are not encoded yet, however much faster a store reads than this process encodes.
//
// Shared are the processors, reads of Postgres, large reads of Redis, which this process parses, and a few
// rare things that take long. Each has a fairQueue with a line for each client. The next place goes to the
// line that has used the least time so far. A client alone may have all places. While others ask, a client
// that uses more than the average has a part of them.
//
// Streams have no turns. They are bounded by their number, and the hub reads for all of them together. Only
// their first reads, and the pages of changes, wait in queues of their own. A page of changes is read and
// encoded in a turn, because it takes some milliseconds of a processor.

// turns are the queues of a server.
type turns struct {
	processors fairQueue
	store      fairQueue // reads of Postgres
	byKey      fairQueue // of Postgres, that share round trips
	live       fairQueue // reads of Redis that share no round trip with others
	firsts     fairQueue // first reads of Postgres for streams
	feed       fairQueue // reads of the feed of changes
	letters    fairQueue // reads of one dead letter
	swings     fairQueue // reads of swings from Kafka
}

// Places of the queues. storePlaces is the number of connections to Postgres. Reads by key take up two of
// them, however many share a round trip. So even a heavy client has many places there, and one more of
// another client finds a place at once.
const (
	storePlaces = 8
	keyPlaces   = 32
	livePlaces  = 16
	firstPlaces = 4
)

func newTurns() *turns {
	n := runtime.GOMAXPROCS(0)
	return &turns{
		// With a part of the processors free for others, their requests need not wait for each step that the
		// scheduler makes of them. More turns than processors let a new client begin at once.
		processors: fairQueue{alone: n, shared: max(1, n/2), total: 2 * n},
		store:      fairQueue{alone: storePlaces, shared: storePlaces / 2, total: storePlaces},
		// guard: turns: few reads by key wait for Postgres | {alone: keyPlaces, shared: keyPlaces * 3 / 4, total: keyPlaces} -> {alone: 1000, shared: 1000, total: 1000}
		byKey: fairQueue{alone: keyPlaces, shared: keyPlaces * 3 / 4, total: keyPlaces},
		live:  fairQueue{alone: livePlaces / 2, shared: livePlaces / 8, total: livePlaces},
		// guard: api: few streams begin at a time | {alone: firstPlaces, shared: firstPlaces / 2, total: firstPlaces} -> {alone: 100, shared: 100, total: 100}
		firsts: fairQueue{alone: firstPlaces, shared: firstPlaces / 2, total: firstPlaces},
		// guard: changes: few clients read the feed at a time | {alone: pageLoads, shared: 1, total: pageLoads} -> {alone: 100, shared: 100, total: 100}
		feed:    fairQueue{alone: pageLoads, shared: 1, total: pageLoads},
		letters: fairQueue{alone: 1, shared: 1, total: 1},
		// guard: api: few swings are read at a time | {alone: pathsAtATime, shared: pathsAtATime / 2, total: pathsAtATime} -> {alone: 100, shared: 100, total: 100}
		swings: fairQueue{alone: pathsAtATime, shared: pathsAtATime / 2, total: pathsAtATime},
	}
}

// requester is the client whose line a request waits in: an application with a token of its own, else an
// address.
type requester struct {
	app  string
	addr netip.Prefix
}

// turn is that of one request. Only the goroutine of the request uses it. All methods do nothing for nil, the
// turn of what the server reads for itself.
type turn struct {
	of     *turns
	client requester
	isHeld bool
	began  time.Time // of holding it
	away   int       // calls of leave without their back
}

type turnKey struct{}

func turnOf(ctx context.Context) *turn {
	t, _ := ctx.Value(turnKey{}).(*turn)
	return t
}

// shared returns the context of a read on behalf of several requests. It does not end with the request that
// began it, and has no turn.
func shared(ctx context.Context) context.Context {
	return context.WithValue(context.WithoutCancel(ctx), turnKey{}, (*turn)(nil))
}

// begin waits for a turn. It returns errTooMany, or the error of ctx.
func (t *turns) begin(ctx context.Context, client requester, bytes int) (*turn, error) {
	if err := t.processors.acquire(ctx, client, bytes); err != nil {
		return nil, err
	}
	return &turn{of: t, client: client, isHeld: true, began: time.Now()}, nil
}

// leave gives the turn back until back is called as often as leave. No lock may be held at back, because
// others would wait for it behind the line of this client. A place in a queue may be: see read.
func (t *turn) leave() {
	if t == nil {
		return
	}
	if t.away++; t.away == 1 {
		t.end()
	}
}

// back waits for a turn again, ahead of requests of this client that have not begun. Once ctx has ended, it
// returns without a turn, because such a request has little left to do.
func (t *turn) back(ctx context.Context) {
	if t == nil {
		return
	}
	if t.away--; t.away > 0 {
		return
	}
	if t.of.processors.acquire(ctx, t.client, ahead) == nil {
		t.isHeld, t.began = true, time.Now()
	}
}

// stepAside gives the turn of a request back until the returned function is called, as leave and back do.
func stepAside(ctx context.Context) (back func()) {
	t := turnOf(ctx)
	t.leave()
	return func() { t.back(ctx) }
}

// end gives the turn back, if the request has it.
func (t *turn) end() {
	if t != nil && t.isHeld {
		t.isHeld = false
		t.of.processors.release(t.client, time.Since(t.began))
	}
}

// readLarge is read for answers that take long to parse. While other clients ask, it keeps the turn, so that
// one client does not parse in more places than it may.
func (t *turn) readLarge(ctx context.Context, q *fairQueue, f func() error) error {
	// guard: turns: large answers are parsed in turn | t.isCrowded() -> false
	if t != nil && t.isCrowded() {
		return f()
	}
	return t.read(ctx, q, f)
}

// isCrowded reports whether the request is to keep its turn while it reads and parses what takes long. It has
// one then, and its client is to leave places to others.
func (t *turn) isCrowded() bool { return t.isHeld && t.of.processors.isShared(t.client) }

// read calls f in a place of a queue, without the turn. It returns the error of f, or that of ctx.
func (t *turn) read(ctx context.Context, q *fairQueue, f func() error) error {
	if t == nil {
		return f()
	}
	// guard: turns: a request that reads a store leaves its turn to others | t.leave() -> t.away++
	t.leave()
	if err := q.acquire(ctx, t.client, ahead); err != nil {
		t.back(ctx)
		return err
	}
	began := time.Now()
	var took time.Duration
	// The place is given back last, so that few requests hold what they read while they wait for their turn.
	defer func() { q.release(t.client, took) }()
	// guard: turns: few answers wait to be encoded
	defer t.back(ctx)
	defer func() { took = time.Since(began) }()
	return f()
}

// fairQueue gives places to the requests of clients. Each client has a line. The next free place goes to the
// line with the lowest tag. The tag grows by the time for which places are held, so it counts what a request
// costs and not only how many there are. A line that was empty begins at the tag of the last line that was
// served. So a client that asks seldom comes first, and none gathers a claim to more while it does not ask.
type fairQueue struct {
	// alone is the most places of one client, and shared of one that uses more than others on average. total
	// is the most of all.
	alone, shared, total int

	mu     sync.Mutex // guards the fields below
	busy   int
	lines  map[requester]*line // those that hold or want a place
	wanted wantedLines
	now    time.Duration // the highest tag at which a place was given
	used   [2]use        // of this interval, and of the one before
}

// line is one client in a queue.
type line struct {
	client requester
	tag    time.Duration
	held   int
	ahead  list.List // of *place; those who have begun already
	fresh  list.List // of *place
	bytes  int       // of fresh
	index  int       // in wanted; -1: no request waits
}

func (l *line) waiting() int { return l.ahead.Len() + l.fresh.Len() }

// place is wanted by a request.
type place struct {
	given chan struct{} // closed once it is
	in    *list.List
	at    *list.Element // nil once it is given
	bytes int
}

const (
	// useInterval is how long what a client uses counts, and at most twice that. maxUsers bounds the clients of
	// an interval.
	useInterval = time.Second
	maxUsers    = 10_000
	// turnGuess is charged to a line in advance, until it is known what a request takes.
	turnGuess = time.Millisecond
	// maxFresh and maxFreshBytes bound the requests of one client that wait for their first turn, and the bytes
	// of their headers. Those that have begun are no more than were let in.
	maxFresh      = 1000
	maxFreshBytes = 4 << 20
	// ahead in place of bytes marks a request that has begun.
	ahead = -1
)

// errTooMany reports that as many requests of a client wait as may.
var errTooMany = errors.New("too many requests of this client wait")

// acquire waits for a place, which the caller gives back with release. bytes is what a request holds while it
// waits, or ahead. It returns errTooMany at once, or the error of ctx.
func (q *fairQueue) acquire(ctx context.Context, client requester, bytes int) error {
	q.mu.Lock()
	q.note(client, 0)
	l := q.lines[client]
	if l == nil {
		if q.lines == nil {
			q.lines = map[requester]*line{}
		}
		l = &line{client: client, tag: q.now, index: -1}
		q.lines[client] = l
	}
	if l.waiting() == 0 && q.busy < q.total && l.held < q.limit(client) {
		q.give(l)
		q.mu.Unlock()
		return nil
	}
	p := &place{given: make(chan struct{}), in: &l.ahead, bytes: bytes}
	if bytes != ahead {
		// guard: turns: few requests of a client wait
		if l.fresh.Len() >= maxFresh || l.bytes+bytes > maxFreshBytes {
			q.drop(l)
			q.mu.Unlock()
			return errTooMany
		}
		p.in = &l.fresh
		l.bytes += bytes
	}
	p.at = p.in.PushBack(p)
	q.place(l)
	q.serve()
	q.mu.Unlock()
	select {
	case <-p.given:
		return nil
	case <-ctx.Done():
	}
	q.mu.Lock()
	if p.at == nil { // it was given in the meantime
		q.mu.Unlock()
		q.release(client, 0)
		return ctx.Err()
	}
	defer q.mu.Unlock()
	// guard: turns: a request that gives up leaves the line
	q.take(l, p)
	q.place(l)
	q.drop(l)
	return ctx.Err()
}

// release gives a place back that was held for so long.
func (q *fairQueue) release(client requester, held time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[client]
	l.held--
	q.busy--
	// guard: turns: who takes longer comes later
	l.tag += held - turnGuess
	q.note(client, held)
	q.place(l)
	q.drop(l)
	q.serve()
}

// serve gives the free places away.
func (q *fairQueue) serve() {
	var full []*line // lines that have as many places as they may
	for q.busy < q.total && len(q.wanted) > 0 {
		l := q.wanted[0]
		if l.held >= q.limit(l.client) {
			heap.Pop(&q.wanted)
			full = append(full, l)
			continue
		}
		next := &l.ahead
		if next.Len() == 0 {
			next = &l.fresh
		}
		p := next.Front().Value.(*place)
		q.take(l, p)
		q.give(l)
		q.place(l)
		close(p.given)
	}
	for _, l := range full {
		q.place(l)
	}
}

// give counts a place for a line.
func (q *fairQueue) give(l *line) {
	q.busy++
	l.held++
	q.now = max(q.now, l.tag)
	l.tag += turnGuess
}

// take removes a place from its list.
func (q *fairQueue) take(l *line, p *place) {
	p.in.Remove(p.at)
	p.at = nil
	if p.bytes != ahead {
		l.bytes -= p.bytes
	}
}

// place puts a line where it belongs among those that want places.
func (q *fairQueue) place(l *line) {
	switch {
	case l.waiting() == 0 && l.index >= 0:
		heap.Remove(&q.wanted, l.index)
	case l.waiting() > 0 && l.index < 0:
		heap.Push(&q.wanted, l)
	case l.index >= 0:
		heap.Fix(&q.wanted, l.index)
	}
}

// drop forgets a line that neither holds nor wants a place.
func (q *fairQueue) drop(l *line) {
	// guard: turns: a client is forgotten
	if l.held == 0 && l.waiting() == 0 {
		delete(q.lines, l.client)
	}
}

// use is the time for which clients held places in one interval.
type use struct {
	began time.Time
	by    map[requester]time.Duration // also of those who only asked
	total time.Duration
}

// note counts what a client used now. After maxUsers clients in an interval, further ones count as light.
func (q *fairQueue) note(client requester, held time.Duration) {
	if now := time.Now(); now.Sub(q.used[0].began) >= useInterval {
		q.used[1] = q.used[0]
		if now.Sub(q.used[1].began) >= 2*useInterval {
			q.used[1] = use{}
		}
		q.used[0] = use{began: now, by: map[requester]time.Duration{}}
	}
	u := &q.used[0]
	u.total += held
	// guard: turns: the clients that are remembered are bounded | < maxUsers -> < 1<<30
	if _, ok := u.by[client]; ok || len(u.by) < maxUsers {
		u.by[client] += held
	}
}

// isHeavy reports whether a client uses more than the others do on average. Alone it is never. The caller
// holds mu.
func (q *fairQueue) isHeavy(client requester) bool {
	now, before := &q.used[0], &q.used[1]
	clients := max(len(now.by), len(before.by))
	used := now.by[client] + before.by[client]
	return time.Duration(clients)*used > now.total+before.total
}

// limit returns the most places of a client now. The caller holds mu.
func (q *fairQueue) limit(client requester) int {
	// guard: turns: while others ask, a heavy client has a part of the places
	if q.isHeavy(client) {
		return q.shared
	}
	return q.alone
}

// isShared reports whether a client is to leave places to others now.
func (q *fairQueue) isShared(client requester) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.isHeavy(client)
}

// wantedLines is a heap of the lines in which somebody waits, by their tags.
type wantedLines []*line

func (w wantedLines) Len() int           { return len(w) }
func (w wantedLines) Less(i, j int) bool { return w[i].tag < w[j].tag }
func (w wantedLines) Swap(i, j int) {
	w[i], w[j] = w[j], w[i]
	w[i].index, w[j].index = i, j
}

// Push adds a line at the end, for package heap.
func (w *wantedLines) Push(x any) {
	l := x.(*line)
	l.index = len(*w)
	*w = append(*w, l)
}

// Pop removes the last line, for package heap.
func (w *wantedLines) Pop() any {
	last := len(*w) - 1
	l := (*w)[last]
	(*w)[last] = nil
	*w = (*w)[:last]
	l.index = -1
	return l
}

// inTurn answers a request in its turn. The compressed answer is held until the turn has ended, because a
// client that reads slowly must hold no turn. An answer beyond largeAnswer is written as it comes.
func inTurn(t *turns, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn, err := t.begin(r.Context(), requesterOf(r), requestBytes(r))
		if err != nil {
			refuseLater(w, 1, "too many requests of this client wait: send fewer at a time")
			return
		}
		defer turn.end()
		held := &turnWriter{ResponseWriter: w, turn: turn}
		next.ServeHTTP(held, r.WithContext(context.WithValue(r.Context(), turnKey{}, turn)))
		held.pass()
	})
}

// requesterOf returns the client of a request, as the middleware around found it.
func requesterOf(r *http.Request) requester { return requesterIn(r.Context()) }

// requesterIn is requesterOf for the context of a request.
func requesterIn(ctx context.Context) requester {
	at, ok := ctx.Value(matchedKey{}).(*matched)
	switch {
	case !ok:
		return requester{}
	case at.app != "" && at.app != sharedApp: // all applications may share that one
		return requester{app: at.app}
	default:
		return requester{addr: at.client}
	}
}

// requestBytes estimates what a request takes while it waits.
func requestBytes(r *http.Request) int {
	n := 2<<10 + 2*len(r.RequestURI)
	for name, values := range r.Header {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// turnWriter holds an answer until the turn ends, or until there is more than largeAnswer.
type turnWriter struct {
	http.ResponseWriter
	turn     *turn
	status   int
	body     []byte
	isPassed bool
}

// WriteHeader keeps the status.
func (w *turnWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
}

// Write keeps b, or writes it.
func (w *turnWriter) Write(b []byte) (int, error) {
	if !w.isPassed && len(w.body)+len(b) <= largeAnswer {
		w.body = append(w.body, b...)
		return len(b), nil
	}
	w.pass()
	return w.ResponseWriter.Write(b)
}

// pass ends the turn and writes what is held.
func (w *turnWriter) pass() {
	if w.isPassed {
		return
	}
	w.isPassed = true
	// guard: turns: a slow reader holds no turn
	w.turn.end()
	if w.status != 0 {
		w.ResponseWriter.WriteHeader(w.status)
	}
	if len(w.body) > 0 {
		_, _ = w.ResponseWriter.Write(w.body)
	}
	w.body = nil
}

// Unwrap lets http.ResponseController find the connection.
func (w *turnWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
