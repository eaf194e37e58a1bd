package chaos

import (
	"context"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// heldFor is longer than a transaction may last (15 s) and the coordinator takes to notice it (10 s).
const heldFor = 28 * time.Second

// hold keeps back the requests that end a processor's transactions. Clients give up and ask again by another
// connection. The first request arrives all the same, much later, when its sender has gone.
type hold struct {
	all    bool          // the repeated requests, too
	over   chan struct{} // closed when what is held goes on
	victim atomic.Pointer[string]
	caught atomic.Int64
}

// frames follows the requests of Kafka's protocol in bytes that come in pieces.
type frames struct {
	head []byte // of a request whose kind is not known yet
	left int    // bytes of the present request that are still to come
}

// part is a piece of the way, up to the next request that ends a transaction.
type part struct {
	bytes    []byte
	isEndTxn bool // it begins with that request
}

// headSize is the length and the kind of a request.
const headSize = 6

// next returns what can go on of a piece.
func (f *frames) next(piece []byte) (parts []part) {
	var p part
	for len(piece) > 0 {
		if f.left > 0 {
			n := min(f.left, len(piece))
			p.bytes, piece, f.left = append(p.bytes, piece[:n]...), piece[n:], f.left-n
			continue
		}
		n := min(headSize-len(f.head), len(piece))
		f.head, piece = append(f.head, piece[:n]...), piece[n:]
		if len(f.head) < headSize {
			break
		}
		if kmsg.Key(binary.BigEndian.Uint16(f.head[4:])) == kmsg.EndTxn {
			if len(p.bytes) > 0 {
				parts = append(parts, p)
			}
			p = part{isEndTxn: true}
		}
		f.left = max(0, int(binary.BigEndian.Uint32(f.head))+4-headSize)
		p.bytes, f.head = append(p.bytes, f.head...), nil
	}
	if len(p.bytes) > 0 {
		parts = append(parts, p)
	}
	return parts
}

// held returns the hold that catches a request of a connection, or nil.
func (n *network) held(l *link) *hold {
	n.mu.Lock()
	h := n.hold
	n.mu.Unlock()
	if h == nil {
		return nil
	}
	victim := h.victim.Load()
	for i := range processors {
		name := fmt.Sprint("processor-", i+1)
		if victim != nil && *victim != name || !n.comesFrom(l, name) {
			continue
		}
		if h.victim.CompareAndSwap(victim, &name) && (h.all || h.caught.Load() == 0) {
			h.caught.Add(1)
			return h
		}
	}
	return nil
}

// holdEnds begins to hold.
func (n *network) holdEnds(all bool) *hold {
	h := &hold{all: all, over: make(chan struct{})}
	n.mu.Lock()
	n.hold = h
	n.mu.Unlock()
	return h
}

// deliver sends a request when the hold is over, and waits for its answer.
func (h *hold) deliver(ctx context.Context, l *link, request []byte) error {
	select {
	case <-h.over:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-l.answered: // to an earlier request
	default:
	}
	if _, err := l.server.Write(request); err != nil {
		return err
	}
	answer := time.NewTimer(shortly)
	defer answer.Stop()
	select {
	case <-l.answered:
	case <-answer.C:
	case <-ctx.Done():
	}
	return nil
}

// letGo lets what is held go on.
func (n *network) letGo(h *hold) {
	n.mu.Lock()
	n.hold = nil
	n.mu.Unlock()
	close(h.over)
}

// holdEndTxn holds the request with which one processor ends a transaction: the first one, or all of them.
func (c *cluster) holdEndTxn(f fault) ongoing {
	c.t.Helper()
	h := c.net.holdEnds(f.whom%2 == 0)
	c.await("a transaction's end is held", func() bool {
		c.supervise()
		return h.caught.Load() > 0
	})
	return ongoing{least: heldFor, undo: func() {
		c.t.Logf("    %d held of %s", h.caught.Load(), *h.victim.Load())
		c.net.letGo(h)
	}}
}

// The ends of transactions are found among other requests, wherever the pieces end.
func TestTheEndsOfTransactionsAreFound(t *testing.T) {
	request := func(key kmsg.Key, size int) []byte {
		b := make([]byte, 4+size)
		binary.BigEndian.PutUint32(b, uint32(size))
		binary.BigEndian.PutUint16(b[4:], uint16(key))
		return b
	}
	var all []byte
	for _, r := range [][]byte{request(kmsg.Produce, 5000), request(kmsg.EndTxn, 40), request(kmsg.Heartbeat, 2),
		request(kmsg.EndTxn, 30), request(kmsg.Fetch, 90)} {
		all = append(all, r...)
	}
	for _, size := range []int{1, 3, 7, 100, len(all)} {
		var f frames
		var got []byte
		var at []int
		for begin := 0; begin < len(all); begin += size {
			for _, p := range f.next(all[begin:min(begin+size, len(all))]) {
				if p.isEndTxn {
					at = append(at, len(got))
				}
				got = append(got, p.bytes...)
			}
		}
		require.Equal(t, all, got)
		require.Equal(t, []int{5004, 5004 + 44 + 6}, at, "pieces of %d bytes", size)
	}
}
