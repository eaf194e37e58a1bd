package main

import (
	"fmt"
	"runtime/debug"
)

type versionCmd struct{}

// Run prints one line.
func (versionCmd) Run(std *stdio) error {
	_, err := fmt.Fprintln(std.Out, "pitchstream", buildName())
	return err
}

// buildVersion is set by the linker for releases: -ldflags "-X main.buildVersion=v1.2.3".
var buildVersion string

// buildName names this build wherever a row, a letter or a log line tells who wrote it.
func buildName() string {
	if buildVersion != "" {
		return buildVersion
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			return s.Value[:12]
		}
	}
	return "dev"
}
