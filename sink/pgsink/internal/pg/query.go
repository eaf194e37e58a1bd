package pg

import (
	"context"
	"embed"
	"fmt"
	"hash/fnv"
	"time"

	"github.com/jackc/pgx/v5"
)

// Querier is a pool, a connection or a transaction.
type Querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// Collect returns the rows of a query, each as scan returns it. Wrap its error.
func Collect[T any](
	ctx context.Context, db Querier, scan pgx.RowToFunc[T], sql string, args ...any,
) ([]T, error) {
	rows, _ := db.Query(ctx, sql, args...) // CollectRows returns this error, too
	return pgx.CollectRows(rows, scan)
}

// Column returns one value of each element, as the array argument of a statement.
func Column[E, T any](set []E, value func(E) T) []T {
	all := make([]T, len(set))
	for i, e := range set {
		all[i] = value(e)
	}
	return all
}

// CollectMap returns the rows of a query with two columns as a map from the first to the second.
func CollectMap[K comparable, V any](
	ctx context.Context, db Querier, sql string, args ...any,
) (map[K]V, error) {
	rows, _ := db.Query(ctx, sql, args...) // ForEachRow returns this error, too
	var key K
	var value V
	found := map[K]V{}
	_, err := pgx.ForEachRow(rows, []any{&key, &value}, func() error { found[key] = value; return nil })
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

// Statements returns the reader of a package's embedded sql folder. It panics on a name that is not there.
func Statements(files embed.FS) func(name string) string {
	return func(name string) string {
		b, err := files.ReadFile("sql/" + name + ".sql")
		if err != nil {
			panic(err) // the files are embedded, so that every test finds a misspelt name
		}
		return string(b)
	}
}

// LockKey returns the number of a named advisory lock of a schema.
func LockKey(schema, name string) int64 {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "pitchstream/%s/%s", schema, name)
	return int64(h.Sum64())
}

// TryLock takes the named advisory lock of this schema on a connection of its own. ok is false while another
// process has it. The lock ends with release, or with the connection.
func (db *DB) TryLock(ctx context.Context, name string) (release func(), ok bool, err error) {
	conn, err := db.Pool.Acquire(ctx)
	if err != nil {
		return nil, false, Wrap("lock", err)
	}
	key := LockKey(db.Config.Schema, name)
	if err := conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, key).Scan(&ok); err != nil || !ok {
		conn.Release()
		return nil, false, Wrap("lock", err)
	}
	return func() {
		unlock, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(unlock, `SELECT pg_advisory_unlock($1)`, key); err != nil {
			_ = conn.Conn().Close(unlock) // the server releases the locks of a closed connection
		}
		conn.Release()
	}, true, nil
}
