package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// hub polls the streamed states: one round trip to Redis for all clients each PollEvery. A state that has
// changed is read and encoded once, and all of its clients send the same bytes.
type hub struct {
	api *API
	// done is closed when streams must end.
	done chan struct{}
	// reads counts the reads that have begun, so that of two the one that began later wins.
	reads atomic.Int64

	mu      sync.Mutex
	topics  map[topicKey]*topic
	clients int

	// mode and applied are the source and the positions of the last poll, slow the time of the last poll of
	// Postgres. The goroutine of run owns them.
	mode    Condition
	applied map[string]int64
	slow    time.Time

	// gamesDue wakes followGames, and rereadGames makes it read games that have not changed too.
	gamesDue    chan struct{}
	rereadGames atomic.Bool
}

// topicKey names a player over all games, a game, or the status of the stream itself.
type topicKey struct {
	player   schemas.PlayerKey
	game     string // "": it is a player
	overview bool   // it is neither
}

// topic is one state that clients stream. reading serializes the first read.
type topic struct {
	key topicKey
	// clients is guarded by hub.mu.
	clients int
	reading sync.Mutex

	mu sync.Mutex
	// current is nil before the first state, and changed is closed when another one replaces it. seen is the
	// sequence number that Redis had when current was read, version that of the game. live says that the game
	// is live, so that time alone changes it. read is the number of the read that current came from. overdue
	// is the number of the last read that failed, or that memory answered, unless a later one was answered by
	// a store; 0: there is none. mu guards all seven.
	current *event
	read    int64
	changed chan struct{}
	seen    int64
	overdue int64
	version string
	live    bool
}

// event is one state as it is sent. Its id is the digest of the state, without lag and age.
type event struct {
	id, name string
	frame    []byte
	data     []byte // within frame
	deltas   deltaFrames
}

// maxBatch is how many players are read at a time.
const maxBatch = 500

// slowEvery is the interval of polls of Postgres while Redis is not up to date.
const slowEvery = time.Second

// glanceEvery is the interval of polls of the status, because processors report once a second.
const glanceEvery = time.Second

// glancePing is the interval of comments on the status, because a client must distinguish a server that hangs
// from one that waits for a store.
const glancePing = 2 * time.Second

var errBusy = errors.New("too many streams are open")

func (h *hub) init(a *API) {
	h.api, h.done, h.topics, h.gamesDue = a, make(chan struct{}), map[topicKey]*topic{}, make(chan struct{}, 1)
}

// join makes the caller a client of a topic, until leave.
func (h *hub) join(key topicKey) (*topic, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// guard: api: streams are counted
	if h.clients >= h.api.cfg.MaxStreams {
		return nil, errBusy
	}
	t := h.topics[key]
	if t == nil {
		// seen is no sequence yet: a state that is missing has 0.
		t = &topic{key: key, changed: make(chan struct{}), seen: -1}
		h.topics[key] = t
	}
	t.clients++
	h.clients++
	h.api.metrics.streams.Set(float64(h.clients))
	return t, nil
}

// enter counts a stream that has no topic, until exit.
func (h *hub) enter() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clients >= h.api.cfg.MaxStreams {
		return errBusy
	}
	h.clients++
	h.api.metrics.streams.Set(float64(h.clients))
	return nil
}

func (h *hub) exit() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients--
	h.api.metrics.streams.Set(float64(h.clients))
}

func (h *hub) leave(t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.clients--; t.clients == 0 {
		delete(h.topics, t.key)
	}
	h.clients--
	h.api.metrics.streams.Set(float64(h.clients))
}

// first reads the current state for the first client of a topic.
func (h *hub) first(ctx context.Context, t *topic) error {
	t.reading.Lock()
	defer t.reading.Unlock()
	if e, _ := t.now(); e != nil {
		return nil
	}
	if t.key.game != "" {
		return h.readGame(ctx, t, false)
	}
	return h.read(ctx, []*topic{t}, nil)
}

func (t *topic) now() (*event, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current, t.changed
}

// publish replaces the current state, unless it is the same. read is the number that hub.reads had when the
// state began to be read. A state is dropped when one that began to be read later is there, because it may be
// older, and nothing would replace it until the next change.
func (t *topic) publish(read int64, name string, state any) error {
	return t.publishWith(read, name, state, func() {})
}

// publishWith is publish. It calls then with mu locked if the state is not dropped.
func (t *topic) publishWith(read int64, name string, state any, then func()) error {
	e, err := newEvent(name, state)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// guard: api: a slow read replaces no newer state
	if read < t.read {
		return nil
	}
	t.read = read
	// guard: api: the version of a game is that of its state
	then()
	if t.current == nil || t.current.id != e.id {
		t.current = e
		close(t.changed)
		t.changed = make(chan struct{})
	}
	return nil
}

// isDone reports whether streams must end.
func (h *hub) isDone() bool {
	select {
	case <-h.done:
		return true
	default:
		return false
	}
}

// run polls until ctx ends. Then it ends the streams.
func (h *hub) run(ctx context.Context) {
	var others sync.WaitGroup
	defer others.Wait()
	// guard: api: streams end while the status is read | defer close(h.done) -> defer func() { others.Wait(); close(h.done) }()
	defer close(h.done)
	others.Go(func() { h.followGames(ctx) })
	others.Go(func() { every(ctx, slowEvery, func() { h.readOverdue(ctx) }) })
	// guard: api: players do not wait for the status | instead every(ctx, h.api.cfg.PollEvery, func() { h.glance(ctx); h.look(ctx) }); return
	others.Go(func() { every(ctx, glanceEvery, func() { h.glance(ctx) }) })
	every(ctx, h.api.cfg.PollEvery, func() { h.look(ctx) })
}

// split sorts topics by what they are of.
func split(topics iter.Seq[*topic]) (players, games, overviews []*topic) {
	for t := range topics {
		switch {
		case t.key.overview:
			overviews = append(overviews, t)
		case t.key.game == "":
			players = append(players, t)
		default:
			games = append(games, t)
		}
	}
	return players, games, overviews
}

// glance reads the status, if anybody streams it.
func (h *hub) glance(ctx context.Context) {
	h.mu.Lock()
	_, _, overviews := split(maps.Values(h.topics))
	h.mu.Unlock()
	h.warn(h.read(ctx, overviews, nil))
}

// look finds the players whose states have changed, and publishes them.
func (h *hub) look(ctx context.Context) {
	h.mu.Lock()
	players, games, _ := split(maps.Values(h.topics))
	h.mu.Unlock()
	if len(players)+len(games) == 0 {
		return
	}
	s := &h.api.sources
	var seqs []int64
	var pulse schemas.Pulse
	err := s.askLive(ctx, func(ctx context.Context) (err error) {
		seqs, pulse, err = h.api.cfg.Live.Seqs(ctx, keysOf(players))
		return err
	})
	v := s.judgeLive(ctx, pulse)
	if err != nil || !v.upToDate {
		h.lookSlowly(ctx, players)
		return
	}
	source, positions := h.moved(Condition{Source: sourceRedis, Stale: v.stale}, pulse.Applied)
	var changed []*topic
	seen := map[*topic]int64{}
	for i, t := range players {
		t.mu.Lock()
		if source || t.seen != seqs[i] {
			changed = append(changed, t)
			seen[t] = seqs[i]
		}
		t.mu.Unlock()
	}
	if source || positions {
		h.wakeGames(source)
	}
	h.warn(h.read(ctx, changed, seen))
}

// lookSlowly polls Postgres, where only the positions show that something has changed.
func (h *hub) lookSlowly(ctx context.Context, players []*topic) {
	if time.Since(h.slow) < slowEvery {
		return
	}
	h.slow = time.Now()
	s := &h.api.sources
	p, err := s.storePulse.get(ctx, slowEvery/2)
	mode := Condition{Source: sourcePostgres, Stale: s.judge(p).stale}
	if err != nil {
		mode, p.Applied = Condition{Source: sourceMemory, Stale: true}, h.applied
	}
	if source, positions := h.moved(mode, p.Applied); source || positions {
		h.wakeGames(source)
		h.warn(h.read(ctx, players, nil))
	}
}

// moved compares a poll with the one before: its source, and the positions.
func (h *hub) moved(mode Condition, applied map[string]int64) (source, positions bool) {
	source, positions = mode != h.mode, !maps.Equal(applied, h.applied)
	h.mode, h.applied = mode, applied
	return source, positions
}

func (h *hub) warn(err error) {
	if err != nil {
		h.api.cfg.Log.Debug("a stream's state cannot be read now", "error", err)
	}
}

func keysOf(topics []*topic) []schemas.PlayerKey {
	return schemas.Map(topics, func(t *topic) schemas.PlayerKey { return t.key.player })
}

// read reads players and the status, and publishes them. seen are the sequence numbers that Redis had before.
func (h *hub) read(ctx context.Context, topics []*topic, seen map[*topic]int64) error {
	ctx, cancel := context.WithTimeout(ctx, h.api.cfg.Timeout)
	defer cancel()
	var failed error
	players, _, overviews := split(slices.Values(topics))
	for _, t := range overviews {
		read := h.reads.Add(1)
		s, err := getStream(ctx, h.api, nil)
		if err == nil {
			err = t.publish(read, "state", s)
		}
		failed = errors.Join(failed, err)
	}
	for some := range slices.Chunk(players, maxBatch) {
		failed = errors.Join(failed, h.readPlayers(ctx, some, seen))
	}
	return failed
}

func (h *hub) readPlayers(ctx context.Context, topics []*topic, seen map[*topic]int64) error {
	read := h.reads.Add(1)
	found, err := h.api.sources.states(ctx, keysOf(topics), route{live: true, memory: true})
	for i, t := range topics {
		t.noteRead(read, err == nil && found[i].Source != sourceMemory)
	}
	if err != nil {
		return err
	}
	for i, t := range topics {
		// guard: api: a stream says of nobody that he is absent unless Postgres did
		if found[i].isUnknown() {
			continue
		}
		name, state := h.api.names.event(t.key.player, found[i])
		if err := t.publish(read, name, state); err != nil {
			return err
		}
		if seq, ok := seen[t]; ok {
			t.mu.Lock()
			t.seen = seq
			t.mu.Unlock()
		}
	}
	return nil
}

// noteRead notes whether a store answered a read. The poll that asked for the read has taken note of the
// change already, so no later poll would ask for it again.
func (t *topic) noteRead(read int64, isAnswered bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case !isAnswered:
		t.overdue = max(t.overdue, read)
	case read > t.overdue:
		t.overdue = 0
	}
}

// readOverdue reads the players again whom no store answered for. It runs beside the polls, because a store
// that hangs must not hold them up.
func (h *hub) readOverdue(ctx context.Context) {
	h.mu.Lock()
	players, _, _ := split(maps.Values(h.topics))
	h.mu.Unlock()
	overdue := slices.DeleteFunc(players, func(t *topic) bool {
		t.mu.Lock()
		defer t.mu.Unlock()
		// guard: api: a stream whose state was not read is read again | t.overdue == 0 -> true
		return t.overdue == 0
	})
	h.warn(h.read(ctx, overdue, nil))
}

// liveEvery is the interval at which live games are read although they have not changed, because a game stops
// being live without a change.
const liveEvery = 5 * time.Second

// followGames reads the games that have changed, whenever the stream has moved. It is a loop of its own, so
// that players do not wait for games.
func (h *hub) followGames(ctx context.Context) {
	tick := time.Tick(liveEvery)
	for {
		live := false
		select {
		case <-ctx.Done():
			return
		case <-tick:
			live = true
		case <-h.gamesDue:
		}
		h.mu.Lock()
		_, games, _ := split(maps.Values(h.topics))
		h.mu.Unlock()
		all := h.rereadGames.Swap(false)
		var failed error
		for some := range slices.Chunk(games, maxBatch) {
			failed = errors.Join(failed, h.readGames(ctx, some, all, live))
		}
		if h.warn(failed); failed != nil && all {
			h.rereadGames.Store(true)
		}
	}
}

// wakeGames lets followGames read the games that have changed, or all.
func (h *hub) wakeGames(all bool) {
	if all {
		h.rereadGames.Store(true)
	}
	select {
	case h.gamesDue <- struct{}{}:
	default: // it will run anyway
	}
}

// readGames reads those of the games that have another version than before; with all, each that exists; with
// live, each that is live. Many games that do not exist cost one question.
func (h *hub) readGames(ctx context.Context, games []*topic, all, live bool) (failed error) {
	names := schemas.Map(games, func(t *topic) string { return t.key.game })
	versions, _, err := h.api.sources.games.ask(ctx, names)
	for i, t := range games {
		t.mu.Lock()
		// guard: api: only games that have changed are read | versions[i] != t.version -> versions[i] != "-"
		due := err != nil || versions[i] != t.version || all && t.version != "" || live && t.live
		t.mu.Unlock()
		if due {
			failed = errors.Join(failed, h.readGame(ctx, t, err != nil))
		}
	}
	return failed
}

// readGame reads a game and publishes it. The version is read before the game, so that the next one differs
// if the game changes in between. Questions of several callers for versions go together. With blind, the
// version is not asked for, because it could not be read.
func (h *hub) readGame(ctx context.Context, t *topic, blind bool) error {
	ctx, cancel := context.WithTimeout(ctx, h.api.cfg.Timeout)
	defer cancel()
	read, version := h.reads.Add(1), ""
	if !blind {
		versions, _, err := h.api.sources.games.ask(ctx, []string{t.key.game})
		switch blind = err != nil; {
		case blind:
		// guard: api: a game without a version is not read
		case versions[0] == "":
			return t.publishGame(read, nil, "")
		default:
			version = versions[0]
		}
	}
	game, err := loadGame(ctx, h.api, t.key.game, route{memory: true})
	if err != nil {
		return err
	}
	return t.publishGame(read, game, version)
}

// publishGame publishes a game with its version; nil: there is none.
func (t *topic) publishGame(read int64, game *Game, version string) error {
	name, state := "absent", any(Absent{GamePK: t.key.game})
	if game != nil {
		name, state = "state", game
	}
	// The version is that of the state that is current, so it stays when this one is dropped.
	return t.publishWith(read, name, state, func() {
		// guard: api: a game that memory answered is read again | always
		if game == nil || game.Source != sourceMemory {
			t.version = version
		}
		t.live = game != nil && game.Live
	})
}

// beginFrame appends the frame of an event up to its data. One line of data follows, then an empty one.
func beginFrame(b []byte, id, name string) []byte {
	return fmt.Appendf(b, "id: %s\nevent: %s\ndata: ", id, name)
}

// newEvent encodes a state, once for all clients.
func newEvent(name string, state any) (*event, error) {
	var data bytes.Buffer
	enc := json.NewEncoder(&data)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(state); err != nil {
		return nil, err
	}
	id := digest(data.Bytes())
	frame := append(beginFrame(nil, id, name), data.Bytes()...)
	begin := len(frame) - data.Len()
	frame = append(frame, '\n') // data ends its line
	return &event{id: id, name: name, frame: frame, data: frame[begin : len(frame)-1]}, nil
}
