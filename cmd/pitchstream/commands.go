package main

import "github.com/pitchstream/pitchstream/internal/config"

// commands are the verbs of the one binary, a file each.
type commands struct {
	config.File

	Run      runCmd      `cmd:"" help:"Process the raw topic until stopped: rows to Postgres, live values to Redis, failures to the dead-letter topic."`
	Serve    serveCmd    `cmd:"" help:"Serve the HTTP API: batters, games, leaders, pitches and their streams, from Redis and Postgres."`
	Players  playersCmd  `cmd:"" help:"Names of batters and pitchers for the API: players load FILE.csv."`
	Topics   topicsCmd   `cmd:"" help:"Create the topics that are missing, and say what differs in those that are there."`
	Migrate  migrateCmd  `cmd:"" help:"Bring the Postgres schema to the version of this build."`
	Load     loadCmd     `cmd:"" help:"Send records from files, folders and standard input to the raw topic."`
	Process  processCmd  `cmd:"" help:"Make tables of files, without any server: rows as Parquet, CSV or JSON Lines, a line a batter, what was rejected, a report."`
	Export   exportCmd   `cmd:"" help:"The pitches that stand in Postgres as Parquet, a file a game date, for a warehouse."`
	Simulate simulateCmd `cmd:"" help:"Play seeded games and write or produce their records."`
	Demo     demoCmd     `cmd:"" help:"See it all at work: Kafka, Redis, Postgres, the processor and a simulated game in one process, with a live table."`
	Verify   verifyCmd   `cmd:"" help:"Compare Kafka, Postgres and Redis pitch by pitch and field by field, and mend what differs."`
	DLQ      dlqCmd      `cmd:"" name:"dlq" help:"The workbench for dead letters: ls, show, retry, export, discard."`
	Explain  explainCmd  `cmd:"" help:"All that is known of one pitch: its versions, what each stage made of it, the windows of its bat speed, its row, what it adds, its letters."`
	Rebuild  rebuildCmd  `cmd:"" help:"Make a projection anew: rebuild redis."`
	Replay   replayCmd   `cmd:"" help:"Read a part of the raw topic once more, into live or into a target beside it."`
	Target   targetCmd   `cmd:"" help:"Targets beside live: list, diff, promote, rollback, drop."`
	Schema   schemaCmd   `cmd:"" help:"The JSON Schemas of record, row and letter: ls, show."`
	Quality  qualityCmd  `cmd:"" help:"Is the data what it should be? A day held against the week before: missing bat tracking, issues, gaps, delays, drift by venue."`
	Bench    benchCmd    `cmd:"" help:"Measure this build on this machine: the core, the stores, the stream from Kafka, the latency."`
	Version  versionCmd  `cmd:"" help:"Print the version of this build and of its core."`
}
