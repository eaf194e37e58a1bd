package explain

import (
	"context"
	"slices"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// Aggregates are the values of a row's batter and pitcher, over all games and in its game, without and with
// the row. The fields of a side are missing where the row names nobody of it. Those of a game are missing
// where the row is of none.
type Aggregates struct {
	BatterID    int64          `json:"batter_id,omitempty"`
	Batter      *Change        `json:"batter,omitempty"`
	Game        *Change        `json:"game,omitempty"` // the batter's
	PitcherID   int64          `json:"pitcher_id,omitempty"`
	Pitcher     *PitcherChange `json:"pitcher,omitempty"`
	PitcherGame *PitcherChange `json:"pitcher_game,omitempty"`
	GamePK      string         `json:"game_pk,omitempty"`
}

// Change is an aggregate of a batter without and with the row.
type Change struct {
	Before schemas.Stats `json:"before"`
	After  schemas.Stats `json:"after"`
}

// PitcherChange is an aggregate of a pitcher without and with the row.
type PitcherChange struct {
	Before schemas.PitcherStats `json:"before"`
	After  schemas.PitcherStats `json:"after"`
}

// pageRows is the number of rows in one read.
const pageRows = 5000

// aggregates reads the other rows of the row's players and folds them without and with the row by the
// reference model. The aggregates in the stores equal those with the row.
func aggregates(ctx context.Context, reader *pgread.Reader, row schemas.StoredRow) (*Aggregates, error) {
	others := map[schemas.Side][]schemas.StoredRow{}
	for _, side := range schemas.Sides {
		player := side.PlayerIn(&row.Row)
		if !player.Present {
			continue
		}
		key := schemas.PlayerKey{Side: side, PlayerID: player.Value}
		var after *schemas.PitchCursor
		for {
			page, err := reader.PlayerPitches(ctx, key, after, pageRows)
			if err != nil {
				return nil, err
			}
			others[side] = append(others[side], page...)
			if len(page) < pageRows {
				break
			}
			last := page[len(page)-1]
			after = &schemas.PitchCursor{EventTime: last.EventTime, PitchID: last.PitchID}
		}
		isRow := func(r schemas.StoredRow) bool { return r.PitchID == row.PitchID }
		others[side] = slices.DeleteFunc(others[side], isRow)
	}
	return Contribution(row, others), nil
}

// Contribution returns the aggregates of a row and the other rows of its players, by their side; nil if the
// row has neither a batter nor a pitcher.
func Contribution(row schemas.StoredRow, others map[schemas.Side][]schemas.StoredRow) *Aggregates {
	if !row.BatterID.Present && !row.PitcherID.Present {
		return nil
	}
	a := &Aggregates{GamePK: string(row.GamePK)}
	with := func(side schemas.Side) []schemas.StoredRow { return append(slices.Clone(others[side]), row) }
	if id := row.BatterID.Value; row.BatterID.Present {
		game := schemas.PlayerGame{Side: schemas.Batter, PlayerID: id, GamePK: a.GamePK}
		before, gamesBefore := reference.Fold(others[schemas.Batter])
		after, gamesAfter := reference.Fold(with(schemas.Batter))
		a.BatterID, a.Batter = id, &Change{before[id], after[id]}
		if a.GamePK != "" {
			a.Game = &Change{gamesBefore[game], gamesAfter[game]}
		}
	}
	if id := row.PitcherID.Value; row.PitcherID.Present {
		game := schemas.PlayerGame{Side: schemas.Pitcher, PlayerID: id, GamePK: a.GamePK}
		before, gamesBefore := reference.FoldPitchers(others[schemas.Pitcher])
		after, gamesAfter := reference.FoldPitchers(with(schemas.Pitcher))
		a.PitcherID, a.Pitcher = id, &PitcherChange{before[id], after[id]}
		if a.GamePK != "" {
			a.PitcherGame = &PitcherChange{gamesBefore[game], gamesAfter[game]}
		}
	}
	return a
}
