package child

import "sync"

// tailMaxBytes is how much a Tail keeps: the last lines, enough to say why a program ended.
const tailMaxBytes = 4000

// Tail keeps the last bytes that were written to it: a child's output, for the message of its failure. The zero value is
// empty and ready.
type Tail struct {
	mu   sync.Mutex
	last []byte // at most tailMaxBytes
}

// Write keeps b. It never fails.
func (t *Tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = append(t.last, b...)
	t.last = t.last[max(0, len(t.last)-tailMaxBytes):]
	return len(b), nil
}

// String is what was kept.
func (t *Tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.last)
}

// Reset forgets what was kept.
func (t *Tail) Reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last = nil
}
