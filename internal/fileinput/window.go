package fileinput

import "io"

const (
	firstBufferBytes = 512 << 10
	minReadBytes     = 64 << 10
)

// window is the part of a stream in memory: buf[lo:hi], which begins at byte base of the stream. The buffer
// grows to the largest record seen and is used again for the next stream.
type window struct {
	r      io.Reader
	buf    []byte // at most limit + firstBufferBytes
	lo, hi int    // 0 ≤ lo ≤ hi ≤ len(buf)
	base   int64  // bytes of the stream before buf[lo]
	err    error  // the last error of r, kept; io.EOF at a normal end
	limit  int    // bytes that a caller may hold when it calls fill
}

// reset begins a new stream with the same buffer.
func (w *window) reset(r io.Reader) { *w = window{r: r, buf: w.buf, limit: w.limit} }

// data returns the bytes in memory, valid until the next fill.
func (w *window) data() []byte { return w.buf[w.lo:w.hi] }

// drop removes the first n bytes of data.
func (w *window) drop(n int) {
	w.lo += n
	w.base += int64(n)
}

// fill reads once more after the bytes in memory, which it may move. It returns false if nothing was read;
// w.err has the reason.
func (w *window) fill() bool {
	if w.err != nil {
		return false
	}
	w.makeRoom()
	for range 100 { // bounded, because a broken reader may return (0, nil) for ever
		n, err := w.r.Read(w.buf[w.hi:])
		w.hi += n
		if w.err = err; n > 0 || err != nil {
			return n > 0
		}
	}
	w.err = io.ErrNoProgress
	return false
}

// makeRoom frees minReadBytes after hi: by moving the bytes if that frees half of the buffer, otherwise by
// doubling it.
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
