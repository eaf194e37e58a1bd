package main

// What those who are on call rely on.
func init() {
	for _, m := range []mutant{
		{guard: "traces: a batch is linked to so many producers and no more", old: "case len(t.linked) >= maxLinks:", new: "case len(t.linked) < 0:"},
		{guard: "traces: a producer is linked once", old: "slices.ContainsFunc(t.linked, same)", new: "slices.ContainsFunc(t.linked, same) && false"},
		{guard: "traces: a batch that was dropped ends", old: "t.drop()\n\tt.ctx, t.batch", new: "t.ctx, t.batch"},
		{guard: "traces: off unless somebody says where to", old: "off || endpoint == \"\" && !endpointInEnvironment()", new: "off"},
		{guard: "traces: the standard switch holds", old: "os.Getenv(\"OTEL_SDK_DISABLED\") == \"true\"", new: "false"},
	} {
		m.file, m.pkg, m.run = "internal/obs/trace.go", "./internal/obs", "Batch|Endpoint"
		mutants = append(mutants, m)
	}
	mutants = append(mutants,
		mutant{guard: "metrics: an unknown column makes no series", file: "internal/obs/count.go", pkg: "./internal/obs", run: "Counted",
			old: "if !m.columns[column] {", new: "if false {"},
		mutant{guard: "metrics: a slow step leads to its trace", file: "internal/obs/count.go", pkg: "./internal/obs", run: "SlowStep",
			old: "ok && traceID != \"\"", new: "ok && false"},
		mutant{guard: "metrics: a partition that is another's is told of no more", file: "internal/obs/lag.go", pkg: "./internal/obs", run: "Lag",
			old: "delete(m.partitions, partition{topic, id})", new: "_ = topic"},
		mutant{guard: "metrics: a lag in seconds grows by itself", file: "internal/obs/lag.go", pkg: "./internal/obs", run: "Lag",
			old: "tell(lagSeconds, s.age(now))", new: "tell(lagSeconds, s.age(s.waits))"},
	)
	for _, m := range []mutant{
		{guard: "alerts: chance is no missing tracking", file: "quality.yml", old: "> 4 * sqrt(", new: "> 0 * sqrt("},
		{guard: "alerts: five points are no fewer", file: "quality.yml", old: "pitchstream:untracked_swings:excess > 0.05", new: "pitchstream:untracked_swings:excess > 0.02"},
		{guard: "alerts: a lag that moves is no standstill", file: "stream.yml", old: "and changes(pitchstream:position_offset:max[3m]) == 0\n", new: "\n"},
		{guard: "alerts: a partition without records stands still rightly", file: "stream.yml", old: "min_over_time(pitchstream:lag_records:max[3m]) > 0", new: "min_over_time(pitchstream:lag_records:max[3m]) >= 0"},
	} {
		m.file, m.pkg, m.run = "deploy/prometheus/rules/"+m.file, "./cmd/pitchstream", "TheRulesPass"
		mutants = append(mutants, m)
	}
	for _, m := range []mutant{
		{guard: "alerts: what a real scrape has for labels is matched", file: "deploy/prometheus/rules/stream.yml", run: "EachAlertFires/Redis_is_never",
			old: "== 1 and on (instance) count_over_time", new: "== 1 and count_over_time"},
		{guard: "alerts: a label by which is chosen is there", file: "deploy/prometheus/rules/recording.yml", run: "LabelsThatAreAsked",
			old: "expr: max by (venue) (pitchstream_quality_baseline_ratio{", new: "expr: max by (park) (pitchstream_quality_baseline_ratio{"},
		{guard: "metrics: each venue has a column's shift", file: "internal/obs/quality.go", run: "EachAlertFires/a_venue's_radar|NoAlert",
			old: "g.opt(qShift, f.Score, f.Item, f.Venue)", new: "g.opt(qShift, f.Score, f.Item, \"all\")"},
	} {
		m.pkg = "./cmd/pitchstream"
		mutants = append(mutants, m)
	}
}
