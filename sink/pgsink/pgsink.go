// Package pgsink keeps the store of record: the registers of every pitch, the aggregates computed from them, and the
// stream's positions, all moved in one Postgres transaction a batch.
package pgsink

import (
	"context"
	"embed"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Config says where the database is and who writes there.
type Config = pg.Config

// DB is the pool that a Sink shares with the books, the readers and the administration.
type DB = pg.DB

// Sink writes batches. It is safe for use by several goroutines; each Apply uses one connection.
type Sink struct {
	pool *pgxpool.Pool
	cfg  Config
	// statements counts the bulk writes of registers that were sent: what a bad row costs.
	statements func()
	// steps has few pitches written as many are: in steps.
	steps bool
}

//go:embed sql/*.sql
var files embed.FS

var statement = pg.Statements(files)

var (
	sqlLockPitches      = statement("lock_pitches")
	sqlUpsertMeasured   = statement("upsert_measured")
	sqlUpsertIdentified = statement("upsert_identified")
	sqlMovePositions    = statement("move_positions")
	sqlEnsurePositions  = statement("ensure_positions")
	sqlLockBatters      = statement("lock_batters")
	sqlComputeGames     = statement("compute_games")
	sqlFoldBatters      = statement("fold_batters")
	sqlReadBatters      = statement("read_batters")
	sqlStandingRows     = statement("standing_rows")
	sqlChangedRows      = statement("changed_rows")
)

// Open makes the pool. It does not connect: Apply waits for a database that is unavailable.
func Open(cfg Config) (*Sink, error) {
	db, err := pg.Open(cfg)
	if err != nil {
		return nil, err
	}
	return &Sink{pool: db.Pool, cfg: db.Config, statements: func() {}}, nil
}

// DB returns the pool, for the other packages of the store. It is closed with the Sink.
func (s *Sink) DB() *DB { return &DB{Pool: s.pool, Config: s.cfg} }

// Close waits for the connections that are in use, and closes the pool.
func (s *Sink) Close() { s.pool.Close() }

// Ping answers whether the database is reachable and its schema is the one that this build needs.
func (s *Sink) Ping(ctx context.Context) error {
	var ok bool
	err := s.pool.QueryRow(ctx, `SELECT to_regclass('batter_totals') IS NOT NULL`).Scan(&ok)
	if err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	if !ok {
		return fmt.Errorf("postgres: schema %q has no tables of pitchstream: run `pitchstream migrate`", s.cfg.Schema)
	}
	return nil
}

// Apply writes one batch in one transaction and answers what came of it. Applying a batch again, or an older one after
// a newer one, ends in the same state. On an error nothing was written; every error is ours, to be tried again, except
// schemas.ErrPositionBehind, which says to read again from the stored positions.
func (s *Sink) Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error) {
	for try := 1; ; try++ {
		out, err := s.apply(ctx, b)
		if err == nil || !pg.IsContended(err) || try == 5 {
			return out, err
		}
		s.cfg.Log.Info("transaction gave way to another one, trying again", "error", err, "try", try)
	}
}

func (s *Sink) apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return schemas.Outcome{}, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	defer conn.Release()
	t := &transaction{ctx: ctx, conn: conn.Conn(), cfg: &s.cfg, batch: b, now: s.cfg.Now(), statements: s.statements}
	if !s.steps && t.few() {
		err = t.runAtOnce()
	} else {
		err = t.run(t.writeAll)
	}
	if err != nil && pg.IsRecordsFault(err) {
		// One of the records cannot be stored: the same again, looking for it.
		t = &transaction{ctx: ctx, conn: conn.Conn(), cfg: &s.cfg, batch: b, now: t.now, statements: s.statements}
		err = t.run(t.writeApart)
	}
	if err != nil {
		return schemas.Outcome{}, fmt.Errorf("postgres: %w", err)
	}
	return t.outcome(), nil
}

// transaction is one Apply under way, on one connection.
type transaction struct {
	ctx        context.Context
	conn       *pgx.Conn
	cfg        *Config
	batch      schemas.Batch
	now        time.Time
	statements func()

	winners []winner
	refused []schemas.Refusal
	batters map[int64]*schemas.Snapshot
	rows    map[schemas.PitchID]*schemas.StoredRow // of pitches that only an identify changed
}

// winner is a pitch whose register took what this batch brought.
type winner struct {
	change     *schemas.Change // the measured one, or the identify
	identified bool
	standing   bool
	now, was   batterGame
	ids        schemas.Identifiers // the game feed's, standing over the row's own
	// identifiedBy is the version of the identified register, as the measured one was written.
	identifiedBy schemas.Opt[schemas.Version]
}

// batterGame is one group of the aggregates; Game is "" for rows without a game.
type batterGame struct {
	Batter schemas.Opt[int64]
	Game   string
}

// run does the writes, then the aggregates, then commits: two round trips where nothing is refused (few pitches: see
// runAtOnce).
func (t *transaction) run(write func() error) error {
	if err := write(); err != nil {
		t.rollback()
		return err
	}
	if err := t.computeAndCommit(); err != nil {
		t.rollback()
		return err
	}
	return nil
}

// rollback leaves the connection usable; where it cannot, the pool drops it. The batch's context may be cancelled.
func (t *transaction) rollback() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.ctx), 5*time.Second)
	defer cancel()
	if _, err := t.conn.Exec(ctx, "rollback"); err != nil {
		_ = t.conn.Close(ctx)
	}
}
