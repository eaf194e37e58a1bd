package redissink

import (
	"context"
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
