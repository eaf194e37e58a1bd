package identify

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/schemas"
)

// runFile names the pitches of a file. Its names count over all that are known, whatever their revision,
// because a person gives them now.
func runFile(ctx context.Context, o Options) (*Report, error) {
	r := &Report{}
	lines, err := fileinput.LoadIDs(ctx, o.File)
	if err != nil {
		return r, err
	}
	for _, note := range lines.Notes {
		o.Log.Warn("a column of the file is not used", "file", o.File, "note", note)
	}
	var items []item
	inFile := map[schemas.PitchID]bool{}
	now := time.Now().UnixMilli()
	for id, line := range lines.Pitches() {
		r.Pitches++
		inFile[id] = true
		i := item{key: line.GamePK, id: id, names: line.Identifiers, revision: now, wins: true}
		if i.key == "" {
			i.key = o.Game
		}
		if !i.names.NameAny() {
			r.Nameless++
			continue
		}
		items = append(items, i)
	}
	if n := lines.Others(); n > 0 {
		return r, fmt.Errorf("%s: %d event_ids are no UUID, so they name no pitch", o.File, n)
	}
	slices.SortFunc(items, func(a, b item) int { return bytes.Compare(a.id[:], b.id[:]) })
	s, err := openSender(ctx, o, "file", func(_ []byte, id schemas.PitchID) bool { return inFile[id] })
	if err != nil {
		return r, err
	}
	defer s.close()
	news, err := s.news(ctx, items, r)
	switch {
	case err != nil:
		return r, err
	case o.DryRun:
		r.News = schemas.Map(news, func(i item) Play {
			return Play{
				ID: i.id, BatterID: i.names.BatterID, PitcherID: i.names.PitcherID, TeamID: i.names.TeamID,
				AtBat: int64(i.names.AtBatNumber.Value), Pitch: int64(i.names.PitchNumber.Value),
				BatSide: string(i.names.BatterSide), PitchHand: string(i.names.PitcherHand),
			}
		})
		return r, nil
	}
	err = s.send(ctx, news, r)
	if err != nil && ctx.Err() != nil {
		err = ErrInterrupted
	}
	return r, err
}
