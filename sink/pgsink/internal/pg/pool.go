// Package pg holds what all packages of the Postgres store share: the pool, queries, the classes of errors,
// and the columns of rows and aggregates.
//
// A connection may belong to a pooler, which gives every transaction another server process. Therefore
// nothing here depends on the state of a session:
//
//   - Tables are named with their schema, for which statements have the hole {schema}.
//   - Every statement runs in a transaction that begins with the settings on which its result depends
//     (DB.Run, DB.InTx). So the settings of a role or a database never matter.
//   - Locks are held by open transactions (DB.TryLock).
//   - Statements are prepared only where no pooler is in between (DB.inspect).
package pg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
)

// Config names the database, the schema and the writer.
type Config struct {
	URL         string // postgres://user:password@host:port/database?sslmode=…
	Schema      string // a plain lower-case name, [a-z_][a-z0-9_]*; it may be a reserved word
	Group       string // the consumer group whose positions are stored
	Build       string // the build that is stored with each row
	CoreVersion int32  // features.CoreVersion of this build
	MaxConns    int32  // most connections, if it is more than those of the URL or the default
	Log         *slog.Logger
	Now         func() time.Time // the clock of this machine; nil: time.Now

	// NewScorer makes versions of models ready to score rows, and returns nil for none. Without a NewScorer
	// no row can be written while any version scores.
	NewScorer func([]schemas.Model) (schemas.Scorer, error)
}

// DB is an open pool and the settings that it was opened with. Several of the store's types share one.
type DB struct {
	Pool   *pgxpool.Pool
	Config Config // its Now of a writer is the clock of Postgres

	begin    string   // starts a transaction
	settings string   // the statement that follows begin
	texts    sync.Map // statement with holes → statement, see SQL

	explicitMode bool        // the URL says how statements are sent
	isPooled     atomic.Bool // the last new connection was a pooler's
	wantsPrimary bool        // a standby is refused

	local func() time.Time // the clock of this machine
	ahead atomic.Int64     // by how much that of Postgres is ahead of it, in nanoseconds
}

var plainName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// CheckSchema returns an error if the name of a schema would need quotes. A reserved word is quoted by Quote.
func CheckSchema(name string) error {
	if !plainName.MatchString(name) {
		return fmt.Errorf("postgres schema %q: want a lower-case name of letters, digits and underscores", name)
	}
	return nil
}

// Quote returns a name as SQL has it, so that a reserved word can be one.
func Quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// setting is one setting of every transaction. Those that the server does not have are left out.
type setting struct{ name, value string }

// common are the settings on which the form of a result depends, and the limits that a role may have and that
// would end our statements. Results are binary, so that few of the former matter. transaction_timeout is new
// in version 17.
var common = []setting{
	{"IntervalStyle", "postgres"}, {"bytea_output", "hex"}, {"extra_float_digits", "1"}, {"jit", "off"},
	{"lock_timeout", "0"}, {"transaction_timeout", "0"},
}

// ofWriters are the settings of writing transactions.
//
// Every statement has its index: enable_seqscan is off because a plan made while a table was small must not
// scan the table once it is large. A machine that loses power in the middle of a batch closes no connection.
// The other limits release its locks within a minute, because the network alone would take hours to notice.
var ofWriters = []setting{
	{"statement_timeout", "0"}, {"enable_seqscan", "off"}, {"idle_in_transaction_session_timeout", "15s"},
	{"tcp_keepalives_idle", "10"}, {"tcp_keepalives_interval", "5"}, {"tcp_keepalives_count", "3"},
	{"tcp_user_timeout", "60s"},
}

func setStatement(settings ...setting) string {
	values := schemas.Map(settings, func(s setting) string { return "('" + s.name + "', '" + s.value + "')" })
	return `SELECT count(set_config(name, value, true)) FROM (VALUES ` + strings.Join(values, ", ") +
		`) AS s(name, value) WHERE current_setting(name, true) IS NOT NULL`
}

// Open makes a pool for writers. It does not connect: the first statement does. A standby is refused, unless
// the URL has target_session_attrs.
func Open(cfg Config) (*DB, error) {
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	db := &DB{
		Config: cfg, begin: "begin isolation level read committed read write",
		settings: setStatement(slices.Concat(common, ofWriters)...), wantsPrimary: true, local: cfg.Now,
	}
	if db.local == nil {
		db.local = time.Now
	}
	// guard: what is written is dated by Postgres | .Add(time.Duration(db.ahead.Load())) ->
	db.Config.Now = func() time.Time { return db.local().Add(time.Duration(db.ahead.Load())) }
	return db, db.open("pitchstream", fewestConns, 3*time.Second)
}

// OpenReader makes a pool whose transactions cannot write, with a time limit for each statement; 0 is none.
// It does not connect. Any server will do, a standby too.
func OpenReader(cfg Config, application string, timeout time.Duration) (*DB, error) {
	return openReader(cfg, application, timeout, false)
}

// OpenPrimaryReader is OpenReader for one whose answers must not go back. Where the URL names several
// servers, it refuses a standby, which may lag behind an earlier answer. A URL with one server, or with
// target_session_attrs, is taken at its word.
func OpenPrimaryReader(cfg Config, application string, timeout time.Duration) (*DB, error) {
	return openReader(cfg, application, timeout, true)
}

func openReader(cfg Config, application string, timeout time.Duration, wantsPrimary bool) (*DB, error) {
	limits := []setting{
		{"statement_timeout", strconv.FormatInt(timeout.Milliseconds(), 10)},
		// A snapshot must last while its reader waits for a slow disk.
		{"idle_in_transaction_session_timeout", "0"},
	}
	db := &DB{
		Config: cfg, begin: "begin isolation level read committed read only",
		settings: setStatement(slices.Concat(common, limits)...), local: time.Now, wantsPrimary: wantsPrimary,
	}
	return db, db.open(application, 8, 2*time.Second)
}

// namesSeveral reports whether a connection may be to more than one server. A second way to the same one, as
// without encryption, is none.
func namesSeveral(c *pgx.ConnConfig) bool {
	return slices.ContainsFunc(c.Fallbacks, func(f *pgconn.FallbackConfig) bool {
		return f.Host != c.Host || f.Port != c.Port
	})
}

// fewestConns is the least size of a pool. A processor holds one connection for the lock of a sweep and one
// for that of the quality, and must still read and write at the same time.
const fewestConns = 4

// open makes the pool, of conns connections unless the URL names another size. Its connections ask for the
// few parameters that poolers can keep apart, too.
func (db *DB) open(application string, conns int32, connect time.Duration) error {
	if err := CheckSchema(db.Config.Schema); err != nil {
		return err
	}
	pc, err := pgxpool.ParseConfig(db.Config.URL)
	if err != nil || strings.Contains(pc.ConnConfig.Host, "@") { // the host has a part of the password
		return errors.New("postgres url: want postgres://user:password@host:5432/database, " +
			"with the password percent-encoded") // no error of the driver, which may quote a part of the password
	}
	// guard: the URL names the size of the pool
	if strings.Contains(db.Config.URL, "pool_max_conns") {
		conns = max(fewestConns, pc.MaxConns)
	}
	pc.MaxConns = max(db.Config.MaxConns, conns)
	if !strings.Contains(db.Config.URL, "pool_max_conn_lifetime") {
		// The name of the server may lead to another one, while the old one still answers.
		pc.MaxConnLifetime = 5 * time.Minute
	}
	c := pc.ConnConfig
	c.ConnectTimeout = connect
	maps.Copy(c.RuntimeParams, map[string]string{
		"application_name": application, "timezone": "UTC", "client_encoding": "UTF8",
		"datestyle": "ISO, MDY", "standard_conforming_strings": "on",
	})
	db.explicitMode = strings.Contains(db.Config.URL, "default_query_exec_mode")
	if strings.Contains(db.Config.URL, "target_session_attrs") || os.Getenv("PGTARGETSESSIONATTRS") != "" {
		db.wantsPrimary = false
	}
	// guard: a server reads from the standby that it is given | !namesSeveral(c) -> false
	if isReader := strings.HasSuffix(db.begin, "read only"); isReader && !namesSeveral(c) {
		db.wantsPrimary = false
	}
	validate, onError := c.ValidateConnect, c.OnPgError
	pc.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		isPooled := db.isPooled.Load()
		if isPooled && !db.explicitMode {
			c.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
		}
		c.ValidateConnect = func(ctx context.Context, conn *pgconn.PgConn) error {
			conn.CustomData()["pooled"] = isPooled
			if err := db.inspect(ctx, conn); err != nil || validate == nil {
				return err
			}
			return validate(ctx, conn)
		}
		return nil
	}
	pc.AfterConnect = func(_ context.Context, conn *pgx.Conn) error {
		registerArrays(conn.TypeMap())
		return nil
	}
	// A connection that was made in the wrong mode, the first one through a pooler, is not used.
	pc.PrepareConn = func(_ context.Context, conn *pgx.Conn) (bool, error) {
		return db.explicitMode || conn.PgConn().CustomData()["pooled"] == db.isPooled.Load(), nil
	}
	c.OnPgError = func(conn *pgconn.PgConn, e *pgconn.PgError) bool {
		switch e.Code {
		// A standby refuses a write (25006) and the start of a transaction that may write (0A000).
		case "0A000", "25006", "57P01", "57P02", "57P03":
			// guard: a server that ceased to be the primary loses all connections
			db.Pool.Reset()
			return false
		case "26000", "42P05": // a pooler that cannot be seen lost or repeated a prepared statement
			db.isPooled.Store(true)
			return false
		}
		return onError(conn, e)
	}
	db.Pool, err = pgxpool.NewWithConfig(context.Background(), pc)
	return Wrap("open", err)
}

// ErrEncoding means that the database cannot hold every text. Waiting does not help.
var ErrEncoding = errors.New("this database cannot hold every text")

// inspect looks at a new connection: a database of another encoding than UTF-8 is refused, and a standby
// unless any server will do. It compares the clocks. It finds out whether a pooler is in between: that gives
// its clients other process ids than those of the server.
func (db *DB) inspect(ctx context.Context, conn *pgconn.PgConn) error {
	// guard: a database of another encoding is refused
	if e := conn.ParameterStatus("server_encoding"); e != "" && e != "UTF8" {
		return fmt.Errorf("%w: its encoding (server_encoding) is %s, want UTF8: "+
			"CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0", ErrEncoding, e)
	}
	asked := db.local()
	results, err := conn.Exec(ctx, "SELECT pg_backend_pid(), pg_is_in_recovery(), "+
		"(extract(epoch FROM clock_timestamp()) * 1000)::bigint").ReadAll()
	if err != nil {
		return err
	}
	row := results[0].Rows[0]
	db.compareClocks(asked, string(row[2]))
	// guard: a writer and a server refuse a standby | db.wantsPrimary && -> false && db.wantsPrimary &&
	if db.wantsPrimary && string(row[1]) == "t" {
		return errors.New("the server is a standby, which lags and cannot be written to: " +
			"waiting for the primary (target_session_attrs=any in the URL takes any server)")
	}
	db.isPooled.Store(string(row[0]) != strconv.FormatUint(uint64(conn.PID()), 10))
	return nil
}

// compareClocks notes by how much the clock of Postgres is ahead of this one, because processors with wrong
// clocks would date what they write by them. Clocks that agree within a second are left alone.
func (db *DB) compareClocks(asked time.Time, server string) {
	ms, err := strconv.ParseInt(server, 10, 64)
	if err != nil {
		return
	}
	ahead := time.UnixMilli(ms).Sub(asked.Add(db.local().Sub(asked) / 2))
	if ahead.Abs() < time.Second {
		ahead = 0
	}
	if db.ahead.Swap(int64(ahead)) == 0 && ahead != 0 && db.Config.Log != nil {
		db.Config.Log.Warn("the clock of this machine differs from that of Postgres: dating by Postgres",
			"postgres_is_ahead_by", ahead.Round(time.Second))
	}
}
