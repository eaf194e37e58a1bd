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
		pure("a batter's baseline is apart from the venue", "drift.go", "ABaselineIsApart", "return s.Venue != venue })", "return s.Venue != \"\" })"),
		pure("few swings are too few to judge by", "checks.go", "ToldFromChance", "f.Abnormal = f.Abnormal && today.Of >= leastOf", "_ = leastOf"),
		pure("a share is held against its baseline", "checks.go", "EachFault", "f.Abnormal = f.Value-above > c.points && f.Score.Value >= limit", "f.Abnormal = f.Value > 0.5"),
		pure("early looks need more", "drift.go", "ACleanVenue", "score := mph / e * math.Sqrt(min(float64(n)/driftSwings, 1))", "score := mph / e"),
		pure("a foul with two strikes adds none", "count.go", "InTheCount", "if a.PitchAction != \"Foul\" || strikes < 2 {", "if true {"),
		pure("a game that is played lacks nothing yet", "games.go", "LackInnings", "if j.newest-g.Last <= schemas.TimeMS(endedAfter.Milliseconds()) {", "if false {"),
		pure("rows count in time's order", "facts.go", "InTheCount", "cmp.Compare(a.EventTime, b.EventTime), a.Version()", "0*cmp.Compare(a.EventTime, b.EventTime), 0*a.Version()"),
		stored("the game that a pitch left is computed too", "sql/quality_touched.sql", "Touched", "NOT standing OR previous_game_pk IS DISTINCT FROM game_pk", "false"),
		stored("a deleted pitch without a game touches its day", "sql/quality_touched.sql", "DeleteTouches", "WHERE processed_at >= $1 AND gone_day IS NOT NULL", "WHERE false AND processed_at >= $1 AND gone_day IS NOT NULL"),
		stored("a record that is read again is no repeat", "sql/upsert_measured.sql", "ComeAgain", "<> (r.record_ts_ms, r.source_offset, r.source_partition) AS later", "IS NOT NULL AS later"),
		stored("a poll that is read again counts nothing twice", "sql/upsert_measured.sql", "ComeAgain", "THEN (later AND same)::int ELSE coalesce(excluded.repeats, 0) END", "THEN (later AND same)::int + coalesce(excluded.repeats, 0) ELSE coalesce(excluded.repeats, 0) END"),
		stored("what differs at one revision is no repeat", "sql/upsert_measured.sql", "ComeAgain", "THEN (later AND same)::int ELSE", "THEN later::int ELSE"),
		stored("a correction is no conflict", "sql/upsert_measured.sql", "ComeAgain", "CASE WHEN excluded.revision = r.revision THEN (later AND NOT same)", "CASE WHEN r.revision IS NOT NULL THEN (later AND NOT same)"),
		stored("another core's values are no conflict", "sql/upsert_measured.sql", "AnotherCore", "excluded.core_version <> r.core_version OR", "false OR"),
		stored("within a poll, only the newest revision counts", "arrivals.go", "ComeAgain", "before.Version.Revision != newest.Version.Revision || ", ""),
		stored("a delete that is read again keeps its game", "sql/upsert_measured.sql", "DeletedPitches", "WHEN r.gone_day IS NOT NULL THEN r.gone_game_pk ELSE excluded.gone_game_pk END", "ELSE excluded.gone_game_pk END"),
		stored("a pitch that comes back is not deleted", "sql/upsert_measured.sql", "DeletedPitches", "gone_day = CASE WHEN NOT excluded.deleted THEN NULL WHEN", "gone_day = CASE WHEN"),
		stored("a pitch that is deleted within its poll was of a game", "arrivals.go", "DeletedPitches", "return text(&r.GamePK), &date, text(&r.Venue)", "return nil, nil, nil"),
		pure("a venue is held against its own days", "shift.go", "OneVenueThat|IsNamed", "j.meansOf(c.name, v, j.venueDays(v))", "means{today: j.meansOf(c.name, v, nil).today, base: all.base, days: all.days}"),
		pure("venues' days differ without a fault", "shift.go", "HaveNotShifted", "return max(excess/float64(len(offs)), 0)", "return 0"),
		pure("a fault of last week hides none of today", "shift.go", "HidesNoOther", "excess += min(off*off, most*most) - chances[i]", "excess += off*off - chances[i] + 0*most"),
		pure("a venue that is called all is one", "judge.go", "CalledAll", "case everywhere, unknownVenue:", "case \"\\x00\":"),
		pure("a game of which nothing stands is none", "judge.go", "NothingStands", "Games: j.gamesWhere(stands), Pitches", "Games: int64(len(j.games)), Pitches"),
		pure("a day of deletes only is no baseline", "judge.go", "NothingStands", "if day < j.day && p.pitches > 0 {", "if day < j.day && p.pitches >= 0 {"),
		stored("an identify touches the game", "sql/quality_touched.sql", "Touched", "WHERE updated_at >= $1 AND game_key <> ''", "WHERE false AND updated_at >= $1 AND game_key <> ''"),
		stored("a row committed late is not missed", "sql/quality_touched.sql", "CommittedLate", "- interval '35 s'", "- interval '0 s'"),
		stored("older facts do not replace newer ones", "quality.go", "OlderFacts", "WHERE quality_games.computed_at <= excluded.computed_at", "WHERE true"),
		stored("facts that no rows stand for are emptied", "quality.go", "Touched", "UPDATE quality_games SET pitches = 0, facts = '{}', computed_at = $4\n\t\tWHERE", "UPDATE quality_games SET computed_at = $4\n\t\tWHERE"),
		mutant{guard: "quality: one process computes", file: "cmd/pitchstream/quality_work.go", pkg: "./cmd/pitchstream", run: "QualityFromRows", needsPG: true,
			old: "if err != nil || !ok {\n\t\t\treturn err", new: "if err != nil || !ok && false {\n\t\t\treturn err"},
	)
}
