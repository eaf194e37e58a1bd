// Package pgadmin looks after a schema as a whole: migrations, rights, targets, comparisons, exports.
package pgadmin

import (
	"embed"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Admin works on one schema over a pool that somebody else closes.
type Admin struct {
	pool *pgxpool.Pool
	cfg  pg.Config
}

// New makes an Admin over the pool of a pgsink.Sink.
func New(db *pg.DB) *Admin { return &Admin{pool: db.Pool, cfg: db.Config} }

//go:embed sql/*.sql
var files embed.FS

var statement = pg.Statements(files)
