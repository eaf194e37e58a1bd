package pg

import (
	"cmp"
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// Runner runs statements: a DB, or a Tx.
type Runner interface {
	// Run sends the statements together. They run in one transaction.
	Run(ctx context.Context, b *pgx.Batch) error
}

// SQL returns a statement with the schema in its holes {schema}.
func (db *DB) SQL(text string) string {
	if full, ok := db.texts.Load(text); ok {
		return full.(string)
	}
	full := strings.ReplaceAll(text, "{schema}", Quote(db.Config.Schema))
	db.texts.Store(text, full)
	return full
}

// Begin queues the start of a transaction and its settings.
func (db *DB) Begin(b *pgx.Batch) {
	b.Queue(db.begin)
	b.Queue(db.settings)
}

// Send sends statements over a connection. Their holes are filled in.
func (db *DB) Send(ctx context.Context, conn *pgx.Conn, b *pgx.Batch) error {
	for _, q := range b.QueuedQueries {
		q.SQL = db.SQL(q.SQL)
	}
	return conn.SendBatch(ctx, b).Close()
}

// Rollback makes a connection usable again after a failed transaction, or closes it, so that the pool drops
// it. It works after ctx was cancelled.
func Rollback(ctx context.Context, conn *pgx.Conn) {
	if conn.PgConn().TxStatus() == 'I' {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := conn.Exec(ctx, "rollback"); err != nil {
		_ = conn.Close(ctx)
	}
}

// beginSnapshot starts a transaction that cannot write and sees everything as of one moment.
//
// guard: postgres: a snapshot is of one moment | repeatable read -> read committed
const beginSnapshot = "begin isolation level repeatable read read only"

// Run runs the statements of b in a transaction of their own, in one round trip.
func (db *DB) Run(ctx context.Context, b *pgx.Batch) error { return db.run(ctx, db.begin, b) }

// RunInSnapshot is Run for statements that read, and see everything as of one moment.
func (db *DB) RunInSnapshot(ctx context.Context, b *pgx.Batch) error {
	return db.run(ctx, beginSnapshot, b)
}

func (db *DB) run(ctx context.Context, begin string, b *pgx.Batch) error {
	conn, err := db.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	all := &pgx.Batch{}
	all.Queue(begin)
	all.Queue(db.settings)
	all.QueuedQueries = append(all.QueuedQueries, b.QueuedQueries...)
	all.Queue("commit")
	if err = db.Send(ctx, conn.Conn(), all); err != nil {
		Rollback(ctx, conn.Conn())
	}
	return err
}

// Tx is an open transaction. One goroutine uses it, and keeps it no longer than the function that got it.
type Tx struct {
	db   *DB
	conn *pgx.Conn
}

// Run runs the statements of b in this transaction.
func (tx *Tx) Run(ctx context.Context, b *pgx.Batch) error { return tx.db.Send(ctx, tx.conn, b) }

// Script runs one or more statements without arguments.
func (tx *Tx) Script(ctx context.Context, sql string) error {
	_, err := tx.conn.Exec(ctx, tx.db.SQL(sql))
	return err
}

// Savepoint runs f. If f fails, what it did is undone, and the transaction goes on.
func (tx *Tx) Savepoint(ctx context.Context, f func() error) error {
	if err := tx.Script(ctx, "savepoint one"); err != nil {
		return err
	}
	err := f()
	after := "release savepoint one"
	if err != nil {
		after = "rollback to savepoint one"
	}
	return cmp.Or(err, tx.Script(ctx, after))
}

// Lock waits for an advisory lock and holds it until the transaction ends.
func (tx *Tx) Lock(ctx context.Context, key int64) error {
	_, err := Exec(ctx, tx, `SELECT pg_advisory_xact_lock($1)`, key)
	return err
}

// InTx runs f in one transaction, which is rolled back if f returns an error.
func (db *DB) InTx(ctx context.Context, f func(*Tx) error) error {
	tx, end, err := db.start(ctx, db.begin)
	if err != nil {
		return err
	}
	defer end()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Script(ctx, "commit")
}

// InSnapshot runs f in a transaction that cannot write and sees everything as of one moment.
func (db *DB) InSnapshot(ctx context.Context, f func(*Tx) error) error {
	tx, end, err := db.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer end()
	return f(tx)
}

// Snapshot starts a transaction that cannot write and sees everything as of one moment. The caller must call
// end.
func (db *DB) Snapshot(ctx context.Context) (tx *Tx, end func(), err error) {
	return db.start(ctx, beginSnapshot)
}

// start starts a transaction. end rolls it back, unless it was committed.
func (db *DB) start(ctx context.Context, begin string) (_ *Tx, end func(), err error) {
	conn, err := db.Pool.Acquire(ctx)
	if err != nil {
		return nil, nil, err
	}
	tx := &Tx{db, conn.Conn()}
	end = func() {
		Rollback(ctx, tx.conn)
		conn.Release()
	}
	b := &pgx.Batch{}
	b.Queue(begin)
	b.Queue(db.settings)
	if err := tx.Run(ctx, b); err != nil {
		end()
		return nil, nil, err
	}
	return tx, end, nil
}

// one runs a single statement.
func one(ctx context.Context, r Runner, read func(pgx.Rows) error, sql string, args []any) error {
	b := &pgx.Batch{}
	b.Queue(sql, args...).Query(read)
	return r.Run(ctx, b)
}

// Exec runs a statement and returns the number of rows that it changed. Wrap its error.
func Exec(ctx context.Context, r Runner, sql string, args ...any) (changed int64, err error) {
	b := &pgx.Batch{}
	b.Queue(sql, args...).Exec(func(tag pgconn.CommandTag) error {
		changed = tag.RowsAffected()
		return nil
	})
	return changed, r.Run(ctx, b)
}

// ScanOne reads the first row of a query into the destinations. It returns pgx.ErrNoRows if there is none.
func ScanOne(ctx context.Context, r Runner, into []any, sql string, args ...any) error {
	found := false
	err := one(ctx, r, func(rows pgx.Rows) error {
		return Each(rows, func() error {
			if found {
				return nil
			}
			found = true
			return rows.Scan(into...)
		})
	}, sql, args)
	if err == nil && !found {
		return pgx.ErrNoRows
	}
	return err
}

// Collect returns the rows of a query, each as scan returns it. Wrap its error.
func Collect[T any](
	ctx context.Context, r Runner, scan pgx.RowToFunc[T], sql string, args ...any,
) (all []T, err error) {
	err = one(ctx, r, func(rows pgx.Rows) (err error) {
		all, err = pgx.CollectRows(rows, scan)
		return err
	}, sql, args)
	return all, err
}

// CollectMap returns the rows of a query with two columns as a map from the first to the second.
func CollectMap[K comparable, V any](
	ctx context.Context, r Runner, sql string, args ...any,
) (map[K]V, error) {
	var key K
	var value V
	found := map[K]V{}
	err := one(ctx, r, func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error { found[key] = value; return nil })
		return err
	}, sql, args)
	return found, err
}

// Each calls read at each row of a result, and returns the first error.
func Each(rows pgx.Rows, read func() error) error {
	defer rows.Close()
	for rows.Next() {
		if err := read(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Wrap says in an error what was tried on Postgres, and hides a password in it. It returns nil for nil.
func Wrap(tried string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("postgres: %s: %w", tried, HideSecret(err))
}

// Statements returns the reader of a package's embedded sql folder. It writes out the lists of columns, and
// panics on a name that is not there.
func Statements(files embed.FS) func(name string) string {
	return func(name string) string {
		b, err := files.ReadFile("sql/" + name + ".sql")
		if err != nil {
			panic(err) // the files are embedded, so that every test finds a misspelt name
		}
		return WriteLists(string(b))
	}
}

// LockKey returns the number of a named advisory lock of a schema.
func LockKey(schema, name string) int64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "pitchstream/%s/%s", schema, name)
	return int64(h.Sum64())
}

// TryLock takes the named lock of this schema. ok is false while another process has it. It ends with
// release, or with the connection: an open transaction on a connection of its own holds it, because behind a
// pooler no session would. The transaction has no snapshot, so that it does not hold up VACUUM.
func (db *DB) TryLock(ctx context.Context, name string) (release func(), ok bool, err error) {
	tx, release, err := db.start(ctx, db.begin)
	if err != nil {
		return nil, false, Wrap("lock", err)
	}
	b := &pgx.Batch{}
	b.Queue(`SELECT set_config('idle_in_transaction_session_timeout', '0', true)`)
	b.Queue(`SELECT pg_try_advisory_xact_lock($1)`, LockKey(db.Config.Schema, name)).
		QueryRow(func(row pgx.Row) error { return row.Scan(&ok) })
	if err := tx.Run(ctx, b); err != nil || !ok {
		release()
		return nil, false, Wrap("lock", err)
	}
	return release, true, nil
}
