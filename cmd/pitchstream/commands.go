package main

// commands are the verbs of the one binary, a file each.
type commands struct {
	Version versionCmd `cmd:"" help:"Print the version of this build and of its core."`
}
