package redissink

import (
	"context"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// dropAtATime is how many keys one SCAN looks at, and one pipeline removes at most.
const dropAtATime = 1000

// Drop removes every key below the prefix, some at a time, and answers how many there were. It is for a target that
// nobody writes to any more; it never ends with a key left behind that stood there before.
func (s *Sink) Drop(ctx context.Context) (removed int64, err error) {
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`, `^`, `\^`)
	pattern := escape.Replace(string(s.keys)) + "*"
	err = s.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		var cursor uint64
		for {
			keys, next, err := c.Scan(ctx, cursor, pattern, dropAtATime).Result()
			if err != nil {
				return err
			}
			n, err := remove(ctx, c, keys)
			s.mu.Lock()
			removed += n
			s.mu.Unlock()
			if cursor = next; err != nil || cursor == 0 {
				return err
			}
		}
	})
	if err != nil {
		return removed, fmt.Errorf("redis: dropping %s: %w", s.keys, err)
	}
	return removed, nil
}

// remove removes keys one by one: those of a cluster's node have slots of their own.
func remove(ctx context.Context, c *redis.Client, keys []string) (removed int64, err error) {
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
