package explain

import (
	"context"
	"slices"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// Aggregates are the values of a row's batter, and of the batter in its game, without and with the row.
type Aggregates struct {
	BatterID int64   `json:"batter_id"`
	Batter   Change  `json:"batter"`
	GamePK   string  `json:"game_pk,omitempty"`
	Game     *Change `json:"game,omitempty"` // nil: the row is of no game
}

// Change is an aggregate without and with the row.
type Change struct {
	Before schemas.Stats `json:"before"`
	After  schemas.Stats `json:"after"`
}

// pageRows is the number of rows in one read.
const pageRows = 5000

// aggregates reads the batter's rows and folds them without and with the row by the reference model. The
// aggregates in the stores equal those with the row.
func aggregates(ctx context.Context, reader *pgread.Reader, row schemas.StoredRow) (*Aggregates, error) {
	var rows []schemas.StoredRow
	var after *schemas.PitchCursor
	for {
		page, err := reader.PlayerPitches(ctx, schemas.PlayerKey{PlayerID: row.BatterID.Value}, after, pageRows)
		if err != nil {
			return nil, err
		}
		rows = append(rows, page...)
		if len(page) < pageRows {
			break
		}
		last := page[len(page)-1]
		after = &schemas.PitchCursor{EventTime: last.EventTime, PitchID: last.PitchID}
	}
	rows = slices.DeleteFunc(rows, func(r schemas.StoredRow) bool { return r.PitchID == row.PitchID })
	return Contribution(row, rows), nil
}

// Contribution returns the aggregates of a row and the other rows of its batter; nil if the row has no
// batter.
func Contribution(row schemas.StoredRow, others []schemas.StoredRow) *Aggregates {
	if !row.BatterID.Present {
		return nil
	}
	batter := row.BatterID.Value
	game := schemas.PlayerGame{PlayerID: batter, GamePK: string(row.GamePK)}
	batters, games := reference.Fold(others)
	batters2, games2 := reference.Fold(append(slices.Clone(others), row))
	a := &Aggregates{BatterID: batter, Batter: Change{batters[batter], batters2[batter]}}
	if row.GamePK != "" {
		a.GamePK, a.Game = game.GamePK, &Change{games[game], games2[game]}
	}
	return a
}
