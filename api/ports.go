package api

import (
	"context"

	"github.com/pitchstream/pitchstream/schemas"
)

// Live is the projection that answers first. An answer counts only where the pulse that came with it says that the
// projection is whole; the pulse must have been read after the states.
type Live interface {
	// Look gives states in the order of the keys, nil where no row stands.
	Look(ctx context.Context, keys []schemas.BatterKey) ([]*schemas.BatterState, schemas.Pulse, error)
	// Seqs gives the sequence numbers of states in the order of the keys, 0 where no row stands. No keys: the pulse.
	Seqs(ctx context.Context, keys []schemas.BatterKey) ([]int64, schemas.Pulse, error)
	// Works gives what the processors tell of their work, by instance.
	Works(ctx context.Context) (map[string]schemas.Work, error)
}

// Store is the record of truth: it answers where Live cannot, and what Live does not have. Nil and nothing say that no
// row stands.
type Store interface {
	Pulse(ctx context.Context) (schemas.Pulse, error)
	Works(ctx context.Context) (map[string]schemas.Work, error)
	States(ctx context.Context, keys []schemas.BatterKey) ([]*schemas.BatterState, error)
	GameStates(ctx context.Context, gamePK string) ([]schemas.BatterState, error)
	Leaders(ctx context.Context, stat string, minSwings int64, limit int) ([]schemas.BatterState, error)
	Games(ctx context.Context, limit int) ([]schemas.PlayedGame, error)
	Game(ctx context.Context, gamePK string) (*schemas.PlayedGame, error)
	Pitch(ctx context.Context, id schemas.PitchID) (*schemas.StoredRow, error)
	BatterPitches(ctx context.Context, id int64, after *schemas.PitchCursor, limit int) ([]schemas.StoredRow, error)
	GamePitches(ctx context.Context, gamePK string, limit int) ([]schemas.StoredRow, error)
	// Swings gives the newest swings of each of the batters, so many at most of each, the newest first.
	Swings(ctx context.Context, ids []int64, limit int) ([]schemas.StoredRow, error)
	// Players gives all names, or none where the list still is the version that the caller has.
	Players(ctx context.Context, version string) (players []schemas.Player, now string, err error)
}

// Records are the records that rows were made of.
type Records interface {
	// SwingPath reads one record and what it shows of a swing; nil where it is gone, or shows none.
	SwingPath(ctx context.Context, at schemas.Coordinates) (*schemas.SwingPath, error)
}
