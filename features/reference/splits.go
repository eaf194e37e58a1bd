package reference

// The aggregates of a part of a player's pitches, and of groups of them. Each group has the aggregates that
// the player would have if there were no other rows. So Fold computes them, of the rows of each group.
//
// Two facts are not obvious. Counts add up over the groups, but percentiles do not, nor do swords and
// competitive swings: each group has a slowest tenth of its own. And the last pitches are those by event
// time, which a correction may change.

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// Splits returns a page of the groups of a player's pitches. The groups have no time of processing, because
// the rows have none. It has no bound on the pitches, as a store has.
func Splits(rows []schemas.StoredRow, q schemas.SplitQuery) (page schemas.Splits) {
	groups := map[schemas.Text][]schemas.StoredRow{}
	for _, row := range chosen(rows, q) {
		key := splitKey(&row, q)
		groups[key] = append(groups[key], row)
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		page.Groups = append(page.Groups, splitOf(key, groups[key], q))
	}
	slices.SortStableFunc(page.Groups, func(a, b schemas.Split) int { return compareSplits(a, b, q.By) })
	if q.After != nil {
		after := schemas.Split{Key: q.After.Key, Newest: q.After.Newest}
		page.Groups = slices.DeleteFunc(page.Groups, func(s schemas.Split) bool {
			return compareSplits(s, after, q.By) <= 0
		})
	}
	page.Groups = page.Groups[:min(q.Limit, len(page.Groups))]
	return page
}

// splitOf folds a group. A group of another kind than a game may have pitches of several games, and a pitcher
// tires within one. So the first and the last pitches of a type are compared in a game only.
func splitOf(key schemas.Text, rows []schemas.StoredRow, q schemas.SplitQuery) schemas.Split {
	split := schemas.Split{Key: key, Newest: lastPitch(rows).EventTime}
	if q.Side == schemas.Batter {
		batters, _ := Fold(rows)
		split.Stats = new(batters[q.PlayerID])
		return split
	}
	pitchers, games := FoldPitchers(rows)
	split.Pitching = new(pitchers[q.PlayerID])
	if q.By == schemas.SplitGame && key != "" {
		split.Pitching = new(games[schemas.PlayerGame{Side: q.Side, PlayerID: q.PlayerID, GamePK: string(key)}])
	}
	return split
}

// chosen returns the rows that a query chooses, the newest first. A row without a player of the side is in no
// group. Rows of one time are in the order of the API's pages of pitches, so that the last n of both are the
// same.
func chosen(rows []schemas.StoredRow, q schemas.SplitQuery) (his []schemas.StoredRow) {
	for _, row := range rows {
		isIn := (!q.Since.Present || row.EventTime >= q.Since.Value) &&
			(!q.Until.Present || row.EventTime < q.Until.Value)
		if q.Side.PlayerIn(&row.Row) == schemas.Some(q.PlayerID) && isIn {
			his = append(his, row)
		}
	}
	slices.SortFunc(his, func(a, b schemas.StoredRow) int {
		return cmp.Or(cmp.Compare(b.EventTime, a.EventTime), slices.Compare(b.PitchID[:], a.PitchID[:]))
	})
	if q.Last == 0 {
		return his
	}
	last := int(q.Last)
	switch q.LastOf {
	case schemas.LastSwingsOf:
		// Pitches behind the last swing count, too: the batter saw them since then.
		for i := range his {
			if his[i].IsSwing {
				last--
			}
			if last == 0 {
				return his[:i+1]
			}
		}
		return his
	case schemas.LastGamesOf:
		return ofLastGames(his, last)
	}
	return his[:min(last, len(his))]
}

// ofLastGames returns the rows of the n games with the newest rows, of equally new ones those last by name.
// Rows without a game are in none of them.
func ofLastGames(his []schemas.StoredRow, n int) []schemas.StoredRow {
	newest := map[schemas.Text]schemas.TimeMS{}
	for _, row := range his {
		if row.GamePK != "" {
			newest[row.GamePK] = max(newest[row.GamePK], row.EventTime)
		}
	}
	games := slices.SortedFunc(maps.Keys(newest), func(a, b schemas.Text) int {
		return cmp.Or(cmp.Compare(newest[b], newest[a]), cmp.Compare(b, a))
	})
	games = games[:min(n, len(games))]
	return slices.DeleteFunc(his, func(r schemas.StoredRow) bool { return !slices.Contains(games, r.GamePK) })
}

// splitKey returns the group of a row, "" if what it is grouped by is missing. Stores keep no empty texts, so
// that no group is mixed up with the rows that belong to none.
func splitKey(row *schemas.StoredRow, q schemas.SplitQuery) schemas.Text {
	date := func(n int) schemas.Text { return row.GameDate[:min(n, len(row.GameDate))] }
	switch q.By {
	case schemas.SplitSeason:
		return date(len("2006"))
	case schemas.SplitMonth:
		return date(len("2006-01"))
	case schemas.SplitDate:
		return date(len("2006-01-02"))
	case schemas.SplitGame:
		return row.GamePK
	case schemas.SplitPitchType:
		return row.PitchType
	case schemas.SplitCount:
		if row.Balls.Present && row.Strikes.Present {
			return schemas.Text(fmt.Sprintf("%d-%d", row.Balls.Value, row.Strikes.Value))
		}
	case schemas.SplitHand:
		if q.Side == schemas.Pitcher {
			return row.BatterSide
		}
		return row.PitcherHand
	}
	return ""
}

// compareSplits orders times and games from the newest on, and others by name. No two groups are equal, so a
// page that begins behind a group leaves none out.
func compareSplits(a, b schemas.Split, by schemas.SplitBy) int {
	switch by {
	case schemas.SplitSeason, schemas.SplitMonth, schemas.SplitDate:
		return cmp.Compare(b.Key, a.Key)
	case schemas.SplitGame:
		return cmp.Or(cmp.Compare(b.Newest, a.Newest), cmp.Compare(b.Key, a.Key))
	}
	return cmp.Compare(a.Key, b.Key)
}
