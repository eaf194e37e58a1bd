package pgsink

// The second half of a transaction computes the aggregates of the batters and of the pitchers that the
// written rows touch, one side after the other, by the same steps.
//
// A batter-game is computed again from its rows, about twenty, which keeps it exact whatever happened to
// them. A batter's career is too long for that. It moves by the differences of the batter-games, and is
// folded from all batter-games only where differences are not enough (sql/compute_games.sql,
// sql/fold_batters.sql). Those of pitchers are sql/compute_pitchers.sql and sql/fold_pitchers.sql.
//
// Facts that are not obvious:
//   - The players of a side are locked first, sorted by id. The statements after the lock see everything
//     that other transactions have committed, so that no two transactions compute a batter from rows that
//     the other cannot see.
//   - A row may have moved from one batter or game to another. Both are computed, with "was" from before the
//     upsert.
//   - The lock gives each player a new sequence number, greater than the last and not below the clock in
//     microseconds. It rises even after a restore of an older backup, so that a projection never takes an old
//     snapshot for a new one.

import (
	"cmp"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var sqlCurrentRows = `SELECT ` + pg.RowColumns + ` FROM {schema}.pitches WHERE pitch_id = ANY ($1::uuid[]) ORDER BY pitch_id`

var sqlCountReplay = statement("count_replay")

const sqlLastPitches = `SELECT last_pitch_id FROM {schema}.{side}_totals WHERE {side}_id = ANY ($1::bigint[])
	UNION SELECT g.last_pitch_id FROM unnest($2::bigint[], $3::text[]) AS t({side}_id, game_key)
		JOIN {schema}.{side}_game_totals AS g USING ({side}_id, game_key)`

// computeAndCommit is the second round trip. It computes the aggregates, reads the rows that an identify
// changed, counts the records of a replay, and commits.
func (t *transaction) computeAndCommit() error {
	b := &pgx.Batch{}
	last := &pgx.Batch{}
	for _, side := range schemas.Sides {
		if games := t.touched(side); len(games) > 0 {
			players, gamePlayers, gameKeys := groupArrays(games)
			t.queueTotals(b, side, totalsOfArrays[side], players, gamePlayers, gameKeys)
			t.queueLastScores(last, side, players, gamePlayers, gameKeys)
		}
	}
	t.queueIdentified(b)
	t.stage.queue(b, t.processedAt().Time())
	// guard: scores: a last pitch is sent with its scores | t.stage.scores != nil -> false
	if t.stage.scores != nil { // else no version scores, or nothing won
		b.QueuedQueries = append(b.QueuedQueries, last.QueuedQueries...)
	}
	t.queueReplay(b)
	b.Queue("commit")
	return t.send(b)
}

// queueTotals computes the totals of some players of a side, in the order that the statements need.
func (t *transaction) queueTotals(
	b *pgx.Batch, side schemas.Side, sql totalsStatements, players any, games ...any,
) {
	b.Queue(sql.lock, players, t.processedAt().Time())
	b.Queue(sql.compute, games...).Query(func(rows pgx.Rows) error { return t.scanGames(side, rows) })
	if sql.whole != "" {
		b.Queue(sql.whole, players)
	}
	b.Queue(sql.fold, players)
	b.Queue(sql.read, players).Query(func(rows pgx.Rows) error { return t.scanPlayers(side, rows) })
}

// queueLastScores reads the scores of the last pitches of players, and of some of their games. It comes after
// the totals, and after the scores that the transaction writes.
func (t *transaction) queueLastScores(b *pgx.Batch, side schemas.Side, players []int64, games ...any) {
	args := append([]any{players}, games...)
	pg.QueueLastScores(b, t.lastScores, fillSide(side, sqlLastPitches), args...)
}

// touched returns the games of a side's players that a winner counts for, or counted for before.
func (t *transaction) touched(side schemas.Side) (games []schemas.PlayerGame) {
	for _, w := range t.winners {
		// guard: what a row counted for before is computed again | w.was -> w.now
		for _, g := range []groups{w.now, w.was} {
			if player := g.players[side]; player.Present {
				games = append(games, schemas.PlayerGame{Side: side, PlayerID: player.Value, GamePK: g.game})
			}
		}
	}
	return games
}

// groupArrays sorts the games of players in place and returns the players, and the games as two arrays, each
// once.
func groupArrays(games []schemas.PlayerGame) (players, gamePlayers []int64, gameKeys []string) {
	slices.SortFunc(games, func(a, b schemas.PlayerGame) int {
		return cmp.Or(cmp.Compare(a.PlayerID, b.PlayerID), cmp.Compare(a.GamePK, b.GamePK))
	})
	games = slices.Compact(games)
	gamePlayers = schemas.Map(games, func(g schemas.PlayerGame) int64 { return g.PlayerID })
	gameKeys = schemas.Map(games, func(g schemas.PlayerGame) string { return g.GamePK })
	return slices.Compact(slices.Clone(gamePlayers)), gamePlayers, gameKeys
}

func (t *transaction) scanGames(side schemas.Side, rows pgx.Rows) error {
	return pg.EachGame(side, rows, func(player int64, g schemas.GameStats) {
		if g.GamePK != "" { // rows without a game count for their player only
			snap := t.snapshot(side, player)
			snap.Games = append(snap.Games, g)
		}
	})
}

func (t *transaction) scanPlayers(side schemas.Side, rows pgx.Rows) error {
	var player, seq, prev int64
	sums := pg.NewSums(side)
	into := sums.Into(&player, &seq, &prev)
	return pg.Each(rows, func() error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		var overall schemas.GameStats
		sums.Fill(&overall)
		snap := t.snapshot(side, player)
		snap.Seq, snap.PrevSeq = seq, prev
		snap.Stats, snap.Pitching = overall.Stats, overall.Pitching
		return nil
	})
}

// snapshot returns the snapshot of a player that is being assembled.
func (t *transaction) snapshot(side schemas.Side, player int64) *schemas.Snapshot {
	key := schemas.PlayerKey{Side: side, PlayerID: player}
	snap := t.players[key]
	if snap == nil {
		snap = &schemas.Snapshot{Side: side, PlayerID: player, UpdatedAt: t.processedAt()}
		t.players[key] = snap
	}
	return snap
}

// snapshots returns the assembled snapshots, sorted by side and player.
func (t *transaction) snapshots() (all []schemas.Snapshot) {
	bySide := func(a, b schemas.PlayerKey) int {
		return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.PlayerID, b.PlayerID))
	}
	for _, key := range slices.SortedFunc(maps.Keys(t.players), bySide) {
		t.players[key].ShowScores(t.lastScores)
		all = append(all, *t.players[key])
	}
	return all
}

// onlyIdentified returns the current pitches that an identify of this batch changed and no measured version.
// Their rows must be read, because the batch does not have them.
func (t *transaction) onlyIdentified() (ids [][16]byte) {
	measured := map[schemas.PitchID]bool{}
	for _, w := range t.winners {
		measured[w.change.PitchID] = measured[w.change.PitchID] || !w.isIdentify()
	}
	for _, w := range t.winners {
		if w.isIdentify() && w.current && !measured[w.change.PitchID] {
			ids = append(ids, w.change.PitchID)
		}
	}
	return ids
}

// queueIdentified reads the rows of the pitches that only an identify changed, unless they were read to be
// scored.
func (t *transaction) queueIdentified(b *pgx.Batch) {
	ids := t.onlyIdentified()
	if len(ids) == 0 || t.rows != nil {
		return
	}
	b.Queue(sqlCurrentRows, ids).Query(func(rows pgx.Rows) (err error) {
		t.rows, err = pgx.CollectRows(rows, pg.ScanRow)
		return err
	})
}

// queueReplay counts the fates of a replay's records. The positions are locked by now. So an earlier attempt
// of this batch that got no answer has been counted already, or never will be.
func (t *transaction) queueReplay(b *pgx.Batch) {
	r := t.batch.Replay
	if r == nil || len(r.Records) == 0 {
		return
	}
	took := make(map[schemas.Register]bool, len(t.winners))
	for _, w := range t.winners {
		took[schemas.RegisterOf(w.change)] = true
	}
	refused := map[schemas.Register]bool{}
	for i := range t.refused {
		refused[schemas.RegisterOf(&t.refused[i].Change)] = true
	}
	n := len(r.Records)
	partitions, offsets, fates := make([]int32, n), make([]int64, n), make([]int16, n)
	for i, fate := range r.Fates(took, refused) {
		partitions[i], offsets[i], fates[i] = r.Records[i].Partition, r.Records[i].Offset, int16(fate)
	}
	b.Queue(sqlCountReplay, r.ID, partitions, offsets, fates)
}

// lost returns the pitches of which no measured version of the batch was written, and that are not published
// for their identify.
func (t *transaction) lost() map[schemas.PitchID]*schemas.PitchChanges {
	missing := 0
	for i := range t.batch.Pitches {
		if len(t.batch.Pitches[i].Measured) > 0 {
			missing++
		}
	}
	for i := range t.winners {
		if !t.winners[i].isIdentify() {
			missing--
		}
	}
	if missing == 0 {
		return nil
	}
	lost := map[schemas.PitchID]*schemas.PitchChanges{}
	for i := range t.batch.Pitches {
		if p := &t.batch.Pitches[i]; len(p.Measured) > 0 {
			lost[p.PitchID] = p
		}
	}
	for i := range t.winners {
		if w := &t.winners[i]; !w.isIdentify() || w.current {
			delete(lost, w.change.PitchID)
		}
	}
	return lost
}

// outcome returns the result of Apply, after the commit. more are published besides those that t has written.
func (t *transaction) outcome(more []schemas.Published) schemas.Outcome {
	out := schemas.Outcome{Refused: t.refused, Snapshots: t.snapshots()}
	for _, p := range t.batch.Pitches {
		out.Superseded += len(p.Measured) + len(p.Identified)
	}
	out.Superseded -= len(t.winners) + len(t.refused)
	out.Published = t.current()
	for i := range out.Published {
		out.Published[i].Scores = t.stage.scores[out.Published[i].PitchID]
	}
	out.Published = append(out.Published, more...)
	slices.SortFunc(out.Published, func(a, b schemas.Published) int {
		return slices.Compare(a.PitchID[:], b.PitchID[:])
	})
	return out
}

// current returns the pitches that this transaction has written, as they are now. The rows that only an
// identify changed must have been read.
func (t *transaction) current() (all []schemas.Published) {
	identify := map[schemas.PitchID]*schemas.Change{}
	for _, w := range t.winners {
		if w.isIdentify() {
			identify[w.change.PitchID] = w.change
		}
	}
	for _, w := range t.winners {
		if w.isIdentify() {
			continue
		}
		if c := identify[w.change.PitchID]; c != nil { // written after the measured register
			w.ids, w.identifiedBy = c.IDs, schemas.Some(c.Version)
		}
		all = append(all, t.published(w))
	}
	for _, row := range t.rows {
		all = append(all, schemas.Published{
			PitchID: row.PitchID, Row: &row, Version: row.Version(), CoreVersion: row.CoreVersion,
			Identified: schemas.Some(identify[row.PitchID].Version),
		})
	}
	return all
}

// published returns the current row of a winner: its measures, with the game feed's identifiers over its own.
func (t *transaction) published(w winner) schemas.Published {
	c := w.change
	p := schemas.Published{
		PitchID: c.PitchID, Version: c.Version, CoreVersion: t.cfg.CoreVersion, Identified: w.identifiedBy,
	}
	if c.Op == schemas.OpDelete {
		return p
	}
	p.Row = &schemas.StoredRow{
		Row: *c.Row, Provenance: schemas.ProvenanceOf(*c, t.cfg.CoreVersion, t.cfg.Build, t.processedAt()),
	}
	w.ids.NameIn(&p.Row.Row)
	return p
}
