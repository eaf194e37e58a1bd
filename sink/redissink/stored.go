package redissink

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"sync"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// stored is the version of a player in Redis, from the player's hash or else from the tombstone.
type stored struct {
	seq, whole int64  // 0 if missing or no number
	current    bool   // there is a hash, not a tombstone
	observed   string // for push.lua: replace everything only if this is still stored
}

// otherType is the observed version of a player with a key that is no hash.
const otherType = "a key of another type"

// roundTripMax bounds how many players or keys one round trip asks for.
const roundTripMax = 1000

func (r *Reader) storedVersions(
	ctx context.Context, side schemas.Side, ids []int64,
) (map[int64]stored, error) {
	found := make(map[int64]stored, len(ids))
	for some := range slices.Chunk(ids, roundTripMax) {
		results, _ := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, id := range some {
				p.HMGet(ctx, r.keys.of(schemas.PlayerKey{Side: side, PlayerID: id}), "seq", "whole")
				p.HMGet(ctx, r.keys.gone(side, id), "seq", "whole")
			}
			return nil
		})
		for _, result := range results {
			// A player whose key has another type counts as missing, because the repair removes that key.
			if err := result.Err(); err != nil && !isWrongType(err) {
				return nil, fmt.Errorf("redis: %vs: %w", side, err)
			}
		}
		for i, id := range some {
			found[id] = versionOf(results[2*i].(*redis.SliceCmd), results[2*i+1].(*redis.SliceCmd))
		}
	}
	return found, nil
}

func versionOf(player, gone *redis.SliceCmd) stored {
	if player.Err() != nil || gone.Err() != nil {
		return stored{observed: otherType}
	}
	seq, whole := versionTexts(player)
	current := seq != ""
	if !current {
		seq, whole = versionTexts(gone)
	}
	return stored{number(seq), number(whole), current, seq + ":" + whole}
}

func versionTexts(cmd *redis.SliceCmd) (seq, whole string) {
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

// scan walks through the whole database, which takes about half a second for half a million keys. It returns
// the games of every player of a side that has any key, and the keys that begin like a player's but belong to
// none, as {007} does.
func (r *Reader) scan(
	ctx context.Context, side schemas.Side,
) (games map[int64][]string, strays []string, err error) {
	games = map[int64][]string{}
	err = r.eachKey(ctx, r.keys.below(side.String()+":"), func(key string) {
		of, ok := r.keys.collect(side, games, key)
		if !ok || key != r.keys.of(of) {
			strays = append(strays, key)
		}
	})
	slices.Sort(strays)
	return games, slices.Compact(strays), err
}

// collect adds the game of a key to those of its player. The key of a player adds the player, with no game.
func (k keys) collect(
	side schemas.Side, games map[int64][]string, key string,
) (of schemas.PlayerKey, ok bool) {
	if of, ok = k.parse(side, key); !ok {
		return of, false
	}
	list := games[of.PlayerID]
	if of.GamePK != "" {
		list = append(list, of.GamePK)
	}
	games[of.PlayerID] = list
	return of, true
}

// all returns every player of a side with a key, also one with tombstones only, and the games that have a
// key.
func (r *Reader) all(
	ctx context.Context, side schemas.Side,
) (ids map[int64]bool, games map[int64][]string, err error) {
	if games, _, err = r.scan(ctx, side); err != nil {
		return nil, nil, err
	}
	ids = make(map[int64]bool, len(games))
	for id := range games {
		ids[id] = true
	}
	err = r.eachKey(ctx, r.keys.below(goneOf(side)), func(key string) {
		if id, ok := r.keys.parseGone(side, key); ok {
			ids[id] = true
		}
	})
	return ids, games, err
}

// eachKey calls f with every key of a pattern, one call at a time. It may name a key twice.
func (r *Reader) eachKey(ctx context.Context, pattern string, f func(key string)) error {
	var mu sync.Mutex // serializes f
	err := r.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
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

// Drop removes every key below cfg.Prefix, whatever its type, and returns how many it removed. Call it for a
// prefix that no processor writes to any more: a key written during the drop may stay, a key that was there
// before never does.
func Drop(ctx context.Context, cfg Config) (removed int64, err error) {
	r, err := OpenReader(cfg)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }()
	var found []string
	err = r.eachKey(ctx, r.keys.below(""), func(key string) { found = append(found, key) })
	for some := range slices.Chunk(found, roundTripMax) {
		if err != nil {
			break
		}
		var answers []redis.Cmder
		// One DEL for each key, because the keys have different slots in a cluster. UNLINK is no choice, because
		// the users that docs/REDIS.md describes may call only DEL.
		answers, err = r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range some {
				p.Del(ctx, key)
			}
			return nil
		})
		for _, a := range answers {
			removed += a.(*redis.IntCmd).Val()
		}
	}
	if err != nil {
		return removed, fmt.Errorf("redis: drop %s: %w", r.keys, err)
	}
	return removed, nil
}
