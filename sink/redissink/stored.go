package redissink

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"
)

// standing is what Redis holds of a batter: his sequence numbers, from his hash or from his tombstone.
type standing struct {
	seq, whole int64  // 0 where missing or no number
	stands     bool   // there is a hash, not a tombstone
	observed   string // what push.lua is to find for replacing everything
}

// standingMaxBatters is how many batters are asked for in one round trip.
const standingMaxBatters = 1000

func (s *Sink) standing(ctx context.Context, ids []int64) (map[int64]standing, error) {
	found := make(map[int64]standing, len(ids))
	for some := range slices.Chunk(ids, standingMaxBatters) {
		results, _ := s.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, id := range some {
				p.HMGet(ctx, s.keys.batter(id), "seq", "whole")
				p.HMGet(ctx, s.keys.gone(id), "seq", "whole")
			}
			return nil
		})
		for _, r := range results {
			// A key of another type is in the way of a batter, who then counts as missing: a mend removes it.
			if err := r.Err(); err != nil && !redis.HasErrorPrefix(err, "WRONGTYPE") {
				return nil, fmt.Errorf("redis: batters: %w", err)
			}
		}
		for i, id := range some {
			found[id] = standingOf(results[2*i].(*redis.SliceCmd), results[2*i+1].(*redis.SliceCmd))
		}
	}
	return found, nil
}

func standingOf(batter, gone *redis.SliceCmd) standing {
	if batter.Err() != nil || gone.Err() != nil {
		return standing{observed: "something in the way"}
	}
	seq, whole := pair(batter)
	stands := seq != ""
	if !stands {
		seq, whole = pair(gone)
	}
	return standing{number(seq), number(whole), stands, seq + ":" + whole}
}

func pair(cmd *redis.SliceCmd) (seq, whole string) {
	if v := cmd.Val(); len(v) == 2 {
		seq, _ = v[0].(string)
		whole, _ = v[1].(string)
	}
	return seq, whole
}

func number(text string) int64 {
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// scan looks at all keys and gives the games of every batter that has any key. It walks through the whole database:
// about half a second for half a million keys.
func (s *Sink) scan(ctx context.Context) (map[int64][]string, error) {
	found := map[int64][]string{}
	err := s.eachKey(ctx, s.keys.pattern(), func(key string) {
		if id, gamePK, ok := s.keys.parse(key); ok && gamePK != "" {
			found[id] = append(found[id], gamePK)
		} else if ok {
			found[id] = slices.Clip(found[id])
		}
	})
	return found, err
}

// eachKey calls f with every key of a pattern, one at a time; it may name a key twice.
func (s *Sink) eachKey(ctx context.Context, pattern string, f func(key string)) error {
	var mu sync.Mutex
	err := s.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		it := c.Scan(ctx, 0, pattern, 1000).Iterator()
		for it.Next(ctx) {
			mu.Lock()
			f(it.Val())
			mu.Unlock()
		}
		return it.Err()
	})
	if err != nil {
		return fmt.Errorf("redis: keys: %w", err)
	}
	return nil
}
