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
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// hub polls the streamed states: one round trip to Redis for all clients each PollEvery. A state that has
// changed is read and encoded once, and all of its clients send the same bytes.
type hub struct {
	api *API
	// done is closed when streams must end.
	done chan struct{}

	mu      sync.Mutex
	topics  map[topicKey]*topic
	clients int

	// mode and applied are the source and the positions of the last poll, slow and glanced the times of the last
	// polls of Postgres and of the status. The goroutine of run owns them.
	mode    Condition
	applied map[string]int64
	slow    time.Time
	glanced time.Time
}

// topicKey names a batter over all games, a game, or the status of the stream itself.
type topicKey struct {
	batter   int64
	game     string // "": it is a batter
	overview bool   // it is neither
}

// topic is one state that clients stream. reading serializes the first read.
type topic struct {
	key topicKey
	// clients is guarded by hub.mu.
	clients int
	reading sync.Mutex

	mu sync.Mutex
	// current is nil before the first state; changed is closed when another one replaces it; seen is the
	// sequence number that Redis had when current was read. mu guards all three.
	current *event
	changed chan struct{}
	seen    int64
}

// event is one state as it is sent. Its id is the digest of the state, without lag and age.
type event struct {
	id    string
	frame []byte
}

// maxBatch is how many batters are read at a time.
const maxBatch = 500

// slowEvery is the interval of polls of Postgres while Redis is not up to date.
const slowEvery = time.Second

// glanceEvery is the interval of polls of the status, because processors report once a second.
const glanceEvery = time.Second

var errBusy = errors.New("too many streams are open")

func (h *hub) init(a *API) {
	h.api, h.done, h.topics = a, make(chan struct{}), map[topicKey]*topic{}
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
		t = &topic{key: key, changed: make(chan struct{})}
		h.topics[key] = t
	}
	t.clients++
	h.clients++
	h.api.metrics.streams.Set(float64(h.clients))
	return t, nil
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
	return h.read(ctx, []*topic{t}, nil)
}

func (t *topic) now() (*event, <-chan struct{}) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.current, t.changed
}

// publish replaces the current state, unless it is the same.
func (t *topic) publish(name string, state any) error {
	e, err := newEvent(name, state)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.current == nil || t.current.id != e.id {
		t.current = e
		close(t.changed)
		t.changed = make(chan struct{})
	}
	return nil
}

// run polls until ctx ends. Then it ends the streams.
func (h *hub) run(ctx context.Context) {
	defer close(h.done)
	tick := time.NewTicker(h.api.cfg.PollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			h.look(ctx)
		}
	}
}

// split sorts topics by what they are of.
func split(topics iter.Seq[*topic]) (batters, games, overviews []*topic) {
	for t := range topics {
		switch {
		case t.key.overview:
			overviews = append(overviews, t)
		case t.key.game == "":
			batters = append(batters, t)
		default:
			games = append(games, t)
		}
	}
	return batters, games, overviews
}

// look finds the states that have changed, and publishes them.
func (h *hub) look(ctx context.Context) {
	h.mu.Lock()
	batters, games, overviews := split(maps.Values(h.topics))
	h.mu.Unlock()
	if time.Since(h.glanced) >= glanceEvery {
		h.glanced = time.Now()
		h.warn(h.read(ctx, overviews, nil))
	}
	if len(batters)+len(games) == 0 {
		return
	}
	s := &h.api.sources
	var seqs []int64
	var pulse schemas.Pulse
	err := s.askLive(ctx, func(ctx context.Context) (err error) {
		seqs, pulse, err = h.api.cfg.Live.Seqs(ctx, keysOf(batters))
		return err
	})
	v := s.judge(pulse)
	if err != nil || !v.upToDate {
		h.lookSlowly(ctx, batters, games)
		return
	}
	source, positions := h.moved(Condition{Source: sourceRedis, Stale: v.stale}, pulse.Applied)
	var changed []*topic
	seen := map[*topic]int64{}
	for i, t := range batters {
		t.mu.Lock()
		if source || t.seen != seqs[i] {
			changed = append(changed, t)
			seen[t] = seqs[i]
		}
		t.mu.Unlock()
	}
	if source || positions {
		changed = append(changed, games...)
	}
	h.warn(h.read(ctx, changed, seen))
}

// lookSlowly polls Postgres, where only the positions show that something has changed.
func (h *hub) lookSlowly(ctx context.Context, batters, games []*topic) {
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
		h.warn(h.read(ctx, append(batters, games...), nil))
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

func keysOf(topics []*topic) []schemas.BatterKey {
	keys := make([]schemas.BatterKey, len(topics))
	for i, t := range topics {
		keys[i].BatterID = t.key.batter
	}
	return keys
}

// read reads topics and publishes them. seen are the sequence numbers that Redis had before.
func (h *hub) read(ctx context.Context, topics []*topic, seen map[*topic]int64) error {
	ctx, cancel := context.WithTimeout(ctx, h.api.cfg.Timeout)
	defer cancel()
	var failed error
	batters, games, overviews := split(slices.Values(topics))
	for _, t := range append(games, overviews...) {
		failed = errors.Join(failed, h.readAlone(ctx, t))
	}
	for some := range slices.Chunk(batters, maxBatch) {
		failed = errors.Join(failed, h.readBatters(ctx, some, seen))
	}
	return failed
}

func (h *hub) readBatters(ctx context.Context, topics []*topic, seen map[*topic]int64) error {
	found, err := h.api.sources.states(ctx, keysOf(topics), route{live: true, memory: true})
	if err != nil {
		return err
	}
	for i, t := range topics {
		name, state := "absent", any(Absent{BatterID: t.key.batter})
		if found[i].state != nil {
			name, state = "state", h.api.names.batter(found[i])
		}
		if err := t.publish(name, state); err != nil {
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

// readAlone reads a topic that is not a batter.
func (h *hub) readAlone(ctx context.Context, t *topic) error {
	if t.key.overview {
		s, err := getStream(ctx, h.api, nil)
		if err != nil {
			return err
		}
		return t.publish("state", s)
	}
	game, err := loadGame(ctx, h.api, t.key.game, route{memory: true})
	switch {
	case err != nil:
		return err
	case game == nil:
		return t.publish("absent", Absent{GamePK: t.key.game})
	}
	return t.publish("state", game)
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
	frame := fmt.Appendf(nil, "id: %s\nevent: %s\ndata: %s\n", id, name, data.Bytes()) // data ends its line
	return &event{id: id, frame: frame}, nil
}
