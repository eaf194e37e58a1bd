package main

// The guards of the workbench for dead letters, and of what explains a pitch.
func init() {
	const dlq = "DLQPrediction|DLQTwenty|RetryGoesOn|DLQFilters"
	for _, m := range []mutant{
		{guard: "letters: a letter that was retried is not open", file: "internal/letters/survey.go", old: "l.status = StatusRetried", new: "_ = l"},
		{guard: "letters: a letter that was discarded is not open", file: "internal/letters/survey.go", old: "l.status = StatusDiscarded", new: "_ = l"},
		{guard: "letters: what this build has tried is passed over", file: "internal/letters/survey.go", old: "l.selected = q.Again || !l.tried", new: "l.selected = true"},
		{guard: "letters: a foreign letter is not sent", file: "internal/letters/survey.go", old: "l.status = StatusForeign", new: "_ = l"},
		{guard: "letters: what was being sent is looked for", file: "internal/letters/retry.go", old: "if r.report.Found, err = r.d.resume(ctx); err != nil {", new: "if false {"},
		{guard: "letters: what is sent is written down", file: "internal/letters/retry.go", old: "decision.Action, decision.Raw = schemas.LetterRetried, a.at\n", new: "continue\n"},
		{guard: "letters: the store is asked what it refuses", file: "internal/letters/predict.go", old: "if d.o.CoreOnly || d.o.Store == nil {", new: "if true {"},
		{guard: "letters: what stands is compared", file: "internal/letters/predict.go", old: "l.outcome = Superseded", new: "_ = l"},
		{guard: "letters: a trial is taken back", file: "sink/pgsink/letters.go", old: "err = t.writeAll()\n\tt.rollback()", new: "err = t.writeAll()\n\t_, _ = conn.Exec(ctx, \"commit\")"},
	} {
		m.pkg, m.run, m.needsPG = "./cmd/pitchstream", dlq, true
		mutants = append(mutants, m)
	}
	for _, m := range []mutant{
		{guard: "letters: the origin goes along", file: "internal/letters/letter.go", old: "if isOwn(h.Key) || kept[h.Key] {", new: "if isOwn(h.Key) {"},
		{guard: "letters: what only a letter says does not go along", file: "internal/letters/letter.go", old: "if isOwn(h.Key) || kept[h.Key] {", new: "if true {"},
		{guard: "letters: a record goes where it failed", file: "internal/letters/letter.go", old: "r.Partition = l.Failed.Partition", new: "_ = l"},
		{guard: "letters: an origin must be readable", file: "internal/letters/letter.go", old: "l.Ours = l.ID.Origin != own &&", new: "l.Ours ="},
		{guard: "letters: an identity is counted once", file: "internal/letters/book.go", old: "b.report.Repeated++\n\t\treturn", new: "b.report.Repeated++"},
		{guard: "letters: of a record that failed again the last letter counts", file: "internal/letters/book.go", old: "e.selected, e.tried = false, false", new: "e.tried = false"},
		{guard: "letters: a letter is taken once", file: "internal/letters/book.go", old: "\te.selected = false\n\tb.entries[k] = e\n\treturn true", new: "\treturn true"},
		{guard: "letters: shapes are bounded", file: "internal/letters/book.go", old: "if len(b.groups) >= maxGroups {", new: "if false {"},
		{guard: "letters: an equal version supersedes", file: "internal/letters/predict.go", old: "register.Version.Compare(c.Version) >= 0", new: "register.Version.Compare(c.Version) > 0"},
		{guard: "letters: of a repeated member the last is meant", file: "internal/letters/place.go", old: "from, ok = to-len(element), true", new: "return int(d.InputOffset()) - len(element), int(d.InputOffset()), true"},
	} {
		m.pkg = "./internal/letters"
		mutants = append(mutants, m)
	}
	for _, m := range []mutant{
		{guard: "explain: the window that won is the first of the fastest", file: "features/explain_swing.go", old: "w.SpeedMPH.Value > v.Windows[v.Fastest].SpeedMPH.Value", new: "w.SpeedMPH.Value < v.Windows[v.Fastest].SpeedMPH.Value"},
		{guard: "explain: rejected windows count", file: "features/explain_swing.go", old: "share > maxRejected", new: "share > 2"},
		{guard: "explain: few spots give no speed", file: "features/explain_swing.go", old: "case v.Spots < minSpots:", new: "case v.Spots < 0:"},
		{guard: "explain: a range is checked", file: "features/explain.go", old: "\tvalidate(row, &issues)\n", new: ""},
		{guard: "explain: duplicates are dropped first", file: "features/explain.go", old: "\td.bat.settle()\n", new: ""},
	} {
		m.pkg, m.run = "./features", "Explained|Explanations|EachReason"
		mutants = append(mutants, m)
	}
}
