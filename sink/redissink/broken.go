package redissink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// playerKeys are all keys of one player, as they were read. The player's own is read last, so that no push in
// between makes a game or a tombstone newer than it.
type playerKeys struct {
	player  schemas.PlayerKey
	gamePKs []string
	games   []*redis.MapStringStringCmd
	gone    *redis.MapStringStringCmd
	overall *redis.MapStringStringCmd
}

// in returns the player in a game.
func (b playerKeys) in(gamePK string) schemas.PlayerKey {
	key := b.player
	key.GamePK = gamePK
	return key
}

// findBroken returns those of a side's players of whose keys one cannot be parsed, or is newer than the
// player. games are the games whose keys it reads, with those of the player: some 100 MB for two hundred
// thousand.
func findBroken(
	ctx context.Context, r *Reader, side schemas.Side, ids map[int64]bool, games map[int64][]string,
) (map[int64]bool, error) {
	found := map[int64]bool{}
	for some := range slices.Chunk(slices.Sorted(maps.Keys(ids)), maxSnapshots) {
		read := make([]playerKeys, len(some))
		if err := pipelined(ctx, r.client, func(p redis.Pipeliner) {
			for i, id := range some {
				b := playerKeys{player: schemas.PlayerKey{Side: side, PlayerID: id}, gamePKs: games[id]}
				for _, pk := range b.gamePKs {
					b.games = append(b.games, p.HGetAll(ctx, r.keys.of(b.in(pk))))
				}
				b.gone, b.overall = p.HGetAll(ctx, r.keys.gone(side, id)), p.HGetAll(ctx, r.keys.of(b.player))
				read[i] = b
			}
		}); err != nil {
			return nil, fmt.Errorf("redis: %vs: %w", side, err)
		}
		for _, b := range read {
			// guard: what no reader can parse is found
			if key, err := b.whyBroken(r.keys); err != nil {
				r.cfg.Log.Warn("a key of ours in Redis held what no processor writes: writing it anew",
					"key", key, "error", err)
				found[b.player.PlayerID] = true
			}
		}
	}
	return found, nil
}

var errNewer = errors.New("its sequence number is not one of this player")

// whyBroken returns a key that no processor wrote as it is, and why.
func (b playerKeys) whyBroken(k keys) (key string, err error) {
	side := b.player.Side
	overall, err := parseState(side, b.overall)
	if err != nil {
		return k.of(b.player), err
	}
	gone := k.gone(side, b.player.PlayerID)
	limit := int64(0)
	if overall != nil {
		limit = overall.Seq
	} else {
		limit = number(b.gone.Val()["seq"])
	}
	for i, pk := range b.gamePKs {
		game, err := parseState(side, b.games[i])
		if err == nil && game != nil && game.Seq > limit {
			err = errNewer
		}
		if err != nil {
			return k.of(b.in(pk)), err
		}
	}
	for field, text := range b.gone.Val() {
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil && field != "whole" && (n < 0 || n > limit) {
			err = errNewer
		}
		if err != nil {
			return gone, fmt.Errorf("field %s: %w", field, err)
		}
	}
	return gone, b.gone.Err()
}
