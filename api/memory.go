package api

import (
	"reflect"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/pitchstream/pitchstream/schemas"
)

// memory keeps the last answers for the time when no store can be read. The oldest ones go once there are too
// many, or once together they take too much: how much a client makes the server keep must not be up to him.
type memory struct {
	limit int64 // bytes

	mu    sync.Mutex // guards kept, bytes and fences
	kept  *simplelru.LRU[string, remembered]
	bytes int64 // of all that is kept
	// fences are of the players' states. They are small, so more of them are kept than of the answers.
	fences *simplelru.LRU[string, fence]
}

// fencesPerAnswer is how many fences are kept for each answer that may be. One takes some 300 bytes.
const fencesPerAnswer = 4

// fence says which states of a player were superseded by the last answer about him.
type fence struct {
	// least is the lowest sequence number of a state that is not older than the last answer.
	least int64
	// isGone reports that the last answer was Postgres' word that the player has no row.
	isGone bool
	at     time.Time // of the last answer
}

// fenceFor is how long Postgres may be behind an earlier answer. After that it is believed, because it may
// have lost the newer state permanently, as one that was restored from a backup.
const fenceFor = 5 * time.Minute

// remembered is an earlier answer, when it began to be read, when it was given, and how much it takes. The
// value is nil if by now there is nothing.
type remembered struct {
	value any
	began time.Time
	at    time.Time
	bytes int64
}

// maxShare is the part of the memory that one answer may take.
const maxShare = 8

func newMemory(entries int, limit int64) (*memory, error) {
	m := &memory{limit: limit}
	var err error
	m.kept, err = simplelru.NewLRU(entries, func(_ string, r remembered) { m.bytes -= r.bytes })
	if err == nil {
		// guard: api: the fences are bounded | fencesPerAnswer*entries -> 100*fencesPerAnswer*entries
		m.fences, err = simplelru.NewLRU[string, fence](fencesPerAnswer*entries, nil)
	}
	return m, err
}

// add keeps an answer instead of the last one under this key, unless that began to be read later. An answer
// that would displace too many others is not kept.
func (m *memory) add(key string, value any, began time.Time) {
	r := newRemembered(key, value, began)
	m.mu.Lock()
	defer m.mu.Unlock()
	last, _ := m.kept.Peek(key)
	// guard: api: a slow read puts no older answer back
	if last.began.After(began) {
		return
	}
	m.keep(key, r)
}

// forget notes that by now there is nothing under this key. Keys under which there never was anything take no
// room.
func (m *memory) forget(key string, began time.Time) {
	if _, ok := m.get(key); ok {
		m.add(key, nil, began)
	}
}

func newRemembered(key string, value any, began time.Time) remembered {
	r := remembered{value: value, began: began, at: time.Now()}
	r.bytes = int64(2*len(key)) + bytesOf(reflect.ValueOf(value)) + 256 // with the entries of list and map
	return r
}

// keep replaces the answer under a key. The caller holds mu.
func (m *memory) keep(key string, r remembered) {
	m.kept.Remove(key)
	if r.bytes > m.limit/maxShare {
		return
	}
	m.bytes += r.bytes
	m.kept.Add(key, r)
	// guard: api: the memory is bounded in bytes
	for m.bytes > m.limit {
		m.kept.RemoveOldest()
	}
}

// offer says of a state which store gave it, and when its read began.
type offer struct {
	began   time.Time
	isStore bool // of Postgres; else of Redis
	// isAgreed reports that both stores have this state.
	isAgreed bool
}

// admission is what the earlier answers about a player say of a state.
type admission int

const (
	admitted    admission = iota
	older                 // than an earlier answer
	unconfirmed           // of a player of whom Postgres said that he has no row
)

// admit holds a state against the earlier answers about its player. It remembers one that it admits; nil is
// Postgres' word that there is none. Where another request has answered with a newer state since the read
// began, it returns that one, because it may answer this request too.
func (m *memory) admit(key string, state *schemas.PlayerState, o offer) (*schemas.PlayerState, admission) {
	if state != nil && state.Suspect {
		return state, admitted
	}
	r := newRemembered(key, state, o.began)
	m.mu.Lock()
	defer m.mu.Unlock()
	f, _ := m.fences.Get(key)
	kept, _ := m.kept.Peek(key)
	last, _ := kept.value.(*schemas.PlayerState)
	if last != nil {
		f.least, f.at = max(f.least, last.Seq), laterOf(f.at, kept.at)
	}
	isOvertaken := f.at.After(o.began)
	switch {
	case state == nil && isOvertaken && !f.isGone:
		return nil, admitted // which of the two is newer is not known
	case state == nil:
		if f.least > 0 && !f.isGone {
			f.least++ // the row that went away had a state of its own
		}
		// guard: api: absence is remembered | isGone: true -> isGone: false
		m.fences.Add(key, fence{least: f.least, isGone: true, at: r.at})
		m.kept.Remove(key)
		return nil, admitted
	// guard: api: a state in which both stores agree is believed | o.isAgreed -> false
	case o.isAgreed:
	// guard: api: a Redis that has gone back is not believed | f.least -> 0
	// guard: api: a Postgres that stays behind is believed in the end | >= fenceFor -> < 0
	case state.Seq < f.least && !(o.isStore && r.at.Sub(f.at) >= fenceFor):
		// guard: api: a slow read puts no older state back | isOvertaken && -> false &&
		if isOvertaken && last != nil {
			return last, admitted
		}
		return state, older
	// guard: api: who was absent is not back on the word of Redis alone
	case f.isGone && !o.isStore:
		return state, unconfirmed
	}
	m.fences.Add(key, fence{least: state.Seq, at: r.at})
	m.keep(key, r)
	return state, admitted
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (m *memory) get(key string) (remembered, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.kept.Get(key)
}

// bytesOf estimates how much memory a value takes, with all that it refers to.
func bytesOf(v reflect.Value) int64 {
	if !v.IsValid() {
		return 0
	}
	return int64(v.Type().Size()) + bytesBehind(v)
}

// bytesBehind estimates what a value refers to. Values that share something count it each.
func bytesBehind(v reflect.Value) (sum int64) {
	switch v.Kind() {
	case reflect.String:
		return int64(v.Len())
	case reflect.Pointer, reflect.Interface:
		return bytesOf(v.Elem())
	case reflect.Slice:
		sum = int64(v.Cap()-v.Len()) * int64(v.Type().Elem().Size())
		for i := range v.Len() {
			sum += bytesOf(v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			sum += bytesBehind(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			sum += bytesBehind(v.Field(i))
		}
	case reflect.Map:
		for at := v.MapRange(); at.Next(); {
			sum += bytesOf(at.Key()) + bytesOf(at.Value()) + 16
		}
	}
	return sum
}
