package chaos

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
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
	random   *rand.Rand
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

type link struct {
	way            way
	client, server net.Conn
}

func newNetwork() *network {
	return &network{programs: map[string]func() int{}, ways: map[way]*condition{}, links: map[*link]bool{},
		random: rand.New(rand.NewPCG(1, 1))}
}

// door is an address of the network, behind which a server is.
type door struct {
	addr, server string
	listener     net.Listener
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
		n.reset(way{to: name})
		open.Wait()
	})
}

func (n *network) serve(ctx context.Context, d *door, name string, client net.Conn) {
	defer client.Close()
	l := &link{way: way{n.source(client.RemoteAddr()), name}, client: client}
	if !n.wait(ctx, l.way) {
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
	both.Go(func() { n.carry(ctx, l, client, server) })
	both.Go(func() { n.carry(ctx, l, server, client) })
	both.Wait()
	n.mu.Lock()
	delete(n.links, l)
	n.mu.Unlock()
}

func (n *network) carry(ctx context.Context, l *link, from, to net.Conn) {
	defer l.client.Close()
	defer l.server.Close()
	buf := make([]byte, 32<<10)
	for {
		count, err := from.Read(buf)
		if count > 0 {
			if !n.wait(ctx, l.way) {
				return
			}
			if _, err := to.Write(buf[:count]); err != nil {
				return
			}
		}
		if err != nil {
			if err == io.EOF && !n.wait(ctx, l.way) {
				return
			}
			return
		}
	}
}

// wait is what a piece waits on its way. It reports whether the network is still there.
func (n *network) wait(ctx context.Context, w way) bool {
	for {
		var delay time.Duration
		var whole chan struct{}
		n.mu.Lock()
		back, all, from := n.ways[way{w.to, w.from}], n.ways[way{to: w.to}], n.ways[way{to: w.from}]
		for _, c := range []*condition{n.ways[w], back, all, from} {
			if c == nil {
				continue
			}
			if c.whole != nil {
				whole = c.whole
			}
			delay = max(delay, c.delay)
			if n.random.Float64() < c.loss {
				delay = max(delay, resend)
			}
		}
		n.mu.Unlock()
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

// reset ends the connections of a way, in the middle of whatever goes over them.
func (n *network) reset(w way) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for l := range n.links {
		if l.way == w || w.from == "" && l.way.to == w.to {
			_ = l.client.Close()
			_ = l.server.Close()
		}
	}
}

// source returns the name of the program that has this address, or "". Only Linux tells whose a socket is.
func (n *network) source(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return ""
	}
	socket := socketOf(tcp.Port)
	if socket == "" {
		return ""
	}
	n.mu.Lock()
	programs := maps.Clone(n.programs)
	n.mu.Unlock()
	for name, pid := range programs {
		if has(pid(), socket) {
			return name
		}
	}
	return ""
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
