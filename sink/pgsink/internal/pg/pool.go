// Package pg holds what all packages of the Postgres store share: the pool, the classes of errors, and how rows are read.
package pg

import (
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"log/slog"
	"regexp"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
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

// DB is an open pool and the settings that it was opened with. Several of the store's types share one.
type DB struct {
	Pool   *pgxpool.Pool
	Config Config
}

// Statements returns the reader of a package's embedded sql folder. It panics on a name that is not there.
func Statements(files embed.FS) func(name string) string {
	return func(name string) string {
		b, err := files.ReadFile("sql/" + name + ".sql")
		if err != nil {
			panic(err) // embedded: a misspelt name cannot pass a test
		}
		return string(b)
	}
}

var PlainName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Open makes the pool of those who write. It does not connect: the first statement does.
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
		return nil, fmt.Errorf("postgres: %w", HideSecret(err))
	}
	return &DB{Pool: pool, Config: cfg}, nil
}

// PoolConfig returns the settings that all connections share. No error contains the password.
func (cfg Config) PoolConfig(application string) (*pgxpool.Config, error) {
	if !PlainName.MatchString(cfg.Schema) {
		return nil, fmt.Errorf("postgres schema %q: want a lower-case name of letters, digits and underscores", cfg.Schema)
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

func LockKey(schema, name string) int64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "pitchstream/%s/%s", schema, name)
	return int64(h.Sum64())
}
