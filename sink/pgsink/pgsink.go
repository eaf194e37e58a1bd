// Package pgsink keeps the store of record: the registers of every pitch, the aggregates computed from them, and the
// stream's positions, all moved in one Postgres transaction a batch.
package pgsink

import (
	"context"
	"embed"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
)

// Config says where the database is and who writes there.
type Config struct {
	URL         string // postgres://user:password@host:port/database?sslmode=…
	Schema      string // a plain lower-case name, [a-z_][a-z0-9_]*
	Group       string // the consumer group whose positions are kept
	Build       string // the build that stands in the rows written
	CoreVersion int32  // features.CoreVersion of this build
	MaxConns    int32  // connections of the pool; 0: 4
	Log         *slog.Logger
	Now         func() time.Time // nil: time.Now
}

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
var sqlFiles embed.FS

func statement(name string) string {
	b, err := sqlFiles.ReadFile("sql/" + name + ".sql")
	if err != nil {
		panic(err) // embedded: a misspelt name cannot pass a test
	}
	return string(b)
}

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
	sqlAllGames         = statement("all_games")
	sqlAllBatters       = statement("all_batters")
	sqlStandingRows     = statement("standing_rows")
	sqlChangedRows      = statement("changed_rows")
)

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Open makes the pool. It does not connect: a database that is away is waited for by whoever calls Apply.
func Open(cfg Config) (*Sink, error) {
	pc, err := cfg.pool("pitchstream")
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	pc.MaxConns = max(cfg.MaxConns, 4)
	params := pc.ConnConfig.RuntimeParams
	// A plan made while a table was small must not scan it once it is large: every statement here has its index.
	params["enable_seqscan"] = "off"
	// A machine that loses its power in the middle of a batch tells no server: what it had locked must not stay locked
	// until the network notices, which takes hours.
	params["idle_in_transaction_session_timeout"] = "15s"
	params["tcp_keepalives_idle"], params["tcp_keepalives_interval"], params["tcp_keepalives_count"] = "10", "5", "3"
	params["tcp_user_timeout"] = "60s"
	pc.ConnConfig.ConnectTimeout = 3 * time.Second
	pool, err := pgxpool.NewWithConfig(context.Background(), pc)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", hideSecret(err))
	}
	return &Sink{pool: pool, cfg: cfg, statements: func() {}}, nil
}

// pool is what every connection has in common. No error contains the password.
func (cfg Config) pool(application string) (*pgxpool.Config, error) {
	if !plainName.MatchString(cfg.Schema) {
		return nil, fmt.Errorf("postgres schema %q: want a lower-case name of letters, digits and underscores", cfg.Schema)
	}
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("postgres url: %w", hideSecret(err))
	}
	params := pc.ConnConfig.RuntimeParams
	params["search_path"] = cfg.Schema
	params["application_name"] = application
	params["timezone"] = "UTC"
	params["jit"] = "off"
	return pc, nil
}

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
		if err == nil || !isContended(err) || try == 5 {
			return out, err
		}
		s.cfg.Log.Info("transaction gave way to another one, trying again", "error", err, "try", try)
	}
}

func (s *Sink) apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return schemas.Outcome{}, fmt.Errorf("postgres: %w", hideSecret(err))
	}
	defer conn.Release()
	t := &transaction{ctx: ctx, conn: conn.Conn(), cfg: &s.cfg, batch: b, now: s.cfg.Now(), statements: s.statements}
	if !s.steps && t.few() {
		err = t.runAtOnce()
	} else {
		err = t.run(t.writeAll)
	}
	if err != nil && isRecordsFault(err) {
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
