// Package quality judges the data of tracked pitches. It sums up the rows of each game, compares a day with
// the days before it, and compares bat speeds with each batter's own baseline. Its functions are pure: they
// use no clock and no database.
//
//	facts.go     the rows of a game → schemas.QualityFacts         what is stored, once a game, day and venue
//	arrivals.go  repeated records and deletes, which the rows do not show
//	count.go     missing pitches between two counts
//	judge.go     the facts of 30 days → schemas.QualityReport     abnormal figures first
//	checks.go    the shares that are watched, and their limits
//	columns.go   the numeric columns, summed up
//	shift.go     their means against their baselines, of all venues and of each
//	games.go     games that lack innings
//	drift.go     a venue's bat speeds against each batter's own
//	robust.go    the robust statistics that drift.go uses
//
// docs/QUALITY.md explains the figures and what to do about them.
package quality
