package redissink

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/redisurl"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestURLs(t *testing.T) {
	for url, want := range map[string][]string{
		"localhost:6380":                        {"localhost:6380"},
		"h":                                     {"h:6379"},
		"redis://localhost":                     {"localhost:6379"},
		"redis://[::1]:6379":                    {"[::1]:6379"},
		"redis://h:1/2?read_timeout=1s":         {"h:1", "db=2"},
		"redis://u:p%2C%40ss@h:1/3":             {"h:1", "db=3", "u:p,@ss"},
		"rediss://:secret@h:1":                  {"h:1", ":secret", "tls"},
		"unix:///run/redis.sock":                {"/run/redis.sock"},
		"a:1,b:2,c":                             {"cluster", "a:1", "b:2", "c:6379"},
		"redis://:p@h:1,i:2":                    {"cluster", "h:1", "i:2", ":p"},
		"redis://u:p@a:1,b:2/0?read_timeout=3s": {"cluster", "a:1", "b:2", "u:p"},
		"rediss://u:p@a,[::1]:7,":               {"cluster", "a:6379", "[::1]:7", "u:p", "tls"},
		"redis://a:1,":                          {"cluster", "a:1"},
		"redis://h:1,/0":                        {"cluster", "h:1"},
		"redis://[::1],[::2]":                   {"cluster", "[::1]:6379", "[::2]:6379"},

		"redis+sentinel://h/m":                                          {"m", "h:26379"},
		"redis+sentinel://u:p@h1:1,h2,[::1]/a%20b/3":                    {"a b", "h1:1", "h2:26379", "[::1]:26379", "db=3", "u:p"},
		"redis+sentinel://h1/m?db=2&read_timeout=1s":                    {"m", "h1:26379", "db=2"},
		"rediss+sentinel://:p@h1,h2/m/?sentinel_password=s%26":          {"m", "h1:26379", "h2:26379", ":p", "sentinel :s&", "tls"},
		"redis+sentinel://h,/m?sentinel_username=a&sentinel_password=b": {"m", "h:26379", "sentinel a:b"},
	} {
		o, err := redisurl.Parse(url)
		require.NoError(t, err, url)
		require.Equal(t, want, parsed(o), url)
		r, err := OpenReader(Config{URL: url})
		require.NoError(t, err, url)
		_ = r.Close()
	}
}

// parsed returns what a URL says: the addresses, database, users and encryption.
func parsed(o *redis.UniversalOptions) (words []string) {
	if o.IsClusterMode {
		words = append(words, "cluster")
	}
	if o.MasterName != "" {
		words = append(words, o.MasterName)
	}
	words = append(words, o.Addrs...)
	if o.DB != 0 {
		words = append(words, "db="+strconv.Itoa(o.DB))
	}
	if o.Username+o.Password != "" {
		words = append(words, o.Username+":"+o.Password)
	}
	if o.SentinelUsername+o.SentinelPassword != "" {
		words = append(words, "sentinel "+o.SentinelUsername+":"+o.SentinelPassword)
	}
	if o.TLSConfig != nil {
		words = append(words, "tls")
	}
	return words
}

func TestBadURLsSayNothingOfThePassword(t *testing.T) {
	for _, url := range []string{
		"", "redis://", "http://u:hunter2@h", "redis://u:hunter2/x@h:1", "redis://u:hunter2@h:port", "redis://u:hunter2%zz@h:1",
		"redis://u:hunter2@h:1/x", "redis://u:hunter2@a:1,b:2/3", "redis://u:hunter2@h:1?nonsense=hunter2", "redis://u:hunter2@,", "unix://hunter2?x=1",
		"redis+sentinel://u:hunter2@h:1", "redis+sentinel://u:hunter2@h/", "redis+sentinel://u:hunter2@/m", "redis+sentinel://u:hunter2@h/m/x",
		"redis+sentinel://h/m?sentinel_password=hunter2&x=hunter2", "redis+sentinel://h/m?sentinel_password=hunter2%zz",
		"http+sentinel://u:hunter2@h/m", "redis+sentinel://u:hunter2/x@h/m/1",
	} {
		_, err := Open(t.Context(), Config{URL: url})
		if err == nil || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s: %v", url, err)
		}
	}
	for _, prefix := range []string{"a{b", "a}b"} {
		if _, err := Open(t.Context(), Config{URL: "h:1", Prefix: prefix}); err == nil {
			t.Errorf("prefix %s was taken", prefix)
		}
	}
}

func TestErrorsOfTheServerSayNothingOfThePassword(t *testing.T) {
	m := miniredis.RunT(t)
	m.RequireUserAuth("u", "right")
	for _, addr := range []string{m.Addr(), "127.0.0.1:1"} {
		log := &lines{}
		s, err := Open(t.Context(), Config{URL: "redis://u:hunter2@" + addr, Log: slog.New(slog.NewTextHandler(log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Push(t.Context(), []schemas.Snapshot{{PlayerID: 1, Seq: 1}}, nil)
		if err == nil || strings.Contains(err.Error()+log.String(), "hunter2") {
			t.Errorf("%v\n%s", err, log)
		}
		if !strings.Contains(log.String(), "Redis is unavailable") {
			t.Errorf("log: %s", log)
		}
		_ = s.Close()
	}
}

type lines struct{ strings.Builder }

func TestAServerThatHidesItsPolicyIsWarnedOfOnce(t *testing.T) {
	log := &lines{}
	w := newRedisTest(t, Config{URL: miniredisAddr(t), Log: slog.New(slog.NewTextHandler(log, nil))})
	w.sweep(t)
	w.sweep(t)
	if n := strings.Count(log.String(), "maxmemory-policy"); n != 1 {
		t.Errorf("%d warnings: %s", n, log)
	}
}

func TestAServerThatMayEvictIsRefused(t *testing.T) {
	for _, policy := range []string{"allkeys-lru", "volatile-ttl"} {
		addr := testkit.Redis(t, "--maxmemory-policy", policy)
		requireRefused(t, Config{URL: addr}, policy, "CONFIG SET maxmemory-policy noeviction", addr)
	}
}

// A user who may not read INFO can still be served.
func TestAUserWithoutINFO(t *testing.T) {
	addr := testkit.OwnRedis(t).Addr
	admin := newRedisTest(t, Config{URL: addr})
	admin.client.Do(t.Context(), "ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-info", "-dbsize", "-@admin")
	w := newRedisTest(t, Config{URL: "redis://app:secret@" + addr})
	w.push(t, w.truth.change(1, "a", 1))
	w.sweep(t)
	w.isWhole(t)
}

// changes are the states that a Keeper goes through.
type changes chan State

func (c changes) until(t *testing.T, phase Phase) State {
	t.Helper()
	patience := time.After(30 * time.Second)
	for {
		select {
		case s := <-c:
			if s.Phase == phase {
				return s
			}
		case <-patience:
			t.Fatalf("did not become %s", phase)
		}
	}
}

func watch(t *testing.T, w *redisTest) (*Keeper, changes) {
	t.Helper()
	c := make(changes, 1000)
	k := NewKeeper(w.Sink, w.truth, Hooks{Changed: func(s State) { c <- s }})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = k.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-ended })
	return k, c
}

func TestAKeeperRefusesAServerThatMayEvictFromNowOn(t *testing.T) {
	w := newRedisTest(t, Config{URL: testkit.OwnRedis(t).Addr})
	k, c := watch(t, w)
	c.until(t, PhaseOK)
	w.client.ConfigSet(t.Context(), "maxmemory-policy", "allkeys-lfu")
	if s := c.until(t, PhaseRefused); !strings.Contains(s.Reason, "noeviction") {
		t.Errorf("%+v", s)
	}
	k.Push(t.Context(), []schemas.Snapshot{w.truth.change(1, "a", 1)}, nil)
	if got := w.dump(t); len(got) != 0 {
		t.Errorf("written: %v", got)
	}
	w.client.ConfigSet(t.Context(), "maxmemory-policy", "noeviction")
	c.until(t, PhaseOK)
	w.isWhole(t)
}

// A server that was unavailable when the sink was opened is inspected before the first write.
func TestAServerThatIsFoundToEvictLaterIsNotWrittenTo(t *testing.T) {
	server := testkit.OwnRedis(t, "--maxmemory-policy", "allkeys-random")
	server.Stop(t)
	w := newRedisTest(t, Config{URL: server.Addr})
	server.Start(t)
	_, err := w.Push(t.Context(), []schemas.Snapshot{w.truth.change(1, "a", 1)}, nil)
	if refused := (*RefusedError)(nil); !errors.As(err, &refused) {
		t.Errorf("push: %v", err)
	}
	if got := w.dump(t); len(got) != 0 {
		t.Errorf("written: %v", got)
	}
}

func TestRedisGoesDownAndComesBack(t *testing.T) {
	for name, args := range map[string][]string{"empty": nil, "with its data": {"--appendonly", "yes"}} {
		t.Run(name, func(t *testing.T) {
			server := testkit.OwnRedis(t, args...)
			w := newRedisTest(t, Config{URL: server.Addr})
			k, c := watch(t, w)
			c.until(t, PhaseOK)
			k.Push(t.Context(), []schemas.Snapshot{w.truth.change(1, "a", 1)}, []schemas.Position{w.truth.move(0, 1)})
			server.Kill(t)
			k.Push(t.Context(), []schemas.Snapshot{w.truth.change(1, "a", 2)}, []schemas.Position{w.truth.move(0, 2)})
			c.until(t, PhaseUnavailable)
			start := time.Now()
			k.Push(t.Context(), []schemas.Snapshot{w.truth.change(2, "a", 2)}, []schemas.Position{w.truth.move(0, 3)})
			if held := time.Since(start); held > 100*time.Millisecond {
				t.Errorf("held up for %v", held)
			}
			server.Start(t)
			c.until(t, PhaseOK)
			w.isTrue(t)
			if a := w.applied(t); a["pitches.raw/0"] != 3 {
				t.Errorf("applied: %v", a)
			}
		})
	}
}

// tlsOf trusts an authority, and shows a certificate.
func tlsOf(ca *testkit.Authority, own testkit.Pair) *tls.Config {
	return &tls.Config{RootCAs: ca.Pool, Certificates: []tls.Certificate{own.Certificate}}
}
