package redissink

import (
	"context"
	"crypto/rand"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// advance moves applied forward, never back. lost says that Redis is not what this process knew: nothing was written.
func (s *Sink) advance(ctx context.Context, positions []schemas.Position) (lost bool, err error) {
	if len(positions) == 0 {
		return false, nil
	}
	s.mu.Lock()
	c := call{name: "applied", keys: []string{s.keys.applied(), s.keys.epoch()}}
	c.add(s.known.epoch)
	for _, p := range positions {
		field := positionField(p)
		c.add(field, s.known.applied[field], p.NextOffset)
	}
	s.mu.Unlock()
	answers, err := s.run(ctx, scriptApplied, []call{c})
	if err != nil || answers[0] != 0 {
		s.doubts()
		return err == nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range positions {
		field := positionField(p)
		s.known.applied[field] = max(s.known.applied[field], p.NextOffset)
	}
	return false, nil
}

// check asks, without writing, whether every server may be written to and Redis still is what this process knew.
func (s *Sink) check(ctx context.Context) (lost bool, err error) {
	nodes, err := s.inspect(ctx)
	if err != nil {
		return false, err
	}
	s.mu.Lock()
	moved := s.known.nodes != nil && !s.known.nodes.live(nodes)
	c := call{name: "applied", keys: []string{s.keys.applied(), s.keys.epoch()}}
	c.add(s.known.epoch)
	for field, n := range s.known.applied {
		c.add(field, n, 0)
	}
	s.mu.Unlock()
	answers, err := s.run(ctx, scriptApplied, []call{c})
	return err == nil && (moved || answers[0] != 0), err
}

// nameEpoch gives the data set's name, and a new one to a data set that has none.
func (s *Sink) nameEpoch(ctx context.Context) (string, error) {
	key := s.keys.epoch()
	if err := s.client.SetNX(ctx, key, rand.Text(), 0).Err(); err != nil {
		return "", fmt.Errorf("redis: epoch: %w", err)
	}
	epoch, err := s.client.Get(ctx, key).Result()
	if err != nil {
		return "", fmt.Errorf("redis: epoch: %w", err)
	}
	return epoch, nil
}

// lowerApplied takes applied back to the positions of Postgres where it is ahead of them: Postgres was restored to an
// older state, since applied was read before the positions and those never move back otherwise. It gives the positions,
// and whether there was anything to take back.
func (s *Sink) lowerApplied(ctx context.Context, src Source) (positions []schemas.Position, restored bool, err error) {
	key := s.keys.applied()
	stands, err := s.client.HGetAll(ctx, key).Result()
	if redis.HasErrorPrefix(err, "WRONGTYPE") {
		stands, err = nil, s.client.Del(ctx, key).Err()
	}
	if err != nil {
		return nil, false, fmt.Errorf("redis: applied: %w", err)
	}
	positions, err = src.AppliedPositions(ctx)
	if err != nil {
		return nil, false, ofSource(err)
	}
	c := call{name: "applied", keys: []string{key}}
	right := map[string]string{}
	for _, p := range positions {
		right[positionField(p)] = strconv.FormatInt(p.NextOffset, 10)
	}
	for field, text := range stands {
		if ahead(text, right[field]) {
			c.add(field, text, right[field])
		}
	}
	if len(c.args) == 0 {
		return positions, false, nil
	}
	s.cfg.Log.Warn("Redis is ahead of Postgres, which seems to have been restored: taking back applied positions", "positions", len(c.args)/3)
	_, err = s.run(ctx, scriptLower, []call{c})
	return positions, true, err
}

// ahead tells whether the text that stands is not a position up to the right one.
func ahead(stands, right string) bool {
	n, err := strconv.ParseInt(stands, 10, 64)
	limit, none := strconv.ParseInt(right, 10, 64)
	return err != nil || none != nil || n > limit
}

// raiseApplied ends a sweep: everything below the positions is in Redis, if it still is the data set that the sweep
// began with. What stands then is what this process knows from here on.
func (s *Sink) raiseApplied(ctx context.Context, positions []schemas.Position, began known) error {
	c := call{name: "applied", keys: []string{s.keys.applied(), s.keys.epoch()}}
	c.add(began.epoch)
	for _, p := range positions {
		c.add(positionField(p), 0, p.NextOffset)
	}
	answers, err := s.run(ctx, scriptApplied, []call{c})
	if err != nil {
		return err
	}
	if answers[0] != 0 {
		return errLostMidway
	}
	if began.applied, err = s.Applied(ctx); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known, s.doubt = began, false
	return nil
}
