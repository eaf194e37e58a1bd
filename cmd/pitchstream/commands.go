package main

import "pitchstream/internal/config"

// commands are the verbs of the one binary, a file each.
type commands struct {
	config.File

	Run     runCmd     `cmd:"" help:"Process the raw topic until stopped: rows to Postgres, live values to Redis, failures to the dead-letter topic."`
	Topics  topicsCmd  `cmd:"" help:"Create the topics that are missing, and say what differs in those that are there."`
	Migrate migrateCmd `cmd:"" help:"Bring the Postgres schema to the version of this build."`
	Version versionCmd `cmd:"" help:"Print the version of this build and of its core."`
}
