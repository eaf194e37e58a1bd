package config

import (
	"context"
	"crypto/tls"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

const (
	rightPassword = "right-hush"
	wrongPassword = "wrong-hush"
)

func TestHintNamesTheKafkaSettingThatTLSNeeds(t *testing.T) {
	t.Parallel()
	ca, stranger := testkit.NewAuthority(t), testkit.NewAuthority(t)
	ours, strangers := ca.Sign(t, "us"), stranger.Sign(t, "us")
	config := &tls.Config{Certificates: []tls.Certificate{ca.Sign(t, "kafka").Certificate}}
	asking := config.Clone()
	asking.ClientAuth, asking.ClientCAs = tls.RequireAndVerifyClientCert, ca.Pool
	oneWay, bothWays := brokers(t, kfake.TLS(config)), brokers(t, kfake.TLS(asking))

	requireAnswer(t, "", Kafka{Brokers: oneWay, TLS: true, TLSCA: ca.File})
	requireAnswer(t, "", Kafka{Brokers: bothWays, TLS: true, TLSCA: ca.File, TLSCert: ours.CertFile,
		TLSKey: ours.KeyFile})

	requireAnswer(t, "look at --kafka-tls-ca: ", Kafka{Brokers: oneWay,
		TLS: true}) // the system does not trust it
	requireAnswer(t, "look at --kafka-tls-ca: ", Kafka{Brokers: oneWay, TLS: true, TLSCA: stranger.File})
	requireAnswer(t, "look at --kafka-tls-cert ", Kafka{Brokers: bothWays, TLS: true, TLSCA: ca.File})
	requireAnswer(t, "look at --kafka-tls-cert ", Kafka{Brokers: bothWays, TLS: true, TLSCA: ca.File,
		TLSCert: strangers.CertFile, TLSKey: strangers.KeyFile})
	requireAnswer(t, "look at --kafka-tls, ", Kafka{Brokers: oneWay})
}

func TestHintNamesTheKafkaLoginThatIsRefused(t *testing.T) {
	t.Parallel()
	ca := testkit.NewAuthority(t)
	config := &tls.Config{Certificates: []tls.Certificate{ca.Sign(t, "kafka").Certificate}}
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		addrs := brokers(t, kfake.TLS(config), kfake.EnableSASL(), kfake.Superuser(mechanism, "us", rightPassword))
		good := Kafka{
			Brokers: addrs, TLS: true, TLSCA: ca.File,
			SASLMechanism: mechanism, SASLUser: "us", SASLPassword: Secret{rightPassword},
		}
		requireAnswer(t, "", good)

		for _, change := range []func(*Kafka){
			func(k *Kafka) { k.SASLPassword = Secret{wrongPassword} },
			func(k *Kafka) { k.SASLUser = "nobody" },
			func(k *Kafka) { k.SASLMechanism, k.SASLUser, k.SASLPassword = "none", "", Secret{} },
		} {
			bad := good
			change(&bad)
			requireAnswer(t, "--kafka-sasl-mechanism, --kafka-sasl-user and --kafka-sasl-password", bad)
		}
	}
}

// A real broker sends the reason of its refusal; the one in memory only closes the connection.
func TestHintReadsTheBrokersRefusal(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "us",
		rightPassword))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		resp := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		resp.ErrorCode = kerr.SaslAuthenticationFailed.Code
		resp.ErrorMessage = kmsg.StringPtr("Authentication failed: Invalid username or password")
		return resp, nil, true
	})
	requireAnswer(t, "the brokers refuse this login", Kafka{
		Brokers: cluster.ListenAddrs(), SASLMechanism: "PLAIN", SASLUser: "us", SASLPassword: Secret{wrongPassword},
	})
}

func brokers(t *testing.T, options ...kfake.Opt) []string {
	t.Helper()
	cluster, err := kfake.NewCluster(append(options, kfake.NumBrokers(1))...)
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster.ListenAddrs()
}

// requireAnswer requires an answer of the brokers, or, unless hint is empty, an error with this hint and no
// password.
func requireAnswer(t *testing.T, hint string, k Kafka) {
	t.Helper()
	k.Group = "g"
	// One retry, because retries of a closed connection get slower and slower.
	client, err := kgo.NewClient(append(options(t, k), kgo.RequestRetries(1))...)
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err = kadm.NewClient(client).ListTopics(ctx)
	if hint == "" {
		require.NoError(t, err)
		return
	}
	require.Error(t, err)
	command := struct{ Kafka Kafka }{k}
	require.Contains(t, Hint(&command, err), hint, err.Error())
	require.NotContains(t, err.Error()+Hint(command, err), "hush")
}
