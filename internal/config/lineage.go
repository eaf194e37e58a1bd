package config

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/lineage"
)

// Lineage says where a command reports what it reads and writes, as events of OpenLineage. The variables that
// other tools read hold too.
type Lineage struct {
	URL     SecretURL `name:"lineage-url" env:"PITCHSTREAM_LINEAGE_URL,OPENLINEAGE_URL" placeholder:"URL" help:"Server of OpenLineage that gets an event when the command starts and when it ends: http[s]://[user:password@]host:port. A server that fails or hangs never fails the command. None by default; OPENLINEAGE_URL holds too."`
	URLFile string    `name:"lineage-url-file" placeholder:"FILE" help:"File with the URL."`

	APIKey     Secret `name:"lineage-api-key" env:"PITCHSTREAM_LINEAGE_API_KEY,OPENLINEAGE_API_KEY" placeholder:"SECRET" help:"Key that the server wants (Authorization: Bearer). OPENLINEAGE_API_KEY holds too. Prefer the variable or the file to the flag."`
	APIKeyFile string `name:"lineage-api-key-file" placeholder:"FILE" help:"File with the key."`

	Endpoint  string   `name:"lineage-endpoint" env:"PITCHSTREAM_LINEAGE_ENDPOINT,OPENLINEAGE_ENDPOINT" default:"api/v1/lineage" placeholder:"PATH" help:"Path below the URL. Default: api/v1/lineage."`
	File      string   `name:"lineage-file" placeholder:"FILE" help:"File that gets each event as a line, with or without a server. None by default."`
	Namespace string   `name:"lineage-namespace" env:"PITCHSTREAM_LINEAGE_NAMESPACE,OPENLINEAGE_NAMESPACE" default:"default" placeholder:"NAME" help:"Namespace of the jobs. Default: default."`
	Job       string   `name:"lineage-job" placeholder:"NAME" help:"Name of the job in the events. Give each export and load one of its own. Default: pitchstream. and the command, as pitchstream.export."`
	ParentID  string   `name:"lineage-parent-id" env:"PITCHSTREAM_LINEAGE_PARENT_ID,OPENLINEAGE_PARENT_ID" placeholder:"NAMESPACE/JOB/RUN" help:"Run that starts this one, as of an Airflow task. OPENLINEAGE_PARENT_ID holds too. None by default."`
	RootID    string   `name:"lineage-root-parent-id" env:"PITCHSTREAM_LINEAGE_ROOT_PARENT_ID,OPENLINEAGE_ROOT_PARENT_ID" placeholder:"NAMESPACE/JOB/RUN" help:"Run at the top, as of an Airflow DAG. Default: --lineage-parent-id."`
	Timeout   Duration `name:"lineage-timeout" default:"5s" placeholder:"TIME" help:"Most that a command waits at its end for events that are not delivered yet. Default: 5s."`
	Disabled  bool     `name:"lineage-disabled" env:"PITCHSTREAM_LINEAGE_DISABLED,OPENLINEAGE_DISABLED" help:"Send no events, whatever else is set. OPENLINEAGE_DISABLED holds too. Off by default."`
}

const (
	wantServer = "http[s]://[user:password@]host:port"
	wantRun    = "NAMESPACE/JOB/RUN with a UUID as RUN"
)

// inherited has a check for each variable of other tools that may have a value of no use here.
var inherited = map[string]struct {
	fits func(string) bool
	want string
}{
	"OPENLINEAGE_URL":            {isServer, wantServer},
	"OPENLINEAGE_PARENT_ID":      {isRun, wantRun},
	"OPENLINEAGE_ROOT_PARENT_ID": {isRun, wantRun},
	"OPENLINEAGE_DISABLED":       {isBool, "true or false"},
}

func isServer(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

func isRun(text string) bool {
	_, err := lineage.ParseParent(text)
	return err == nil
}

// isBool reports whether kong reads a text as true or false.
func isBool(text string) bool {
	return slices.Contains([]string{"true", "1", "yes", "false", "0", "no"}, strings.ToLower(text))
}

// Validate checks the address, the runs and the time, unless no events are sent.
func (l Lineage) Validate() error {
	// guard: config: lineage that is disabled is not checked
	if l.Disabled {
		return nil
	}
	d := time.Duration(l.Timeout)
	return cmp.Or(
		allowed(l.URL.Reveal() == "" || isServer(l.URL.Reveal()), "lineage-url", l.URL, wantServer),
		allowed(isRun(l.ParentID), "lineage-parent-id", l.ParentID, wantRun),
		allowed(isRun(l.RootID), "lineage-root-parent-id", l.RootID, wantRun),
		allowed(d > 0 && d <= time.Minute, "lineage-timeout", d, "more than 0 up to 1m"),
	)
}

// Open returns where the events of this build go; nil if they go nowhere.
func (l Lineage) Open(build string) *lineage.Emitter {
	if l.Disabled {
		return nil
	}
	o := lineage.Options{
		URL: l.URL.Reveal(), Endpoint: l.Endpoint, APIKey: l.APIKey.Reveal(), File: l.File,
		Namespace: l.Namespace, Job: l.Job, Build: build, Timeout: time.Duration(l.Timeout), Hide: HideIn,
	}
	o.Parent, _ = lineage.ParseParent(l.ParentID) // Validate has refused wrong ones
	o.Root, _ = lineage.ParseParent(l.RootID)
	return lineage.Open(o)
}
