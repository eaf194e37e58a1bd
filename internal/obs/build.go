package obs

import "runtime/debug"

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
