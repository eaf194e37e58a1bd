package main

// The guards of data quality: what must be counted once, told from chance, and never missed.
func init() {
	pure := func(guard, file, run, old, new string) mutant {
		return mutant{guard: "quality: " + guard, file: "internal/quality/" + file, pkg: "./internal/quality", run: run, old: old, new: new}
	}
	stored := func(guard, file, run, old, new string) mutant {
		return mutant{guard: "quality: " + guard, file: "sink/pgsink/" + file, pkg: "./sink/pgsink", run: run, old: old, new: new, needsPG: true}
	}
	mutants = append(mutants,
		pure("a batter's baseline is apart from the venue", "drift.go", "ABiasOfOneVenue", "return s.Venue != venue })", "return s.Venue != \"\" })"),
		pure("few swings are too few to judge by", "checks.go", "ToldFromChance", "f.Abnormal = f.Abnormal && today.Of >= leastOf", "_ = leastOf"),
		pure("a share is held against its baseline", "checks.go", "EachFault", "f.Abnormal = f.Value-above > c.points && f.Score.Value >= limit", "f.Abnormal = f.Value > 0.5"),
		pure("early looks need more", "drift.go", "ACleanVenue", "score := mph / e * math.Sqrt(min(float64(n)/driftSwings, 1))", "score := mph / e"),
		pure("a foul with two strikes adds none", "count.go", "InTheCount", "if a.PitchAction != \"Foul\" || strikes < 2 {", "if true {"),
		pure("a game that is played lacks nothing yet", "games.go", "LackInnings", "if j.newest-g.Last <= schemas.TimeMS(endedAfter.Milliseconds()) {", "if false {"),
		pure("rows count in time's order", "facts.go", "InTheCount", "cmp.Compare(a.EventTime, b.EventTime), a.Version()", "0*cmp.Compare(a.EventTime, b.EventTime), 0*a.Version()"),
		stored("the game that a pitch left is computed too", "sql/quality_touched.sql", "Touched", "NOT standing OR previous_game_pk IS DISTINCT FROM game_pk", "false"),
		stored("an identify touches the game", "sql/quality_touched.sql", "Touched", "WHERE updated_at >= $1 AND game_key <> ''", "WHERE false AND updated_at >= $1 AND game_key <> ''"),
		stored("a row committed late is not missed", "sql/quality_touched.sql", "CommittedLate", "- interval '35 s'", "- interval '0 s'"),
		stored("older facts do not replace newer ones", "quality.go", "OlderFacts", "WHERE quality_games.computed_at <= excluded.computed_at", "WHERE true"),
		stored("facts that no rows stand for are emptied", "quality.go", "Touched", "UPDATE quality_games SET pitches = 0, facts = '{}', computed_at = $4\n\t\tWHERE", "UPDATE quality_games SET computed_at = $4\n\t\tWHERE"),
		mutant{guard: "quality: one process computes", file: "cmd/pitchstream/quality_work.go", pkg: "./cmd/pitchstream", run: "QualityFromRows", needsPG: true,
			old: "if err != nil || !ok {\n\t\t\treturn err", new: "if err != nil || !ok && false {\n\t\t\treturn err"},
	)
}
