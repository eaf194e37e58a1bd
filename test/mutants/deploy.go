package main

// The guards of what is deployed and exported.
func init() {
	mutants = append(mutants,
		mutant{guard: "deploy: a processor that is scaled in leaves the group", file: "consumer/processor.go", pkg: "./consumer", run: "ScaledInLeaves",
			old: "\tp.leave(ctx)\n", new: ""},
		mutant{guard: "deploy: a processor that is restarted does not leave", file: "consumer/leave.go", pkg: "./consumer", run: "ScaledInLeaves",
			old: "if !p.cfg.Leaves(ctx) {", new: "if false {"},
		mutant{guard: "deploy: a session outlasts a restart", file: "consumer/session.go", pkg: "./consumer", run: "ScaledInLeaves",
			old: "kgo.SessionTimeout(cfg.SessionTimeout)", new: "kgo.SessionTimeout(sessionTimeout)"},
		mutant{guard: "deploy: a restarted processor has its name", file: "consumer/session.go", pkg: "./consumer", run: "RollingRestart",
			old: "opts = append(opts, kgo.InstanceID(id))", new: "_ = id"},
		mutant{guard: "deploy: only a pod beyond the number leaves", file: "cmd/pitchstream/scaledin.go", pkg: "./cmd/pitchstream", run: "PodKnows",
			old: "return number >= found.Spec.Ordinals.Start+*found.Spec.Replicas, nil", new: "return number >= *found.Spec.Replicas, nil"},
		mutant{guard: "export: all of one moment", file: "sink/pgsink/export.go", pkg: "./sink/pgsink", run: "ExportIsOfOneMoment", needsPG: true,
			old: "IsoLevel: pgx.RepeatableRead, ", new: ""},
		mutant{guard: "export: a day with fewer pitches than counted is not whole", file: "cmd/pitchstream/export.go", pkg: "./cmd/pitchstream", run: "TestExportStory", needsPG: true,
			old: "e.pitches += e.rows\n\treturn e.folder.Place(partName, partOf(e.day))", new: "e.pitches += e.rows\n\treturn nil"},
		mutant{guard: "export: dates that have no pitches any more go", file: "cmd/pitchstream/export.go", pkg: "./cmd/pitchstream", run: "TestExportStory", needsPG: true,
			old: "if err := os.Remove(file); err != nil {", new: "if err := error(nil); err != nil {"},
		mutant{guard: "export: dates that are there are passed over", file: "cmd/pitchstream/export.go", pkg: "./cmd/pitchstream", run: "TestExportStory", needsPG: true,
			old: "err == nil && !e.c.Overwrite {", new: "err == nil && false {"},
		mutant{guard: "warehouse: of two teams on a day the later one counts", file: "schemas/migrations/0007_warehouse.sql", pkg: "./sink/pgsink", run: "AsOfADate", needsPG: true,
			old: "ORDER BY batter_id, game_date, event_time DESC, pitch_id DESC", new: "ORDER BY batter_id, game_date, event_time, pitch_id"},
		mutant{guard: "schemas: what was released stays", file: "schemas/jsonschema/letter.schema.json", pkg: "./schemas", run: "CompatibleWithTheLastRelease",
			old: "    \"dlq.group\": { \"description\": \"Consumer group that rejected it.\", \"type\": \"string\" },\n", new: ""},
	)
}
