package redissink

import (
	"context"
	"fmt"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// mendMaxBatters is how many batters are read from Postgres at once: a batter has up to some hundred games of 1 kB.
const mendMaxBatters = 50

// mend writes batters anew. again says that one which had to be replaced was written by somebody else meanwhile.
func (s *Sink) mend(ctx context.Context, src Source, f findings, rep *SweepReport) (again bool, err error) {
	for some := range slices.Chunk(f.mends, mendMaxBatters) {
		snaps, err := s.presentStates(ctx, src, some, f.keys)
		if err != nil {
			return false, err
		}
		calls := make([]call, len(some))
		for i, m := range some {
			if calls[i], err = s.keys.push(snaps[m.id], m.observed); err != nil {
				return false, err
			}
		}
		answers, err := s.run(ctx, scriptPush, calls)
		if err != nil {
			return false, err
		}
		for i, m := range some {
			again = rep.count(m, answers[i] == 0) || again
		}
	}
	return again, nil
}

// count enters one mend into the report; replaced is false where it was only fenced.
func (rep *SweepReport) count(m finding, replaced bool) (again bool) {
	if m.verdict == foreign && !replaced {
		return true
	}
	rep.Mended++
	if m.verdict == foreign {
		rep.Forced++
	}
	if m.unknown {
		rep.Dropped++
	}
	return false
}

// presentStates gives the whole present state of batters: for one unknown to Postgres that nothing stands, and for games
// with a key that Postgres does not know, that they are gone.
func (s *Sink) presentStates(ctx context.Context, src Source, some []finding, keys map[int64][]string) (map[int64]schemas.Snapshot, error) {
	states := map[int64]schemas.Snapshot{}
	var ids []int64
	for _, m := range some {
		states[m.id] = schemas.Snapshot{BatterID: m.id}
		if !m.unknown {
			ids = append(ids, m.id)
		}
	}
	snaps, err := src.BatterSnapshots(ctx, ids)
	if err == nil && len(snaps) != len(ids) {
		err = fmt.Errorf("the source gave %d batters of %d", len(snaps), len(ids))
	}
	if err != nil {
		return nil, ofSource(err)
	}
	for _, snap := range snaps {
		states[snap.BatterID] = snap
	}
	for id, snap := range states {
		states[id] = withoutOrphans(snap, keys[id])
	}
	return states, nil
}

func withoutOrphans(snap schemas.Snapshot, gamePKs []string) schemas.Snapshot {
	has := map[string]bool{}
	for _, g := range snap.Games {
		has[g.GamePK] = true
	}
	for _, pk := range gamePKs {
		if !has[pk] {
			has[pk] = true // SCAN may name a key twice
			snap.Games = append(snap.Games, schemas.GameStats{GamePK: pk, Seq: snap.Seq})
		}
	}
	return snap
}
