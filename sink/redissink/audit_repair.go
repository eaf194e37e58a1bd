package redissink

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

//go:embed repair.lua
var repairLua string

var scriptRepair = redis.NewScript(repairLua)

// repair writes one key anew, if still stands there what was seen; moved says that it does not.
func (a *audit) repair(ctx context.Context, s *suspect) (moved bool, err error) {
	c := call{name: s.key, keys: []string{s.key, a.keys.gone(s.batter)}}
	tombstone := "seq"
	if s.gamePK != "" {
		tombstone = "game:" + s.gamePK
	}
	if !s.known {
		tombstone = ""
	}
	c.add(s.is.kind, s.is.seq(), tombstone, goneTTL.Milliseconds(), s.seqText(), 2*len(s.want))
	for _, field := range slices.Sorted(maps.Keys(s.want)) {
		value := s.want[field]
		if field == "whole" && a.gamesMissing(s.batter) {
			value = "0" // a sweep will look at all of his games
		}
		c.add(field, value)
	}
	answers, err := a.run(ctx, scriptRepair, []call{c})
	return err == nil && answers[0] != 0, err
}

// gamesMissing reports a game of the batter that differs and is not mended yet.
func (a *audit) gamesMissing(batter int64) bool {
	for _, s := range a.suspects {
		if s.batter == batter && s.gamePK != "" {
			return true
		}
	}
	return false
}

// strays are keys that begin as a batter's and are nobody's: no processor writes such, so one look is enough.
func (a *audit) strays(ctx context.Context, keys []string) error {
	for _, key := range keys {
		a.rep.Keys++
		d := schemas.Difference{Kind: schemas.DiffersExtra, Key: key}
		if a.o.Repair {
			if err := a.client.Del(ctx, key).Err(); err != nil {
				return fmt.Errorf("redis: %s: %w", key, err)
			}
			d.Repaired = true
		}
		a.rep.Differences = append(a.rep.Differences, d)
	}
	return nil
}
