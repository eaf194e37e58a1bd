package config

import (
	"bytes"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/redisurl"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// secretForms are addresses with a password, in every form that people write, right and wrong. No server
// listens at them.
var secretForms = struct{ postgres, redis []string }{
	[]string{
		"postgres://u:SECRET@127.0.0.1:1/d", "postgresql://u:SECRET@127.0.0.1:1/d?sslmode=disable",
		"postgres://u:SECRET@127.0.0.1:1,127.0.0.1:2/d?target_session_attrs=read-write",
		"postgres://127.0.0.1:1/d?user=u&password=SECRET", "postgres://127.0.0.1:1/d?password=SECRET&sslmode=disable",
		"host=127.0.0.1 port=1 user=u password=SECRET dbname=d", "host=127.0.0.1 port=1 password='SECRET it is' user=u",
		"host=/nowhere user=u password=SECRET", "password = SECRET host=/nowhere",
		"postgres://u:SECRET@/d?host=/nowhere", "postgres:///d?host=/nowhere&password=SECRET",
		"postgres://u:SECRET@%2Fnowhere/d", "postgres://u@127.0.0.1:1/d?sslpassword=SECRET&sslcert=/nowhere&sslkey=/nowhere",
		"postgres:u:SECRET@127.0.0.1/d", "postgres:/u:SECRET@127.0.0.1/d", "postgres//u:SECRET@127.0.0.1/d",
		"u:SECRET@127.0.0.1:1/d", "postgres://u:SECRET@127.0.0.1:port/d", "postgres://u:a/SECRET@127.0.0.1:1/d",
		"postgres://u:%zzSECRET@127.0.0.1:1/d", "postgres://u:SECRET@[127.0.0.1/d", "postgres://u:a@SECRET@127.0.0.1:1/d",
		"POSTGRES://u:SECRET@127.0.0.1:1/d", "jdbc:postgresql://127.0.0.1:1/d?user=u&password=SECRET",
		"postgresql+psycopg://u:SECRET@127.0.0.1:1/d", "postgres://u:SECRET@127.0.0.1:1/d?connect_timeout=x",
		"host=127.0.0.1 port=x password=SECRET", "postgres://u:SECRET", "postgres://u:a#SECRET@127.0.0.1:1/d",
	},
	[]string{
		"redis://:SECRET@127.0.0.1:1", "redis://u:SECRET@127.0.0.1:1/3", "rediss://u:SECRET@127.0.0.1:1",
		"redis://:SECRET@127.0.0.1:1,127.0.0.1:2", "redis://:SECRET@127.0.0.1:1,",
		"redis+sentinel://u:SECRET@127.0.0.1:1/m", "redis+sentinel://127.0.0.1:1/m?sentinel_password=SECRET",
		"rediss+sentinel://u:SECRET@127.0.0.1:1,127.0.0.1:2/m/2?sentinel_username=s&sentinel_password=SECRET",
		"unix://u:SECRET@/nowhere/redis.sock", "unix://:SECRET@/nowhere/redis.sock?db=1", "u:SECRET@127.0.0.1:1",
		":SECRET@127.0.0.1:1", "redis://SECRET@127.0.0.1:1", "redis:u:SECRET@127.0.0.1:1", "redis:/:SECRET@127.0.0.1:1",
		"redis://:SECRET", "redis://127.0.0.1:SECRET", "redis://u:SECRET@127.0.0.1:port", "redis://u:a/SECRET@127.0.0.1:1",
		"redis://u:%zzSECRET@127.0.0.1:1", "redis://u:SECRET@127.0.0.1:1?nonsense=SECRET@x", "http://u:SECRET@127.0.0.1:1",
		"redis+sentinel://u:SECRET@127.0.0.1:1", "REDIS://u:SECRET@127.0.0.1:1", "redis://u:a#SECRET@127.0.0.1:1",
	},
}

// No password is in an error, a log or a list of settings, whatever the form of the address.
func TestNoFormOfAnAddressShowsItsPassword(t *testing.T) {
	for _, text := range secretForms.postgres {
		p := Postgres{URL: SecretURL{text}, Schema: "s"}
		printed := append(everyWay(t, p.URL), texts(p.Validate())...)
		db, err := pgsink.Open(pgsink.Config{URL: p.Address(), Schema: p.Schema})
		if err == nil {
			_, err = db.Positions(t.Context(), "t")
			db.Close()
		}
		printed = append(printed, texts(err)...)
		require.NotContains(t, strings.Join(append(printed, asFlag(t, "postgres-url", text)...), "\n"), "SECRET", text)
	}
	for _, text := range secretForms.redis {
		r := Redis{URL: SecretURL{text}, Prefix: "p:"}
		var log bytes.Buffer
		printed := append(everyWay(t, r.URL), texts(r.Validate())...)
		sink, err := redissink.Open(t.Context(), redissink.Config{
			URL: r.Address(), Prefix: r.Prefix, Log: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err == nil {
			_, err = sink.Push(t.Context(), nil, nil)
			_ = sink.Close()
		}
		printed = append(append(printed, texts(err)...), log.String())
		require.NotContains(t, strings.Join(append(printed, asFlag(t, "redis-url", text)...), "\n"), "SECRET", text)
	}
}

func texts(err error) []string {
	if err == nil {
		return nil
	}
	return []string{err.Error(), HideIn(err.Error())}
}

// asFlag returns what the settings print when an address is given as a flag, and to flags that it is not for.
func asFlag(t *testing.T, flag, text string) (printed []string) {
	t.Helper()
	for _, name := range []string{flag, "postgres-schema", "redis-prefix", "topic-raw", "kafka-brokers"} {
		_, settings, err := parse(t, goodFlags+" --"+name+"="+strings.ReplaceAll(text, " ", "\u00a0"))
		printed = append(printed, texts(err)...)
		var out bytes.Buffer
		require.NoError(t, Print(&out, settings...))
		slog.New(slog.NewTextHandler(&out, nil)).Info("start", LogAttr(settings...))
		if name == flag {
			printed = append(printed, out.String())
		}
	}
	return printed
}

// The password may be apart from the address, written as it is. The drivers read it so from every form.
// guard: config: a password apart from the URL is logged in with
// guard: config: an @ in the parameters is no password
func TestAPasswordInAFileOfItsOwnIsLoggedInWith(t *testing.T) {
	const password = `p@ss/w:rd?#&%20 '\" é,`
	secret := write(t, password+"\n")
	const rest = "run --kafka-brokers=b:1 "
	for _, address := range []string{
		"postgres://h:5432/d?user=u&application_name=a@b", "postgres://u@h:5432/d", "postgresql://h/d?user=u&sslmode=disable", "host=h\u00a0user=u\u00a0dbname=d",
		"postgres://u@h:1,i:2/d?target_session_attrs=any", "postgres:///d?host=/run/postgresql&user=u",
	} {
		address = strings.ReplaceAll(address, "\u00a0", " ")
		t.Setenv("PITCHSTREAM_POSTGRES_URL", address)
		c, settings := mustParse(t, rest+"--redis-url=h:1 --postgres-password-file="+secret)
		got, err := pgx.ParseConfig(c.Run.Postgres.Address())
		require.NoError(t, err, address)
		require.Equal(t, []string{"u", password, "d"}, []string{got.User, got.Password, got.Database}, address)
		require.Equal(t, Setting{"postgres-password", hidden, "flag: " + secret}, setting(t, settings, "postgres-password"))
	}
	for address, user := range map[string]string{
		"redis://h:1": "", "h:1": "", "redis://u@h:1/2": "u", "redis://u:@h:1": "u", "redis://:@h:1": "", "rediss://u@h:1,i:2": "u", "redis+sentinel://u@h/m": "u",
		"unix:///run/redis.sock?db=1": "", "redis://h:1?read_timeout=1s": "",
	} {
		t.Setenv("PITCHSTREAM_REDIS_URL", address)
		t.Setenv("PITCHSTREAM_REDIS_PASSWORD_FILE", secret)
		c, _ := mustParse(t, rest+"--postgres-url=postgres://u@h/d")
		got, err := redisurl.Parse(c.Run.Redis.Address())
		require.NoError(t, err, address)
		require.Equal(t, []string{user, password}, []string{got.Username, got.Password}, address)
	}
	require.NoError(t, os.Chmod(secret, 0o644))
	warnings := warningsOf(t, rest+"--postgres-url=postgres://u@h/d --postgres-password-file="+secret)
	require.Len(t, warnings, 1)
	require.Contains(t, warnings[0], "others can read "+secret)
	for flags, want := range map[string]string{
		"--redis-url=h:1 --postgres-url=postgres://u:p@h/d --postgres-password=x": "give the password in --postgres-url or as --postgres-password, not both",
		"--redis-url=redis://:p@h:1 --postgres-url=postgres://h/d":                "give the password in --redis-url or as --redis-password, not both",
	} {
		_, _, err := parse(t, rest+flags)
		require.ErrorContains(t, err, want)
	}
}
