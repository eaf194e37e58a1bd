package processor

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A load balancer before the brokers resets each connection while none of them is up.
//
// guard: a broker that resets connections is waited for
func TestABrokerThatResetsConnectionsIsWaitedFor(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Read(make([]byte, 10)) // not all of the request, so that the close is a reset
			_ = c.Close()
		}
	}()
	o := Options{
		Kafka:     []kgo.Opt{kgo.SeedBrokers(l.Addr().String()), kgo.RequestRetries(0)},
		DeadTopic: "dead", RowsTopic: "rows", Log: slog.New(whenWaiting{slog.DiscardHandler, cancel}),
	}
	_, err = o.ConsumerConfig(ctx, NewObserver(slog.New(slog.DiscardHandler), nil))
	require.NoError(t, err)
	require.ErrorIs(t, ctx.Err(), context.Canceled)
}

// whenWaiting is a log that calls do at the line that Kafka is waited for.
type whenWaiting struct {
	slog.Handler
	do func()
}

func (whenWaiting) Enabled(context.Context, slog.Level) bool { return true }

func (w whenWaiting) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "waiting for Kafka" {
		w.do()
	}
	return nil
}

func TestWhatWaitingCannotHelpIsNotWaitedFor(t *testing.T) {
	for _, err := range []error{
		kerr.TopicAuthorizationFailed, kerr.SaslAuthenticationFailed, kerr.UnknownTopicOrPartition,
		&net.OpError{Op: "remote error", Err: tls.AlertError(42)},
	} {
		require.False(t, isUnavailable(fmt.Errorf("kafka: %w", err)), "%v", err)
	}
	require.True(t, isUnavailable(fmt.Errorf("kafka: %w", kerr.BrokerNotAvailable)))
}
