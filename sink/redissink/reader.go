package redissink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// Reader reads what stands in Redis. It is safe for use by several goroutines.
//
// Values and applied are not of one moment. Who must know how fresh a batter is reads applied first: all below those
// positions is in the batters that are read after.
type Reader struct {
	client redis.UniversalClient
	keys   keys
	cfg    Config
}

// OpenReader makes a Reader. It does not connect.
func OpenReader(cfg Config) (*Reader, error) {
	if cfg.Prefix == "" {
		cfg.Prefix = "ps:live:"
	}
	if strings.ContainsAny(cfg.Prefix, "{}") {
		return nil, fmt.Errorf("redis prefix %q: want no brace in it", cfg.Prefix)
	}
	if cfg.DialTimeout == 0 {
		cfg.DialTimeout = time.Second
	}
	if cfg.IOTimeout == 0 {
		cfg.IOTimeout = 5 * time.Second
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	client, err := connect(cfg)
	if err != nil {
		return nil, err
	}
	return &Reader{client: client, keys: keys(cfg.Prefix), cfg: cfg}, nil
}

// Close closes the connections.
func (r *Reader) Close() error { return r.client.Close() }

// States reads batters over all games or in single games, in one round trip and in the order of the keys; nil where
// no row is current. Each state is consistent in itself, but they are not of one moment.
func (r *Reader) States(ctx context.Context, keys []schemas.BatterKey) ([]*schemas.BatterState, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	hashes := make([]*redis.MapStringStringCmd, len(keys))
	if _, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		r.queueStates(ctx, p, keys, hashes)
		return nil
	}); err != nil {
		return nil, fmt.Errorf("redis: batters: %w", err)
	}
	return statesOf(keys, hashes)
}

func (r *Reader) queueStates(ctx context.Context, p redis.Pipeliner, keys []schemas.BatterKey,
	hashes []*redis.MapStringStringCmd) {
	for i, k := range keys {
		hashes[i] = p.HGetAll(ctx, r.keys.of(k))
	}
}

// statesOf decodes the hashes that were read for keys.
func statesOf(keys []schemas.BatterKey, hashes []*redis.MapStringStringCmd) ([]*schemas.BatterState, error) {
	states := make([]*schemas.BatterState, len(keys))
	for i, k := range keys {
		hash := hashes[i].Val()
		if len(hash) == 0 {
			continue
		}
		state, err := decode(hash)
		if err != nil {
			return nil, fmt.Errorf("redis: batter %d, game %q: %w", k.BatterID, k.GamePK, err)
		}
		state.BatterKey = k
		states[i] = &state
	}
	return states, nil
}

// Applied reads how far the stream is in the batters: `<topic>/<partition>` → the next offset.
func (r *Reader) Applied(ctx context.Context) (map[string]int64, error) {
	hash, err := r.client.HGetAll(ctx, r.keys.applied()).Result()
	if err != nil {
		return nil, fmt.Errorf("redis: applied: %w", err)
	}
	applied := make(map[string]int64, len(hash))
	for field, text := range hash {
		n, failed := strconv.ParseInt(text, 10, 64)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("redis: applied: field %s: %w", field, failed))
		}
		applied[field] = n
	}
	return applied, err
}

// Look reads states, in the order of the keys, nil where no row stands, and the pulse, in one round trip (two of a
// cluster). The pulse is
// read after the states: where it says that Redis is whole, so it was when they were read.
func (r *Reader) Look(ctx context.Context, keys []schemas.BatterKey) (states []*schemas.BatterState, pulse schemas.Pulse, err error) {
	hashes := make([]*redis.MapStringStringCmd, len(keys))
	pulses, err := r.thenPulse(ctx, func(p redis.Pipeliner) {
		r.queueStates(ctx, p, keys, hashes)
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, pulse, fmt.Errorf("redis: %w", err)
	}
	if states, err = statesOf(keys, hashes); err != nil {
		return nil, pulse, err
	}
	pulse, err = pulses.read()
	return states, pulse, err
}

// Seqs reads the sequence numbers of batters, or of batters in games, in the order of the keys, 0 where no row stands,
// and the pulse, in one round trip (two of a cluster).
func (r *Reader) Seqs(ctx context.Context, keys []schemas.BatterKey) (seqs []int64, pulse schemas.Pulse, err error) {
	fields := make([]*redis.StringCmd, len(keys))
	pulses, err := r.thenPulse(ctx, func(p redis.Pipeliner) {
		for i, k := range keys {
			fields[i] = p.HGet(ctx, r.keys.of(k), "seq")
		}
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, pulse, fmt.Errorf("redis: %w", err)
	}
	seqs = make([]int64, len(keys))
	for i, f := range fields {
		if f.Err() == nil {
			if seqs[i], err = f.Int64(); err != nil {
				return nil, pulse, fmt.Errorf("redis: seq: %w", err)
			}
		} else if !errors.Is(f.Err(), redis.Nil) {
			return nil, pulse, fmt.Errorf("redis: seq: %w", f.Err())
		}
	}
	pulse, err = pulses.read()
	return seqs, pulse, err
}

// thenPulse asks for something and after it for the pulse: in one pipeline of one server, which answers in its order; of
// a cluster, whose nodes answer each in its own time, in two.
func (r *Reader) thenPulse(ctx context.Context, ask func(redis.Pipeliner)) (pulses pulseCommands, err error) {
	_, cluster := r.client.(*redis.ClusterClient)
	_, err = r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		ask(p)
		if !cluster {
			pulses = r.queuePulse(ctx, p)
		}
		return nil
	})
	if !cluster || err != nil && !errors.Is(err, redis.Nil) {
		return pulses, err
	}
	_, err = r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		pulses = r.queuePulse(ctx, p)
		return nil
	})
	return pulses, err
}

func (k keys) of(b schemas.BatterKey) string {
	if b.GamePK == "" {
		return k.batter(b.BatterID)
	}
	return k.game(b.BatterID, b.GamePK)
}

type pulseCommands struct {
	beats, applied *redis.MapStringStringCmd
	epoch          *redis.StringCmd
}

// queuePulse asks for applied before the heartbeats, whose positions therefore are never behind it.
func (r *Reader) queuePulse(ctx context.Context, p redis.Pipeliner) pulseCommands {
	return pulseCommands{applied: p.HGetAll(ctx, r.keys.applied()), beats: p.HGetAll(ctx, r.keys.heartbeat()), epoch: p.Get(ctx, r.keys.epoch())}
}

func (c pulseCommands) read() (pulse schemas.Pulse, err error) {
	if err := c.epoch.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return pulse, fmt.Errorf("redis: epoch: %w", err)
	}
	pulse = schemas.Pulse{Epoch: c.epoch.Val(), Heartbeats: map[string]schemas.Heartbeat{}, Applied: map[string]int64{}}
	for instance, text := range c.beats.Val() {
		var h schemas.Heartbeat
		if json.Unmarshal([]byte(text), &h) == nil { // of a newer build, maybe: as if it were not there
			pulse.Heartbeats[instance] = h
		}
	}
	for field, text := range c.applied.Val() {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return pulse, fmt.Errorf("redis: applied: field %s: %w", field, err)
		}
		pulse.Applied[field] = n
	}
	return pulse, nil
}

// beatKept is how long the last heartbeat of a processor that died stays, for people to see.
const beatKept = time.Hour

// Works reads what the processors tell of their work, by instance; of one that died, the last that it said.
func (r *Reader) Works(ctx context.Context) (map[string]schemas.Work, error) {
	hash, err := r.client.HGetAll(ctx, r.keys.work()).Result()
	if err != nil {
		return nil, fmt.Errorf("redis: work: %w", err)
	}
	works := make(map[string]schemas.Work, len(hash))
	for instance, text := range hash {
		var w schemas.Work
		if json.Unmarshal([]byte(text), &w) == nil {
			works[instance] = w
		}
	}
	return works, nil
}

// Beat writes this processor's heartbeat, with the data set that it knows, and its work beside it; and forgets those of
// long ago.
func (s *Sink) Beat(ctx context.Context, instance string, h schemas.Heartbeat) error {
	work, err := json.Marshal(h.Work)
	if err != nil {
		return fmt.Errorf("redis: heartbeat: %w", err)
	}
	told := h.Work != nil
	// guard: api: work is no part of the heartbeats
	h.Work = nil
	s.mu.Lock()
	h.Epoch = s.known.epoch
	s.mu.Unlock()
	text, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("redis: heartbeat: %w", err)
	}
	var all *redis.MapStringStringCmd
	if _, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, s.keys.heartbeat(), instance, text)
		if told {
			p.HSet(ctx, s.keys.work(), instance, work)
		}
		all = p.HGetAll(ctx, s.keys.heartbeat())
		return nil
	}); err != nil {
		return fmt.Errorf("redis: heartbeat: %w", err)
	}
	for other, text := range all.Val() {
		var old schemas.Heartbeat
		if json.Unmarshal([]byte(text), &old) == nil && h.At-old.At > schemas.TimeMS(beatKept.Milliseconds()) {
			if err := s.Rest(ctx, other); err != nil {
				return err
			}
		}
	}
	return nil
}

// Rest takes a heartbeat away: of a processor that stops as it should.
func (s *Sink) Rest(ctx context.Context, instance string) error {
	if _, err := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HDel(ctx, s.keys.heartbeat(), instance)
		// guard: api: work goes with its processor
		p.HDel(ctx, s.keys.work(), instance)
		return nil
	}); err != nil {
		return fmt.Errorf("redis: heartbeat: %w", err)
	}
	return nil
}
