package pgsink

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// chunkRows is how many registers one statement writes: above about a thousand, arrays stop paying.
const chunkRows = 1000

// fewPitches is up to where planning a statement anew costs more than running it: of the 5 ms that a single pitch took,
// 2 were for plans that fit no better than those that are kept.
const fewPitches = 50

// writeAll moves the positions and writes both registers in one round trip. It fails as a whole.
func (t *transaction) writeAll() error {
	b := &pgx.Batch{}
	b.Queue("begin")
	// guard: few pitches are written without planning anew
	if len(t.batch.Pitches) <= fewPitches {
		b.Queue("set local plan_cache_mode = force_generic_plan")
	}
	t.queuePositions(b)
	t.queueLocks(b)
	for _, chunk := range chunks(newest(t.batch.Pitches), chunkRows) {
		t.queueMeasured(b, chunk)
	}
	for _, chunk := range chunks(naming(t.batch.Pitches), chunkRows) {
		t.queueIdentified(b, chunk)
	}
	return t.send(b)
}

// writeApart does the same where a record cannot be stored: it finds the records that are refused by halving.
func (t *transaction) writeApart() error {
	b := &pgx.Batch{}
	b.Queue("begin")
	t.queuePositions(b)
	t.queueLocks(b)
	if err := t.send(b); err != nil {
		return err
	}
	for _, set := range append(chunks(newest(t.batch.Pitches), chunkRows), chunks(naming(t.batch.Pitches), chunkRows)...) {
		if err := t.writeGood(set); err != nil {
			return err
		}
	}
	return nil
}

// writeGood writes what can be written of a set and refuses the rest, one record each. What is left over on the way to a
// bad record is written together: one bad record among n costs log2(n)+2 statements.
func (t *transaction) writeGood(set []candidate) error {
	for len(set) > 0 {
		why, err := t.try(set)
		if why == nil {
			return err
		}
		if set, err = t.isolate(set, why); err != nil {
			return err
		}
	}
	return nil
}

// isolate finds one bad record in a set that holds one, as why says, and refuses it. It returns what is not written yet,
// the next lower version of that pitch too.
func (t *transaction) isolate(set []candidate, why error) (rest []candidate, err error) {
	for len(set) > 1 {
		half := len(set) / 2
		bad, err := t.try(set[:half])
		switch {
		case err != nil:
			return nil, err
		case bad != nil:
			set, rest, why = set[:half], append(rest, set[half:]...), bad
		default: // written: the bad one is in the other half
			set = set[half:]
			if len(set) > 1 {
				continue
			}
			if why, err = t.try(set); why == nil {
				return rest, err
			}
		}
	}
	c := set[0]
	t.refused = append(t.refused, schemas.Refusal{Change: *c.change(), Reason: pg.Reason(why)})
	if next, ok := c.next(); ok {
		rest = append(rest, next)
	}
	slices.SortFunc(rest, func(a, b candidate) int { return bytes.Compare(a.pitch.PitchID[:], b.pitch.PitchID[:]) }) // as all writers lock
	return rest, nil
}

// try writes under a savepoint, so that a refused statement takes nothing else with it. refused is the record's fault,
// err ours.
func (t *transaction) try(set []candidate) (refused, err error) {
	had := len(t.winners)
	b := &pgx.Batch{}
	b.Queue("savepoint tried")
	if set[0].version == identified {
		t.queueIdentified(b, set)
	} else {
		t.queueMeasured(b, set)
	}
	if err = t.send(b); err == nil {
		return nil, nil
	}
	if !pg.IsRecordsFault(err) {
		return nil, err
	}
	t.winners = t.winners[:had]
	if _, back := t.conn.Exec(t.ctx, "rollback to savepoint tried"); back != nil {
		return nil, fmt.Errorf("rolling back after %w: %w", back, err)
	}
	return err, nil
}

func (t *transaction) send(b *pgx.Batch) error { return t.conn.SendBatch(t.ctx, b).Close() }

// candidate is one version of a pitch that may be written.
type candidate struct {
	pitch   *schemas.PitchChanges
	version int // of the measured ones; or identified
}

const identified = -1

func (c candidate) change() *schemas.Change {
	if c.version == identified {
		return c.pitch.Identified
	}
	return &c.pitch.Measured[c.version]
}

// next is the version that takes the place of a refused one.
func (c candidate) next() (candidate, bool) {
	// guard: the predecessor of a refused version stands | always
	if c.version == identified || c.version+1 == len(c.pitch.Measured) {
		return candidate{}, false
	}
	return candidate{pitch: c.pitch, version: c.version + 1}, true
}

func newest(pitches []schemas.PitchChanges) []candidate {
	set := make([]candidate, 0, len(pitches))
	for i := range pitches {
		if len(pitches[i].Measured) > 0 {
			set = append(set, candidate{pitch: &pitches[i]})
		}
	}
	return set
}

func naming(pitches []schemas.PitchChanges) []candidate {
	var set []candidate
	for i := range pitches {
		if pitches[i].Identified != nil {
			set = append(set, candidate{pitch: &pitches[i], version: identified})
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
		// guard: a position that is behind refuses the batch
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
	args, byPitch := append(measuredArrays(set), t.cfg.CoreVersion, t.cfg.Build, t.now), make(map[schemas.PitchID]*schemas.Change, len(set))
	args = append(args, arrivalArrays(set)...)
	for _, c := range set {
		byPitch[c.pitch.PitchID] = c.change()
	}
	b.Queue(sqlUpsertMeasured, args...).Query(func(rows pgx.Rows) error {
		for rows.Next() {
			var id [16]byte
			w := winner{}
			var batter, was, idBatter, idPitcher, idTeam *int64
			var by pg.RegisterVersion
			if err := rows.Scan(append([]any{&id, &batter, &w.now.Game, &was, &w.was.Game, &idBatter, &idPitcher, &idTeam}, by.Into()...)...); err != nil {
				return err
			}
			w.identifiedBy = by.Version()
			w.change = byPitch[id]
			w.standing = w.change.Op == schemas.OpUpsert
			w.now.Batter, w.was.Batter = schemas.FromPointer(batter), schemas.FromPointer(was)
			w.ids = pg.Identifiers(idBatter, idPitcher, idTeam)
			t.winners = append(t.winners, w)
		}
		return rows.Err()
	})
}

func (t *transaction) queueIdentified(b *pgx.Batch, set []candidate) {
	t.statements()
	args, byPitch := identifiedArrays(set)
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

// processedAt is cut to milliseconds, as all times of a row are.
func (t *transaction) processedAt() schemas.TimeMS {
	return schemas.TimeMSOf(t.now.Truncate(time.Millisecond))
}
