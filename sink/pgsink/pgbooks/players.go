package pgbooks

import (
	"context"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// Players keeps the names of the players.
type Players struct{ db *pg.DB }

// NewPlayers makes Players over a pool that its caller closes.
func NewPlayers(db *pg.DB) Players { return Players{db} }

// Set adds players, and changes those that have another name or team, all in one transaction. It returns how
// many it added or changed. The list must hold each player once.
func (b Players) Set(ctx context.Context, players []schemas.Player) (changed int64, err error) {
	changed, err = pg.Exec(ctx, b.db, `
		INSERT INTO {schema}.players (id, name, team)
		SELECT id, name, nullif(team, '') FROM unnest($1::bigint[], $2::text[], $3::text[]) AS p(id, name, team)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, team = excluded.team, updated_at = clock_timestamp()
		WHERE (players.name, players.team) IS DISTINCT FROM (excluded.name, excluded.team)`,
		pg.Column(players, func(p schemas.Player) int64 { return p.ID }),
		pg.Column(players, func(p schemas.Player) string { return p.Name }),
		pg.Column(players, func(p schemas.Player) string { return p.Team }))
	return changed, pg.Wrap("players", err)
}

// IDs returns the ids of all players, each with true; none if no list was loaded.
func (b Players) IDs(ctx context.Context) (map[int64]bool, error) {
	ids, err := pg.CollectMap[int64, bool](ctx, b.db, `SELECT id, true FROM {schema}.players`)
	return ids, pg.Wrap("players", err)
}
