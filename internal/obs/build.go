package obs

import (
	"runtime"
	"runtime/debug"
)

// buildVersion is the version of a release. The linker sets it:
// -ldflags "-X github.com/pitchstream/pitchstream/internal/obs.buildVersion=v1.2.3".
var buildVersion string

// Build returns the name of this build, as rows, dead letters, metrics and logs carry it: the release's
// version, else the first 12 digits of its commit, else "dev".
func Build() string {
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

// Source is where this build came from.
type Source struct {
	Commit   string `json:"commit"` // "": built outside of a repository
	Date     string `json:"date"`   // of the commit, RFC 3339
	Modified bool   `json:"modified"`
	Go       string `json:"go"`
	Platform string `json:"platform"` // linux/amd64
}

// SourceOf returns the source of this build, as the Go linker recorded it.
func SourceOf() Source {
	s := Source{Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				s.Commit = setting.Value
			case "vcs.time":
				s.Date = setting.Value
			case "vcs.modified":
				s.Modified = setting.Value == "true"
			}
		}
	}
	return s
}
