package config

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"reflect"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Hint names the settings to look at where a server refuses us, for the error that some client gave: "look at
// --kafka-tls-ca: …". It is empty where nothing is known. command is the command's struct, with the groups that it
// embeds; a hint never quotes the error.
func Hint(command any, err error) string {
	of := origin(err)
	group := reflect.Indirect(reflect.ValueOf(command))
	for i := range group.NumField() {
		if !group.Type().Field(i).IsExported() {
			continue
		}
		switch g := group.Field(i).Interface().(type) {
		case Kafka:
			if of == "kafka" {
				return g.hint(err)
			}
		case Postgres:
			if of == "postgres" {
				return g.hint(err)
			}
		case Redis:
			if of == "redis" {
				return g.hint(err)
			}
		}
	}
	return ""
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
	closed := (*kgo.ErrFirstReadEOF)(nil)
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
	case errors.Is(err, kerr.SaslAuthenticationFailed), errors.Is(err, kerr.UnsupportedSaslMechanism), errors.Is(err, kerr.IllegalSaslState):
		return "look at " + login + ": the brokers refuse this login"
	case isAny(err, kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.TransactionalIDAuthorizationFailed, kerr.ClusterAuthorizationFailed):
		return "look at --kafka-sasl-user: the brokers know this user and forbid it (docs/SECURITY.md has what it needs)"
	case errors.As(err, &closed), errors.Is(err, io.EOF):
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
	case strings.Contains(err.Error(), "refused TLS connection"):
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
	switch whose, text := tlsFault(err), err.Error(); {
	case whose == faultTheirs:
		return "look at --redis-tls-ca: the authority that signed the server's certificate must be in that file"
	case whose == faultName:
		return "look at --redis-url: the server's certificate is for other names than the host of the URL"
	case whose == faultOurs:
		return "look at --redis-tls-cert and --redis-tls-key: the server wants a certificate that its authority signed"
	case whose == faultPlain:
		return "look at --redis-url: the server does not encrypt on this port, want redis:// instead of rediss://"
	case strings.Contains(text, "WRONGPASS"), strings.Contains(text, "NOAUTH"):
		return "look at user and password in --redis-url: the server refuses this login"
	case strings.Contains(text, "NOPERM"), strings.Contains(text, "ACL failure in script"), strings.Contains(text, "The user executing the script can't"):
		return "look at the user in --redis-url and at --redis-prefix: this user's rights do not suffice (docs/REDIS.md has those it needs)"
	case errors.Is(err, io.EOF):
		return "look at --redis-url: the server closes the connection without a word, perhaps it wants rediss://"
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

func tlsFault(err error) string {
	unknown, name, invalid := x509.UnknownAuthorityError{}, x509.HostnameError{}, x509.CertificateInvalidError{}
	record := tls.RecordHeaderError{}
	switch text := err.Error(); {
	case errors.As(err, &name):
		return faultName
	case errors.As(err, &unknown), errors.As(err, &invalid), strings.Contains(text, "signed by unknown authority"):
		return faultTheirs
	case strings.Contains(text, "remote error: tls:"):
		return faultOurs
	case errors.As(err, &record):
		return faultPlain
	}
	return ""
}

func isAny(err error, those ...error) bool {
	for _, e := range those {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
