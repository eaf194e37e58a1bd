package pgsink

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// RepairTotals computes batter-games anew from their rows, and these batters from their batter-games, as a batch that
// touched them would. It answers the batters' snapshots, for the projections.
func (s *Sink) RepairTotals(ctx context.Context, batters []int64, games []schemas.BatterGame) ([]schemas.Snapshot, error) {
	groups := map[batterGame]bool{}
	for _, g := range games {
		groups[batterGame{schemas.Some(g.BatterID), g.GamePK}] = true
	}
	_, gameBatters, gameKeys := splitGames(groups)
	batters = slices.Compact(slices.Sorted(slices.Values(append(slices.Clone(batters), gameBatters...))))
	t := &transaction{ctx: ctx, cfg: &s.cfg, now: s.cfg.Now(), batters: map[int64]*schemas.Snapshot{}}
	for _, id := range batters {
		t.batters[id] = &schemas.Snapshot{BatterID: id, UpdatedAt: t.processedAt()}
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		b := &pgx.Batch{}
		b.Queue(sqlLockBatters, batters, t.processedAt().Time())
		b.Queue(sqlComputeGames, gameBatters, gameKeys).Query(t.scanGames)
		b.Queue(`UPDATE batter_totals SET pitches = -1 WHERE batter_id = ANY ($1::bigint[])`, batters) // to be folded whole
		b.Queue(sqlFoldBatters, batters)
		b.Queue(sqlReadBatters, batters).Query(t.scanBatters)
		return tx.SendBatch(ctx, b).Close()
	})
	if err != nil {
		return nil, fmt.Errorf("postgres: totals: %w", pg.HideSecret(err))
	}
	var snaps []schemas.Snapshot
	for _, id := range batters {
		snaps = append(snaps, *t.batters[id])
	}
	return snaps, nil
}
