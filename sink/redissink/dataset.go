package redissink

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// known is the data set of Redis as this process last saw it complete. A later look that finds any of it
// changed, or moved backwards, shows that Redis lost data: it is empty, an older copy, or another server.
//
// The epoch is a random name, stored in Redis by the first sweep that finds none; it vanishes with the data.
// applied holds the position of each partition up to which the batters are complete, and only moves forward.
type known struct {
	epoch   string           // "" before the first sweep
	nodes   nodes            // nil before the first sweep
	applied map[string]int64 // lower bounds, by positionField
}

// RefusedError reports a server that answers but must not be written to, and what to change.
type RefusedError struct {
	Addr string
	Why  string
}

func (e *RefusedError) Error() string { return "redis " + e.Addr + ": " + e.Why }

// nodes are the masters by address.
type nodes map[string]node

// sameAs reports whether the same servers are there, none was restarted, and none became empty. A cluster
// needs this, because applied is on one node and shows nothing of the others.
func (was nodes) sameAs(now nodes) bool {
	for addr, w := range was {
		n, ok := now[addr]
		if !ok || n.runID != w.runID || n.empty && !w.empty {
			return false
		}
	}
	return len(now) == len(was)
}

// node is the description that a server gives of itself.
type node struct {
	addr   string
	policy string // maxmemory-policy; "" if the server hides it
	mode   string // standalone, cluster, sentinel
	role   string // master, slave
	runID  string // changes with each start of the server
	empty  bool
}

func inspectNode(ctx context.Context, c *redis.Client) (node, error) {
	var memory, server, replication *redis.StringCmd
	var size *redis.IntCmd
	results, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		memory, server, replication = p.Info(ctx, "memory"), p.Info(ctx, "server"), p.Info(ctx, "replication")
		size = p.DBSize(ctx)
		return nil
	})
	if err := firstError(err, results, isRefusal); err != nil {
		return node{}, fmt.Errorf("redis %s: %w", c.Options().Addr, err)
	}
	return node{
		addr:   c.Options().Addr,
		policy: infoField(memory.Val(), "maxmemory_policy"),
		mode:   infoField(server.Val(), "redis_mode"),
		role:   infoField(replication.Val(), "role"),
		runID:  infoField(server.Val(), "run_id"),
		empty:  size.Err() == nil && size.Val() == 0,
	}, nil
}

// isRefusal reports whether the server answered INFO or DBSIZE with "not allowed" or "unknown" (ACLs,
// miniredis). Such a server may still be writable.
func isRefusal(err error) bool {
	return redis.HasErrorPrefix(err, "NOPERM") || redis.HasErrorPrefix(err, "ERR") ||
		strings.HasPrefix(err.Error(), "section (")
}

// refused returns a *RefusedError if the node must not be written to.
func (n node) refused(a addresses) error {
	if n.policy != "" && n.policy != "noeviction" {
		return &RefusedError{n.addr, fmt.Sprintf("its maxmemory-policy %s may evict keys that applications "+
			"rely on; set it to noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf)", n.policy)}
	}
	if why := a.misfit(n.mode); why != "" && a.MasterName == "" {
		return &RefusedError{n.addr, why}
	}
	// guard: a replica is no place to write to
	if n.role == "slave" {
		return fmt.Errorf("redis %s: %w: give the address of its master, or its Sentinels as "+
			"redis+sentinel://host:26379/master-name", n.addr, errReplica)
	}
	return nil
}

// errReplica is no *RefusedError, because a replica may become a master.
var errReplica = errors.New("it is a replica, which takes no writes")

// infoField returns the value of a line name:value in an answer of INFO.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// ready inspects the servers before the first write, if Redis was unavailable when the sink was opened.
func (s *Sink) ready(ctx context.Context) error {
	s.mu.Lock()
	inspected := s.inspected
	s.mu.Unlock()
	if inspected {
		return nil
	}
	_, err := s.inspect(ctx)
	return err
}

// inspect describes every master. It returns a *RefusedError if one must not be written to.
func (s *Sink) inspect(ctx context.Context) (nodes, error) {
	var mu sync.Mutex // guards found and silent
	found, silent := nodes{}, ""
	err := s.reader.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		n, err := inspectNode(ctx, c)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		found[n.addr] = n
		if n.policy == "" {
			silent = n.addr
		}
		return n.refused(s.reader.at)
	})
	err = s.reader.at.explain(ctx, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inspected = err == nil
	if err == nil && silent != "" && !s.warned {
		s.warned = true
		s.reader.cfg.Log.Warn("Redis hides its maxmemory-policy: make sure that it is noeviction", "addr", silent)
	}
	return found, err
}

// runApplied runs applied.lua for triples of field, known position and new position. lost reports that Redis
// does not hold the data set of that epoch, or a position below the known one; then nothing was moved.
func (s *Sink) runApplied(ctx context.Context, epoch string, triples []any) (lost bool, err error) {
	c := call{name: "applied", keys: []string{s.reader.keys.applied(), s.reader.keys.epoch()}}
	c.add(epoch)
	c.add(triples...)
	answers, err := s.reader.run(ctx, scriptApplied, []call{c})
	return err == nil && answers[0] != 0, err
}

// advance moves applied forward, never back. lost reports that Redis lost data: then nothing was written.
func (s *Sink) advance(ctx context.Context, positions []schemas.Position) (lost bool, err error) {
	if len(positions) == 0 {
		return false, nil
	}
	var triples []any
	s.mu.Lock()
	epoch := s.known.epoch
	for _, p := range positions {
		triples = append(triples, positionField(p), s.known.applied[positionField(p)], p.NextOffset)
	}
	s.mu.Unlock()
	if lost, err = s.runApplied(ctx, epoch, triples); lost || err != nil {
		s.requestScan()
		return lost, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range positions {
		s.known.applied[positionField(p)] = max(s.known.applied[positionField(p)], p.NextOffset)
	}
	return false, nil
}

// check reports, without writing, whether Redis lost data that this process knew, or holds under the names of
// applied and the epoch what no processor wrote. A server that must not be written to is a *RefusedError.
func (s *Sink) check(ctx context.Context) (lost bool, err error) {
	found, err := s.inspect(ctx)
	if err != nil {
		return false, err
	}
	var applied *redis.MapStringStringCmd
	var epoch *redis.StringCmd
	if err := pipelined(ctx, s.reader.client, func(p redis.Pipeliner) {
		applied, epoch = p.HGetAll(ctx, s.reader.keys.applied()), p.Get(ctx, s.reader.keys.epoch())
	}); err != nil {
		return false, fmt.Errorf("redis: check: %w", err)
	}
	positions, err := parseApplied(applied.Val())
	s.mu.Lock()
	defer s.mu.Unlock()
	lost = err != nil || isWrongType(applied.Err()) || isWrongType(epoch.Err()) ||
		s.known.nodes != nil && !s.known.nodes.sameAs(found) || s.known.epoch != "" && s.known.epoch != epoch.Val()
	for field, n := range s.known.applied {
		lost = lost || positions[field] < n
	}
	return lost, nil
}

// isWrongType reports whether a key holds another type than the command is for.
func isWrongType(err error) bool { return redis.HasErrorPrefix(err, "WRONGTYPE") }

// pipelined sends commands in one round trip. A missing key and one of another type are no errors of the
// trip: they say nothing about the other keys.
func pipelined(ctx context.Context, c redis.UniversalClient, ask func(redis.Pipeliner)) error {
	results, err := c.Pipelined(ctx, func(p redis.Pipeliner) error { ask(p); return nil })
	return firstError(err, results, func(err error) bool {
		// guard: a key of another type does not hide the other keys | || isWrongType(err) ->
		return errors.Is(err, redis.Nil) || isWrongType(err)
	})
}

// firstError returns the first error of a round trip that is not harmless. err is the driver's: that of the
// first command that failed, or of the connection.
func firstError(err error, results []redis.Cmder, harmless func(error) bool) error {
	for _, result := range results {
		if failed := result.Err(); failed != nil && !harmless(failed) {
			return failed
		}
	}
	if err != nil && harmless(err) {
		return nil
	}
	return err
}

// removeForeign removes a key that no processor can have written, because only processors write under its
// name.
func (s *Sink) removeForeign(ctx context.Context, key string) error {
	s.reader.cfg.Log.Warn("a key of ours in Redis held what no processor writes: removing it", "key", key)
	return s.reader.client.Del(ctx, key).Err()
}

// nameEpoch returns the name of the data set, and gives it one first if it has none. The name must survive
// JSON, because heartbeats repeat it.
func (s *Sink) nameEpoch(ctx context.Context) (epoch string, err error) {
	key := s.reader.keys.epoch()
	for range 2 {
		if err = s.reader.client.SetNX(ctx, key, rand.Text(), 0).Err(); err == nil {
			epoch, err = s.reader.client.Get(ctx, key).Result()
		}
		// guard: an epoch that no processor wrote is replaced | isWrongType(err) || err == nil && !epochForm.MatchString(epoch) -> false
		if isWrongType(err) || err == nil && !epochForm.MatchString(epoch) {
			err = cmp.Or(s.removeForeign(ctx, key), errors.New("somebody else writes to it"))
			continue
		}
		break
	}
	if err != nil {
		return "", fmt.Errorf("redis: epoch: %w", err)
	}
	return epoch, nil
}

var epochForm = regexp.MustCompile(`^[A-Za-z0-9]{1,64}$`)

// lowerApplied returns the positions of Postgres, and takes applied back to them if it is ahead. restored
// reports that it was. Then Postgres was restored to an older state: applied is read before the positions,
// which otherwise never move back.
func (s *Sink) lowerApplied(
	ctx context.Context, src Source,
) (positions []schemas.Position, restored bool, err error) {
	key := s.reader.keys.applied()
	found, err := s.reader.client.HGetAll(ctx, key).Result()
	if isWrongType(err) {
		found, err = nil, s.removeForeign(ctx, key)
	}
	if err != nil {
		return nil, false, fmt.Errorf("redis: applied: %w", err)
	}
	if positions, err = src.AppliedPositions(ctx); err != nil {
		return nil, false, ofSource(err)
	}
	c := call{name: "applied", keys: []string{key}}
	limits := offsetTexts(positions)
	for field, text := range found {
		if exceeds(text, limits[field]) {
			c.add(field, text, limits[field])
		}
	}
	if len(c.args) == 0 {
		return positions, false, nil
	}
	s.reader.cfg.Log.Warn("applied in Redis is ahead of Postgres, or is no offset: correcting it",
		"positions", len(c.args)/3)
	_, err = s.reader.run(ctx, scriptLower, []call{c})
	return positions, true, err
}

func offsetTexts(positions []schemas.Position) map[string]string {
	texts := make(map[string]string, len(positions))
	for _, p := range positions {
		texts[positionField(p)] = strconv.FormatInt(p.NextOffset, 10)
	}
	return texts
}

// exceeds reports whether text is no number up to the limit; a limit of "" allows none.
func exceeds(text, limit string) bool {
	n, err := strconv.ParseInt(text, 10, 64)
	most, none := strconv.ParseInt(limit, 10, 64)
	return err != nil || none != nil || n > most
}

var errLostMidway = errors.New("redis: lost its data during the sweep")

// raiseApplied ends a sweep: it moves applied up to the positions and records the data set as known. It
// returns errLostMidway if Redis is no longer the data set that the sweep began with. scans is the number of
// requests for a scan when the sweep began: a later request is still open.
func (s *Sink) raiseApplied(
	ctx context.Context, positions []schemas.Position, began known, scans int,
) error {
	var triples []any
	for _, p := range positions {
		triples = append(triples, positionField(p), 0, p.NextOffset)
	}
	lost, err := s.runApplied(ctx, began.epoch, triples)
	if err != nil {
		return err
	} else if lost {
		return errLostMidway
	}
	if began.applied, err = s.reader.Applied(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// guard: redis: a scan that is requested during a sweep is done by the next one | s.known, s.scanned = began, scans -> s.known, s.scanned, scans = began, s.scanRequests, scans
	s.known, s.scanned = began, scans
	return nil
}
