package config

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestHintIsAboutTheServerThatFailed(t *testing.T) {
	type named Redis
	type inner struct{ Kafka Kafka }
	type command struct {
		inner  // skipped, because it is not exported
		Nested struct{ Postgres Postgres }
		Redis  named
	}
	const unknown = "tls: failed to verify certificate: x509: certificate signed by unknown authority"
	for text, want := range map[string]string{
		"postgres: failed to connect: " + unknown: "look at sslrootcert in --postgres-url",
		"redis h:1: " + unknown:                   "look at --redis-tls-ca",
		"unable to dial: " + unknown:              "",
		"redis h:1: NOPERM User u has no permissions": "look at the user in --redis-url and " +
			"at --redis-prefix",
		"redis h:1: tls: first record does not look like a TLS handshake": "want redis:// instead of rediss://",
		"redis h:1: NOREPLICAS Not enough good replicas to write.":        "look at the replicas of the server",
		"redis h:1: ERR unknown command 'evalsha'":                        "look at rename-command",
		"open games/: no such file":                                       "",
	} {
		require.Contains(t, Hint(&command{}, errors.New(text)), want, text)
		if want == "" {
			require.Empty(t, Hint(command{}, errors.New(text)), text)
		}
	}
	kafka := inner{}
	require.Contains(t, Hint(kafka, errors.New("unable to dial: "+unknown)), "look at --kafka-tls-ca")
	require.Contains(t, Hint(kafka, errors.New("kafka: TOPIC_AUTHORIZATION_FAILED: no")),
		"look at --kafka-sasl-user")
	require.Empty(t, Hint(kafka, errors.New("redis h:1: "+unknown)))
	require.Empty(t, Hint(kafka, errors.New("dial tcp: connection refused")))
}

type migration struct{ Postgres Postgres }

func (migration) PostgresRole() Role { return Owner }

func TestHintOfAMigrationNamesASchemaInUse(t *testing.T) {
	const text = `postgres: migrate schema "public": ERROR: relation "pitches" already exists (SQLSTATE 42P07)`
	require.Contains(t, Hint(migration{}, errors.New(text)), "look at --postgres-schema: something else has that name")
	require.Empty(t, Hint(migration{}, errors.New("postgres: ERROR: division by zero (SQLSTATE 22012)")))
}

func TestClosedConnectionIsNotARefusal(t *testing.T) {
	require.True(t, Closed(io.EOF))
	require.True(t, Closed(fmt.Errorf("redis h:1: %w", io.EOF)))
	require.True(t, Closed(errors.New("redis h:1: EOF")), "also as text")
	require.False(t, Closed(errors.New("redis h:1: WRONGPASS")))
}
