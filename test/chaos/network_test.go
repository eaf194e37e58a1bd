package chaos

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// network stands in front of every server. It knows from which program a connection comes, so the way between
// any two of them can be cut, slow, lossy or reset.
//
// A way that is cut is silent, as a network that drops packets. Connections stay open, and new ones are
// accepted by the network alone. Bytes under way arrive when the way is whole again. That is what TCP
// makes of a cut that is shorter than its own time-outs.
type network struct {
	mu       sync.Mutex
	programs map[string]func() int // the process of each program, 0: none
	ways     map[way]*condition
	links    map[*link]bool
	hold     *hold // of the ends of transactions; nil: none
}

// way is between two programs; it does not matter which of them opened the connection. from is "" for all
// that reach to.
type way struct{ from, to string }

// condition is what is wrong with a way.
type condition struct {
	whole chan struct{} // closed when a cut ends; nil: it is not cut
	delay time.Duration // of each piece
	loss  float64       // the share of pieces that are lost and sent again, in effect a delay
}

// resend is about how long TCP waits before it sends a lost packet again.
const resend = 250 * time.Millisecond

// link is a connection to a server.
type link struct {
	to             string
	socket         string // of the client, as /proc names it; "" where that is not known
	client, server net.Conn
	answered       chan struct{} // has a value when the server has said something

	mu   sync.Mutex
	from map[string]bool // whether it comes from these programs, as far as that was asked
}

func newNetwork() *network {
	return &network{programs: map[string]func() int{}, ways: map[way]*condition{}, links: map[*link]bool{}}
}

// door is an address of the network, behind which a server is.
type door struct {
	addr, server string
	listener     net.Listener
	forKafka     bool // clients of Kafka come in here, whose requests are looked at
}

// newDoor opens an address. Nothing goes through before lead is called.
func (n *network) newDoor(t *testing.T) *door {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	return &door{addr: l.Addr().String(), listener: l}
}

func (d *door) port() string { _, port, _ := net.SplitHostPort(d.addr); return port }

// lead lets connections through to a server's address until the test ends.
func (n *network) lead(t *testing.T, d *door, name, server string) {
	d.server = server
	ctx, cancel := context.WithCancel(context.Background())
	var open sync.WaitGroup
	open.Go(func() {
		for {
			client, err := d.listener.Accept()
			if err != nil {
				return
			}
			open.Go(func() { n.serve(ctx, d, name, client) })
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = d.listener.Close()
		n.reset(name)
		open.Wait()
	})
}

func (n *network) serve(ctx context.Context, d *door, name string, client net.Conn) {
	defer client.Close()
	l := &link{to: name, client: client, answered: make(chan struct{}, 1), from: map[string]bool{}}
	if tcp, ok := client.RemoteAddr().(*net.TCPAddr); ok {
		l.socket = socketOf(tcp.Port)
	}
	if !n.wait(ctx, l) {
		return
	}
	server, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp", d.server)
	if err != nil {
		return
	}
	defer server.Close()
	l.server = server
	n.mu.Lock()
	n.links[l] = true
	n.mu.Unlock()
	if ctx.Err() != nil {
		_ = client.Close()
	}
	var both sync.WaitGroup
	ask := server.Write
	if d.forKafka {
		ask = n.asking(ctx, l)
	}
	both.Go(func() { n.carry(ctx, l, client, ask) })
	both.Go(func() {
		n.carry(ctx, l, server, func(piece []byte) (int, error) {
			select {
			case l.answered <- struct{}{}:
			default:
			}
			return client.Write(piece)
		})
	})
	both.Wait()
	n.mu.Lock()
	delete(n.links, l)
	n.mu.Unlock()
}

func (n *network) carry(ctx context.Context, l *link, from net.Conn, write func([]byte) (int, error)) {
	defer l.client.Close()
	defer l.server.Close()
	buf := make([]byte, 32<<10)
	for {
		count, err := from.Read(buf)
		if count > 0 {
			if !n.wait(ctx, l) {
				return
			}
			if _, err := write(buf[:count]); err != nil {
				return
			}
		}
		if err != nil {
			if err == io.EOF && !n.wait(ctx, l) {
				return
			}
			return
		}
	}
}

// asking returns how requests to Kafka go on. One that is held arrives also where its sender has gone
// meanwhile: the connection to the server stays until that has answered.
func (n *network) asking(ctx context.Context, l *link) func([]byte) (int, error) {
	var f frames
	return func(piece []byte) (int, error) {
		for _, p := range f.next(piece) {
			var h *hold
			if p.isEndTxn {
				h = n.held(l)
			}
			if h == nil {
				if _, err := l.server.Write(p.bytes); err != nil {
					return 0, err
				}
				continue
			}
			if err := h.deliver(ctx, l, p.bytes); err != nil {
				return 0, err
			}
		}
		return len(piece), nil
	}
}

// wait is what a piece waits on its way. It reports whether the network is still there.
func (n *network) wait(ctx context.Context, l *link) bool {
	for {
		var delay time.Duration
		var whole chan struct{}
		for _, c := range n.conditions(l) {
			if c.whole != nil {
				whole = c.whole
			}
			delay = max(delay, c.delay)
			if c.loss > 0 && rand.Float64() < c.loss {
				delay = max(delay, resend)
			}
		}
		if whole == nil {
			return pause(ctx, delay)
		}
		select {
		case <-whole:
		case <-ctx.Done():
			return false
		}
	}
}

// conditions returns what is wrong with the way of a connection now. It asks from which program that is only
// where it matters, because the answer costs a look at every file that a program has open.
func (n *network) conditions(l *link) (found []*condition) {
	n.mu.Lock()
	doubtful := map[string]*condition{} // by the program from which it must come
	for w, c := range n.ways {
		switch {
		case w.to == l.to && w.from == "":
			found = append(found, c)
		case w.to == l.to:
			doubtful[w.from] = c
		case w.from == l.to, w.from == "" && c.whole != nil: // who is cut off reaches nobody either
			doubtful[w.to] = c
		}
	}
	n.mu.Unlock()
	for name, c := range doubtful {
		if n.comesFrom(l, name) {
			found = append(found, c)
		}
	}
	return found
}

// comesFrom reports whether a program has the client's end of a connection. Only Linux tells.
func (n *network) comesFrom(l *link, name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if yes, known := l.from[name]; known {
		return yes
	}
	n.mu.Lock()
	pid := n.programs[name]
	n.mu.Unlock()
	yes := l.socket != "" && pid != nil && has(pid(), l.socket)
	l.from[name] = yes
	return yes
}

// pause waits and reports whether ctx is still alive.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// cut silences a way. An empty from means everybody.
func (n *network) cut(w way) { n.set(w, &condition{whole: make(chan struct{})}) }

func (n *network) set(w way, c *condition) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if old := n.ways[w]; old != nil && old.whole != nil {
		close(old.whole)
	}
	n.ways[w] = c
	if c == nil {
		delete(n.ways, w)
	}
}

// heal makes a way whole again.
func (n *network) heal(w way) { n.set(w, nil) }

// reset ends the connections to a server, in the middle of whatever goes over them.
func (n *network) reset(name string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l := range n.links {
		if l.to == name {
			_ = l.client.Close()
			_ = l.server.Close()
		}
	}
}

// has reports whether a process, or one of those that it has started, has this socket.
func has(pid int, socket string) bool {
	if pid == 0 {
		return false
	}
	dir := fmt.Sprintf("/proc/%d", pid)
	open, _ := os.ReadDir(filepath.Join(dir, "fd"))
	for _, fd := range open {
		if to, err := os.Readlink(filepath.Join(dir, "fd", fd.Name())); err == nil && to == socket {
			return true
		}
	}
	children, _ := os.ReadFile(filepath.Join(dir, "task", strconv.Itoa(pid), "children"))
	for _, child := range strings.Fields(string(children)) {
		if n, err := strconv.Atoi(child); err == nil && has(n, socket) {
			return true
		}
	}
	return false
}

// socketOf returns how /proc names the socket of a local port, or "".
func socketOf(port int) string {
	mine := ":" + strings.ToUpper(hex.EncodeToString([]byte{byte(port >> 8), byte(port)}))
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, _ := os.ReadFile(table)
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line)
			if len(f) > 9 && strings.HasSuffix(f[1], mine) && f[9] != "0" {
				return "socket:[" + f[9] + "]"
			}
		}
	}
	return ""
}
