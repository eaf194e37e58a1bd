package config

import (
	"regexp"
	"strings"
)

// Serving says where the process listens.
type Serving struct {
	AdminAddr Addr `name:"admin-addr" default:":9090" placeholder:"HOST:PORT" help:"Address of /healthz, /readyz, /metrics, /debug/config and /debug/pprof; off for none. Default: :9090. DANGER: without access control, not for the internet."`
	APIAddr   Addr `name:"api-addr" default:":8080" placeholder:"HOST:PORT" help:"Address of the API and the dashboard; off for none. Default: :8080."`
}

// Validate says what is wrong and what would be right.
func (s Serving) Validate() error {
	if s.AdminAddr == s.APIAddr && s.APIAddr != Off && !strings.HasSuffix(string(s.APIAddr), ":0") {
		return invalid("api-addr", string(s.APIAddr), "another address than --admin-addr")
	}
	return nil
}

// Log says what the log looks like.
type Log struct {
	Format string `name:"log-format" default:"auto" enum:"auto,text,json" help:"Form of a log line: ${enum}. auto: text on a terminal, else json."`
	Level  string `name:"log-level" default:"info" enum:"debug,info,warn,error" help:"The least that is logged: ${enum}. Default: info. debug tells every batch."`
}

// Limits bound what one record may cost.
type Limits struct {
	MaxRecordBytes Bytes `name:"max-record-bytes" default:"16MiB" placeholder:"SIZE" help:"The largest value of a record, in bytes (16MiB, 1048576): a larger one is a dead letter, too_large. Default: 16MiB. Keep it below max.message.bytes of the dead letters' topic."`
}

// Bounds of MaxRecordBytes: a real pitch has about 100 KB, and one record must fit several times into memory.
const (
	minMaxRecordBytes = 1 << 10
	maxMaxRecordBytes = 256 << 20
)

// Validate says what is wrong and what would be right.
func (l Limits) Validate() error {
	if l.MaxRecordBytes < minMaxRecordBytes || l.MaxRecordBytes > maxMaxRecordBytes {
		return invalid("max-record-bytes", l.MaxRecordBytes.String(), "1KiB to 256MiB")
	}
	return nil
}

// Instance names one replica.
type Instance struct {
	InstanceID string `name:"instance-id" placeholder:"NAME" help:"Name of this replica, kept over its restarts (a StatefulSet's pod name): a replica that starts again takes over at once from its former self. Empty: a fresh one each start, and the former self's transaction is waited for. DANGER: two processes of one name fence each other."`
}

var instancePattern = regexp.MustCompile(`^[A-Za-z0-9._-]{0,100}$`)

// Validate says what is wrong and what would be right.
func (i Instance) Validate() error {
	if !instancePattern.MatchString(i.InstanceID) {
		return invalid("instance-id", i.InstanceID, "up to 100 letters, digits, dots, underscores and hyphens")
	}
	return nil
}
