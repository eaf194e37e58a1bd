package main

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"testing"
)

// startTLSProxy starts a proxy that decrypts connections for a server without TLS, until the test ends. It
// returns the address at which the proxy listens.
func startTLSProxy(t testing.TB, server string, conf *tls.Config) (addr string) {
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

	mu     sync.Mutex // guards closed and open
	closed bool
	open   []net.Conn
}

// pass copies both ways until either side closes. A failed handshake closes a side at once.
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

// keep remembers connections, so that closeAll can close them. It reports false when closeAll was called
// already.
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
