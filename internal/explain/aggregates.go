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
	BatterID    int64                         `json:"batter_id,omitempty"`
	Batter      *Change[schemas.Stats]        `json:"batter,omitempty"`
	Game        *Change[schemas.Stats]        `json:"game,omitempty"` // the batter's
	PitcherID   int64                         `json:"pitcher_id,omitempty"`
	Pitcher     *Change[schemas.PitcherStats] `json:"pitcher,omitempty"`
	PitcherGame *Change[schemas.PitcherStats] `json:"pitcher_game,omitempty"`
	GamePK      string                        `json:"game_pk,omitempty"`
}

// Change is an aggregate of a player without and with the row.
type Change[Stats any] struct {
	Before Stats `json:"before"`
	After  Stats `json:"after"`
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
	if row.BatterID.Present {
		a.BatterID = row.BatterID.Value
		a.Batter, a.Game = changes(reference.Fold, schemas.Batter, row, others)
	}
	if row.PitcherID.Present {
		a.PitcherID = row.PitcherID.Value
		a.Pitcher, a.PitcherGame = changes(reference.FoldPitchers, schemas.Pitcher, row, others)
	}
	return a
}

// changes returns what a row changes for its player of a side: over all games, and in its game, nil if it is
// of none.
func changes[Stats any](
	fold func([]schemas.StoredRow) (map[int64]Stats, map[schemas.PlayerGame]Stats), side schemas.Side,
	row schemas.StoredRow, others map[schemas.Side][]schemas.StoredRow,
) (all, inGame *Change[Stats]) {
	id := side.PlayerIn(&row.Row).Value
	before, gamesBefore := fold(others[side])
	after, gamesAfter := fold(append(slices.Clone(others[side]), row))
	if row.GamePK != "" {
		game := schemas.PlayerGame{Side: side, PlayerID: id, GamePK: string(row.GamePK)}
		inGame = &Change[Stats]{gamesBefore[game], gamesAfter[game]}
	}
	return &Change[Stats]{before[id], after[id]}, inGame
}
