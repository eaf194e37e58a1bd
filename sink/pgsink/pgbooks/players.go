package pgbooks

import (
	"context"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// SetPlayers adds players, and changes those that are there with another name or team, all in one transaction. It
// answers how many it added or changed. Each must be in the list once.
func (b *Books) SetPlayers(ctx context.Context, players []schemas.Player) (changed int64, err error) {
	ids, names, teams := make([]int64, len(players)), make([]string, len(players)), make([]string, len(players))
	for i, p := range players {
		ids[i], names[i], teams[i] = p.ID, p.Name, p.Team
	}
	tag, err := b.pool.Exec(ctx, `
		INSERT INTO players (id, name, team)
		SELECT id, name, nullif(team, '') FROM unnest($1::bigint[], $2::text[], $3::text[]) AS p(id, name, team)
		ON CONFLICT (id) DO UPDATE SET name = excluded.name, team = excluded.team, updated_at = clock_timestamp()
		WHERE (players.name, players.team) IS DISTINCT FROM (excluded.name, excluded.team)`, ids, names, teams)
	if err != nil {
		return 0, fmt.Errorf("postgres: players: %w", pg.HideSecret(err))
	}
	return tag.RowsAffected(), nil
}
