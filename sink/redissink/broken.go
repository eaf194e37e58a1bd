package redissink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// batterKeys are all keys of one batter, as they were read. The batter's own is read last, so that no push in
// between makes a game or a tombstone newer than it.
type batterKeys struct {
	id      int64
	gamePKs []string
	games   []*redis.MapStringStringCmd
	gone    *redis.MapStringStringCmd
	batter  *redis.MapStringStringCmd
}

// findBroken returns those of the batters of whose keys one cannot be parsed, or is newer than the batter.
// games are the games whose keys it reads, with those of the batter: some 100 MB for two hundred thousand.
func findBroken(
	ctx context.Context, r *Reader, ids map[int64]bool, games map[int64][]string,
) (map[int64]bool, error) {
	found := map[int64]bool{}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(ids)), maxSnapshots) {
		read := make([]batterKeys, len(some))
		if err := pipelined(ctx, r.client, func(p redis.Pipeliner) {
			for i, id := range some {
				b := batterKeys{id: id, gamePKs: games[id]}
				for _, pk := range b.gamePKs {
					b.games = append(b.games, p.HGetAll(ctx, r.keys.game(id, pk)))
				}
				b.gone, b.batter = p.HGetAll(ctx, r.keys.gone(id)), p.HGetAll(ctx, r.keys.batter(id))
				read[i] = b
			}
		}); err != nil {
			return nil, fmt.Errorf("redis: batters: %w", err)
		}
		for _, b := range read {
			// guard: what no reader can parse is found
			if key, err := b.whyBroken(r.keys); err != nil {
				r.cfg.Log.Warn("a key of ours in Redis held what no processor writes: writing it anew",
					"key", key, "error", err)
				found[b.id] = true
			}
		}
	}
	return found, nil
}

var errNewer = errors.New("its sequence number is not one of this batter")

// whyBroken returns a key that no processor wrote as it is, and why.
func (b batterKeys) whyBroken(k keys) (key string, err error) {
	batter, err := parseState(b.batter)
	if err != nil {
		return k.batter(b.id), err
	}
	limit := int64(0)
	if batter != nil {
		limit = batter.Seq
	} else {
		limit = number(b.gone.Val()["seq"])
	}
	for i, pk := range b.gamePKs {
		game, err := parseState(b.games[i])
		if err == nil && game != nil && game.Seq > limit {
			err = errNewer
		}
		if err != nil {
			return k.game(b.id, pk), err
		}
	}
	for field, text := range b.gone.Val() {
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil && field != "whole" && (n < 0 || n > limit) {
			err = errNewer
		}
		if err != nil {
			return k.gone(b.id), fmt.Errorf("field %s: %w", field, err)
		}
	}
	return k.gone(b.id), b.gone.Err()
}
