package config

import (
	"crypto/tls"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

func TestHintNamesTheRedisSettingThatFailed(t *testing.T) {
	t.Parallel()
	ca, stranger := testkit.NewAuthority(t), testkit.NewAuthority(t)
	ours, strangers := ca.Sign(t, "us"), stranger.Sign(t, "us")
	config := &tls.Config{Certificates: []tls.Certificate{ca.Sign(t, "redis").Certificate}}
	asking := config.Clone()
	asking.ClientAuth, asking.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool
	oneWay, bothWays, plain := tlsRedis(t, config), tlsRedis(t, asking), miniredis.RunT(t).Addr()

	right := func(scheme, addr string) SecretURL { return SecretURL{scheme + "://us:right-hush@" + addr} }
	for _, c := range []struct {
		hint string // "": it answers
		r    Redis
	}{
		{"", Redis{URL: right("rediss", oneWay), TLSCA: ca.File}},
		{"", Redis{
			URL: right("rediss", bothWays), TLSCA: ca.File, TLSCert: ours.CertFile, TLSKey: ours.KeyFile,
		}},
		{"look at --redis-tls-ca: ", Redis{URL: right("rediss", oneWay)}},
		{"look at --redis-tls-ca: ", Redis{URL: right("rediss", oneWay), TLSCA: stranger.File}},
		{"look at --redis-tls-cert ", Redis{URL: right("rediss", bothWays), TLSCA: ca.File}},
		{"look at --redis-tls-cert ", Redis{
			URL: right("rediss", bothWays), TLSCA: ca.File, TLSCert: strangers.CertFile, TLSKey: strangers.KeyFile,
		}},
		{"look at user and password in --redis-url", Redis{URL: SecretURL{"rediss://us:wrong-hush@" + oneWay},
			TLSCA: ca.File}},
		{"look at --redis-url: the server", Redis{URL: right("rediss", plain), TLSCA: ca.File}},
		{"look at --redis-url: the server", Redis{URL: right("redis", oneWay)}},
	} {
		requireRedisAnswer(t, c.hint, c.r)
	}
}

// tlsRedis starts a server that encrypts and requires a login.
func tlsRedis(t *testing.T, config *tls.Config) (addr string) {
	t.Helper()
	m := miniredis.NewMiniRedis()
	require.NoError(t, m.StartTLS(config))
	t.Cleanup(m.Close)
	m.RequireUserAuth("us", rightPassword)
	return m.Addr()
}

// requireRedisAnswer requires an answer of the server, or, unless hint is empty, an error with this hint.
func requireRedisAnswer(t *testing.T, hint string, r Redis) {
	t.Helper()
	r.Prefix = "ps:live:"
	require.NoError(t, r.Validate())
	trust, err := r.TLSConfig()
	require.NoError(t, err)
	reader, err := redissink.OpenReader(redissink.Config{URL: r.URL.Reveal(), TLS: trust})
	require.NoError(t, err)
	defer reader.Close()
	_, err = reader.Applied(t.Context())
	if hint == "" {
		require.NoError(t, err)
		return
	}
	require.Error(t, err)
	command := struct{ Redis Redis }{r}
	require.Contains(t, Hint(command, err), hint, err.Error())
	require.NotContains(t, err.Error()+Hint(command, err), "hush")
}
