// Package pgbooks keeps the books beside the rows: decisions about dead letters, replays, quality, heartbeats, players, and
// what Redis and verify compare themselves with.
package pgbooks

import (
	"context"
	"embed"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Books reads and writes them over a pool that somebody else closes. It is safe for use by several goroutines. Over a
// pgread.Reader's pool it can only read.
type Books struct {
	pool *pgxpool.Pool
	cfg  pg.Config
}

// New makes Books over the pool of a pgsink.Sink or a pgread.Reader.
func New(db *pg.DB) *Books { return &Books{pool: db.Pool, cfg: db.Config} }

//go:embed sql/*.sql
var files embed.FS

var (
	statement     = pg.Statements(files)
	sqlAllGames   = statement("all_games")
	sqlAllBatters = statement("all_batters")
)

// Pointer returns the target that readers see, as the schema serving has it.
func (b *Books) Pointer(ctx context.Context, serving string) (schemas.Pointer, error) {
	return pg.ReadPointer(ctx, b.pool, serving)
}
