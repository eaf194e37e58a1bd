package api

import (
	"reflect"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// memory keeps the last answers for the time when no store can be read. The oldest ones go once there are too
// many, or once together they take too much: how much a client makes the server keep must not be up to him.
type memory struct {
	limit int64 // bytes

	mu    sync.Mutex // guards kept and bytes
	kept  *simplelru.LRU[string, remembered]
	bytes int64 // of all that is kept
}

// remembered is an earlier answer, when it was given, and how much it takes.
type remembered struct {
	value any
	at    time.Time
	bytes int64
}

// maxShare is the part of the memory that one answer may take.
const maxShare = 8

func newMemory(entries int, limit int64) (*memory, error) {
	m := &memory{limit: limit}
	var err error
	m.kept, err = simplelru.NewLRU(entries, func(_ string, r remembered) { m.bytes -= r.bytes })
	return m, err
}

// add keeps an answer instead of the last one under this key. An answer that would displace too many others
// is not kept.
func (m *memory) add(key string, value any) {
	r := remembered{value: value, at: time.Now()}
	r.bytes = int64(2*len(key)) + bytesOf(reflect.ValueOf(value)) + 256 // with the entries of list and map
	m.mu.Lock()
	defer m.mu.Unlock()
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
