package pgsink

import (
	"cmp"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// computeAndCommit is the second round trip: lock the batters, compute the batter-games that were touched from their
// rows and the batters by what changed there, read the rows that an identify changed, commit.
func (t *transaction) computeAndCommit() error {
	b := &pgx.Batch{}
	if games := t.touched(); len(games) > 0 {
		batters, gameBatters, gameKeys := splitGames(games)
		t.batters = make(map[int64]*schemas.Snapshot, len(batters))
		b.Queue(sqlLockBatters, batters, t.processedAt().Time())
		b.Queue(sqlComputeGames, gameBatters, gameKeys).Query(t.scanGames)
		b.Queue(sqlFoldBatters, batters)
		b.Queue(sqlReadBatters, batters).Query(t.scanBatters)
	}
	if ids := t.identifiedOnly(); len(ids) > 0 {
		b.Queue(sqlStandingRows, ids).Query(t.scanRows)
	}
	t.queueReplay(b)
	b.Queue("commit")
	return t.send(b)
}

// touched are the groups that a winner counts for, or counted for before.
func (t *transaction) touched() map[batterGame]bool {
	games := map[batterGame]bool{}
	for _, w := range t.winners {
		// guard: what a row counted for before is computed again | w.was -> w.now
		for _, g := range []batterGame{w.now, w.was} {
			if g.Batter.Present {
				games[g] = true
			}
		}
	}
	return games
}

// splitGames gives the batters, each once, and the groups as two arrays; sorted, so that locks are taken in one order.
func splitGames(games map[batterGame]bool) (batters, gameBatters []int64, gameKeys []string) {
	sorted := slices.SortedFunc(maps.Keys(games), func(a, b batterGame) int {
		return cmp.Or(cmp.Compare(a.Batter.Value, b.Batter.Value), cmp.Compare(a.Game, b.Game))
	})
	for _, g := range sorted {
		gameBatters, gameKeys = append(gameBatters, g.Batter.Value), append(gameKeys, g.Game)
	}
	return slices.Compact(slices.Clone(gameBatters)), gameBatters, gameKeys
}

func (t *transaction) scanGames(rows pgx.Rows) error {
	for rows.Next() {
		var batter, seq int64
		var game string
		var s pg.StatsRow
		if err := rows.Scan(s.Into(&batter, &game, &seq)...); err != nil {
			return err
		}
		if game != "" { // rows without a game count for their batter only
			snap := t.snapshot(batter)
			snap.Games = append(snap.Games, schemas.GameStats{GamePK: game, Seq: seq, Stats: s.Stats()})
		}
	}
	return rows.Err()
}

func (t *transaction) scanBatters(rows pgx.Rows) error {
	for rows.Next() {
		var batter, seq, prev int64
		var s pg.StatsRow
		if err := rows.Scan(s.Into(&batter, &seq, &prev)...); err != nil {
			return err
		}
		snap := t.snapshot(batter)
		snap.Seq, snap.PrevSeq, snap.Stats = seq, prev, s.Stats()
	}
	return rows.Err()
}

// identifiedOnly are the standing pitches whose row changed though no measured version came: their row is read back.
func (t *transaction) identifiedOnly() [][16]byte {
	measured := map[schemas.PitchID]bool{}
	for _, w := range t.winners {
		if !w.identified {
			measured[w.change.PitchID] = true
		}
	}
	var ids [][16]byte
	for _, w := range t.winners {
		if w.identified && w.standing && !measured[w.change.PitchID] {
			ids = append(ids, w.change.PitchID)
		}
	}
	return ids
}

func (t *transaction) scanRows(rows pgx.Rows) error {
	t.rows = map[schemas.PitchID]*schemas.StoredRow{}
	for rows.Next() {
		r, err := pg.ScanRow(rows)
		if err != nil {
			return err
		}
		t.rows[r.PitchID] = r
	}
	return rows.Err()
}

// outcome is what Apply answers, after the commit.
func (t *transaction) outcome() schemas.Outcome {
	out := schemas.Outcome{Refused: t.refused}
	measured, identified := 0, 0
	byPitch := map[schemas.PitchID]*schemas.Change{}
	for _, w := range t.winners {
		if w.identified {
			identified++
			byPitch[w.change.PitchID] = w.change
		} else {
			measured++
		}
	}
	for _, w := range t.winners {
		if !w.identified {
			if c := byPitch[w.change.PitchID]; c != nil { // the identify of this batch stands over what stood before
				w.ids, w.identifiedBy = c.IDs, schemas.Some(c.Version)
			}
			out.Published = append(out.Published, t.published(w))
		}
	}
	for id, row := range t.rows {
		out.Published = append(out.Published, schemas.Published{PitchID: id, Row: row, Version: row.Version(), Identified: schemas.Some(byPitch[id].Version)})
	}
	slices.SortFunc(out.Published, func(a, b schemas.Published) int { return slices.Compare(a.PitchID[:], b.PitchID[:]) })
	for _, id := range slices.Sorted(maps.Keys(t.batters)) {
		out.Snapshots = append(out.Snapshots, *t.batters[id])
	}
	out.Superseded = t.brought() - measured - identified - len(t.refused)
	return out
}

// published is the row as it now stands: measured by this batch, with the game feed's identifiers over its own.
func (t *transaction) published(w winner) schemas.Published {
	c, ids := w.change, w.ids
	p := schemas.Published{PitchID: c.PitchID, Version: c.Version, Identified: w.identifiedBy}
	if c.Op == schemas.OpDelete {
		return p
	}
	row := schemas.StoredRow{Row: *c.Row, Provenance: schemas.ProvenanceOf(*c, t.cfg.CoreVersion, t.cfg.Build, t.processedAt())}
	row.BatterID = over(ids.BatterID, row.BatterID)
	row.PitcherID = over(ids.PitcherID, row.PitcherID)
	row.TeamID = over(ids.TeamID, row.TeamID)
	p.Row = &row
	return p
}

func over(named, measured schemas.Opt[int64]) schemas.Opt[int64] {
	if named.Present {
		return named
	}
	return measured
}

func (t *transaction) brought() int {
	n := 0
	for _, p := range t.batch.Pitches {
		n += len(p.Measured)
		if p.Identified != nil {
			n++
		}
	}
	return n
}
