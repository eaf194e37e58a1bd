package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

// wrongWays are servers, and addresses at which they are not.
type wrongWays struct {
	postgres, redis, kafka, web, silent string // host:port
	owner                               *url.URL
	players                             string // a file
}

func openWrongWays(t *testing.T) *wrongWays {
	t.Helper()
	server, values := testkit.OwnPostgres(t, "fsync=off"), testkit.OwnRedis(t, "--requirepass", hush)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = silent.Close() })
	owner, err := url.Parse(server.URL)
	require.NoError(t, err)
	owner.RawQuery = ""
	w := &wrongWays{
		postgres: server.Addr, redis: values.Addr, kafka: testkit.FakeKafka(t).ListenAddrs()[0],
		web: web.Listener.Addr().String(), silent: silent.Addr().String(), owner: owner,
		players: filepath.Join(t.TempDir(), "players.csv"),
	}
	require.NoError(t, os.WriteFile(w.players, []byte("id,name\n1,A\n"), 0o600))
	db, err := pgx.Connect(t.Context(), server.URL)
	require.NoError(t, err)
	defer func() { _ = db.Close(context.WithoutCancel(t.Context())) }()
	for _, statement := range []string{
		"CREATE ROLE bare LOGIN PASSWORD 'hush'", "CREATE ROLE limited LOGIN PASSWORD 'hush' CONNECTION LIMIT 0",
		"CREATE ROLE rejected LOGIN PASSWORD 'hush'", "CREATE DATABASE empty",
		`COPY (SELECT 'host all rejected all reject' UNION ALL SELECT 'host all bare,limited all scram-sha-256')
			TO PROGRAM 'cat - pg_hba.conf > hba.new && mv hba.new pg_hba.conf'`,
		"SELECT pg_reload_conf()",
	} {
		_, err := db.Exec(t.Context(), statement)
		require.NoError(t, err, statement)
	}
	require.Eventually(t, func() bool {
		_, err := pgx.Connect(t.Context(), w.as("rejected", hush, "sslmode=disable"))
		return err != nil && strings.Contains(err.Error(), "pg_hba.conf")
	}, 20*time.Second, 50*time.Millisecond)
	var out, errs bytes.Buffer
	status := run(t.Context(), []string{"migrate", "--postgres-url=" + owner.String()}, &stdio{Out: &out, Err: &errs})
	require.Zero(t, status, errs.String())
	client := redis.NewClient(&redis.Options{Addr: w.redis, Password: hush})
	defer client.Close()
	require.NoError(t, client.Do(t.Context(), "ACL", "SETUSER", "few", "on", ">"+hush, "~*", "+ping").Err())
	return w
}

// as returns the URL of another login, without sslmode unless the query has one.
func (w *wrongWays) as(user, password, query string) string {
	u := *w.owner
	u.User, u.RawQuery = url.UserPassword(user, password), query
	return u.String()
}

// at returns the owner's URL with another address.
func (w *wrongWays) at(address, query string) string {
	u := *w.owner
	u.Host, u.RawQuery = address, query
	return u.String()
}

func TestEachRealErrorGetsTheRightRemedyOrNone(t *testing.T) {
	w := openWrongWays(t)
	database := func(name string) string {
		u := *w.owner
		u.Path = "/" + name
		return u.String()
	}
	stored, load := []string{"quality", "--stored"}, []string{"players", "load", w.players}
	migrate, rebuild := []string{"migrate"}, []string{"rebuild", "redis", "--dry-run", "--postgres-url=" + w.owner.String()}
	for name, c := range map[string]struct {
		command []string
		flag    string // "postgres-url" or "redis-url"
		value   string
		hint    string // "": none
	}{
		"postgres: wrong password, no sslmode": {stored, "postgres-url", w.as("bare", hush+"-wrong", ""), "look at user and password in --postgres-url"},
		"postgres: wrong password, no TLS":     {stored, "postgres-url", w.as("bare", hush+"-wrong", "sslmode=disable"), "look at user and password in --postgres-url"},
		"postgres: no such role":               {migrate, "postgres-url", w.as("nobody", hush, ""), "look at "},
		"postgres: no such database":           {stored, "postgres-url", database("nothere"), "look at the database's name in --postgres-url"},
		"postgres: TLS wanted, none there":     {stored, "postgres-url", w.as("bare", hush, "sslmode=require"), "look at sslmode in --postgres-url"},
		"postgres: nothing listens":            {stored, "postgres-url", w.at("127.0.0.1:1", ""), "look at host and port in --postgres-url: nothing listens"},
		"postgres: no such host":               {migrate, "postgres-url", w.at("nothere.invalid", ""), "look at the host in --postgres-url"},
		"postgres: port of Redis":              {stored, "postgres-url", w.at(w.redis, "connect_timeout=1"), "look at host"},
		"postgres: port of Redis, no TLS":      {stored, "postgres-url", w.at(w.redis, "connect_timeout=1&sslmode=disable"), "look at host"},
		"postgres: port of Kafka":              {stored, "postgres-url", w.at(w.kafka, "connect_timeout=1&sslmode=disable"), "look at host"},
		"postgres: port of a web server":       {stored, "postgres-url", w.at(w.web, "connect_timeout=1&sslmode=disable"), "--postgres-url"},
		"postgres: nobody answers":             {stored, "postgres-url", w.at(w.silent, "connect_timeout=1"), "look at host and port in --postgres-url"},
		"postgres: pg_hba.conf":                {stored, "postgres-url", w.as("rejected", hush, ""), "pg_hba.conf of the server"},
		"postgres: too many connections":       {stored, "postgres-url", w.as("limited", hush, ""), "max_connections"},
		"postgres: not migrated, writer":       {load, "postgres-url", database("empty"), "run `pitchstream migrate`"},
		"postgres: not migrated, reader":       {stored, "postgres-url", database("empty"), ""}, // the error itself says migrate
		"postgres: no rights, writer":          {load, "postgres-url", w.as("bare", hush, ""), "migrate --writer-role"},
		"postgres: no rights, migrate":         {migrate, "postgres-url", w.as("bare", hush, ""), "it must own the schema"},
		"redis: wrong password":                {rebuild, "redis-url", "redis://:" + hush + "-wrong@" + w.redis, "look at user and password in --redis-url"},
		"redis: no password":                   {rebuild, "redis-url", "redis://" + w.redis, "look at user and password in --redis-url"},
		"redis: nothing listens":               {rebuild, "redis-url", "redis://127.0.0.1:1", "look at host and port in --redis-url: nothing listens"},
		"redis: no such host":                  {rebuild, "redis-url", "redis://nothere.invalid", "look at the host in --redis-url"},
		"redis: port of Postgres":              {rebuild, "redis-url", "redis://" + w.postgres, "--redis-url"},
		"redis: port of a web server":          {rebuild, "redis-url", "redis://" + w.web, "--redis-url"},
		"redis: TLS wanted, none there":        {rebuild, "redis-url", "rediss://:" + hush + "@" + w.redis, ""}, // it waits for more, as a slow one does
		"redis: no rights":                     {rebuild, "redis-url", "redis://few:" + hush + "@" + w.redis, "look at the user in --redis-url"},
		"redis: no such database":              {rebuild, "redis-url", "redis://:" + hush + "@" + w.redis + "/99", "look at the database in --redis-url"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			args := append(c.command, "--"+c.flag+"="+c.value)
			require.Equal(t, exitFailed, run(t.Context(), args, &stdio{Out: &out, Err: &errs}), out.String())
			lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
			last := lines[len(lines)-1]
			require.NotContains(t, errs.String(), hush)
			if c.hint == "" {
				require.NotContains(t, last, "look at ", errs.String())
				return
			}
			require.Contains(t, last, c.hint, errs.String())
			if strings.HasSuffix(name, "no sslmode") {
				require.NotContains(t, last, "sslmode", errs.String())
			}
		})
	}
}

func TestEachRealErrorOfKafkaGetsTheRightRemedyOrNone(t *testing.T) {
	plain := testkit.FakeKafka(t).ListenAddrs()
	login, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "admin", hush))
	require.NoError(t, err)
	t.Cleanup(login.Close)
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	var secret config.Secret
	require.NoError(t, secret.UnmarshalText([]byte(hush)))
	var wrong config.Secret
	require.NoError(t, wrong.UnmarshalText([]byte(hush+"-wrong")))
	for name, c := range map[string]struct {
		kafka config.Kafka
		hint  string
	}{
		"nothing listens":       {config.Kafka{Brokers: []string{"127.0.0.1:1"}}, "look at --kafka-brokers: nothing listens"},
		"no such host":          {config.Kafka{Brokers: []string{"nothere.invalid:9092"}}, "look at --kafka-brokers: no such host"},
		"port of a web server":  {config.Kafka{Brokers: []string{web.Listener.Addr().String()}}, "look at "},
		"TLS wanted, none":      {config.Kafka{Brokers: plain, TLS: true}, "--kafka-tls"},
		"no login, one wanted":  {config.Kafka{Brokers: login.ListenAddrs()}, "--kafka-sasl-mechanism"},
		"wrong password":        {config.Kafka{Brokers: login.ListenAddrs(), SASLMechanism: "PLAIN", SASLUser: "admin", SASLPassword: wrong}, "--kafka-sasl-password"},
		"unknown mechanism":     {config.Kafka{Brokers: login.ListenAddrs(), SASLMechanism: "OAUTHBEARER", OAuth: config.OAuth{TokenCommand: "echo " + hush}}, "--kafka-sasl-mechanism"},
		"no topic of that name": {config.Kafka{Brokers: plain, SASLPassword: secret}, "run `pitchstream topics`"},
	} {
		t.Run(name, func(t *testing.T) {
			options, err := c.kafka.Options()
			require.NoError(t, err)
			client, err := kgo.NewClient(append(options, kgo.RetryTimeout(time.Second), kgo.RequestRetries(1))...)
			require.NoError(t, err)
			defer client.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err = kadm.NewClient(client).DescribeTopicConfigs(ctx, "not-there")
			if err == nil {
				var found kadm.ResourceConfigs
				found, err = kadm.NewClient(client).DescribeTopicConfigs(ctx, "not-there")
				require.NoError(t, err)
				err = found[0].Err
			}
			require.Error(t, err)
			require.Contains(t, config.Hint(&topicsCmd{}, err), c.hint, err.Error())
			require.NotContains(t, err.Error(), hush)
		})
	}
}
