package testkit

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
)

// TLSProxy encrypts for a server that does not: it passes on what comes over TLS, until the test ends, and gives the
// address that it listens at.
func TLSProxy(t testing.TB, server string, conf *tls.Config) (addr string) {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", conf)
	if err != nil {
		t.Fatal(err)
	}
	p := &tlsProxy{server: server}
	p.done.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.done.Go(func() { p.pass(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.closeAll()
		p.done.Wait()
	})
	return l.Addr().String()
}

type tlsProxy struct {
	server string
	done   sync.WaitGroup

	mu     sync.Mutex
	closed bool
	open   []net.Conn
}

// pass copies both ways until either side ends. A side that fails its handshake ends at once.
func (p *tlsProxy) pass(outside net.Conn) {
	defer outside.Close()
	inside, err := net.Dial("tcp", p.server)
	if err != nil || !p.keep(outside, inside) {
		return
	}
	defer inside.Close()
	p.done.Go(func() {
		_, _ = io.Copy(inside, outside)
		_ = inside.Close()
	})
	_, _ = io.Copy(outside, inside)
}

func (p *tlsProxy) keep(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open = append(p.open, conns...)
	return !p.closed
}

func (p *tlsProxy) closeAll() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.open {
		_ = c.Close()
	}
}
