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

// Hint names the settings to look at where a server refuses us, for the error that some client gave: "look at
// --kafka-tls-ca: …". It is empty where nothing is known. command is the command's struct, with the groups that it
// embeds; a hint never quotes the error.
func Hint(command any, err error) string {
	var k Kafka
	var p Postgres
	var r Redis
	switch v := reflect.Indirect(reflect.ValueOf(command)); {
	case origin(err) == "kafka" && group(v, reflect.ValueOf(&k).Elem()):
		return k.hint(err)
	case origin(err) == "postgres" && group(v, reflect.ValueOf(&p).Elem()):
		return p.hint(err)
	case origin(err) == "redis" && group(v, reflect.ValueOf(&r).Elem()):
		return r.hint(err)
	}
	return ""
}

// group finds the group of settings of into's type, or of a type made of it, among the fields of a command.
func group(command, into reflect.Value) bool {
	for i := range command.NumField() {
		f := command.Field(i)
		switch {
		case !command.Type().Field(i).IsExported() || f.Kind() != reflect.Struct:
		case f.Type().ConvertibleTo(into.Type()):
			into.Set(f.Convert(into.Type()))
			return true
		case group(f, into):
			return true
		}
	}
	return false
}

// origin tells whose client an error comes from. All of the stores' begin with their name.
func origin(err error) string {
	connect, said := (*pgconn.ConnectError)(nil), (*pgconn.PgError)(nil)
	switch text := err.Error(); {
	case strings.Contains(text, "postgres: "), errors.As(err, &connect), errors.As(err, &said):
		return "postgres"
	case strings.HasPrefix(text, "redis"):
		return "redis"
	}
	return "kafka"
}

func (k Kafka) hint(err error) string {
	const login = "--kafka-sasl-mechanism, --kafka-sasl-user and --kafka-sasl-password"
	switch whose := tlsFault(err); {
	case whose == faultTheirs:
		return "look at --kafka-tls-ca: the authority that signed the brokers' certificates must be in that file"
	case whose == faultName:
		return "look at --kafka-brokers: a broker's certificate is for other names than the one that it is reached by"
	case whose == faultOurs:
		return "look at --kafka-tls-cert and --kafka-tls-key: the brokers want a certificate that their authority signed"
	case whose == faultPlain:
		return "look at --kafka-tls: the brokers do not encrypt on this port"
	case says(err, kerr.SaslAuthenticationFailed.Message, kerr.UnsupportedSaslMechanism.Message, kerr.IllegalSaslState.Message):
		return "look at " + login + ": the brokers refuse this login"
	case says(err, "_AUTHORIZATION_FAILED"): // of a topic, a group, a transactional id, the cluster
		return "look at --kafka-sasl-user: the brokers know this user and forbid it (docs/SECURITY.md has what it needs)"
	case Closed(err):
		return "look at --kafka-tls, and at " + login + ": the brokers close the connection without a word"
	}
	return ""
}

func (p Postgres) hint(err error) string {
	said := (*pgconn.PgError)(nil)
	_ = errors.As(err, &said)
	switch whose := tlsFault(err); {
	case whose == faultTheirs:
		return "look at sslrootcert in --postgres-url: the authority that signed the server's certificate must be in that file"
	case whose == faultName:
		return "look at --postgres-url: the server's certificate is for other names than the host of the URL"
	case whose == faultOurs:
		return "look at sslcert and sslkey in --postgres-url: the server wants a certificate that its authority signed"
	case says(err, "refused TLS connection"):
		return "look at sslmode in --postgres-url: the server does not encrypt"
	case said == nil:
		return ""
	case strings.HasPrefix(said.Code, "28"):
		return "look at user, password and sslmode in --postgres-url: the server refuses this login"
	case said.Code == "3D000":
		return "look at the database's name in --postgres-url: there is none of that name"
	case said.Code == "42501":
		return "look at the user in --postgres-url: it lacks rights that `pitchstream migrate --writer-role` gives"
	}
	return ""
}

func (r Redis) hint(err error) string {
	switch whose := tlsFault(err); {
	case whose == faultTheirs:
		return "look at --redis-tls-ca: the authority that signed the server's certificate must be in that file"
	case whose == faultName:
		return "look at --redis-url: the server's certificate is for other names than the host of the URL"
	case whose == faultOurs:
		return "look at --redis-tls-cert and --redis-tls-key: the server wants a certificate that its authority signed"
	case whose == faultPlain:
		return "look at --redis-url: the server does not encrypt on this port, want redis:// instead of rediss://"
	case says(err, "WRONGPASS", "NOAUTH"):
		return "look at user and password in --redis-url: the server refuses this login"
	case says(err, "NOPERM", "ACL failure in script", "The user executing the script can't"):
		return "look at the user in --redis-url and at --redis-prefix: this user's rights do not suffice (docs/REDIS.md has those it needs)"
	case Closed(err):
		return "look at --redis-url: the server closes the connection without a word, as where one side encrypts (rediss://) and the other does not"
	}
	return ""
}

// What is wrong between two who would encrypt.
const (
	faultTheirs = "we do not trust their certificate"
	faultName   = "their certificate is for others"
	faultOurs   = "they do not take ours, or its absence"
	faultPlain  = "they do not encrypt"
)

// What Go's TLS says is looked for in the text, since some errors come as text only.
func tlsFault(err error) string {
	switch {
	case says(err, "x509: certificate is valid for", "x509: certificate is not valid for any names", "x509: cannot validate certificate for"):
		return faultName
	case says(err, "x509: "):
		return faultTheirs
	case says(err, "remote error: tls:"):
		return faultOurs
	case says(err, "first record does not look like a TLS handshake"):
		return faultPlain
	}
	return ""
}

// Closed tells an end of the connection where an answer was awaited. At a first attempt it is how some servers refuse;
// of a process that had been let in before, its hint would lead astray: a server was restarted.
func Closed(err error) bool {
	return errors.Is(err, io.EOF) || strings.HasSuffix(err.Error(), ": EOF") || says(err, "broker closed the connection immediately")
}

func says(err error, any ...string) bool {
	return slices.ContainsFunc(any, func(words string) bool { return strings.Contains(err.Error(), words) })
}
