package redissink

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Remove deletes every key below cfg.Prefix, whatever it holds: of a prefix that only the caller writes to.
func Remove(ctx context.Context, cfg Config) error {
	r, err := OpenReader(cfg)
	if err != nil {
		return err
	}
	defer r.Close()
	return r.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		it := c.Scan(ctx, 0, r.keys.below()+"*", 1000).Iterator()
		for it.Next(ctx) {
			if err := c.Unlink(ctx, it.Val()).Err(); err != nil {
				return fmt.Errorf("redis: %w", err)
			}
		}
		if err := it.Err(); err != nil {
			return fmt.Errorf("redis: keys: %w", err)
		}
		return nil
	})
}
