package config

import (
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kerr"
)

// remedy is the hint for errors whose text contains one of the signs. Texts are compared, because the clients
// return some errors of TLS and of servers as text only. The first remedy of a server with a sign counts, so
// what a server answered stands before signs of the connection: one error may have both, of two attempts.
type remedy struct {
	signs []string
	hint  string
}

// Signs of a connection that failed.
var (
	wrongName = []string{
		"x509: certificate is valid for", "x509: certificate is not valid for any names",
		"x509: cannot validate certificate for",
	}
	untrusted      = []string{"x509: "}             // contains wrongName, so it is tried after that
	refusesOurs    = []string{"remote error: tls:"} // our certificate, or that we sent none
	notEncrypted   = []string{"first record does not look like a TLS handshake"}
	nothingListens = []string{"connect: connection refused"}
	unknownHost    = []string{"no such host", "server misbehaving"}
	unreachable    = []string{"no route to host", "network is unreachable"}
	noAnswer       = []string{"i/o timeout", "context deadline exceeded", "connection timed out"}
)

// server has the hints for the errors of one kind of server.
type server struct {
	group    reflect.Type // of its settings
	remedies []remedy
	closed   string // the hint for a closed connection; "": none
}

const kafkaLogin = "--kafka-sasl-mechanism, --kafka-sasl-user and --kafka-sasl-password"

var kafkaHints = server{reflect.TypeFor[Kafka](), []remedy{
	{[]string{
		kerr.SaslAuthenticationFailed.Message, kerr.UnsupportedSaslMechanism.Message,
		kerr.IllegalSaslState.Message,
	}, "look at " + kafkaLogin + ": the brokers refuse this login"},
	{[]string{"_AUTHORIZATION_FAILED"}, // of a topic, a group, a transactional id or the cluster
		"look at --kafka-sasl-user: the brokers know this user and forbid it (docs/SECURITY.md has what " +
			"it needs)"},
	{[]string{kerr.UnknownTopicOrPartition.Message},
		"run `pitchstream topics`, or look at the names of the topics: one of them does not exist"},
	{wrongName, "look at --kafka-brokers: a broker's certificate is for other names"},
	{untrusted, "look at --kafka-tls-ca: it lacks the authority that signed the brokers' certificates"},
	{refusesOurs, "look at --kafka-tls-cert and --kafka-tls-key: the brokers want a certificate"},
	{notEncrypted, "look at --kafka-tls: the brokers do not encrypt on this port"},
	{[]string{"invalid large response size"}, "look at the port in --kafka-brokers: no broker listens there"},
	{nothingListens, "look at --kafka-brokers: nothing listens at this address"},
	{unknownHost, "look at --kafka-brokers: no such host is known here"},
	{unreachable, "look at --kafka-brokers: there is no way to this host"},
	{noAnswer, "look at --kafka-brokers and --kafka-tls: no broker answers there"},
}, "look at --kafka-tls, and at " + kafkaLogin + ": the brokers close the connection without an answer " +
	"(or are starting: then try again)"}

var postgresHints = server{reflect.TypeFor[Postgres](), []remedy{
	{[]string{"SQLSTATE 28P01"},
		"look at user and password in --postgres-url: the server refuses this login"},
	{[]string{"valid client certificate"},
		"look at sslcert and sslkey in --postgres-url: the server wants a certificate"},
	{[]string{"pg_hba.conf"}, "look at user, database and sslmode in --postgres-url: " +
		"pg_hba.conf of the server has no line that lets it in"},
	{[]string{"SQLSTATE 28000"}, "look at the user in --postgres-url: the server refuses it"},
	{[]string{"SQLSTATE 28"},
		"look at user, password and sslmode in --postgres-url: the server refuses this login"},
	{[]string{"SQLSTATE 3D000"}, "look at the database's name in --postgres-url: there is none of that name"},
	{[]string{"SQLSTATE 53300"},
		"raise max_connections of the server, or add pool_max_conns=4 to --postgres-url"},
	{[]string{"SQLSTATE 53100"}, "make room on the server's disk: it is full, and takes no write until then"},
	{[]string{"SQLSTATE 53200"}, "the server is out of memory: lower work_mem or max_connections there"},
	{[]string{"SQLSTATE 57P03"}, "wait: the server starts, ends, or recovers"},
	{[]string{"SQLSTATE 25006"},
		"look at the host in --postgres-url: the server is read-only, as a standby is; " +
			"name all servers, and target_session_attrs=read-write"},
	{[]string{"SQLSTATE"}, ""}, // the server answers, so the address is right
	{wrongName, "look at --postgres-url: the server's certificate is for other names"},
	{untrusted, "look at sslrootcert in --postgres-url: it lacks the authority of the server's certificate"},
	{refusesOurs, "look at sslcert and sslkey in --postgres-url: the server wants a certificate"},
	{[]string{"invalid body length", "unexpected message"},
		"look at the port in --postgres-url: no Postgres listens there"},
	{[]string{"refused TLS connection"}, "look at sslmode in --postgres-url: the server does not encrypt"},
	{nothingListens, "look at host and port in --postgres-url: nothing listens there"},
	{unknownHost, "look at the host in --postgres-url: no such host is known here"},
	{unreachable, "look at the host in --postgres-url: there is no way to it"},
	{noAnswer, "look at host and port in --postgres-url: no Postgres answers there"},
}, "look at host, port and sslmode in --postgres-url: the server closes the connection without an answer"}

var redisHints = server{reflect.TypeFor[Redis](), []remedy{
	{[]string{"WRONGPASS", "NOAUTH"},
		"look at user and password in --redis-url: the server refuses this login"},
	{[]string{"AUTH <password> called without any password"},
		"look at the password in --redis-url: the server wants none"},
	{[]string{"NOPERM", "ACL failure in script", "The user executing the script can't"},
		"look at the user in --redis-url and at --redis-prefix: this user's rights do not suffice " +
			"(docs/REDIS.md has those it needs)"},
	{[]string{"DB index is out of range"},
		"look at the database in --redis-url: the server has none of that number"},
	{[]string{"READONLY"}, "look at --redis-url: the server is a replica; give the master, or the Sentinels"},
	{[]string{"MOVED ", "CROSSSLOT"},
		"look at --redis-url: the server is of a cluster; give several addresses of it"},
	{[]string{"cluster support disabled"},
		"look at --redis-url: the server is of no cluster; give one address"},
	{[]string{"MISCONF"},
		"make room on the server's disk: it cannot write its file, and refuses every write"},
	{[]string{"unknown command"}, "look at rename-command and the version of the server: it lacks this " +
		"command (docs/REDIS.md has those that pitchstream needs)"},
	{[]string{"NOREPLICAS"}, "look at the replicas of the server: " +
		"fewer of them follow than min-replicas-to-write, so it refuses every write"},
	{[]string{"OOM command not allowed"}, "raise maxmemory of the server: it is full"},
	{[]string{"invalid reply", "can't parse"}, "look at the port in --redis-url: no Redis listens there"},
	{wrongName, "look at --redis-url: the server's certificate is for other names"},
	{untrusted, "look at --redis-tls-ca: it lacks the authority of the server's certificate"},
	{refusesOurs, "look at --redis-tls-cert and --redis-tls-key: the server wants a certificate"},
	{notEncrypted,
		"look at --redis-url: the server does not encrypt here, want redis:// instead of rediss://"},
	{nothingListens, "look at host and port in --redis-url: nothing listens there"},
	{unknownHost, "look at the host in --redis-url: no such host is known here"},
	{unreachable, "look at the host in --redis-url: there is no way to it"},
}, "look at --redis-url: the server closes the connection without an answer, " +
	"as where one side encrypts (rediss://) and the other does not"}

// Role says which role of Postgres a command connects as, because the remedy for missing rights differs.
type Role string

// The roles. A command without a method PostgresRole connects as the Writer.
const (
	Writer Role = "writer"
	Reader Role = "reader"
	Owner  Role = "owner"
)

// rightsHint returns the remedy for a schema or a right that this role does not have; "" for other errors.
func rightsHint(command any, text string) string {
	role := Writer
	if c, ok := command.(interface{ PostgresRole() Role }); ok {
		role = c.PostgresRole()
	}
	grant := fmt.Sprintf("run `pitchstream migrate --%s-role NAME` as the owner of the schema", role)
	isMissing := slices.ContainsFunc([]string{"SQLSTATE 42P01", "SQLSTATE 3F000", "SQLSTATE 42703",
		"SQLSTATE 42883"},
		func(code string) bool { return strings.Contains(text, code) })
	switch {
	case strings.Contains(text, "SQLSTATE 42501") && role == Owner:
		return "look at the user in --postgres-url: it must own the schema, or be granted CREATE ON DATABASE"
	case strings.Contains(text, "SQLSTATE 42501"):
		return "look at the user in --postgres-url: it lacks rights; " + grant
	case role == Owner && strings.Contains(text, "already exists"):
		return "look at --postgres-schema: something else has that name there; " +
			"give pitchstream a schema of its own"
	case role == Owner:
		return ""
	case isMissing:
		return "run `pitchstream migrate`: the schema lacks what this build needs. If it was run, the " +
			"user in " +
			"--postgres-url lacks rights: " + grant
	}
	return ""
}

// Hint returns which settings to check after an error of Kafka, Postgres or Redis ("look at --kafka-tls-ca:
// …"). It returns "" if no remedy is known, or if command, the struct of a command's flags, has no such group
// of settings. A hint never quotes the error, which may show a secret.
func Hint(command any, err error) string {
	text := err.Error()
	if errors.Is(err, syscall.EADDRINUSE) {
		return addressHint(reflect.Indirect(reflect.ValueOf(command)), err)
	}
	var refused *pgconn.PgError
	var unreachable *pgconn.ConnectError
	var s server
	switch {
	case errors.As(err, &refused), errors.As(err, &unreachable), strings.Contains(text, "postgres: "):
		s = postgresHints
		if refused != nil {
			text += " SQLSTATE " + refused.Code
		}
	case strings.HasPrefix(text, "redis"):
		s = redisHints
	case isKafka(err, text):
		s = kafkaHints
	default:
		return ""
	}
	if !hasGroup(reflect.Indirect(reflect.ValueOf(command)).Type(), s.group) || strings.Contains(text, "run `pitchstream") {
		return "" // the error names its remedy
	}
	if s.group == postgresHints.group {
		if hint := rightsHint(command, text); hint != "" {
			return hint
		}
		answered := strings.Contains(text, "SQLSTATE")
		if unreachable == nil && !answered && !strings.Contains(text, "failed to connect") {
			return "" // an answer that comes late says nothing about the address
		}
	}
	for _, r := range s.remedies {
		if slices.ContainsFunc(r.signs, func(sign string) bool { return strings.Contains(text, sign) }) {
			return r.hint
		}
	}
	if Closed(err) {
		return s.closed
	}
	return ""
}

// addressHint returns the flags of the addresses at which a command could not listen; "" if it has none.
func addressHint(command reflect.Value, err error) string {
	var refused *net.OpError
	if !errors.As(err, &refused) || refused.Addr == nil {
		return ""
	}
	_, port, _ := net.SplitHostPort(refused.Addr.String())
	var flags []string
	var visit func(v reflect.Value)
	visit = func(v reflect.Value) {
		for i := range v.NumField() {
			field, of := v.Type().Field(i), v.Field(i)
			switch isAddr := field.Type == reflect.TypeFor[Addr](); {
			case isAddr && strings.HasSuffix(of.String(), ":"+port):
				flags = append(flags, "--"+field.Tag.Get("name"))
			case of.Kind() == reflect.Struct && field.IsExported():
				visit(of)
			}
		}
	}
	visit(command)
	if flags == nil {
		return ""
	}
	return "another process listens there: take another address with " + strings.Join(flags, " or ")
}

// isKafka reports whether an error is of the Kafka client. Its errors of connections have no type; that of a
// closed connection has no text but EOF.
func isKafka(err error, text string) bool {
	signs := []string{
		"kafka: ", "unable to dial: ", "separate shard errors", "broker closed the connection",
		"BrokerMaxReadBytes", "is your broker port correct", "_AUTHORIZATION_FAILED",
	}
	return errors.As(err, new(*kerr.Error)) || text == "EOF" || strings.HasPrefix(text, refusesOurs[0]) ||
		slices.ContainsFunc(signs, func(sign string) bool { return strings.Contains(text, sign) })
}

// hasGroup reports whether a struct has a field of this type, or of a type made of it, also inside other
// structs.
func hasGroup(command, group reflect.Type) bool {
	for i := range command.NumField() {
		f := command.Field(i)
		isStruct := f.IsExported() && f.Type.Kind() == reflect.Struct
		if isStruct && (f.Type.ConvertibleTo(group) || hasGroup(f.Type, group)) {
			return true
		}
	}
	return false
}

// Closed reports whether the server closed the connection instead of answering. Some servers refuse a first
// attempt in this way; of a connection that worked before, it only means that the server was restarted.
func Closed(err error) bool {
	text := err.Error()
	return errors.Is(err, io.EOF) || strings.HasSuffix(text, ": EOF") ||
		strings.Contains(text, "broker closed the connection immediately")
}
