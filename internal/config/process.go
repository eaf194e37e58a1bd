package config

import (
	"cmp"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// Serving holds the addresses at which a process listens.
type Serving struct {
	AdminAddr Addr `name:"admin-addr" default:":9091" placeholder:"HOST:PORT" help:"Address of /healthz, /readyz, /metrics and /debug/config; off for none. Default: :9091, because run has :9090. DANGER: without access control, not for the internet."`
	APIAddr   Addr `name:"api-addr" default:":8080" placeholder:"HOST:PORT" help:"Address of the API and the dashboard; off for none. Default: :8080."`
}

// Admin says who may do what at the admin address.
type Admin struct {
	Token     Secret `name:"admin-token" placeholder:"SECRET" help:"POST /breaker/reset must bear it (Authorization: Bearer). Without it, only this machine may send that. Prefer the variable or the file to the flag."`
	TokenFile string `name:"admin-token-file" placeholder:"FILE" help:"File with the token of the admin address."`
	Profiles  bool   `name:"admin-profiles" help:"Answer /debug/pprof at the admin address. Off by default."`
}

// Validate refuses one address for both servers, because the second could not listen there.
func (s Serving) Validate() error {
	differ := s.AdminAddr != s.APIAddr || s.APIAddr == Off || strings.HasSuffix(string(s.APIAddr), ":0")
	return allowed(differ, "api-addr", s.APIAddr, "another address than --admin-addr")
}

// Log holds the form of the log and its level.
type Log struct {
	Format string `name:"log-format" default:"auto" enum:"auto,text,json" help:"Form of a log line: ${enum}. auto: text on a terminal, else json."`
	Level  string `name:"log-level" default:"info" enum:"debug,info,warn,error" help:"The least that is logged: ${enum}. Default: info. debug tells every batch."`
}

// Tracing holds the address that spans are sent to.
type Tracing struct {
	OTLPEndpoint SecretURL `name:"otlp-endpoint" placeholder:"URL" help:"Where spans of batches are sent to, OTLP over HTTP: http://host:4318. None by default; without it OTEL_EXPORTER_OTLP_ENDPOINT says, and the other OTEL_ variables hold too."`
}

// Validate refuses a text that is no URL of HTTP.
func (t Tracing) Validate() error {
	u, err := url.Parse(t.OTLPEndpoint.Reveal())
	isHTTP := err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
	return allowed(isHTTP || t.OTLPEndpoint.Reveal() == "", "otlp-endpoint", t.OTLPEndpoint,
		"http://host:4318 or https://host")
}

// Limits bounds one record. A real pitch has about 100 KB, and one record must fit into memory several times.
type Limits struct {
	MaxRecordBytes Bytes `name:"max-record-bytes" default:"16MiB" placeholder:"SIZE" help:"The largest value of a record, in bytes (16MiB, 1048576): a larger one is a dead letter, too_large. Default: 16MiB. Keep it below max.message.bytes of the dead letters' topic."`
}

// Validate checks the bounds.
func (l Limits) Validate() error {
	ok := l.MaxRecordBytes >= 1<<10 && l.MaxRecordBytes <= 256<<20
	return allowed(ok, "max-record-bytes", l.MaxRecordBytes, "1KiB to 256MiB")
}

// Memory bounds the memory of a processor.
type Memory struct {
	FetchMaxBytes Bytes `name:"fetch-max-bytes" default:"16MiB" placeholder:"SIZE" help:"Most that is fetched from Kafka at a time, as it is packed there; one record always is, however large. Unpacked (tracking data: three times its size) it is held about three times: fetched ahead, in hand, decoded; records that pack much better want a smaller one. Default: 16MiB."`
	MemoryLimit   Bytes `name:"memory-limit" default:"192MiB" placeholder:"SIZE" help:"The collector works harder the nearer memory comes to this (as GOMEMLIMIT, which wins when it is set): leave about a quarter of the container's limit above it. A single record that needs more gets more. Default: 192MiB."`
}

// Validate checks the bounds.
func (m Memory) Validate() error {
	fetchFits := m.FetchMaxBytes >= 64<<10 && m.FetchMaxBytes <= 256<<20
	return cmp.Or(
		allowed(fetchFits, "fetch-max-bytes", m.FetchMaxBytes, "64KiB to 256MiB"),
		allowed(m.MemoryLimit >= 64<<20, "memory-limit", m.MemoryLimit, "64MiB or more"),
	)
}

// Breaker holds the numbers of rejected records at which a processor stops and waits for an operator.
type Breaker struct {
	InARow    int           `name:"breaker-in-a-row" default:"1000" placeholder:"N" help:"Rejected records in a row after which the processor holds: it commits nothing more, is not ready and says why, until POST /breaker/reset at the admin address or a restart. 0: no limit. Default: 1000."`
	Share     float64       `name:"breaker-share" default:"0.5" placeholder:"SHARE" help:"Share of rejected records within --breaker-window at which it holds too, up to 1. 0: no limit. Default: 0.5."`
	Window    time.Duration `name:"breaker-window" default:"5m" placeholder:"DURATION" help:"The time that --breaker-share looks back on, in whole minutes. Default: 5m."`
	WindowMin int           `name:"breaker-window-min" default:"200" placeholder:"N" help:"Records within --breaker-window from which on its share counts. Default: 200."`
}

// Validate checks each value.
func (b Breaker) Validate() error {
	wholeMinutes := b.Window >= time.Minute && b.Window <= time.Hour && b.Window%time.Minute == 0
	return cmp.Or(
		allowed(b.InARow >= 0, "breaker-in-a-row", b.InARow, "a number of records, or 0 for no limit"),
		allowed(b.Share >= 0 && b.Share <= 1, "breaker-share", b.Share, "more than 0 up to 1, or 0 for no limit"),
		allowed(wholeMinutes, "breaker-window", b.Window, "1m to 1h, in whole minutes"),
		allowed(b.WindowMin >= 1, "breaker-window-min", b.WindowMin, "1 or more"),
	)
}

// Instance holds the name of one replica.
type Instance struct {
	InstanceID string `name:"instance-id" placeholder:"NAME" help:"Name of this replica, kept over its restarts (a StatefulSet's pod name): a replica that starts again takes over at once from its former self. Empty: a fresh one each start, and the former self's transaction is waited for. DANGER: two processes of one name fence each other."`
}

var instancePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{0,100}$`)

// Validate checks the name's characters and length.
func (i Instance) Validate() error {
	return allowed(instancePattern.MatchString(i.InstanceID), "instance-id", i.InstanceID,
		"up to 100 letters, digits, dots, underscores and hyphens")
}

// Membership holds how a processor keeps its place in the consumer group.
type Membership struct {
	SessionTimeout Duration `name:"session-timeout" default:"10s" placeholder:"TIME" help:"How long the group waits for a processor that says nothing before others take its partitions; 6s to 30m. With --instance-id also how long a restart may take that moves none: a rolling restart wants more than its pods take, as 45s. Default: 10s."`
	StatefulSet    string   `name:"stateful-set" placeholder:"NAME" help:"The StatefulSet of which this is a pod (then --instance-id is the pod's name): when it ends and the set was scaled below its number, or deleted, it leaves the group at once; when it is restarted, it keeps its place. Asks Kubernetes as the pod's service account, which must be allowed to get this one StatefulSet. None by default: without it a pod that was scaled in is waited for until --session-timeout."`
}

// Validate checks the bounds of the timeout, and the name of the set.
func (m Membership) Validate() error {
	d := time.Duration(m.SessionTimeout)
	return cmp.Or(
		allowed(d >= 6*time.Second && d <= 30*time.Minute, "session-timeout", d, "6s to 30m"),
		allowed(instancePattern.MatchString(m.StatefulSet), "stateful-set", m.StatefulSet, "a StatefulSet's name"),
	)
}
