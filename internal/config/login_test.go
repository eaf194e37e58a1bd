package config

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// loggedIn returns the mechanism of a login and what it first sends to a broker that takes everything.
func loggedIn(t *testing.T, k Kafka) (mechanism, sent string, err error) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	cluster.ControlKey(int16(kmsg.SASLHandshake), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		mechanism = r.(*kmsg.SASLHandshakeRequest).Mechanism
		return r.ResponseKind(), nil, true
	})
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		sent = string(r.(*kmsg.SASLAuthenticateRequest).SASLAuthBytes)
		answer := r.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		answer.SASLAuthBytes = []byte(`{"version":"2020_10_22","request-id":"1"}`)
		if k.SASLMechanism == "OAUTHBEARER" {
			answer.SASLAuthBytes = nil
		}
		return answer, nil, true
	})
	k.Brokers = cluster.ListenAddrs()
	options, err := k.Options()
	require.NoError(t, err)
	client, err := kgo.NewClient(append(options, kgo.RetryTimeout(time.Second), kgo.RequestRetries(1))...)
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	return mechanism, sent, client.Ping(ctx)
}

func TestOAuthLoginSendsTheTokenOfEachSource(t *testing.T) {
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		if id != "app" || secret != "hush" || r.FormValue("scope") != "read write" {
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = w.Write([]byte(`{"error":"invalid_client","error_description":"hush is wrong"}`))
			return
		}
		_, _ = w.Write([]byte(`{"access_token":"from-endpoint","token_type":"bearer","expires_in":60}`))
	}))
	t.Cleanup(endpoint.Close)
	file := filepath.Join(t.TempDir(), "token")
	require.NoError(t, os.WriteFile(file, []byte("from-file\n"), 0o600))
	client := OAuth{TokenURL: endpoint.URL, ClientID: "app", Secret: Secret{"hush"}, Scopes: []string{"read",
		"write"}}
	for want, o := range map[string]OAuth{
		"from-file": {TokenFile: file}, "from-command": {TokenCommand: "echo from-command"},
		"from-endpoint": client,
	} {
		o.Extensions = map[string]string{"logicalCluster": "lkc-1"}
		k := Kafka{SASLMechanism: "OAUTHBEARER", OAuth: o}
		require.NoError(t, k.checkLogin())
		mechanism, sent, err := loggedIn(t, k)
		require.NoError(t, err)
		require.Equal(t, "OAUTHBEARER", mechanism)
		require.Contains(t, sent, "auth=Bearer "+want)
		require.Contains(t, sent, "logicalCluster=lkc-1")
	}
	client.Secret = Secret{"hush-wrong"}
	for says, o := range map[string]OAuth{
		"401 Unauthorized invalid_client": client, "no such file": {TokenFile: file + ".no"},
		"exit status 3": {TokenCommand: "echo hush >&2; exit 3"}, "it is empty": {TokenCommand: "true"},
	} {
		_, _, err := loggedIn(t, Kafka{SASLMechanism: "OAUTHBEARER", OAuth: o})
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "hush")
	}
}

func TestIAMLoginSignsWithTheCredentialsOfTheEnvironment(t *testing.T) {
	k := Kafka{SASLMechanism: "AWS_MSK_IAM"}
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"} {
		t.Setenv(name, "")
	}
	require.ErrorContains(t, k.checkLogin(), "AWS_SECRET_ACCESS_KEY")
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIA-of-test")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "hush")
	t.Setenv("AWS_SESSION_TOKEN", "session-of-test")
	t.Setenv("AWS_REGION", "eu-central-1")
	require.NoError(t, k.checkLogin())
	mechanism, sent, err := loggedIn(t, k)
	require.NoError(t, err)
	require.Equal(t, "AWS_MSK_IAM", mechanism)
	require.Contains(t, sent, "AKIA-of-test")
	require.Contains(t, sent, "session-of-test")
	require.NotContains(t, sent, "hush")
}

func TestIncompleteLoginIsRefused(t *testing.T) {
	for want, k := range map[string]Kafka{
		"--kafka-oauth-token-file is missing": {SASLMechanism: "OAUTHBEARER"},
		"want one of it": {SASLMechanism: "OAUTHBEARER", OAuth: OAuth{TokenFile: "a",
			TokenURL: "b"}},
		"--kafka-oauth-client-id is missing": {SASLMechanism: "OAUTHBEARER", OAuth: OAuth{TokenURL: "b"}},
		"--kafka-oauth-client-secret is missing": {SASLMechanism: "OAUTHBEARER", OAuth: OAuth{TokenURL: "b",
			ClientID: "c"}},
		"want OAUTHBEARER": {SASLMechanism: "none", OAuth: OAuth{TokenFile: "a"}},
		"want PLAIN": {SASLMechanism: "OAUTHBEARER", OAuth: OAuth{TokenFile: "a"},
			SASLUser: "u"},
	} {
		require.ErrorContains(t, k.checkLogin(), want)
	}
}
