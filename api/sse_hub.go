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
	topics  map[topicKey]*topic // guarded by mu; those with clients
	clients int                 // guarded by mu; open streams, also those without a topic

	// The goroutine of run owns the next four.
	lastSource    Condition        // the source of the last poll, and whether it was stale
	lastApplied   map[string]int64 // its positions
	lastNames     *players         // the list of players then
	lastStorePoll time.Time        // the last poll of Postgres

	gamesDue    chan struct{} // wakes followGames
	rereadGames atomic.Bool   // its next round reads games that have not changed, too
}

// topicKey names what a topic is about: the status of the pipeline if overview is set, else a game if game is
// set, else a player over all games. If drift is set, it is the drift of the player's mechanics.
type topicKey struct {
	player   schemas.PlayerKey
	game     string
	overview bool
	drift    bool
}

// topic is one state that clients stream: of a player, of a game, or the status. It is no topic of Kafka.
type topic struct {
	key     topicKey
	clients int           // guarded by hub.mu
	reading chan struct{} // holds a token during the first read, so that clients that come together read once

	mu      sync.Mutex    // guards all that follows
	current *event        // nil before the first state
	changed chan struct{} // closed when current is replaced
	read    int64         // the number of the read that current came from
	// overdue is the number of the last read that no store answered, because it failed or memory did. It is 0
	// once a store has answered a later one.
	overdue int64
	seen    int64  // of a player: the sequence number that Redis had when current was read; −1: none yet
	version string // of a game: the version that current has; "" if there is no such game
	live    bool   // of a game: it is live, so that time alone can change it
	due     bool   // of drift: it must be read
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

// storePollEvery is the interval of polls of Postgres while Redis is not up to date.
const storePollEvery = time.Second

// statusEvery is the interval of polls of the status, because processors report once a second.
const statusEvery = time.Second

// statusPing is the interval of comments (server-sent lines without an event) on a stream of the status.
// Without them a client cannot distinguish a server that hangs from one that waits for a store.
const statusPing = 2 * time.Second

var errBusy = errors.New("too many streams are open")

func (h *hub) init(a *API) {
	h.api, h.done, h.topics, h.gamesDue = a, make(chan struct{}), map[topicKey]*topic{}, make(chan struct{}, 1)
}

// join makes the caller a client of a topic. It must call leave at its end. The error is errBusy.
func (h *hub) join(key topicKey) (*topic, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	// guard: api: streams are counted
	if h.clients >= h.api.cfg.MaxStreams {
		return nil, errBusy
	}
	t := h.topics[key]
	if t == nil {
		// −1 is no sequence number; 0 is that of a player without a state.
		t = &topic{key: key, changed: make(chan struct{}), reading: make(chan struct{}, 1), seen: -1}
		h.topics[key] = t
	}
	t.clients++
	h.clients++
	h.api.metrics.streams.Inc()
	return t, nil
}

// begin joins a topic and reads its first state. After an error or a panic the caller is no client of it.
func (h *hub) begin(ctx context.Context, key topicKey) (t *topic, err error) {
	if t, err = h.join(key); err != nil {
		return nil, err
	}
	err = errPanicked // unless readFirst returns
	// guard: api: a stream that does not begin is not counted
	defer func() {
		if err != nil {
			h.leave(t)
		}
	}()
	return t, h.readFirst(ctx, t)
}

// joinFeed counts a stream of changes, which has no topic. The caller must call leaveFeed at its end. The
// error is errBusy.
func (h *hub) joinFeed() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.clients >= h.api.cfg.MaxStreams {
		return errBusy
	}
	h.clients++
	h.api.metrics.streams.Inc()
	return nil
}

func (h *hub) leaveFeed() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clients--
	h.api.metrics.streams.Dec()
}

// leave ends the membership that join began. A topic without clients is no longer polled.
func (h *hub) leave(t *topic) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if t.clients--; t.clients == 0 {
		delete(h.topics, t.key)
	}
	h.clients--
	h.api.metrics.streams.Dec()
}

// readFirst reads the state of a topic that has none yet; for all others it does nothing. Games and drift
// cost Postgres several queries or a long one, and streams have no turn: so few are read at a time, and
// clients share them fairly. It returns the error of ctx after Config.Timeout.
func (h *hub) readFirst(ctx context.Context, t *topic) error {
	if e, _ := t.latest(); e != nil {
		return nil
	}
	// guard: api: a stream's first answer comes in time | h.api.cfg.Timeout -> time.Hour
	ctx, cancel := context.WithTimeout(ctx, h.api.cfg.Timeout)
	defer cancel()
	if t.key.game != "" || t.key.drift {
		client := requesterIn(ctx)
		if err := h.api.cfg.turns.firsts.acquire(ctx, client, ahead); err != nil {
			return err
		}
		began := time.Now()
		defer func() { h.api.cfg.turns.firsts.release(client, time.Since(began)) }()
	}
	select {
	case t.reading <- struct{}{}:
		defer func() { <-t.reading }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if e, _ := t.latest(); e != nil {
		return nil
	}
	switch {
	case t.key.game != "":
		return h.readGame(ctx, t, false)
	case t.key.drift:
		return h.readDrift(ctx, t)
	}
	return h.read(ctx, []*topic{t}, nil)
}

// latest returns the current state, nil if none was read yet, and a channel that is closed when another one
// replaces it.
func (t *topic) latest() (*event, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current, t.changed
}

// publish replaces the current state, unless it is the same. read is the number that hub.reads gave to the
// read. If a later read was published before, the state is dropped, because it may be older, and nothing
// would replace it until the next change.
func (t *topic) publish(read int64, name string, state any) error {
	return t.publishThen(read, name, state, func() {})
}

// publishThen does what publish does. Unless the state is dropped it calls then, with mu locked, before
// others see the state.
func (t *topic) publishThen(read int64, name string, state any, then func()) error {
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
	others.Go(func() { every(ctx, storePollEvery, func() { h.readOverdue(ctx) }) })
	others.Go(func() { every(ctx, driftEvery, func() { h.readDrifts(ctx) }) })
	// guard: api: players do not wait for the status | instead every(ctx, h.api.cfg.PollEvery, func() { h.pollStatus(ctx); h.poll(ctx) }); return
	others.Go(func() { every(ctx, statusEvery, func() { h.pollStatus(ctx) }) })
	every(ctx, h.api.cfg.PollEvery, func() { h.poll(ctx) })
}

// split returns topics by their kind, without those of drift.
func split(topics iter.Seq[*topic]) (players, games, overviews []*topic) {
	for t := range topics {
		switch {
		case t.key.drift:
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

// pollStatus reads and publishes the status, if a client streams it.
func (h *hub) pollStatus(ctx context.Context) {
	h.mu.Lock()
	_, _, overviews := split(maps.Values(h.topics))
	h.mu.Unlock()
	h.warn(h.read(ctx, overviews, nil))
}

// poll asks Redis which players have changed, and reads and publishes those. It wakes followGames if games
// may have changed. If Redis is unavailable or not up to date, pollStore does the same with Postgres.
func (h *hub) poll(ctx context.Context) {
	h.mu.Lock()
	players, games, _ := split(maps.Values(h.topics))
	drifts := h.drifts()
	h.mu.Unlock()
	if len(players)+len(games)+len(drifts) == 0 {
		return
	}
	s := &h.api.sources
	var seqs []int64
	var pulse schemas.Pulse
	err := s.askLive(ctx, func(ctx context.Context) (err error) {
		seqs, pulse, err = h.api.cfg.Live.Seqs(ctx, append(keysOf(players), keysOf(drifts)...))
		return err
	})
	v := s.judgeLive(ctx, pulse)
	if err != nil || !v.upToDate {
		h.pollStore(ctx, players, drifts)
		return
	}
	isOther, hasMoved := h.compare(Condition{Source: sourceRedis, Stale: v.stale}, pulse.Applied)
	var changed []*topic
	seen := map[*topic]int64{}
	for i, t := range players {
		t.mu.Lock()
		if isOther || t.seen != seqs[i] {
			changed = append(changed, t)
			seen[t] = seqs[i]
		}
		t.mu.Unlock()
	}
	for i, t := range drifts {
		t.noteDrift(isOther, seqs[len(players)+i])
	}
	if isOther || hasMoved {
		h.wakeGames(isOther)
	}
	h.warn(h.read(ctx, changed, seen))
}

// pollStore polls Postgres, at most once in storePollEvery. There only the positions show that something has
// changed, so it reads all players then.
func (h *hub) pollStore(ctx context.Context, players, drifts []*topic) {
	if time.Since(h.lastStorePoll) < storePollEvery {
		return
	}
	h.lastStorePoll = time.Now()
	s := &h.api.sources
	p, err := s.storePulse.get(ctx, storePollEvery/2)
	source := Condition{Source: sourcePostgres, Stale: s.judge(p).stale}
	if err != nil {
		source, p.Applied = Condition{Source: sourceMemory, Stale: true}, h.lastApplied
	}
	if isOther, hasMoved := h.compare(source, p.Applied); isOther || hasMoved {
		for _, t := range drifts {
			t.noteDrift(true, -1)
		}
		h.wakeGames(isOther)
		h.warn(h.read(ctx, players, nil))
	}
}

// compare remembers the source, the positions and the names of a poll. It reports whether the source or the
// names are others than in the poll before, and whether the positions have moved since.
func (h *hub) compare(source Condition, applied map[string]int64) (isOther, hasMoved bool) {
	isOther, hasMoved = source != h.lastSource, !maps.Equal(applied, h.lastApplied)
	h.lastSource, h.lastApplied = source, applied
	// guard: api: a new name is an event | names != h.lastNames -> false
	if names := h.api.names.known.Load(); names != h.lastNames {
		h.lastNames, isOther = names, true
	}
	return isOther, hasMoved
}

func (h *hub) warn(err error) {
	if err != nil {
		h.api.cfg.Log.Debug("a stream's state cannot be read now", "error", err)
	}
}

func keysOf(topics []*topic) []schemas.PlayerKey {
	return schemas.Map(topics, func(t *topic) schemas.PlayerKey { return t.key.player })
}

// read reads topics of players and of the status, and publishes them. seen has the sequence number that Redis
// had for a player before the read; a topic without one keeps its own.
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
		// An unknown player is not published as absent: only Postgres can know that.
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

// wakeGames makes followGames read the games that have changed, or all. It never blocks.
func (h *hub) wakeGames(all bool) {
	if all {
		h.rereadGames.Store(true)
	}
	select {
	case h.gamesDue <- struct{}{}:
	default: // it will run anyway
	}
}

// readGames reads and publishes the games that have another version than before. With all it reads each game
// that exists, and with live each that is live. Versions are asked for together, so that games that do not
// exist cost no read of their own.
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
		// guard: api: a game without a version is not read
		if err == nil && versions[0] == "" {
			return t.publishGame(read, nil, "")
		}
		if err == nil {
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
	return t.publishThen(read, name, state, func() {
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
