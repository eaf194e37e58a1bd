package redissink

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// dropKeys is how many keys one SCAN visits, and how many one pipeline removes at most.
const dropKeys = 1000

// Drop removes every key below cfg.Prefix, whatever its type, and returns how many it removed. Call it for a prefix that
// nobody writes to any more: a key written during the drop may stay, a key that was there before never does.
func Drop(ctx context.Context, cfg Config) (int64, error) {
	r, err := OpenReader(cfg)
	if err != nil {
		return 0, err
	}
	defer r.Close()
	var removed atomic.Int64
	err = r.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		for cursor := uint64(0); ; {
			keys, next, err := c.Scan(ctx, cursor, r.keys.below()+"*", dropKeys).Result()
			if err != nil {
				return err
			}
			n, err := deleteKeys(ctx, c, keys)
			removed.Add(n)
			if cursor = next; err != nil || cursor == 0 {
				return err
			}
		}
	})
	if err != nil {
		return removed.Load(), fmt.Errorf("redis: drop %s: %w", r.keys, err)
	}
	return removed.Load(), nil
}

// deleteKeys removes keys of one node, each by a command of its own because they have different slots in a cluster. It
// uses DEL and not UNLINK, because the users that docs/REDIS.md grants may call only the former.
func deleteKeys(ctx context.Context, c *redis.Client, keys []string) (removed int64, err error) {
	if len(keys) == 0 {
		return 0, nil
	}
	answers, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, k := range keys {
			p.Del(ctx, k)
		}
		return nil
	})
	for _, a := range answers {
		if n, ok := a.(*redis.IntCmd); ok {
			removed += n.Val()
		}
	}
	return removed, err
}
