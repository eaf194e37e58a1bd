package config

import (
	"errors"
	"io"
	"reflect"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kerr"
)

// remedy is the hint for errors whose text contains one of the signs. Texts are compared, because the clients
// return some errors of TLS and of servers as text only.
type remedy struct {
	signs []string
	hint  string
}

// Signs of a failed handshake. untrusted contains wrongName, so it is tried after that.
var (
	wrongName = []string{
		"x509: certificate is valid for", "x509: certificate is not valid for any names",
		"x509: cannot validate certificate for",
	}
	untrusted    = []string{"x509: "}
	refusesOurs  = []string{"remote error: tls:"} // our certificate, or that we sent none
	notEncrypted = []string{"first record does not look like a TLS handshake"}
)

// server has the hints for the errors of one kind of server. The first remedy with a sign in the error
// counts.
type server struct {
	group    reflect.Type // of its settings
	remedies []remedy
	closed   string // the hint for a closed connection; "": none
}

const kafkaLogin = "--kafka-sasl-mechanism, --kafka-sasl-user and --kafka-sasl-password"

var kafkaHints = server{reflect.TypeFor[Kafka](), []remedy{
	{wrongName, "look at --kafka-brokers: a broker's certificate is for other names"},
	{untrusted, "look at --kafka-tls-ca: it lacks the authority that signed the brokers' certificates"},
	{refusesOurs, "look at --kafka-tls-cert and --kafka-tls-key: the brokers want a certificate"},
	{notEncrypted, "look at --kafka-tls: the brokers do not encrypt on this port"},
	{[]string{
		kerr.SaslAuthenticationFailed.Message, kerr.UnsupportedSaslMechanism.Message, kerr.IllegalSaslState.Message,
	}, "look at " + kafkaLogin + ": the brokers refuse this login"},
	{[]string{"_AUTHORIZATION_FAILED"}, // of a topic, a group, a transactional id or the cluster
		"look at --kafka-sasl-user: the brokers know this user and forbid it (docs/SECURITY.md has what it needs)"},
}, "look at --kafka-tls, and at " + kafkaLogin + ": the brokers close the connection without an answer"}

var postgresHints = server{reflect.TypeFor[Postgres](), []remedy{
	{wrongName, "look at --postgres-url: the server's certificate is for other names"},
	{untrusted, "look at sslrootcert in --postgres-url: it lacks the authority of the server's certificate"},
	{refusesOurs, "look at sslcert and sslkey in --postgres-url: the server wants a certificate"},
	{[]string{"refused TLS connection"}, "look at sslmode in --postgres-url: the server does not encrypt"},
	{[]string{"SQLSTATE 28"},
		"look at user, password and sslmode in --postgres-url: the server refuses this login"},
	{[]string{"SQLSTATE 3D000"}, "look at the database's name in --postgres-url: there is none of that name"},
	{[]string{"SQLSTATE 42501"},
		"look at the user in --postgres-url: it lacks rights that `pitchstream migrate --writer-role` gives"},
}, ""}

var redisHints = server{reflect.TypeFor[Redis](), []remedy{
	{wrongName, "look at --redis-url: the server's certificate is for other names"},
	{untrusted, "look at --redis-tls-ca: it lacks the authority of the server's certificate"},
	{refusesOurs, "look at --redis-tls-cert and --redis-tls-key: the server wants a certificate"},
	{notEncrypted, "look at --redis-url: the server does not encrypt here, want redis:// instead of rediss://"},
	{[]string{"WRONGPASS", "NOAUTH"}, "look at user and password in --redis-url: the server refuses this login"},
	{[]string{"NOPERM", "ACL failure in script", "The user executing the script can't"},
		"look at the user in --redis-url and at --redis-prefix: this user's rights do not suffice " +
			"(docs/REDIS.md has those it needs)"},
}, "look at --redis-url: the server closes the connection without an answer, " +
	"as where one side encrypts (rediss://) and the other does not"}

// Hint returns which settings to check after an error of Kafka, Postgres or Redis ("look at --kafka-tls-ca:
// …"). It returns "" if no remedy is known, or if command, the struct of a command's flags, has no such group
// of settings. A hint never quotes the error, which may show a secret.
func Hint(command any, err error) string {
	s, text := kafkaHints, err.Error()
	var refused *pgconn.PgError
	var unreachable *pgconn.ConnectError
	switch {
	case errors.As(err, &refused):
		s, text = postgresHints, text+" SQLSTATE "+refused.Code
	case errors.As(err, &unreachable), strings.Contains(text, "postgres: "):
		s = postgresHints
	case strings.HasPrefix(text, "redis"):
		s = redisHints
	}
	if !hasGroup(reflect.Indirect(reflect.ValueOf(command)).Type(), s.group) {
		return ""
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
