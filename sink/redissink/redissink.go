// Package redissink keeps the data that applications read in Redis: the aggregates of every batter and
// pitcher, and the position of the stream up to which they are complete.
//
// Redis is a copy of Postgres and never the source. Each snapshot is a whole state, fenced by its sequence
// number, so order and repetition do not matter. Sink.Sweep compares the copy with Postgres and repairs it,
// and the same sweep fills Redis after it lost its data. Keeper does both for a processor, and never stops
// the stream for Redis. docs/REDIS.md describes the keys.
package redissink

import (
	"cmp"
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

// Config holds the address of Redis and the prefix of all keys.
type Config struct {
	// URL is redis://user:password@host:6379/0, rediss:// for TLS, unix:///path/to/socket, or host:port
	// alone. Several addresses, or one and a comma, are a Redis Cluster:
	// redis://user:password@host:6379,host:6380. Special characters of the password must be percent-encoded.
	URL string
	// TLS holds the authorities and the client certificate for a rediss:// URL. If nil, the system's
	// authorities count, and no certificate is sent.
	TLS *tls.Config
	// Prefix of every key; "" is "ps:live:". It must not contain a brace, because braces decide which keys of
	// a cluster share a node.
	Prefix    string
	IOTimeout time.Duration // for the answers to one pipeline, if the context does not end before; 0: 5 s
	Log       *slog.Logger  // nil: none
	// Dialer makes the connections; nil: the driver's own.
	Dialer func(ctx context.Context, network, addr string) (net.Conn, error)
}

// maxSeq is the greatest sequence number allowed: up to it every integer is exact in Lua, whose numbers are
// floating. Those of Postgres are microseconds since 1970, and reach it in the year 2255.
const maxSeq = 1 << 53

// Sink writes to Redis. Several goroutines may use it, but only one at a time may call Patrol or
// PatrolChanges, because they keep behind without a lock.
type Sink struct {
	reader *Reader

	mu        sync.Mutex // guards the fields down to the blank line
	inspected bool       // every server answered, and may be written to
	warned    bool       // the log says that a server hides its eviction policy
	// scanRequests counts the requests that a sweep scans all keys, and scanned those that a sweep has met. A
	// request follows when players may have been written but applied was not moved, because then applied no
	// longer shows how much Redis holds.
	scanRequests, scanned int
	// known is the data set as it was last seen complete.
	known known
	beats map[string]schemas.TimeMS // when each processor beat last, as of our own last heartbeat
	leads bool                      // no other live processor has a smaller name

	changes *changeFeed
	// behind are the players that the last patrol found behind, with the version that it saw. Only the
	// goroutine that patrols uses it.
	behind map[schemas.PlayerKey]string
}

// Open makes the sink and tries to connect. An unavailable Redis is no error, nor is one that must not be
// written to, because the stream goes on without it, and the first write asks again. No error contains the
// password.
func Open(ctx context.Context, cfg Config) (*Sink, error) {
	r, err := OpenReader(cfg)
	if err != nil {
		return nil, err
	}
	s := &Sink{reader: r, scanRequests: 1, known: known{applied: map[string]int64{}}, leads: true,
		changes: &changeFeed{r: r, missed: true}}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+time.Second)
	defer cancel()
	if _, err = s.inspect(ctx); err != nil {
		what := "Redis is unavailable: going on without it"
		if errors.As(err, new(*RefusedError)) {
			what = "Redis is refused: going on without it"
		}
		r.cfg.Log.Warn(what, "error", err)
	}
	return s, nil
}

// Close closes the connections.
func (s *Sink) Close() error {
	s.changes.close()
	return s.reader.Close()
}

// Push writes the snapshots of any number of players, each once, and then moves applied to the
// positions. Snapshots may come in any order and any number of times. lost reports that Redis lacks earlier
// writes, or that a key of another type was replaced: then applied was not moved, and the caller must Sweep.
// A gap between versions is not reported and does not stop applied. After an error any part of the snapshots
// may have been written, but applied was not moved. Keeper has its own form of these steps: change both.
func (s *Sink) Push(
	ctx context.Context, snaps []schemas.Snapshot, positions []schemas.Position,
) (lost bool, err error) {
	found, err := s.pushSnapshots(ctx, snaps)
	if err != nil || found >= foundLoss {
		return found >= foundLoss, err
	}
	return s.advance(ctx, positions)
}

// Sweep compares Redis with Postgres and repairs it. Afterwards Redis holds everything that Postgres held
// when the sweep began, and applied says so. It fills an empty Redis too. Pushes may go on during the sweep,
// and newer states that they write stay.
//
// Its errors are ErrSweeping if another process sweeps, errors of src (sourceError), a RefusedError, and
// errLostMidway if Redis lost its data meanwhile; all others are those of Redis. After an error the report
// counts what was done, and applied was not raised.
func (s *Sink) Sweep(ctx context.Context, src Source) (SweepReport, error) {
	return s.sweep(ctx, src, false)
}

// Patrol reads every player's keys and repairs those that no reader could parse, those of another type, and
// versions that Postgres does not have. A player that is behind is repaired if the last Patrol saw the same
// version, because else a push may be on its way. restored reports that applied was ahead of Postgres, or no
// offset, and was corrected, so a sweep is needed. The caller makes sure that Redis may be written to, and
// that one processor patrols, because Patrol takes no lock.
func (s *Sink) Patrol(ctx context.Context, src Source) (rep SweepReport, restored bool, err error) {
	s.changes.restart()
	return s.patrol(ctx, src, func(sw *sweep) (ids map[int64]bool, err error) {
		ids, sw.games, err = s.reader.all(ctx, sw.side)
		return ids, err
	})
}

// PatrolChanges does what Patrol does, for the players of these key names and for those that the last patrol
// found behind.
func (s *Sink) PatrolChanges(
	ctx context.Context, src Source, names map[string]bool,
) (rep SweepReport, restored bool, err error) {
	return s.patrol(ctx, src, func(sw *sweep) (map[int64]bool, error) {
		sw.only, sw.games = s.reader.keys.players(sw.side, names)
		for behind := range s.behind {
			if behind.Side == sw.side {
				sw.only[behind.PlayerID] = true
			}
		}
		return sw.only, nil
	})
}

// patrol sweeps each side. choose sets the games that a sweep looks at (and the players, if only some), and
// returns the players of whom all keys are read.
func (s *Sink) patrol(
	ctx context.Context, src Source, choose func(*sweep) (map[int64]bool, error),
) (rep SweepReport, restored bool, err error) {
	behind := map[schemas.PlayerKey]string{}
	defer func() { s.behind = behind }()
	if _, restored, err = s.lowerApplied(ctx, src); err != nil {
		return rep, restored, err
	}
	for _, side := range schemas.Sides {
		sw := &sweep{r: s.reader, src: src, side: side}
		ids, err := choose(sw)
		if err != nil {
			return rep, restored, err
		}
		sw.ignore = func(f finding) bool {
			if f.kind != schemas.DiffersOlder || f.observed == otherType || sw.broken[f.id] {
				return false
			}
			key := schemas.PlayerKey{Side: side, PlayerID: f.id}
			behind[key] = f.observed
			return !f.isBehind || s.behind[key] != f.observed
		}
		err = sw.patrol(ctx, ids)
		rep = rep.plus(sw.report)
		if err != nil {
			return rep, restored, err
		}
	}
	return rep, restored, nil
}

// Rebuild is a Sweep that writes every player anew, even if the sequence numbers agree. It therefore repairs
// also a game's hash that was changed or removed by hand.
func (s *Sink) Rebuild(ctx context.Context, src Source) (SweepReport, error) {
	return s.sweep(ctx, src, true)
}

func (s *Sink) sweep(ctx context.Context, src Source, all bool) (rep SweepReport, err error) {
	release, ok, err := src.TryLock(ctx, "sweep")
	if err != nil {
		return rep, ofSource(err)
	} else if !ok {
		return rep, ErrSweeping
	}
	defer release()
	var began known
	if began.nodes, err = s.inspect(ctx); err != nil {
		return rep, err
	}
	if began.epoch, err = s.nameEpoch(ctx); err != nil {
		return rep, err
	}
	// The positions are read first. The players, read later, then contain every change up to them, so applied
	// cannot claim too much.
	positions, restored, err := s.lowerApplied(ctx, src)
	if err != nil {
		return rep, err
	}
	s.mu.Lock()
	scans := s.scanRequests
	deep := all || restored || scans > s.scanned || s.known.epoch != began.epoch
	s.mu.Unlock()
	for _, side := range schemas.Sides {
		sw := sweep{r: s.reader, src: src, side: side, all: all, deep: deep}
		err = sw.run(ctx)
		rep = rep.plus(sw.report)
		if err != nil {
			return rep, err
		}
	}
	return rep, s.raiseApplied(ctx, positions, began, scans)
}

// Audit compares every key of every player with Postgres, field by field, and finds keys that should not
// exist. It may run beside processors: a key that is written during the audit is compared again, and is no
// difference.
func (s *Sink) Audit(ctx context.Context, src Source, o AuditOptions) (AuditReport, error) {
	o.Settle = cmp.Or(o.Settle, 3*time.Second)
	a := audit{sink: s, r: s.reader, src: src, o: o, suspects: map[string]suspect{}}
	_, err := s.inspect(ctx)
	if err == nil {
		err = a.run(ctx)
	}
	return a.rep, err
}

func (s *Sink) isLeader() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.leads
}

// requestScan makes the next sweep that begins scan all keys.
func (s *Sink) requestScan() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scanRequests++
}

// The answers of push.lua, from harmless to worst: pushSnapshots returns the greatest, and from foundLoss on
// applied must not move.
const (
	foundOrder = 0
	// foundGap: the stored state is older than the one that the snapshot follows on. Another processor's
	// snapshot of this player may still be on its way; if it is not, a sweep repairs the gap. This snapshot
	// itself was written.
	foundGap = 1
	// foundLoss: a version that should be there is missing, or one is there that Postgres never had.
	foundLoss = 2
	// foundForeign: a key had another type and was removed. Other keys of the player may lack something.
	foundForeign = 3
)

// pushSnapshots writes the snapshots and returns the greatest answer of push.lua.
func (s *Sink) pushSnapshots(ctx context.Context, snaps []schemas.Snapshot) (found int64, err error) {
	if err := s.ready(ctx); err != nil {
		return 0, err
	}
	calls := make([]call, len(snaps))
	for i, snap := range snaps {
		if calls[i], err = pushCall(s.reader.keys, snap, ""); err != nil {
			return 0, err
		}
	}
	answers, err := s.reader.run(ctx, scriptPush, calls)
	for i, a := range answers {
		found = max(found, a)
		if a == foundForeign {
			s.reader.cfg.Log.Warn("a key of ours in Redis had another type: replaced it", "of", calls[i].name)
		}
	}
	if err != nil || found >= foundLoss {
		s.requestScan()
	}
	return found, err
}

// goneTTL is how long a tombstone fences: far longer than a snapshot can be on its way.
const goneTTL = 7 * 24 * time.Hour

// pushCall returns the call of push.lua for one snapshot. observed is "" for a push, and the version that a
// sweep saw for a repair.
func pushCall(k keys, snap schemas.Snapshot, observed string) (call, error) {
	player := schemas.PlayerKey{Side: snap.Side, PlayerID: snap.PlayerID}
	c := call{name: fmt.Sprintf("%v %d", snap.Side, snap.PlayerID)}
	c.keys = []string{k.of(player), k.gone(snap.Side, snap.PlayerID)}
	c.add(observed, goneTTL.Milliseconds(), snap.Seq, snap.PrevSeq)
	if err := c.addPart(snap.Side, snap.Overall(), snap.UpdatedAt); err != nil {
		return call{}, fmt.Errorf("redis: %s: %w", c.name, err)
	}
	for _, g := range snap.Games {
		player.GamePK = g.GamePK
		c.keys = append(c.keys, k.of(player))
		if err := c.addPart(snap.Side, g, snap.UpdatedAt); err != nil {
			return call{}, fmt.Errorf("redis: %s, game %q: %w", c.name, g.GamePK, err)
		}
	}
	return c, nil
}
