// Package pgsink keeps the store of record. It writes the registers of every pitch, the aggregates computed
// from them and the positions in the stream, all in one Postgres transaction per batch.
package pgsink

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Config names the database, the schema and the writer.
type Config = pg.Config

// DB is the pool that a Sink shares with pgbooks and pgadmin.
type DB = pg.DB

// Errors of a database that this build must not use.
var (
	ErrEncoding    = pg.ErrEncoding
	ErrNewerSchema = pg.ErrNewerSchema
)

// Sink writes batches. It is safe for use by several goroutines. Each Apply uses one connection.
type Sink struct {
	db         *DB
	cfg        *Config // of db
	statements func()  // called at each bulk write of registers, for tests of the cost of a bad row
	steps      bool    // write few pitches in steps, too
	models     *knownModels
}

//go:embed sql/*.sql
var files embed.FS

var statement = pg.Statements(files)

// Open makes the pool. It does not connect: Apply waits for a database that is unavailable.
func Open(cfg Config) (*Sink, error) {
	db, err := pg.Open(cfg)
	if err != nil {
		return nil, err
	}
	if db.Config.NewScorer == nil {
		db.Config.NewScorer = noScorer
	}
	return &Sink{db: db, cfg: &db.Config, statements: func() {}, models: &knownModels{}}, nil
}

// Reach is Open for a database that must answer now: it returns Ping's error.
func Reach(ctx context.Context, cfg Config) (*Sink, error) {
	s, err := Open(cfg)
	if err != nil {
		return nil, err
	}
	if err := s.Ping(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// DB returns the pool, for the other packages of the store. It is closed with the Sink.
func (s *Sink) DB() *DB { return s.db }

// Close waits for the connections that are in use, and closes the pool.
func (s *Sink) Close() { s.db.Pool.Close() }

// Ping returns an error if the database is unreachable or its schema is not one that this build can use.
func (s *Sink) Ping(ctx context.Context) error {
	_, err := s.db.CheckMigrations(ctx)
	return err
}

// Apply writes one batch in one transaction and returns its outcome. Applying a batch again, or an older one
// after a newer one, leads to the same state. After an error it is not known whether the batch was written.
// Every error is retryable, except schemas.ErrPositionBehind: then the caller must read again from the stored
// positions.
func (s *Sink) Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error) {
	t, err := retryContended(s.cfg.Log, func() (*transaction, error) { return s.apply(ctx, b) })
	if err != nil {
		return schemas.Outcome{}, err
	}
	fromNewer, err := s.fromNewerCore(ctx, t)
	if err != nil {
		return schemas.Outcome{}, err
	}
	return t.outcome(fromNewer), nil
}

// retryContended calls f up to five times while its transaction fails because of a concurrent one.
func retryContended[T any](log *slog.Logger, f func() (T, error)) (T, error) {
	for try := 1; ; try++ {
		out, err := f()
		if err == nil || !pg.IsContended(err) || try == 5 {
			return out, err
		}
		log.Info("transaction gave way to another one, trying again", "error", err, "try", try)
	}
}

// apply returns the transaction after its commit. Its connection is given back by then.
func (s *Sink) apply(ctx context.Context, b schemas.Batch) (*transaction, error) {
	conn, err := s.db.Pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	defer conn.Release()
	t := s.transaction(ctx, conn.Conn(), b)
	if !s.steps && t.few() {
		err = t.runAtOnce()
	} else {
		err = t.run(t.writeAll)
	}
	if err != nil && pg.IsRecordsFault(err) {
		t.rollback()
		t = s.transaction(ctx, conn.Conn(), b)
		err = t.run(t.writeApart)
	}
	if err != nil {
		t.rollback()
		return nil, fmt.Errorf("postgres: %w", err)
	}
	return t, nil
}

func (s *Sink) transaction(ctx context.Context, conn *pgx.Conn, b schemas.Batch) *transaction {
	return &transaction{
		ctx: ctx, conn: conn, db: s.db, cfg: s.cfg, batch: b, now: s.cfg.Now(), statements: s.statements,
		players: map[schemas.PlayerKey]*schemas.Snapshot{},
		stage:   s.models.stage(), lastScores: map[schemas.PitchID][]schemas.Score{},
	}
}

// WouldRefuse returns the changes that the tables would refuse permanently. It writes the changes as Apply
// does, and rolls the transaction back, so that no reader sees them. Each pitch may be in the list once.
func (s *Sink) WouldRefuse(ctx context.Context, pitches []schemas.PitchChanges) ([]schemas.Refusal, error) {
	if len(pitches) == 0 {
		return nil, nil
	}
	return retryContended(s.cfg.Log, func() ([]schemas.Refusal, error) { return s.try(ctx, pitches) })
}

func (s *Sink) try(ctx context.Context, pitches []schemas.PitchChanges) ([]schemas.Refusal, error) {
	conn, err := s.db.Pool.Acquire(ctx)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	defer conn.Release()
	t := s.transaction(ctx, conn.Conn(), schemas.Batch{Pitches: pitches})
	err = t.writeAll()
	// guard: dead letters: a trial is taken back | instead _, _ = conn.Exec(ctx, "commit")
	t.rollback()
	if err != nil && pg.IsRecordsFault(err) {
		err = t.writeApart()
		t.rollback()
	}
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", pg.HideSecret(err))
	}
	return t.refused, nil
}

// RepairTotals computes games of a side's players again from their rows, and the players again from their
// games. It returns the players' snapshots, with which the caller repairs the projections.
func (s *Sink) RepairTotals(
	ctx context.Context, side schemas.Side, players []int64, games []schemas.PlayerGame,
) ([]schemas.Snapshot, error) {
	_, gamePlayers, gameKeys := groupArrays(slices.Clone(games))
	players = slices.Compact(slices.Sorted(slices.Values(slices.Concat(players, gamePlayers))))
	t := s.transaction(ctx, nil, schemas.Batch{})
	b := &pgx.Batch{}
	pg.ShareModels(b, s.db)
	sql := totalsOfArrays[side]
	sql.whole = fillSide(side, `UPDATE {schema}.{side}_totals SET pitches = -1 WHERE {side}_id = ANY ($1::bigint[])`)
	t.queueTotals(b, side, sql, players, gamePlayers, gameKeys)
	t.queueLastScores(b, side, players, gamePlayers, gameKeys)
	if err := s.db.Run(ctx, b); err != nil {
		return nil, pg.Wrap("totals", err)
	}
	return t.snapshots(), nil
}

var (
	sqlChangedRows = statement("changed_rows")
	sqlNewerCore   = statement("newer_core")
)

// Changed returns the current state of those pitches that another processor has changed since they were
// published, or that another core has computed since. The caller must publish them again, because the last
// message about a pitch must be its current row.
func (s *Sink) Changed(ctx context.Context, published []schemas.Published) ([]schemas.Published, error) {
	if len(published) == 0 {
		return nil, nil
	}
	args := []any{schemas.Map(published, func(p schemas.Published) [16]byte { return p.PitchID })}
	measured := func(p schemas.Published) *schemas.Version { return &p.Version }
	identified := func(p schemas.Published) *schemas.Version { return value(&p.Identified) }
	args = append(args, versionArrays(published, measured)...)
	args = append(args, versionArrays(published, identified)...)
	args = append(args, schemas.Map(published, func(p schemas.Published) int32 { return p.CoreVersion }))
	all := func(schemas.Published) bool { return true }
	now, err := s.currentPitches(ctx, all, sqlChangedRows, args...)
	return now, pg.Wrap("changed rows", err)
}

// fromNewerCore returns the pitches that lost in t against their own version, because a newer core has stored
// it. They are returned as they are stored, and must be published.
//
// While two builds run side by side, a processor of the newer one may write a batch and die before its Kafka
// transaction ends. One of the older build takes the partition over and reads the records again. It is the
// last to read them, so if it published nothing, the rows topic would lack these pitches permanently.
//
//   - Nothing old or deleted comes back. The pitches are read after the commit, as they are then, a deleted
//     one as deleted. The caller asks Changed after they are in the topic, as for all others.
//   - Only what an older core reads again is published once more, as within one core. A change that loses
//     against another version is not: the processor that read that version publishes it.
//   - The change stays superseded in the counts of a replay, so these balance.
//   - A batch in which nothing lost costs nothing. Otherwise one query by primary key finds the newer cores.
//   - An older build omits the columns that only the newer one knows. `replay --into live` by that brings them.
func (s *Sink) fromNewerCore(ctx context.Context, t *transaction) ([]schemas.Published, error) {
	lost := t.lost()
	// guard: a pitch of a newer core that is read again is published | len(lost) == 0 -> true
	if len(lost) == 0 {
		return nil, nil
	}
	ids := make([][16]byte, 0, len(lost))
	for id := range lost {
		ids = append(ids, id)
	}
	isOurs := func(p schemas.Published) bool {
		for _, c := range lost[p.PitchID].Measured {
			// guard: of a newer core only what was read again is published | c.Version == p.Version -> true
			if c.Version == p.Version {
				return true
			}
		}
		return false
	}
	now, err := s.currentPitches(ctx, isOurs, sqlNewerCore, ids, s.cfg.CoreVersion)
	return now, pg.Wrap("pitches of a newer core", err)
}

// currentPitches runs sql, which returns pitches with the versions of their registers, and returns those that
// keep accepts, with their rows and scores of the same snapshot.
func (s *Sink) currentPitches(
	ctx context.Context, keep func(schemas.Published) bool, sql string, args ...any,
) (now []schemas.Published, err error) {
	err = s.db.InSnapshot(ctx, func(tx *pg.Tx) error {
		found, err := pg.Collect(ctx, tx, scanVersions, sql, args...)
		now = slices.DeleteFunc(found, func(p schemas.Published) bool { return !keep(p) })
		if err != nil || len(now) == 0 {
			return err
		}
		ids := schemas.Map(now, func(p schemas.Published) [16]byte { return p.PitchID })
		rows, err := pg.Collect(ctx, tx, pg.ScanRow, sqlCurrentRows, ids)
		if err != nil {
			return err
		}
		current := map[schemas.PitchID]*schemas.StoredRow{}
		for i := range rows {
			current[rows[i].PitchID] = &rows[i]
		}
		scores, err := pg.Collect(ctx, tx, pg.ScanScore, sqlScoresOf, ids)
		byPitch := pg.ByPitch(scores)
		for i := range now {
			now[i].Row, now[i].Scores = current[now[i].PitchID], byPitch[now[i].PitchID]
		}
		return err
	})
	return now, err
}

func scanVersions(row pgx.CollectableRow) (p schemas.Published, err error) {
	var measured, identified pg.VersionRow
	into := append([]any{(*[16]byte)(&p.PitchID)}, measured.Into()...)
	into = append(into, identified.Into()...)
	err = row.Scan(append(into, &p.CoreVersion)...)
	p.Version = measured.Version().Value
	p.Identified = identified.Version()
	return p, err
}
