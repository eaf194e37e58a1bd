package quality

import "github.com/pitchstream/pitchstream/schemas"

// WithArrivals adds to the facts of a game what its rows do not show: repeated records, records of one
// revision that differ, and deletes. If all pitches of a day and venue were deleted, it adds facts with no
// pitches.
func WithArrivals(
	facts []schemas.QualityFacts, game schemas.Text, arrivals []schemas.QualityArrivals,
) []schemas.QualityFacts {
	type place struct {
		day   string
		venue schemas.Text
	}
	left := map[place]schemas.QualityArrivals{}
	for _, a := range arrivals {
		left[place{a.Day, a.Venue}] = a
	}
	for i := range facts {
		at := place{facts[i].Day, facts[i].Venue}
		arrived(&facts[i], left[at])
		delete(left, at)
	}
	for _, a := range arrivals {
		if _, gone := left[place{a.Day, a.Venue}]; gone && a.Deleted > 0 {
			f := schemas.QualityFacts{
				GamePK: game, Day: a.Day, Venue: a.Venue, Shares: map[string]schemas.QualityShare{},
				Issues:  map[string]int64{},
				Columns: map[string]schemas.QualityColumn{}, Innings: map[int16]int64{}, Swings: []schemas.BatterSpeed{},
			}
			arrived(&f, a)
			facts = append(facts, f)
		}
	}
	return facts
}

func arrived(f *schemas.QualityFacts, a schemas.QualityArrivals) {
	addMany(f.Shares, DeletedPitches, a.Deleted, f.Pitches+a.Deleted)
	if f.Pitches > 0 {
		addMany(f.Shares, RepeatedRecords, a.Repeats, f.Pitches+a.Repeats)
		addMany(f.Shares, ConflictingRecords, a.Conflicting, f.Pitches)
	}
}
