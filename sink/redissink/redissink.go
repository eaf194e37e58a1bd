// Package redissink keeps what applications read in Redis: every batter's aggregates, and how far the stream is in them.
//
// Redis is a projection of Postgres and never the truth. It takes absolute snapshots, each fenced by its sequence
// number, so that order and repetition do not matter; what it holds can at any time be compared with Postgres and mended
// (Sink.Sweep), and that is also how it is filled again after a loss. Keeper does both for a processor, and never stops
// the stream for Redis. docs/REDIS.md tells readers of the keys what stands where.
package redissink

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// Config says where Redis is and under which prefix everything stands.
type Config struct {
	// URL is redis://user:password@host:6379/0, rediss:// for TLS, unix:///path/to/socket, or host:port alone. Several
	// addresses, or one and a comma, are a Redis Cluster: redis://user:password@host:6379,host:6380. Whatever is
	// special in the password must be percent-encoded.
	URL string
	// TLS has the authorities and the certificate of ours for a rediss:// URL; nil: what the system trusts, and none.
	TLS *tls.Config
	// Prefix of every key; "" is "ps:live:". It must not contain a brace: those say which keys stand on one node.
	Prefix      string
	DialTimeout time.Duration // to connect; 0: 1 s
	IOTimeout   time.Duration // for the answer to one pipeline, where the context does not end before; 0: 5 s
	Log         *slog.Logger  // nil: none
	// Dialer makes the connections; nil: the driver's own.
	Dialer func(ctx context.Context, network, addr string) (net.Conn, error)
}

// maxSeq is the greatest sequence number that Lua, whose numbers are floating, still tells from its neighbours. Those of
// Postgres are microseconds since 1970, which get there in the year 2255.
const maxSeq = 1 << 53

// Sink writes to Redis. It is safe for use by several goroutines.
type Sink struct {
	*Reader

	mu        sync.Mutex
	inspected bool // a server answered, and may be written to
	warned    bool // that a server does not tell its policy
	// doubt has the next sweep look at all keys: applied, which tells how much Redis has, was not moved with the batters.
	doubt bool
	known known
}

// known is how Redis was when this process last saw it in order. Any of it found changed backwards means that Redis is
// not what it was: empty, an older copy, another server.
type known struct {
	epoch   string           // the data set's name; "" before the first sweep
	nodes   nodes            // the servers
	applied map[string]int64 // what stands in applied, at least
}

// Open connects. Redis being away is no error: the first Push that finds it there goes on. A server that answers and must
// not be written to, because it could evict keys, is a *RefusedError. No error contains the password.
func Open(ctx context.Context, cfg Config) (*Sink, error) {
	r, err := OpenReader(cfg)
	if err != nil {
		return nil, err
	}
	s := &Sink{Reader: r, doubt: true, known: known{applied: map[string]int64{}}}
	ctx, cancel := context.WithTimeout(ctx, r.cfg.DialTimeout+time.Second)
	defer cancel()
	_, err = s.inspect(ctx)
	if refused := (*RefusedError)(nil); errors.As(err, &refused) {
		_ = s.Close()
		return nil, err
	} else if err != nil {
		r.cfg.Log.Warn("Redis is away: going on without it", "error", err)
	}
	return s, nil
}

// Push writes snapshots, any number of batters, each once, and after them moves applied to the positions. Snapshots may
// come in any order and any number of times. lost says that Redis no longer holds what was written there: then applied
// was left alone, and Sweep is what helps. On an error any part of the snapshots may have been written, and applied not.
func (s *Sink) Push(ctx context.Context, snaps []schemas.Snapshot, positions []schemas.Position) (lost bool, err error) {
	found, err := s.pushSnapshots(ctx, snaps)
	if err != nil || found == foundLoss {
		return found == foundLoss, err
	}
	return s.advance(ctx, positions)
}

func (s *Sink) doubts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.doubt = true
}

// What push.lua found beside its work.
const (
	foundOrder = 0
	// foundGap: what stands is older than what the snapshot follows on. Another processor's snapshot of this batter may
	// be on its way; if it is not, a sweep mends it. What this snapshot brings is right all the same.
	foundGap  = 1
	foundLoss = 2
)

// pushSnapshots writes the snapshots and says the worst that was found.
func (s *Sink) pushSnapshots(ctx context.Context, snaps []schemas.Snapshot) (found int64, err error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	calls := make([]call, 0, len(snaps))
	for _, snap := range snaps {
		c, err := s.keys.push(snap, "")
		if err != nil {
			return 0, err
		}
		calls = append(calls, c)
	}
	answers, err := s.run(ctx, scriptPush, calls)
	for _, a := range answers {
		found = max(found, a)
	}
	if err != nil || found == foundLoss {
		s.doubts()
	}
	return found, err
}

// goneTTL is how long a tombstone fences: far longer than a snapshot can be on its way.
const goneTTL = 7 * 24 * time.Hour

// push is the call of push.lua for one snapshot; observed is "" for a push, else a mend's.
func (k keys) push(snap schemas.Snapshot, observed string) (call, error) {
	c := call{name: fmt.Sprintf("batter %d", snap.BatterID), keys: []string{k.batter(snap.BatterID), k.gone(snap.BatterID)}}
	c.add(observed, goneTTL.Milliseconds(), snap.Seq, snap.PrevSeq)
	if err := c.addPart(snap.Seq, snap.Stats, snap.UpdatedAt); err != nil {
		return call{}, fmt.Errorf("redis: %s: %w", c.name, err)
	}
	for _, g := range snap.Games {
		c.keys = append(c.keys, k.game(snap.BatterID, g.GamePK))
		if err := c.addPart(g.Seq, g.Stats, snap.UpdatedAt); err != nil {
			return call{}, fmt.Errorf("redis: %s, game %q: %w", c.name, g.GamePK, err)
		}
	}
	return c, nil
}

func (c *call) addPart(seq int64, st *schemas.Stats, updatedAt schemas.TimeMS) error {
	if seq < 0 || seq > maxSeq {
		return fmt.Errorf("sequence number %d is not in 0 … 2^53", seq)
	}
	var fields []any
	if st != nil {
		var err error
		if fields, err = encode(*st, updatedAt); err != nil {
			return err
		}
	}
	c.add(seq, len(fields))
	c.add(fields...)
	return nil
}
