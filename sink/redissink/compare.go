package redissink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// compareVersions returns how a player in Redis differs from Postgres, read before and after Redis: one of
// the Differs constants of schemas, "" for not at all. known reports whether Postgres has ever seen the
// player.
func compareVersions(before, after schemas.PlayerSeq, known bool, r stored) string {
	switch {
	case !known:
		return schemas.DiffersExtra
	case r.whole < 0:
		return schemas.DiffersNewer
	}
	kind := compareSeqs(min(r.seq, r.whole), max(r.seq, r.whole), before.Seq, after.Seq)
	if kind == "" && r.seq == after.Seq && r.current != after.HasRows {
		return schemas.DiffersContent
	}
	return kind
}

// compareSeqs returns whether sequence numbers in Redis exceed the bounds that Postgres sets: newer, older,
// or "".
func compareSeqs(lowest, highest, atLeast, atMost int64) string {
	switch {
	case highest > atMost:
		return schemas.DiffersNewer
	case lowest < atLeast:
		return schemas.DiffersOlder
	}
	return ""
}

// currentStates reads the whole current states of a side's players, in the order of ids. A player that
// Postgres does not know gets a snapshot with Seq 0. Games that have a key but are unknown to Postgres are
// added as gone.
func currentStates(
	ctx context.Context, src Source, side schemas.Side, ids []int64, games map[int64][]string,
) ([]schemas.Snapshot, error) {
	list, err := src.PlayerSnapshots(ctx, side, ids)
	if err != nil {
		return nil, ofSource(err)
	}
	known := make(map[int64]schemas.Snapshot, len(list))
	for _, snap := range list {
		known[snap.PlayerID] = snap
	}
	states := make([]schemas.Snapshot, len(ids))
	for i, id := range ids {
		snap := known[id]
		snap.Side, snap.PlayerID = side, id
		has := map[string]bool{"": true}
		for _, g := range snap.Games {
			has[g.GamePK] = true
		}
		for _, pk := range games[id] {
			if !has[pk] {
				has[pk] = true // because SCAN may name a key twice
				snap.Games = append(snap.Games, schemas.GameStats{GamePK: pk, Seq: snap.Seq})
			}
		}
		states[i] = snap
	}
	return states, nil
}

// part is one key and its right content.
type part struct {
	key       string
	id        schemas.PlayerKey
	seq       int64             // of the right state
	known     bool              // Postgres has seen the player
	want      map[string]string // nil: the key must not exist
	stats     schemas.GameStats
	updatedAt schemas.TimeMS // of the player
}

func (p part) seqText() string { return strconv.FormatInt(p.seq, 10) }

// partsOf returns the keys of a player with their right contents: first the player, then the games.
func partsOf(k keys, snap schemas.Snapshot) (parts []part, err error) {
	for _, g := range append([]schemas.GameStats{snap.Overall()}, snap.Games...) {
		id := schemas.PlayerKey{Side: snap.Side, PlayerID: snap.PlayerID, GamePK: g.GamePK}
		p := part{key: k.of(id), id: id, seq: g.Seq, known: snap.Seq > 0, stats: g, updatedAt: snap.UpdatedAt}
		fields, err := encode(snap.Side, g.Fields(), snap.UpdatedAt)
		if err != nil {
			return nil, fmt.Errorf("redis: %s: %w", p.key, err)
		}
		if fields != nil {
			p.want = map[string]string{"seq": p.seqText()}
			for pair := range slices.Chunk(fields, 2) {
				p.want[pair[0].(string)] = pair[1].(string)
			}
			if id.GamePK == "" {
				p.want["whole"] = p.seqText()
			}
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// observed is the content of a key in Redis.
type observed struct {
	kind string // its type; "none" for no key
	hash map[string]string
}

func (o observed) seq() string { return o.hash["seq"] }

func (o observed) equal(p observed) bool { return o.kind == p.kind && maps.Equal(o.hash, p.hash) }

// observe reads keys, whatever their types.
func observe(ctx context.Context, client redis.UniversalClient, keys []string) ([]observed, error) {
	out := make([]observed, 0, len(keys))
	for some := range slices.Chunk(keys, roundTripMax) {
		results, _ := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for _, key := range some {
				p.HGetAll(ctx, key)
			}
			return nil
		})
		for i, r := range results {
			o := observed{kind: "hash", hash: r.(*redis.MapStringStringCmd).Val()}
			err := r.Err()
			if isWrongType(err) {
				o.kind, err = client.Type(ctx, some[i]).Result()
			} else if len(o.hash) == 0 {
				o.kind = "none"
			}
			if err != nil {
				return nil, fmt.Errorf("redis: %s: %w", some[i], err)
			}
			out = append(out, o)
		}
	}
	return out, nil
}

// compare returns how a key differs, nil for not at all.
func (p part) compare(is observed) *schemas.Difference {
	d := schemas.Difference{Key: p.key, GamePK: p.id.GamePK}
	d.Name(p.id.Side, p.id.PlayerID)
	d.Kind = schemas.DiffersContent
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
		d.Kind, d.Fields = schemas.DiffersType, wrongType(is.kind)
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
	if got := number(is.seq()); got > 0 && got != p.seq {
		d.Kind = compareSeqs(got, got, p.seq, p.seq)
	}
	return &d
}

func wrongType(kind string) []schemas.FieldDifference {
	return []schemas.FieldDifference{{Name: "type", Want: "hash", Got: kind}}
}

// same reports whether a field is right. Two fields have more than one right value. whole may be behind until
// a sweep has compared the player. updated_at of a game is the time of its last change, or of a later repair.
func (p part) same(field string, hash map[string]string) bool {
	want, wanted := p.want[field]
	got, has := hash[field]
	switch {
	case wanted && has && field == "whole":
		n, err := strconv.ParseInt(got, 10, 64)
		return err == nil && -1 <= n && n <= p.seq
	case wanted && has && field == "updated_at" && p.id.GamePK != "":
		// guard: redis: equal times are no difference, whatever the clock | got == want || -> false ||
		return got == want || p.isPlausible(got)
	}
	return wanted == has && want == got
}

// clockSkew bounds how far the clocks of processors and of Postgres may be apart, and how long a transaction
// may take. A clock in another time zone is up to 14 hours off, and its times are no fault of Redis.
const clockSkew = 24 * time.Hour

// isPlausible reports whether text is a time in our format between the game's last change and the player's.
// The game's sequence number is the time of its last change, in microseconds.
func (p part) isPlausible(text string) bool {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil || schemas.TimeMSOf(t).String() != text {
		return false
	}
	// guard: redis: a game changed by a wrong clock is no difference | Add(-clockSkew) -> Add(0)
	return !t.Before(time.UnixMicro(p.seq).Add(-clockSkew)) && !t.After(p.updatedAt.Time().Add(clockSkew))
}
