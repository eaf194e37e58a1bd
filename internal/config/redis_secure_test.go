package config

import (
	"crypto/tls"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

func TestRedisOverTLS(t *testing.T) {
	t.Parallel()
	ca, stranger := testkit.NewAuthority(t), testkit.NewAuthority(t)
	ours, strangers := ca.Sign(t, "us"), stranger.Sign(t, "us")
	config := &tls.Config{Certificates: []tls.Certificate{ca.Sign(t, "redis").Certificate}}
	asking := config.Clone()
	asking.ClientAuth, asking.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool
	oneWay, bothWays, plain := tlsRedis(t, config), tlsRedis(t, asking), miniredis.RunT(t).Addr()

	for _, c := range []struct {
		hint string // empty: it answers
		r    Redis
	}{
		{"", Redis{URL: NewSecretURL("rediss://us:right-hush@" + oneWay), TLSCA: ca.File}},
		{"", Redis{URL: NewSecretURL("rediss://us:right-hush@" + bothWays), TLSCA: ca.File, TLSCert: ours.CertFile, TLSKey: ours.KeyFile}},
		{"look at --redis-tls-ca: ", Redis{URL: NewSecretURL("rediss://us:right-hush@" + oneWay)}},
		{"look at --redis-tls-ca: ", Redis{URL: NewSecretURL("rediss://us:right-hush@" + oneWay), TLSCA: stranger.File}},
		{"look at --redis-tls-cert ", Redis{URL: NewSecretURL("rediss://us:right-hush@" + bothWays), TLSCA: ca.File}},
		{"look at --redis-tls-cert ", Redis{URL: NewSecretURL("rediss://us:right-hush@" + bothWays), TLSCA: ca.File, TLSCert: strangers.CertFile, TLSKey: strangers.KeyFile}},
		{"look at user and password in --redis-url", Redis{URL: NewSecretURL("rediss://us:wrong-hush@" + oneWay), TLSCA: ca.File}},
		{"look at --redis-url: the server", Redis{URL: NewSecretURL("rediss://us:right-hush@" + plain), TLSCA: ca.File}},
		{"look at --redis-url: the server", Redis{URL: NewSecretURL("redis://us:right-hush@" + oneWay)}},
	} {
		requireRedisAnswer(t, c.hint, c.r)
	}
}

// tlsRedis is a server that encrypts and wants a login.
func tlsRedis(t *testing.T, config *tls.Config) (addr string) {
	t.Helper()
	m := miniredis.NewMiniRedis()
	require.NoError(t, m.StartTLS(config))
	t.Cleanup(m.Close)
	m.RequireUserAuth("us", rightPassword)
	return m.Addr()
}

// requireRedisAnswer wants the server's answer, or an error with a hint that names this and no password.
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
