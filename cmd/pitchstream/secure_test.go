package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// Every password here has this word in it, and some of what must be escaped in a URL.
const hush = "hush"

// fortress is three servers that encrypt, ask for a login, and give no more rights than the documents say.
// They are Kafka in memory, which wants a certificate too, and the real stores.
type fortress struct {
	t       *testing.T
	ca      *testkit.Authority
	cluster *kfake.Cluster
	pg      *pgx.Conn // the administrator's
	pgURL   string    // of the owner, who migrates
	redis   *redis.Client
	writer  string
}

func newFortress(t *testing.T) *fortress {
	t.Helper()
	f := &fortress{t: t, ca: testkit.NewAuthority(t), writer: testkit.Name(t)}
	f.openKafka()
	f.openPostgres()
	f.openRedis()
	return f
}

func (f *fortress) openKafka() {
	asking := &tls.Config{
		Certificates: []tls.Certificate{f.ca.Sign(f.t, "kafka").Certificate}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: f.ca.Pool,
	}
	var err error
	const mechanism = "SCRAM-SHA-512"
	f.cluster, err = kfake.NewCluster(kfake.NumBrokers(1), kfake.TLS(asking), kfake.EnableSASL(),
		kfake.EnableACLs(), kfake.Superuser(mechanism, "admin", hush+"@kafka"),
		kfake.User(mechanism, "run", hush+"@kafka", kafkaRights(f.t, "run")...),
		kfake.User(mechanism, "load", hush+"@kafka", kafkaRights(f.t, "load")...),
		kfake.BrokerConfigs(map[string]string{"group.initial.rebalance.delay.ms": "0"}))
	require.NoError(f.t, err)
	f.t.Cleanup(f.cluster.Close)
	us := f.ca.Sign(f.t, "pitchstream")
	f.set("KAFKA_BROKERS", strings.Join(f.cluster.ListenAddrs(), ","))
	f.set("KAFKA_TLS", "true")
	f.set("KAFKA_TLS_CA", f.ca.File)
	f.set("KAFKA_TLS_CERT", us.CertFile)
	f.set("KAFKA_TLS_KEY", us.KeyFile)
	f.set("KAFKA_SASL_MECHANISM", mechanism)
	f.set("KAFKA_SASL_USER", "admin")
	f.setFile("KAFKA_SASL_PASSWORD", hush+"@kafka")
}

// kafkaRights are the rows of docs/SECURITY.md that say what a command needs.
func kafkaRights(t *testing.T, who string) (rights []kfake.ACL) {
	t.Helper()
	page, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "SECURITY.md"))
	require.NoError(t, err)
	row := regexp.MustCompile("(?m)^\\| `" + who + "` \\| (topic|group|transactional id)(, prefix)? `(.+)` \\| (.+) \\|$")
	kinds := map[string]kmsg.ACLResourceType{
		"topic": kmsg.ACLResourceTypeTopic, "group": kmsg.ACLResourceTypeGroup, "transactional id": kmsg.ACLResourceTypeTransactionalId,
	}
	operations := map[string]kmsg.ACLOperation{
		"Read": kmsg.ACLOperationRead, "Write": kmsg.ACLOperationWrite, "DescribeConfigs": kmsg.ACLOperationDescribeConfigs,
	}
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		pattern := kmsg.ACLResourcePatternTypeLiteral
		if m[2] != "" {
			pattern = kmsg.ACLResourcePatternTypePrefixed
		}
		for _, operation := range strings.Split(m[4], ", ") {
			require.Contains(t, operations, operation)
			rights = append(rights, kfake.ACL{
				Resource: kinds[m[1]], Name: m[3], Pattern: pattern, Operation: operations[operation], Allow: true,
			})
		}
	}
	require.NotEmpty(t, rights, who)
	return rights
}

// openPostgres has a server encrypt: it writes its own files, so that they belong to whom it runs as.
func (f *fortress) openPostgres() {
	ctx, server, pair := f.t.Context(), testkit.OwnPostgres(f.t, "fsync=off"), f.ca.Sign(f.t, "postgres")
	var err error
	f.pg, err = pgx.Connect(ctx, server.URL)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { _ = f.pg.Close(context.WithoutCancel(ctx)) })
	for name, path := range map[string]string{"server.crt": pair.CertFile, "server.key": pair.KeyFile} {
		content, err := os.ReadFile(path)
		require.NoError(f.t, err)
		f.sql(`COPY (SELECT unnest(string_to_array('` + strings.TrimSpace(string(content)) + `', E'\n'))) TO PROGRAM 'umask 077; cat > ` + name + `'`)
	}
	f.sql(`ALTER SYSTEM SET ssl = on`)
	f.sql(`CREATE ROLE owner LOGIN PASSWORD '` + hush + `/owner'`)
	f.sql(`CREATE DATABASE secure OWNER owner`)
	f.sql(`CREATE ROLE "` + f.writer + `" LOGIN PASSWORD '` + hush + `@writer'`)
	f.sql(`SELECT pg_reload_conf()`)

	f.pgURL = f.postgres("owner", hush+"/owner", "verify-full", f.ca.File)
	require.Eventually(f.t, func() bool {
		c, err := pgx.Connect(ctx, f.pgURL)
		return err == nil && c.Close(ctx) == nil
	}, 20*time.Second, 50*time.Millisecond)
	f.setFile("POSTGRES_URL", f.postgres(f.writer, hush+"@writer", "verify-full", f.ca.File))
}

func (f *fortress) postgres(user, password, mode, ca string) string {
	u := url.URL{Scheme: "postgres", User: url.UserPassword(user, password), Host: "127.0.0.1:" + port(f.pg), Path: "/secure"}
	query := url.Values{"sslmode": {mode}}
	if ca != "" {
		query.Set("sslrootcert", ca)
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func port(c *pgx.Conn) string {
	addr := c.PgConn().Conn().RemoteAddr().String()
	return addr[strings.LastIndex(addr, ":")+1:]
}

func (f *fortress) openRedis() {
	plain := testkit.OwnRedis(f.t).Addr
	f.redis = redis.NewClient(&redis.Options{Addr: plain})
	f.t.Cleanup(func() { _ = f.redis.Close() })
	page, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "REDIS.md"))
	require.NoError(f.t, err)
	for line := range strings.Lines(string(page)) {
		if line, ok := strings.CutPrefix(line, "ACL SETUSER pitchstream "); ok {
			f.acl("pitchstream " + strings.Replace(line, ">a-password", ">"+hush+"@redis", 1))
		}
	}
	encrypted := startTLSProxy(f.t, plain, &tls.Config{Certificates: []tls.Certificate{f.ca.Sign(f.t, "redis").Certificate}})
	f.set("REDIS_TLS_CA", f.ca.File)
	f.setFile("REDIS_URL", "rediss://pitchstream:"+url.QueryEscape(hush+"@redis")+"@"+encrypted)
}

func (f *fortress) set(name, value string) { f.t.Helper(); f.t.Setenv("PITCHSTREAM_"+name, value) }

// setFile gives a secret as a file, as a secret's mount would.
func (f *fortress) setFile(name, secret string) {
	f.t.Helper()
	path := filepath.Join(f.t.TempDir(), "secret")
	require.NoError(f.t, os.WriteFile(path, []byte(secret+"\n"), 0o600))
	f.set(name+"_FILE", path)
}

func (f *fortress) sql(text string) {
	f.t.Helper()
	_, err := f.pg.Exec(f.t.Context(), text)
	require.NoError(f.t, err)
}

func (f *fortress) acl(words string) {
	f.t.Helper()
	args := []any{"ACL", "SETUSER"}
	for _, word := range strings.Fields(words) {
		args = append(args, word)
	}
	require.NoError(f.t, f.redis.Do(f.t.Context(), args...).Err())
}

// command runs a command, and fails where it ends otherwise or shows a secret.
func (f *fortress) command(status int, args ...string) (shown string) {
	f.t.Helper()
	var out, errs bytes.Buffer
	got := run(f.t.Context(), args, &stdio{In: strings.NewReader(""), Out: &out, Err: &errs})
	shown = out.String() + errs.String()
	require.Equal(f.t, status, got, shown)
	require.NotContains(f.t, shown, hush, "%v", args)
	return shown
}

// asOwner migrates as the owner, and gives the writer his rights.
func (f *fortress) asOwner() {
	f.t.Helper()
	writers := os.Getenv("PITCHSTREAM_POSTGRES_URL_FILE")
	f.setFile("POSTGRES_URL", f.pgURL)
	out := f.command(exitOK, "migrate", "--writer-role="+f.writer)
	require.Contains(f.t, out, "role "+f.writer+" writes")
	f.set("POSTGRES_URL_FILE", writers)
}

// The whole way with all that guards it: everything is encrypted, every right is the least. Then the stores
// change their passwords: the processor waits, and says which settings to look at; and nowhere is a secret to
// be seen.
func TestTheWholeWayEncryptedWithTheLeastRightsAndNoSecretShown(t *testing.T) {
	f := newFortress(t)
	f.command(exitOK, "topics")
	f.asOwner()
	f.set("KAFKA_SASL_USER", "load")
	games := filepath.Join(t.TempDir(), "games")
	f.command(exitOK, "simulate", "--games=1", "--pitches=20", "-o", games+"/")
	f.command(exitOK, "load", games+"/")
	require.Contains(t, f.command(exitFailed, "topics"), "look at --kafka-sasl-user")
	f.set("KAFKA_SASL_USER", "run")

	s := &station{t: t, cluster: f.cluster, admin: testkit.FreeAddr()}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	log, ended := &lockedBuffer{}, make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"run", "--admin-addr=" + s.admin, "--log-level=debug"}, &stdio{In: strings.NewReader(""), Out: log, Err: log})
	}()
	f.waitProcessed(log)
	requireEncrypted(t, f)

	f.sql(`ALTER ROLE "` + f.writer + `" PASSWORD 'another'`)
	f.sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '` + f.writer + `'`)
	s.waitReady(503, "look at user and password in --postgres-url")
	f.acl("pitchstream resetpass >another")
	require.NoError(t, f.redis.Do(t.Context(), "CLIENT", "KILL", "USER", "pitchstream").Err())
	says := func() bool { return strings.Contains(log.String(), "look at user and password in --redis-url") }
	require.Eventually(t, says, 30*time.Second, 50*time.Millisecond, "%s", log)
	_, ready := s.ask("GET", "/readyz")
	_, metrics := s.ask("GET", "/metrics")
	require.Contains(t, metrics, "pitchstream_ready")
	f.cluster.Close()
	cancel()
	<-ended
	for where, text := range map[string]string{"log": log.String(), "/readyz": ready, "/metrics": metrics} {
		require.NotContains(t, text, hush, where)
	}
	require.Contains(t, log.String(), "xxxxx", "the settings are logged")
}

// waitProcessed waits until the live values are there, which come last.
func (f *fortress) waitProcessed(log *lockedBuffer) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		keys, err := f.redis.Keys(f.t.Context(), "ps:live:batter:*").Result()
		return err == nil && len(keys) > 0
	}, 60*time.Second, 50*time.Millisecond, "%s", log)
}

func requireEncrypted(t *testing.T, f *fortress) {
	t.Helper()
	var all, encrypted int
	require.NoError(t, f.pg.QueryRow(t.Context(), `SELECT count(*), count(*) FILTER (WHERE s.ssl)
		FROM pg_stat_activity a JOIN pg_stat_ssl s USING (pid) WHERE a.usename = $1`, f.writer).Scan(&all, &encrypted))
	require.Positive(t, all)
	require.Equal(t, all, encrypted)
}

func TestACommandThatIsRefusedNamesTheSetting(t *testing.T) {
	f := newFortress(t)
	f.asOwner()
	f.command(exitOK, "topics")
	stranger := testkit.NewAuthority(t)
	for _, c := range []struct{ hint, name, value string }{
		{"look at sslrootcert in --postgres-url", "POSTGRES_URL", f.postgres("owner", hush+"/owner", "verify-full", stranger.File)},
		{"look at --postgres-url: the server's certificate is for other names", "POSTGRES_URL", strings.Replace(f.pgURL, "127.0.0.1", "localhost", 1)},
		{"look at user and password in --postgres-url", "POSTGRES_URL", f.postgres("owner", hush+"-wrong", "verify-full", f.ca.File)},
		{"look at the database's name in --postgres-url", "POSTGRES_URL", strings.Replace(f.pgURL, "/secure", "/none", 1)},
		{"look at the user in --postgres-url: it must own the schema", "POSTGRES_URL", f.postgres(f.writer, hush+"@writer", "verify-full", f.ca.File)},
		{"--kafka-sasl-user and --kafka-sasl-password", "KAFKA_SASL_PASSWORD", hush + "-wrong"},
	} {
		t.Run(c.hint, func(t *testing.T) {
			g := *f
			g.t = t
			g.setFile(c.name, c.value)
			command := "migrate"
			if c.name == "KAFKA_SASL_PASSWORD" {
				command = "topics"
			}
			require.Contains(t, g.command(exitFailed, command), c.hint)
		})
	}
}
