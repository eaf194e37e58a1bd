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

// BatterView is what Redis holds of one batter, or of one batter in one game.
type BatterView struct {
	BatterID  int64
	GamePK    string // "" for the batter over all games
	Stats     schemas.Stats
	UpdatedAt schemas.TimeMS // when Postgres computed it
	Seq       int64          // of the snapshot that this is
	// Whole is the Seq up to which every snapshot of this batter was applied without a gap; below Seq until a sweep has
	// looked, where they came in another order; −1 where a sweep must replace all. 0 for a game.
	Whole int64
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

// Batter reads one batter; nil where no row of his stands.
func (r *Reader) Batter(ctx context.Context, id int64) (*BatterView, error) {
	views, err := r.Batters(ctx, []int64{id})
	if err != nil {
		return nil, err
	}
	return views[0], nil
}

// Batters reads several batters in one round trip, in the order of ids; nil for those of whom no row stands. Each is of
// one moment, not all of the same.
func (r *Reader) Batters(ctx context.Context, ids []int64) ([]*BatterView, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	results, err := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, id := range ids {
			p.HGetAll(ctx, r.keys.batter(id))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("redis: batters: %w", err)
	}
	views := make([]*BatterView, len(ids))
	for i, id := range ids {
		if views[i], err = view(id, "", results[i].(*redis.MapStringStringCmd).Val()); err != nil {
			return nil, err
		}
	}
	return views, nil
}

// Game reads one batter in one game; nil where no row of his stands there.
func (r *Reader) Game(ctx context.Context, id int64, gamePK string) (*BatterView, error) {
	hash, err := r.client.HGetAll(ctx, r.keys.game(id, gamePK)).Result()
	if err != nil {
		return nil, fmt.Errorf("redis: batter %d, game %q: %w", id, gamePK, err)
	}
	return view(id, gamePK, hash)
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

func view(id int64, gamePK string, hash map[string]string) (*BatterView, error) {
	if len(hash) == 0 {
		return nil, nil
	}
	v, err := decode(hash)
	if err != nil {
		return nil, fmt.Errorf("redis: batter %d, game %q: %w", id, gamePK, err)
	}
	v.BatterID, v.GamePK = id, gamePK
	return &v, nil
}
