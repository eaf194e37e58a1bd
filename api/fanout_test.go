package api

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// Two thousand clients of one game get the newest state soon over real connections, and it is read once.
func TestTwoThousandClients(t *testing.T) {
	if testing.Short() {
		t.Skip("4,000 sockets")
	}
	const clients, changes = 2000, 10
	s := newStores()
	game := schemas.PlayedGame{GamePK: "g", Pitches: 1, First: 5, Last: 5, UpdatedAt: 6}
	s.games = []schemas.PlayedGame{game}
	for id := range int64(20) {
		s.put(inGame(state(id, 1), "g"))
	}
	s.rows = rows(10)
	k := newAsker(t, s, nil)
	server, err := Listen("127.0.0.1:0", k.API)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(ctx) }()

	var seen [changes + 2]atomic.Int64 // clients that have seen so many pitches
	var all sync.WaitGroup
	for range clients {
		c, err := net.Dial("tcp", server.Addr())
		require.NoError(t, err)
		_, err = fmt.Fprintf(c, "GET /v1/games/g/stream HTTP/1.1\r\nHost: x\r\n\r\n")
		require.NoError(t, err)
		all.Go(func() {
			defer c.Close()
			for lines := bufio.NewReaderSize(c, 64<<10); ; {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				if _, rest, ok := strings.Cut(line, `"pitches":`); ok && strings.HasPrefix(line, "data: ") {
					var n int
					_, _ = fmt.Sscanf(rest, "%d", &n)
					seen[n].Add(1)
				}
			}
		})
	}
	reached := func(n int) bool { return seen[n].Load() >= clients }
	require.Eventually(t, func() bool { return reached(1) }, time.Minute, time.Millisecond)
	asked, began := s.called("Game"), cpu()
	var slowest time.Duration
	for n := 2; n < changes+2; n++ {
		at := time.Now()
		s.set(func() { s.games[0].Pitches = int64(n) })
		s.apply("0", int64(n))
		s.beat(schemas.Heartbeat{})
		require.Eventually(t, func() bool { return reached(n) }, time.Minute, time.Millisecond)
		slowest = max(slowest, time.Since(at))
	}
	require.LessOrEqual(t, s.called("Game")-asked, changes)
	t.Logf("%d clients: each of %d changes was with all of them within %v (looked for every %v); %v of processor time a change, with the clients'",
		clients, changes, slowest.Round(time.Millisecond), k.cfg.PollEvery,
		((cpu() - began) / changes).Round(time.Millisecond))
	cancel()
	require.NoError(t, <-ended, "open streams hold nothing up")
	all.Wait()
}

// cpu is the processor time of this process so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
