package redissink

import (
	"context"
	"maps"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// findings are the batters to mend, by id.
type findings struct {
	checked int
	mends   []finding
	keys    map[int64][]string // the games of each batter that has any key, where all keys were looked at
}

type finding struct {
	id       int64
	verdict  verdict
	observed string // what push.lua is to find unchanged
	unknown  bool   // to Postgres
}

func (f findings) foreign() bool {
	return slices.ContainsFunc(f.mends, func(m finding) bool { return m.verdict == foreign })
}

// compare reads Postgres, Redis, and Postgres again where Redis is ahead.
func (s *Sink) compare(ctx context.Context, src Source, deep, all bool) (f findings, err error) {
	if deep {
		if f.keys, err = s.scan(ctx); err != nil {
			return f, err
		}
	}
	before, err := batterSeqs(ctx, src)
	if err != nil {
		return f, err
	}
	ids := slices.Collect(maps.Keys(before))
	for id := range f.keys {
		if _, ok := before[id]; !ok {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	f.checked = len(ids)
	stand, err := s.standing(ctx, ids)
	if err != nil {
		return f, err
	}
	after := before
	if slices.ContainsFunc(ids, func(id int64) bool { return stand[id].seq > before[id].Seq }) {
		if after, err = batterSeqs(ctx, src); err != nil {
			return f, err
		}
	}
	for _, id := range ids {
		_, known := after[id]
		v := judge(before[id], after[id], known, stand[id])
		if v == fine && all {
			v = behind
		}
		if v != fine {
			f.mends = append(f.mends, finding{id, v, stand[id].observed, !known})
		}
	}
	return f, nil
}

func batterSeqs(ctx context.Context, src Source) (map[int64]schemas.BatterSeq, error) {
	list, err := src.BatterSeqs(ctx)
	if err != nil {
		return nil, ofSource(err)
	}
	seqs := make(map[int64]schemas.BatterSeq, len(list))
	for _, b := range list {
		seqs[b.BatterID] = b
	}
	return seqs, nil
}

// verdict is what a comparison says of one batter.
type verdict int

const (
	fine verdict = iota
	// behind: Redis misses something. What it has is right, so that a newer snapshot that comes meanwhile stays.
	behind
	// foreign: Redis has something that Postgres never had, or has lost. Nothing of it counts.
	foreign
)

// judge compares what stands in Redis with Postgres read before it and after it; known says that Postgres has ever heard
// of this batter.
func judge(before, after schemas.BatterSeq, known bool, r standing) verdict {
	switch {
	case !known || r.whole < 0 || max(r.seq, r.whole) > after.Seq:
		return foreign
	case min(r.seq, r.whole) < before.Seq:
		return behind
	case r.seq == after.Seq && r.stands != after.Standing:
		return behind
	}
	return fine
}
