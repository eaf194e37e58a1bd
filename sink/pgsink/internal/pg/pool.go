// Package pg holds what all packages of the Postgres store share: the pool, queries, the classes of errors,
// and the columns of rows and aggregates.
package pg

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Config names the database, the schema and the writer.
type Config struct {
	URL         string // postgres://user:password@host:port/database?sslmode=…
	Schema      string // a plain lower-case name, [a-z_][a-z0-9_]*
	Group       string // the consumer group whose positions are stored
	Build       string // the build that is stored with each row
	CoreVersion int32  // features.CoreVersion of this build
	MaxConns    int32  // connections of the pool; below 4: 4
	Log         *slog.Logger
	Now         func() time.Time // nil: time.Now
}

// DB is an open pool and the settings that it was opened with. Several of the store's types share one.
type DB struct {
	Pool   *pgxpool.Pool
	Config Config
}

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// CheckSchema returns an error if the name of a schema would need quotes.
func CheckSchema(name string) error {
	if !plainName.MatchString(name) {
		return fmt.Errorf("postgres schema %q: want a lower-case name of letters, digits and underscores", name)
	}
	return nil
}

// Open makes a pool for writers. It does not connect: the first statement does.
func Open(cfg Config) (*DB, error) {
	pc, err := cfg.PoolConfig("pitchstream")
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
	// Every statement has its index. A plan made while a table was small must not scan the table once it is
	// large.
	params["enable_seqscan"] = "off"
	// A machine that loses power in the middle of a batch closes no connection. These limits release its locks
	// within a minute, because the network alone would take hours to notice.
	params["idle_in_transaction_session_timeout"] = "15s"
	params["tcp_keepalives_idle"] = "10"
	params["tcp_keepalives_interval"] = "5"
	params["tcp_keepalives_count"] = "3"
	params["tcp_user_timeout"] = "60s"
	pc.ConnConfig.ConnectTimeout = 3 * time.Second
	return connect(pc, cfg)
}

// OpenReader makes a pool whose connections cannot write, with a time limit for each statement. It does not
// connect.
func OpenReader(cfg Config, timeout time.Duration) (*DB, error) {
	pc, err := cfg.PoolConfig("pitchstream serve")
	if err != nil {
		return nil, err
	}
	pc.MaxConns = max(cfg.MaxConns, pc.MaxConns, 8)
	params := pc.ConnConfig.RuntimeParams
	params["default_transaction_read_only"] = "on"
	params["statement_timeout"] = fmt.Sprint(timeout.Milliseconds())
	pc.ConnConfig.ConnectTimeout = 2 * time.Second
	return connect(pc, cfg)
}

func connect(pc *pgxpool.Config, cfg Config) (*DB, error) {
	pool, err := pgxpool.NewWithConfig(context.Background(), pc)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", HideSecret(err))
	}
	return &DB{Pool: pool, Config: cfg}, nil
}

// PoolConfig returns the settings that all connections share. No error contains the password.
func (cfg Config) PoolConfig(application string) (*pgxpool.Config, error) {
	if err := CheckSchema(cfg.Schema); err != nil {
		return nil, err
	}
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("postgres url: %w", HideSecret(err))
	}
	params := pc.ConnConfig.RuntimeParams
	params["search_path"] = cfg.Schema
	params["application_name"] = application
	params["timezone"] = "UTC"
	params["jit"] = "off"
	return pc, nil
}
