package testkit

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"sync"
)

// claims keeps a UDP socket of each port that FreeAddr gave away. TCP is not in its way, and no other test
// can claim the same number while this process runs.
var (
	claimed sync.Mutex
	claims  []net.PacketConn // owned by claimed
)

// firstPort is the lowest port that FreeAddr gives away: those below are of servers that a machine has.
const firstPort = 10_000

// FreePort returns a port that belongs to this test process until it ends: a server that was stopped finds
// it free when it starts again. It is outside the range that the system gives to outgoing connections, and no
// other process has it from FreePort.
func FreePort() string {
	_, port, _ := net.SplitHostPort(FreeAddr())
	return port
}

// FreeAddr returns 127.0.0.1 with such a port.
func FreeAddr() string {
	var err error
	for range 1000 {
		var addr string
		if addr, err = claim(firstPort + rand.IntN(lastPort()-firstPort)); err == nil {
			return addr
		}
	}
	panic(err) // a machine without a free loopback port runs no test
}

// claim takes a port that has no listener.
func claim(port int) (string, error) {
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	c, err := net.ListenPacket("udp", addr)
	// guard: one process at a time has a port
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		_ = c.Close()
		return "", err
	}
	claimed.Lock()
	claims = append(claims, c)
	claimed.Unlock()
	return addr, l.Close()
}

// lastPort returns where the range of outgoing connections begins. Linux starts it at 32768; where it was
// widened down to the ports of servers, no number is safe, and that one is as good as any.
func lastPort() int {
	const usual = 32768
	low := usual
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(text), &low)
	}
	if low < firstPort+1000 {
		return usual
	}
	return low
}
