package redissink

import (
	"context"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// part is one key and what should stand there.
type part struct {
	key       string
	batter    int64
	gamePK    string            // "" for the batter himself
	seq       int64             // of the right state
	known     bool              // Postgres has heard of it
	want      map[string]string // nil: nothing
	stats     *schemas.Stats
	updatedAt schemas.TimeMS // of the batter
}

func (p part) seqText() string { return strconv.FormatInt(p.seq, 10) }

// parts are the keys of some batters: those that Postgres asks for, and those of games that have a key.
func (a *audit) parts(ctx context.Context, ids []int64, games map[int64][]string) (parts []part, err error) {
	snaps, err := a.src.BatterSnapshots(ctx, ids)
	if err != nil {
		return nil, ofSource(err)
	}
	known := map[int64]schemas.Snapshot{}
	for _, snap := range snaps {
		known[snap.BatterID] = snap
	}
	for _, id := range ids {
		snap, ok := known[id]
		batter := part{key: a.keys.batter(id), batter: id, seq: snap.Seq, known: ok, stats: snap.Stats, updatedAt: snap.UpdatedAt}
		parts = append(parts, batter)
		has := map[string]bool{"": true}
		for _, g := range snap.Games {
			has[g.GamePK] = true
			parts = append(parts, part{key: a.keys.game(id, g.GamePK), batter: id, gamePK: g.GamePK, seq: g.Seq, known: true, stats: g.Stats, updatedAt: snap.UpdatedAt})
		}
		for _, pk := range games[id] {
			if !has[pk] {
				has[pk] = true // SCAN may name a key twice
				parts = append(parts, part{key: a.keys.game(id, pk), batter: id, gamePK: pk, seq: snap.Seq, known: ok})
			}
		}
	}
	for i := range parts {
		if err := parts[i].encode(); err != nil {
			return nil, fmt.Errorf("redis: %s: %w", parts[i].key, err)
		}
	}
	return parts, nil
}

// encode fills in want.
func (p *part) encode() error {
	if p.stats == nil {
		return nil
	}
	fields, err := encode(*p.stats, p.updatedAt)
	if err != nil {
		return err
	}
	p.want = make(map[string]string, len(fields)/2+2)
	for i := 0; i < len(fields); i += 2 {
		p.want[fields[i].(string)] = fields[i+1].(string)
	}
	p.want["seq"] = p.seqText()
	if p.gamePK == "" {
		p.want["whole"] = p.seqText()
	}
	return nil
}

// observed is what stands under a key.
type observed struct {
	kind string // its type; "none" for nothing
	hash map[string]string
}

func (o observed) seq() string { return o.hash["seq"] }

func (o observed) equal(p observed) bool { return o.kind == p.kind && maps.Equal(o.hash, p.hash) }

// observeMaxKeys is how many keys of 1 kB are read in one round trip.
const observeMaxKeys = 1000

func (a *audit) observe(ctx context.Context, parts []part) ([]observed, error) {
	out := make([]observed, 0, len(parts))
	for some := range slices.Chunk(parts, observeMaxKeys) {
		results, _ := a.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, part := range some {
				p.HGetAll(ctx, part.key)
			}
			return nil
		})
		for i, r := range results {
			o := observed{kind: "hash", hash: r.(*redis.MapStringStringCmd).Val()}
			err := r.Err()
			switch {
			case redis.HasErrorPrefix(err, "WRONGTYPE"):
				if o.kind, err = a.client.Type(ctx, some[i].key).Result(); err != nil {
					return nil, fmt.Errorf("redis: %s: %w", some[i].key, err)
				}
			case err != nil:
				return nil, fmt.Errorf("redis: %s: %w", some[i].key, err)
			case len(o.hash) == 0:
				o.kind = "none"
			}
			out = append(out, o)
		}
	}
	return out, nil
}

// count adds a key to the sums.
func (a *audit) count(p part, is observed) {
	if p.want != nil || is.kind != "none" {
		a.rep.Keys++
	}
	postgres, inRedis := &a.rep.Postgres, &a.rep.Redis
	if p.gamePK != "" {
		postgres, inRedis = &a.rep.PostgresGames, &a.rep.RedisGames
	}
	postgres.Add(p.stats)
	if is.kind == "hash" {
		n := func(field string) int64 { return number(is.hash[field]) }
		inRedis.Add(&schemas.Stats{Pitches: n("pitches"), SwingCount: n("swing_count"), WhiffCount: n("whiff_count"), ContactCount: n("contact_count"), HardHitCount: n("hard_hit_count")})
	}
}

// compare gives what differs of a key, nil for nothing.
func (p part) compare(is observed) *schemas.Difference {
	d := schemas.Difference{Kind: schemas.DiffersContent, Key: p.key, BatterID: &p.batter, GamePK: p.gamePK}
	switch {
	case is.kind == "none" && p.want == nil:
		return nil
	case is.kind == "none":
		d.Kind = schemas.DiffersMissing
		return &d
	case p.want == nil:
		d.Kind = schemas.DiffersExtra
		return &d
	case is.kind != "hash":
		d.Kind, d.Fields = schemas.DiffersType, []schemas.FieldDifference{{Name: "type", Want: "hash", Got: is.kind}}
		return &d
	}
	fields := maps.Clone(is.hash)
	maps.Copy(fields, p.want)
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if want, has := p.want[field]; !p.same(field, is.hash) {
			if !has {
				want = "no such field"
			}
			d.Fields = append(d.Fields, schemas.FieldDifference{Name: field, Want: want, Got: is.hash[field]})
		}
	}
	if len(d.Fields) == 0 {
		return nil
	}
	switch got := number(is.seq()); {
	case got > 0 && got < p.seq:
		d.Kind = schemas.DiffersOlder
	case got > p.seq:
		d.Kind = schemas.DiffersNewer
	}
	return &d
}

// same compares a field. Two of them have more than one right value: whole says up to where nothing was missed, and
// may be behind until a sweep has looked; updated_at of a game is the time of its last change or of a later mend.
func (p part) same(field string, hash map[string]string) bool {
	want, has := p.want[field]
	got, stands := hash[field]
	switch {
	case has && stands && field == "whole":
		n, err := strconv.ParseInt(got, 10, 64)
		return err == nil && -1 <= n && n <= p.seq
	case has && stands && field == "updated_at" && p.gamePK != "":
		return p.plausible(got)
	}
	return has == stands && want == got
}

// clockSkew is how far the clocks of processors and of Postgres may be apart, and how long a transaction may take.
const clockSkew = 10 * time.Minute

// plausible reports a time as it is written here, between the game's last change (its sequence number is a time in
// microseconds) and the batter's.
func (p part) plausible(text string) bool {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || schemas.TimeMSOf(t).String() != text {
		return false
	}
	return !t.Before(time.UnixMicro(p.seq).Add(-clockSkew)) && !t.After(p.updatedAt.Time().Add(clockSkew))
}

// scanAll looks at all keys that begin as a batter's does: the games of every batter, and the keys that are nobody's.
func (a *audit) scanAll(ctx context.Context) (games map[int64][]string, strays []string, err error) {
	if games, err = a.scan(ctx); err != nil {
		return nil, nil, err
	}
	err = a.eachKey(ctx, strings.TrimSuffix(a.keys.pattern(), "{*")+"*", func(key string) {
		if !a.keys.names(key) {
			strays = append(strays, key)
		}
	})
	slices.Sort(strays)
	return games, slices.Compact(strays), err
}

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
