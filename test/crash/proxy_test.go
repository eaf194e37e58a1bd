package crash

import (
	"encoding/binary"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// proxy stands between one processor and one server: it can slow, hold and cut what goes through, and sees
// what the server answers.
type proxy struct {
	addr, upstream string
	postgres       bool
	listener       net.Listener
	// asked is called before a request goes to the server, answered before Postgres' word that a command is
	// complete goes back. If pass is false, the answer is dropped; else then is called once it has gone on.
	asked    func()
	answered func(command string) (then func(), pass bool)

	slow atomic.Int64 // nanoseconds that each piece waits

	mu    sync.Mutex
	held  chan struct{} // closed when what is held may go on; nil: nothing is held
	links map[*link]bool
	pids  map[uint32]bool // Postgres' backends since forget
}

// link is one connection through the proxy.
type link struct {
	client, server net.Conn
	kept           bool // the server's side stays open though the client's is gone
}

func newProxy(t *testing.T, upstream string, postgres bool) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	p := &proxy{addr: l.Addr().String(), upstream: upstream, postgres: postgres, listener: l,
		links: map[*link]bool{}, pids: map[uint32]bool{},
		asked: func() {}, answered: func(string) (func(), bool) { return nil, true }}
	var accepting sync.WaitGroup
	accepting.Go(p.accept)
	t.Cleanup(func() {
		_ = l.Close()
		p.flow()
		p.cut()
		accepting.Wait()
	})
	return p
}

func (p *proxy) accept() {
	var open sync.WaitGroup
	defer open.Wait()
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		open.Go(func() { p.serve(client) })
	}
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", p.upstream, 5*time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	l := &link{client: client, server: server}
	p.mu.Lock()
	p.links[l] = true
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { p.copy(l, client, server, p.requests) })
	both.Go(func() { p.copy(l, server, client, p.answers()) })
	both.Wait()
	p.mu.Lock()
	delete(p.links, l)
	p.mu.Unlock()
}

// copy passes what comes until either side is gone, piece by piece.
func (p *proxy) copy(l *link, from, to net.Conn, look func([]byte) (func(), bool)) {
	defer p.end(l)
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			p.wait()
			then, pass := look(buf[:n])
			if !pass {
				return
			}
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
			if then != nil {
				then()
			}
		}
		if err != nil {
			return
		}
	}
}

// end closes both sides; of a client that vanished without a word, the server does not learn.
func (p *proxy) end(l *link) {
	p.mu.Lock()
	kept := l.kept
	p.mu.Unlock()
	_ = l.client.Close()
	if !kept {
		_ = l.server.Close()
	}
}

func (p *proxy) requests([]byte) (func(), bool) { p.asked(); return nil, true }

// answers reads Postgres' messages: the backend's number, and what it has completed.
func (p *proxy) answers() func([]byte) (func(), bool) {
	if !p.postgres {
		return func([]byte) (func(), bool) { return nil, true }
	}
	var rest []byte // of a message that is not whole yet, its first bytes
	skip := 0       // bytes of a message that are not looked at
	return func(b []byte) (then func(), pass bool) {
		for len(b) > 0 {
			if skip > 0 {
				n := min(skip, len(b))
				skip, b = skip-n, b[n:]
				continue
			}
			need := 5
			if len(rest) >= 5 {
				if need = 1 + int(binary.BigEndian.Uint32(rest[1:])); need < 5 || need > 64 {
					skip, rest = max(need-5, 0), rest[:0]
					continue
				}
			}
			n := min(need-len(rest), len(b))
			rest, b = append(rest, b[:n]...), b[n:]
			if len(rest) < need || need == 5 && binary.BigEndian.Uint32(rest[1:]) > 4 {
				continue
			}
			switch {
			case rest[0] == 'K' && len(rest) >= 9:
				p.note(binary.BigEndian.Uint32(rest[5:]))
			case rest[0] == 'C':
				after, pass := p.answered(strings.TrimRight(string(rest[5:]), "\x00"))
				if !pass {
					return nil, false
				}
				if after != nil {
					then = after
				}
			}
			rest = rest[:0]
		}
		return then, true
	}
}

func (p *proxy) note(pid uint32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pids[pid] = true
}

// backends are those of Postgres that served this processor since it was started.
func (p *proxy) backends() []int32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	var pids []int32
	for _, pid := range slices.Sorted(maps.Keys(p.pids)) {
		pids = append(pids, int32(pid))
	}
	return pids
}

// forget is for a new processor behind the same address.
func (p *proxy) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.pids)
}

// wait is what a piece waits: while all is held, and where it is slow.
func (p *proxy) wait() {
	p.mu.Lock()
	held := p.held
	p.mu.Unlock()
	if held != nil {
		<-held
	}
	if slow := p.slow.Load(); slow > 0 {
		time.Sleep(time.Duration(slow)) // tidy: the delay of a slow network
	}
}

// hold lets nothing through, and flow all again.
func (p *proxy) hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held == nil {
		p.held = make(chan struct{})
	}
}

func (p *proxy) flow() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held != nil {
		close(p.held)
		p.held = nil
	}
	p.slow.Store(0)
}

// vanish keeps the servers' ends of the present connections open whatever becomes of the clients', until
// a test closes them: so a server sees a machine that lost its power.
func (p *proxy) vanish() (ends []io.Closer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		l.kept = true
		ends = append(ends, l.server)
	}
	return ends
}

// cut ends all connections, in the middle of whatever goes over them.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for l := range p.links {
		_ = l.client.Close()
		_ = l.server.Close()
	}
}
