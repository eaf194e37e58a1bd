package pgsink

// A batch is one transaction. It has to be atomic, it has to cost few round trips, and one bad record in it
// must cost neither the batch nor a statement per record.
//
// writeAll sends the begin, the positions and all registers in one round trip, and computeAndCommit sends the
// rest in a second one. Nearly every batch succeeds that way. (write_few.go does the same for a few pitches
// in one round trip.) If Postgres refuses a record, the transaction is rolled back and writeApart finds the
// bad records by halving.
//
// Facts that are not obvious:
//   - A batch holds up to two registers per pitch, measured and identified, and may hold several versions of
//     each. Only the newest version of a register is written. A refused version is replaced by the next lower
//     one.
//   - All writers lock rows in the order of their pitch ids, because two processors could wait for each other
//     otherwise.
//   - The version fences are in the SQL (WHERE of the upserts). An upsert returns the rows that it wrote, and
//     only these "winners" change aggregates and are published.

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

const (
	// chunkRows is the number of registers per statement. Longer arrays bring nothing above about a thousand.
	chunkRows = 1000
	// fewPitches is the number of pitches up to which a batch is written in one round trip.
	fewPitches = 50
)

var (
	sqlLockPitches      = statement("lock_pitches")
	sqlUpsertMeasured   = strings.ReplaceAll(statement("upsert_measured"), "{pitcher of r}", pitcherOf("r"))
	sqlUpsertIdentified = strings.ReplaceAll(statement("upsert_identified"), "{pitcher of r}", pitcherOf("r"))
	sqlMovePositions    = statement("move_positions")
)

// transaction is one Apply in progress, on one connection. One goroutine uses it.
type transaction struct {
	ctx        context.Context
	conn       *pgx.Conn
	db         *DB
	cfg        *Config // of db
	batch      schemas.Batch
	now        time.Time
	statements func()

	winners []winner
	refused []schemas.Refusal
	players map[schemas.PlayerKey]*schemas.Snapshot
	rows    []schemas.StoredRow // of pitches that only an identify changed

	stage      scoreStage
	lastScores map[schemas.PitchID][]schemas.Score // by live versions, of players' last pitches
}

// winner is a register that the batch wrote.
type winner struct {
	change   *schemas.Change // the measured version, or the identify
	current  bool            // the pitch has a current row
	now, was groups          // what the row counts for, and counted for before
	// ids and identifiedBy are the identified register's. After an upsert of the measured register they are as
	// they were at that upsert.
	ids          schemas.Identifiers
	identifiedBy schemas.Opt[schemas.Version]
}

func (w *winner) isIdentify() bool { return w.change.Op == schemas.OpIdentify }

// groups are the groups of the aggregates that a row counts for: its player of each side, and the game. The
// game is "" for rows without one.
type groups struct {
	players [2]schemas.Opt[int64] // by side
	game    string
}

// into returns the destinations of the players.
func (g *groups) into() []any {
	return []any{pg.Integer(&g.players[schemas.Batter]), pg.Integer(&g.players[schemas.Pitcher])}
}

// run writes with write, computes the aggregates, and commits.
func (t *transaction) run(write func() error) error {
	if err := write(); err != nil {
		return err
	}
	if err := t.stage.score(t); err != nil {
		return err
	}
	return t.computeAndCommit()
}

func (t *transaction) rollback() { pg.Rollback(t.ctx, t.conn) }

// writeAll moves the positions and writes both registers in one round trip. It fails as a whole.
//
// Its statements, and those after it, run with generic plans, which are made once a connection. Planning anew
// took 2 ms of 5 for a single pitch, and 7 ms of 90 for a thousand, for plans that were no better.
func (t *transaction) writeAll() error {
	b := &pgx.Batch{}
	t.db.Begin(b)
	// guard: batches are written without planning anew
	b.Queue("set local plan_cache_mode = force_generic_plan")
	// guard: scores: rows are written while the live models are what they are
	pg.ShareModels(b, t.db)
	t.stage.queueGeneration(b)
	t.queuePositions(b)
	t.queueLocks(b)
	for _, set := range t.sets() {
		t.queueWrite(b, set)
	}
	return t.send(b)
}

// writeApart does what writeAll does, for a batch that has bad records: it finds and refuses them.
func (t *transaction) writeApart() error {
	b := &pgx.Batch{}
	t.db.Begin(b)
	pg.ShareModels(b, t.db)
	t.stage.queueGeneration(b)
	t.queuePositions(b)
	t.queueLocks(b)
	if err := t.send(b); err != nil {
		return err
	}
	for _, set := range t.sets() {
		if err := t.writeGood(set); err != nil {
			return err
		}
	}
	return nil
}

// sets returns the newest measured versions and the newest identifies of the batch, each set for one
// statement.
func (t *transaction) sets() [][]candidate {
	measured := slices.Chunk(newest(t.batch.Pitches), chunkRows)
	return slices.AppendSeq(slices.Collect(measured), slices.Chunk(identifies(t.batch.Pitches), chunkRows))
}

// writeGood writes the good records of a set and refuses the others. The records left over by a search for a
// bad one are written together, so that one bad record among n costs log2(n)+2 statements.
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

// isolate refuses one bad record of a set that has one, which why is about. It returns the records that are
// not written yet, and with them the next lower version of the refused one.
func (t *transaction) isolate(set []candidate, why error) (rest []candidate, err error) {
	for len(set) > 1 {
		half := len(set) / 2
		bad, err := t.try(set[:half])
		switch {
		case err != nil:
			return nil, err
		case bad != nil:
			set, rest, why = set[:half], append(rest, set[half:]...), bad
		default: // the first half is written, so the bad record is in the other
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
	slices.SortFunc(rest, func(a, b candidate) int {
		return bytes.Compare(a.pitch.PitchID[:], b.pitch.PitchID[:])
	})
	return rest, nil
}

// try writes a set under a savepoint, so that a refused statement undoes nothing else. refused is a permanent
// error, the fault of a record; err is retryable.
func (t *transaction) try(set []candidate) (refused, err error) {
	had := len(t.winners)
	b := &pgx.Batch{}
	b.Queue("savepoint tried")
	t.queueWrite(b, set)
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

func (t *transaction) send(b *pgx.Batch) error { return t.db.Send(t.ctx, t.conn, b) }

// candidate is one version of a register that may be written.
type candidate struct {
	pitch      *schemas.PitchChanges
	isIdentify bool // of pitch.Identified, else of pitch.Measured
	version    int  // index there
}

func (c candidate) versions() []schemas.Change {
	if c.isIdentify {
		return c.pitch.Identified
	}
	return c.pitch.Measured
}

func (c candidate) change() *schemas.Change { return &c.versions()[c.version] }

// next returns the version that replaces a refused one.
func (c candidate) next() (candidate, bool) {
	c.version++
	// guard: the predecessor of a refused version becomes current | always
	if c.version == len(c.versions()) {
		return candidate{}, false
	}
	return c, true
}

// newest returns the newest measured version of each pitch that has one.
func newest(pitches []schemas.PitchChanges) []candidate {
	set := make([]candidate, 0, len(pitches))
	for i := range pitches {
		if len(pitches[i].Measured) > 0 {
			set = append(set, candidate{pitch: &pitches[i]})
		}
	}
	return set
}

// identifies returns the newest identify of each pitch that has one.
func identifies(pitches []schemas.PitchChanges) []candidate {
	var set []candidate
	for i := range pitches {
		if len(pitches[i].Identified) > 0 {
			set = append(set, candidate{pitch: &pitches[i], isIdentify: true})
		}
	}
	return set
}

func (t *transaction) queuePositions(b *pgx.Batch) {
	if len(t.batch.Positions) == 0 {
		return
	}
	args := positionArrays(t.batch.Group, t.batch.Positions)
	b.Queue(sqlMovePositions, args...).Query(func(rows pgx.Rows) error {
		moved := 0
		if err := pg.Each(rows, func() error { moved++; return nil }); err != nil {
			return err
		}
		// guard: a position that is behind refuses the batch
		if moved != len(t.batch.Positions) {
			return schemas.ErrPositionBehind
		}
		return nil
	})
}

// queueLocks locks the pitches of a batch that writes both registers, because it writes them in two
// statements.
func (t *transaction) queueLocks(b *pgx.Batch) {
	if len(identifies(t.batch.Pitches)) > 0 {
		ids := schemas.Map(t.batch.Pitches, func(p schemas.PitchChanges) [16]byte { return p.PitchID })
		b.Queue(sqlLockPitches, ids)
	}
}

// queueWrite writes versions of one register, at most one per pitch.
func (t *transaction) queueWrite(b *pgx.Batch, set []candidate) {
	t.statements()
	sql, args := sqlUpsertIdentified, []any(nil)
	if set[0].isIdentify {
		args = identifiedArrays(set)
	} else {
		sql = sqlUpsertMeasured
		args = append(measuredArrays(set), t.cfg.CoreVersion, t.cfg.Build, t.now)
		args = append(args, arrivalArrays(set)...)
	}
	changes := make(map[schemas.PitchID]*schemas.Change, len(set))
	for _, c := range set {
		changes[c.pitch.PitchID] = c.change()
	}
	b.Queue(sql, args...).Query(func(rows pgx.Rows) error {
		var w winner // of one row after the other
		var id schemas.PitchID
		var by pg.VersionRow
		into := append([]any{(*[16]byte)(&id)}, append(w.now.into(), &w.now.game)...)
		into = append(into, append(w.was.into(), &w.was.game, &w.current)...)
		into = append(append(into, pg.IdentifiersInto(&w.ids)...), by.Into()...)
		t.winners = slices.Grow(t.winners, len(set))
		return pg.Each(rows, func() error {
			if err := rows.Scan(into...); err != nil {
				return err
			}
			w.change = changes[id]
			w.identifiedBy = by.Version()
			t.winners = append(t.winners, w)
			return nil
		})
	})
}

// processedAt returns the time of the batch in milliseconds, as all times of a row.
func (t *transaction) processedAt() schemas.TimeMS {
	return schemas.TimeMSOf(t.now.Truncate(time.Millisecond))
}
