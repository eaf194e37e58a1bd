package pgsink

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"pitchstream/schemas"
)

// chunkRows is how many registers one statement writes: above about a thousand, arrays stop paying.
const chunkRows = 1000

// writeAll moves the positions and writes both registers in one round trip. It fails as a whole.
func (t *transaction) writeAll() error {
	b := &pgx.Batch{}
	b.Queue("begin")
	t.queuePositions(b)
	t.queueLocks(b)
	for _, chunk := range chunks(newest(t.batch.Pitches), chunkRows) {
		t.queueMeasured(b, chunk)
	}
	t.queueIdentified(b)
	return t.send(b)
}

// writeApart does the same where a record cannot be stored: it finds the records that are refused by halving.
func (t *transaction) writeApart() error {
	b := &pgx.Batch{}
	b.Queue("begin")
	t.queuePositions(b)
	t.queueLocks(b)
	t.queueIdentified(b)
	if err := t.send(b); err != nil {
		return err
	}
	for _, chunk := range chunks(newest(t.batch.Pitches), chunkRows) {
		if _, err := t.writeHalving(chunk, false); err != nil {
			return err
		}
	}
	return nil
}

// writeHalving writes what can be written and refuses the rest, one record each; clean says that none was refused. Of a
// half that must hold the bad record, because its sibling did not, the whole need not be tried: one bad row among n
// costs at most 2·log2(n)+1 statements.
func (t *transaction) writeHalving(set []candidate, holdsBad bool) (clean bool, err error) {
	if len(set) == 0 {
		return true, nil
	}
	if !holdsBad || len(set) == 1 {
		err := t.try(set)
		if err == nil {
			return true, nil
		}
		if !isRecordsFault(err) {
			return false, err
		}
		if len(set) == 1 {
			return false, t.refuse(set[0], err)
		}
	}
	left, right := set[:len(set)/2], set[len(set)/2:]
	leftClean, err := t.writeHalving(left, false)
	if err != nil {
		return false, err
	}
	_, err = t.writeHalving(right, leftClean)
	return false, err
}

// refuse notes the refused version; the next lower one of that pitch takes its place.
func (t *transaction) refuse(c candidate, why error) error {
	t.refused = append(t.refused, schemas.Refusal{Change: *c.change(), Reason: reason(why)})
	if c.version+1 == len(c.pitch.Measured) {
		return nil
	}
	_, err := t.writeHalving([]candidate{{pitch: c.pitch, version: c.version + 1}}, false)
	return err
}

// try writes under a savepoint, so that a refused statement takes nothing else with it.
func (t *transaction) try(set []candidate) error {
	had := len(t.winners)
	b := &pgx.Batch{}
	b.Queue("savepoint tried")
	t.queueMeasured(b, set)
	err := t.send(b)
	if err == nil {
		return nil
	}
	t.winners = t.winners[:had]
	if _, back := t.conn.Exec(t.ctx, "rollback to savepoint tried"); back != nil {
		return fmt.Errorf("rolling back after %w: %w", back, err)
	}
	return err
}

func (t *transaction) send(b *pgx.Batch) error { return t.conn.SendBatch(t.ctx, b).Close() }

// candidate is one version of a pitch that may be written.
type candidate struct {
	pitch   *schemas.PitchChanges
	version int
}

func (c candidate) change() *schemas.Change { return &c.pitch.Measured[c.version] }

func newest(pitches []schemas.PitchChanges) []candidate {
	set := make([]candidate, 0, len(pitches))
	for i := range pitches {
		if len(pitches[i].Measured) > 0 {
			set = append(set, candidate{pitch: &pitches[i]})
		}
	}
	return set
}

func chunks[T any](all []T, size int) [][]T {
	var out [][]T
	for len(all) > size {
		out, all = append(out, all[:size:size]), all[size:]
	}
	if len(all) > 0 {
		out = append(out, all)
	}
	return out
}

func (t *transaction) queuePositions(b *pgx.Batch) {
	if len(t.batch.Positions) == 0 {
		return
	}
	p := positionArrays(t.batch.Positions)
	b.Queue(sqlMovePositions, t.batch.Group, p.topics, p.partitions, p.next, p.expected).Query(func(rows pgx.Rows) error {
		moved := 0
		for rows.Next() {
			moved++
		}
		if err := rows.Err(); err != nil {
			return err
		}
		if moved != len(t.batch.Positions) {
			return schemas.ErrPositionBehind
		}
		return nil
	})
}

// queueLocks is needed only where the batch writes both registers.
func (t *transaction) queueLocks(b *pgx.Batch) {
	ids, identifies := make([][16]byte, len(t.batch.Pitches)), false
	for i, p := range t.batch.Pitches {
		ids[i] = p.PitchID
		identifies = identifies || p.Identified != nil
	}
	if identifies {
		b.Queue(sqlLockPitches, ids)
	}
}

func (t *transaction) queueMeasured(b *pgx.Batch, set []candidate) {
	t.statements()
	args, byPitch := measuredArrays(set), make(map[schemas.PitchID]*schemas.Change, len(set))
	for _, c := range set {
		byPitch[c.pitch.PitchID] = c.change()
	}
	b.Queue(sqlUpsertMeasured, append(args, t.cfg.CoreVersion, t.cfg.Build, t.now)...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var id [16]byte
			w := winner{}
			var batter, was, idBatter, idPitcher, idTeam *int64
			var by registerVersion
			if err := rows.Scan(append([]any{&id, &batter, &w.now.Game, &was, &w.was.Game, &idBatter, &idPitcher, &idTeam}, by.into()...)...); err != nil {
				return err
			}
			w.identifiedBy = by.version()
			w.change = byPitch[id]
			w.standing = w.change.Op == schemas.OpUpsert
			w.now.Batter, w.was.Batter = schemas.FromPointer(batter), schemas.FromPointer(was)
			w.ids = identifiers(idBatter, idPitcher, idTeam)
			t.winners = append(t.winners, w)
		}
		return rows.Err()
	})
}

func (t *transaction) queueIdentified(b *pgx.Batch) {
	args, byPitch := identifiedArrays(t.batch.Pitches)
	if len(byPitch) == 0 {
		return
	}
	b.Queue(sqlUpsertIdentified, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var id [16]byte
			w := winner{identified: true}
			var batter, was *int64
			if err := rows.Scan(&id, &batter, &w.now.Game, &was, &w.was.Game, &w.standing); err != nil {
				return err
			}
			w.change = byPitch[id]
			w.now.Batter, w.was.Batter = schemas.FromPointer(batter), schemas.FromPointer(was)
			t.winners = append(t.winners, w)
		}
		return rows.Err()
	})
}

func identifiers(batter, pitcher, team *int64) schemas.Identifiers {
	return schemas.Identifiers{
		BatterID: schemas.FromPointer(batter), PitcherID: schemas.FromPointer(pitcher), TeamID: schemas.FromPointer(team),
	}
}

// processedAt is cut to milliseconds, as all times of a row are.
func (t *transaction) processedAt() schemas.TimeMS {
	return schemas.TimeMSOf(t.now.Truncate(time.Millisecond))
}
