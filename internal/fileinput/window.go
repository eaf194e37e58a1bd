package fileinput

import "io"

const (
	firstBufferBytes = 512 << 10
	minReadBytes     = 64 << 10
)

// window is the part of a stream that is held in memory: buf[lo:hi], which begins at byte base of the stream. Its buffer
// grows to the largest record seen and is used again for the next stream.
type window struct {
	r      io.Reader
	buf    []byte // at most limit + firstBufferBytes
	lo, hi int    // 0 ≤ lo ≤ hi ≤ len(buf)
	base   int64  // bytes of the stream before buf[lo]
	err    error  // what r said last; sticky; io.EOF at a good end
	limit  int    // bytes that a caller may hold when it calls fill
}

// reset begins a new stream with the buffer of the old one.
func (w *window) reset(r io.Reader) { *w = window{r: r, buf: w.buf, limit: w.limit} }

// data is what is held. It is good until the next fill.
func (w *window) data() []byte { return w.buf[w.lo:w.hi] }

// drop forgets the first n bytes of data.
func (w *window) drop(n int) {
	w.lo += n
	w.base += int64(n)
}

// fill reads once more behind what is held, and is false where nothing came: then err says why. It may move what is held.
func (w *window) fill() bool {
	if w.err != nil {
		return false
	}
	w.makeRoom()
	for range 100 { // a reader that keeps saying (0, nil) is broken
		n, err := w.r.Read(w.buf[w.hi:])
		w.hi += n
		w.err = err
		if n > 0 {
			return true
		}
		if err != nil {
			return false
		}
	}
	w.err = io.ErrNoProgress
	return false
}

// makeRoom leaves minReadBytes free behind hi: by moving where that frees half of the buffer, else by doubling it.
func (w *window) makeRoom() {
	if len(w.buf)-w.hi >= minReadBytes {
		return
	}
	held, most := w.data(), w.limit+firstBufferBytes
	if len(w.buf) == 0 || (len(held) > len(w.buf)/2 && len(w.buf) < most) {
		w.buf = make([]byte, min(most, max(firstBufferBytes, 2*len(w.buf))))
	}
	w.lo, w.hi = 0, copy(w.buf, held)
}
