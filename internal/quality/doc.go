// Package quality judges the data of tracked pitches. It sums up the rows of each game, compares a day with
// the days before it, and compares bat speeds with each batter's own baseline. Its functions are pure: they
// use no clock and no database.
//
//	facts.go     the rows of a game → schemas.QualityFacts         what is stored, once a game, day and venue
//	judge.go     the facts of 30 days → schemas.QualityReport     abnormal figures first
//	checks.go    the shares that are watched, and their limits
//	shift.go     the means of columns against their baselines, of all venues and of each
//	units.go     the unit that shifted values look like
//	games.go     games that lack innings
//	members.go   the paths of the records: lost, new, of another kind or size
//	drift.go     a venue's bat speeds against each batter's own
//	robust.go    the robust statistics that drift.go uses
//
// docs/QUALITY.md explains the figures and what to do about them.
package quality
