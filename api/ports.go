package api

import (
	"context"

	"github.com/pitchstream/pitchstream/schemas"
)

// Live is Redis, which answers first. Its answer counts only if the pulse that came with it shows that Redis
// is up to date; the pulse must have been read after the states.
type Live interface {
	// Look returns states in the order of the keys, nil for a player without a current row.
	Look(ctx context.Context, keys []schemas.PlayerKey) ([]*schemas.PlayerState, schemas.Pulse, error)
	// Seqs returns sequence numbers in the order of the keys, 0 for a player without a current row. Without
	// keys it returns the pulse only.
	Seqs(ctx context.Context, keys []schemas.PlayerKey) ([]int64, schemas.Pulse, error)
	// Works returns the work of each processor, by instance.
	Works(ctx context.Context) (map[string]schemas.Work, error)
}

// Store is Postgres, the source of truth. It answers if Live cannot, and for everything that Live does not
// hold. A nil or empty result means that there is no current row.
type Store interface {
	Pulse(ctx context.Context) (schemas.Pulse, error)
	Works(ctx context.Context) (map[string]schemas.Work, error)
	States(ctx context.Context, keys []schemas.PlayerKey) ([]*schemas.PlayerState, error)
	// PlayerGames returns a player's games, the newest first, from behind the cursor on.
	PlayerGames(
		ctx context.Context, key schemas.PlayerKey, after *schemas.SplitCursor, limit int,
	) ([]schemas.PlayerState, error)
	// Leaders returns the players that the filter chooses, ordered by its statistic, then by id and game.
	Leaders(ctx context.Context, f schemas.LeaderFilter, limit int) ([]schemas.PlayerState, error)
	// Splits returns a page of the groups of a player's pitches, each with the aggregates of its rows.
	Splits(ctx context.Context, q schemas.SplitQuery) (schemas.Splits, error)
	// Games returns games, those with the newest pitch first.
	Games(ctx context.Context, q schemas.GameQuery) ([]schemas.PlayedGame, error)
	// Game returns a game with at most so many of its batters, as many of its pitchers, and so many of its
	// newest pitches, all as of one moment.
	Game(ctx context.Context, gamePK string, players, pitches int) (*schemas.WholeGame, error)
	// GameVersions returns a text for each game that is another one after each change of its rows, "" where
	// it has none. The texts are in the order of the games.
	GameVersions(ctx context.Context, games []string) ([]string, error)
	// Pitches returns rows in the order of the ids, nil where none is current.
	Pitches(ctx context.Context, ids []schemas.PitchID) ([]*schemas.StoredPitch, error)
	PlayerPitches(
		ctx context.Context, key schemas.PlayerKey, after *schemas.PitchCursor, limit int,
	) ([]schemas.StoredRow, error)
	// FindPitches returns the rows that the filter chooses, the newest first, from behind the cursor on.
	FindPitches(
		ctx context.Context, f schemas.PitchFilter, after *schemas.PitchCursor, limit int,
	) ([]schemas.StoredRow, error)
	// GamePitches and BatterSwings return rows, the newest first, from behind the cursor on.
	GamePitches(
		ctx context.Context, gamePK string, after *schemas.PitchCursor, limit int,
	) ([]schemas.StoredRow, error)
	BatterSwings(
		ctx context.Context, id int64, after *schemas.PitchCursor, limit int,
	) ([]schemas.StoredRow, error)
	// Swings returns the newest swings of each batter, at most limit of each, newest first.
	Swings(ctx context.Context, ids []int64, limit int) ([]schemas.StoredRow, error)
	// Players returns all names, or none if the list is still of the version that the caller has.
	Players(ctx context.Context, version string) (players []schemas.Player, now string, err error)
}

// Records reads the records that rows were computed from.
type Records interface {
	// SwingPath returns the swing in one record. It returns nil if the record is gone or holds no swing, and
	// if the one in its place has another timestamp: the topic was created anew. schemas.ErrUnreadable is a
	// record that cannot be read, and schemas.ErrOccupied a read that waited for others.
	SwingPath(ctx context.Context, at schemas.Coordinates) (*schemas.SwingPath, error)
}
