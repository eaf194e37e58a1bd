package main

// The guards of what the dashboard reads: swings, the stream in one glance, and questions that go together.
func init() {
	for _, m := range []mutant{
		{guard: "api: each has his own of an answer to several", file: "api/looks.go", run: "GoTogether", old: "q.states[from:to:to]", new: "q.states[:to-from]"},
		{guard: "api: who gives up stops nobody else", file: "api/looks.go", run: "GivesUp", old: "go l.run(context.WithoutCancel(ctx), q)", new: "go l.run(ctx, q)"},
		{guard: "api: a panic is answered where it was asked", file: "api/looks.go", run: "Panic", old: "q.panic = recover()", new: "_ = q"},
		{guard: "api: a swing is that of the version that stands", file: "api/paths.go", run: "Swing", old: "p.kept.Get(at)", new: "p.kept.Get(schemas.Coordinates{Topic: at.Topic})"},
		{guard: "api: a version of a swing is read once", file: "api/paths.go", run: "Swing", old: "p.kept.Add(at, path)", new: "_ = p"},
		{guard: "api: few swings are read at a time", file: "api/paths.go", run: "FewSwings", old: "make(chan struct{}, pathsAtATime)", new: "make(chan struct{}, 100)"},
		{guard: "api: a Kafka that has failed is left alone", file: "api/paths.go", run: "CannotBeRead", old: "err = p.kafka.ask(ctx, pathTimeout, func", new: "err = (&gate{log: p.kafka.log}).ask(ctx, pathTimeout, func"},
		{guard: "api: a record that panics is no other's undoing", file: "api/paths.go", run: "PathThatPanics", old: "if p := recover(); p != nil {", new: "if p := any(nil); p != nil {"},
		{guard: "api: of a miss nothing was hit", file: "api/swings.go", run: "ToBeDrawn", old: "if !row.IsContact {", new: "if false {"},
		{guard: "api: no record is read without a swing", file: "api/swings.go", run: "ToBeDrawn", old: "if !row.IsSwing {", new: "if false {"},
		{guard: "api: a glance from memory is stale", file: "api/overview.go", run: "WithoutItsStores", old: "b.Stale, b.AgeMS = true,", new: "b.AgeMS ="},
		{guard: "api: a processor that is silent is not alive", file: "api/overview.go", run: "Glances|WhatIsWrong", old: "if p.Alive {\n\t\t\talive", new: "if true {\n\t\t\talive"},
		{guard: "api: a partition that nobody reads is said", file: "api/overview.go", run: "WhatIsWrong", old: "if p.Processor == \"\" && alive > 0 {", new: "if p.Processor == \"nobody\" {"},
		{guard: "api: a Redis that is not whole is said", file: "api/overview.go", run: "WhatIsWrong", old: "if seen.whole = a.sources.judge(live).whole; !seen.whole {", new: "if seen.whole = a.sources.judge(live).whole; false {"},
		{guard: "api: a glance is of one topic", file: "api/overview.go", run: "OneGlance", old: "if t, p, _ := strings.Cut(field, \"/\"); t == topic {", new: "if t, p, _ := strings.Cut(field, \"/\"); t != \"\" {"},
		{guard: "api: a cursor's time is one of Postgres'", file: "api/pitches.go", run: "CursorsSurvive", old: "c.EventTime = max(first, min(c.EventTime, last))", new: "_, _ = first, last"},
		{guard: "api: work is no part of the heartbeats", file: "sink/redissink/look.go", pkg: "./sink/redissink", run: "WorkStands", needsPG: true, old: "h.Work = nil", new: "_ = told"},
		{guard: "api: work goes with its processor", file: "sink/redissink/look.go", pkg: "./sink/redissink", run: "WorkStands", needsPG: true, old: "p.HDel(ctx, s.keys.work(), instance)", new: "_ = instance"},
		{guard: "api: a record that is to come is not waited for", file: "internal/kafkaread/one.go", pkg: "./internal/kafkaread", run: "Gone", old: "case at.Offset >= end.Offset:", new: "case false:"},
		{guard: "api: what is thrown out of order is not drawn", file: "features/path.go", pkg: "./features", run: "Path", old: "kept[i+1].timeS-kept[i].timeS > maxBreakS", new: "kept[i+1].timeS-kept[i].timeS > 1e9"},
		{guard: "api: a foul is not the pitch", file: "features/path.go", pkg: "./features", run: "Path", old: "return dot >= straight*math.Sqrt(one*other)", new: "return true"},
	} {
		if m.pkg == "" {
			m.pkg = "./api"
		}
		mutants = append(mutants, m)
	}
}
