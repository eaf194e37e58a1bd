package load

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// distance stands before a server as if it were far away: what goes to it arrives later, and not at all while
// it is held.
type distance struct {
	addr, upstream string
	later          time.Duration

	mu   sync.Mutex
	gate chan struct{} // closed when what is held may go on
	open map[net.Conn]bool
}

func newDistance(t *testing.T, upstream string, later time.Duration) *distance {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	d := &distance{
		addr: l.Addr().String(), upstream: upstream, later: later,
		gate: make(chan struct{}), open: map[net.Conn]bool{},
	}
	close(d.gate)
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { d.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		d.mu.Lock()
		for c := range d.open {
			_ = c.Close()
		}
		d.mu.Unlock()
		serving.Wait()
	})
	return d
}

func (d *distance) serve(client net.Conn) {
	server, err := net.DialTimeout("tcp", d.upstream, 5*time.Second)
	if err != nil {
		_ = client.Close()
		return
	}
	d.mu.Lock()
	d.open[client], d.open[server] = true, true
	d.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { d.pass(client, server, d.wait) })
	both.Go(func() { d.pass(server, client, func() {}) })
	both.Wait()
	d.mu.Lock()
	delete(d.open, client)
	delete(d.open, server)
	d.mu.Unlock()
}

func (d *distance) pass(from, to net.Conn, wait func()) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 1<<20)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		wait()
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (d *distance) wait() {
	d.mu.Lock()
	gate := d.gate
	d.mu.Unlock()
	<-gate
	time.Sleep(d.later) // tidy: the distance of a server
}

// hold lets nothing pass until release.
func (d *distance) hold() (release func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	gate := make(chan struct{})
	d.gate = gate
	return sync.OnceFunc(func() { close(gate) })
}
