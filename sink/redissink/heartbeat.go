package redissink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// beatKept is how long the last heartbeat of a dead processor stays, for people to see.
const beatKept = time.Hour

// Beat writes this processor's heartbeat, with the epoch that it knows, and its work in a key of its own. It
// removes heartbeats older than beatKept.
func (s *Sink) Beat(ctx context.Context, instance string, h schemas.Heartbeat) error {
	hasWork := h.Work != nil
	work, workErr := json.Marshal(h.Work)
	// guard: api: work is no part of the heartbeats
	h.Work = nil
	s.mu.Lock()
	h.Epoch = s.known.epoch
	s.mu.Unlock()
	text, err := json.Marshal(h)
	k := s.reader.keys
	var all *redis.MapStringStringCmd
	if err = errors.Join(err, workErr); err == nil {
		_, err = s.reader.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.HSet(ctx, k.heartbeat(), instance, text)
			if hasWork {
				p.HSet(ctx, k.work(), instance, work)
			}
			all = p.HGetAll(ctx, k.heartbeat())
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("redis: heartbeat: %w", err)
	}
	for other, old := range parseJSON[schemas.Heartbeat](all.Val()) {
		if h.At-old.At > schemas.TimeMS(beatKept.Milliseconds()) {
			if err := s.Rest(ctx, other); err != nil {
				return err
			}
		}
	}
	return nil
}

// Rest removes the heartbeat and the work of a processor. A processor calls it when it ends in order.
func (s *Sink) Rest(ctx context.Context, instance string) error {
	_, err := s.reader.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HDel(ctx, s.reader.keys.heartbeat(), instance)
		// guard: api: work goes with its processor
		p.HDel(ctx, s.reader.keys.work(), instance)
		return nil
	})
	if err != nil {
		return fmt.Errorf("redis: heartbeat: %w", err)
	}
	return nil
}

// WritePointer writes which target readers see, under the prefix of live, for a server that starts while
// Postgres is unavailable. Each processor writes again and again the pointer that it has just read in
// Postgres, and the last one stays. The ACLs of a user may forbid the key of another prefix.
func (s *Sink) WritePointer(ctx context.Context, livePrefix string, p schemas.Pointer) error {
	text, err := json.Marshal(p)
	if err == nil {
		err = s.reader.client.Set(ctx, keys(livePrefix).pointer(), text, 0).Err()
	}
	if err != nil {
		return fmt.Errorf("redis: pointer: %w", err)
	}
	return nil
}
