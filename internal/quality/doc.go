// Package quality judges the data of tracked pitches: facts about each game from its rows, the day held against the days
// before it, and bat speeds held against each batter's own baseline. It is pure: no clock, no database, no order of calls.
//
//	facts.go     the rows of a game → schemas.QualityFacts            what is stored, once a game, day and venue
//	arrivals.go  records that came again, and deletes           what the rows do not show
//	count.go     pitches that are missing between two counts
//	judge.go     the facts of 30 days → schemas.QualityReport        what is beyond its limits first
//	checks.go    the shares that are watched, and their limits
//	columns.go   the numeric columns, summed up
//	shift.go     their means against their baselines, of all venues and of each
//	games.go     games that lack innings
//	drift.go     a venue's bat speeds against each batter's own
//	robust.go    the robust statistics that drift.go uses
//
// What the figures mean, and what to do about them: docs/QUALITY.md.
package quality
