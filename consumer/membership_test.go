package consumer

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pitchstream/pitchstream/schemas"
)

// guard: a fenced processor names the reason
func TestAProcessorWhoseNameAnotherHasIsNotReady(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		s := newScorer(4)
		cl.produce(s.records(30)...)
		first := cl.start(named("p-0"))
		cl.waitAssigned(first)
		cl.waitCommitted()
		second := cl.start(named("p-0"))
		cl.waitFor("the first one is fenced", func() bool { return first.seen.reason("assigned") != "" })
		require.Contains(t, first.seen.reason("assigned"), `another processor has the instance id "p-0"`)
		cl.waitAssigned(second)
		for range 5 {
			cl.produce(s.records(10)...)
			cl.waitCommitted()
			time.Sleep(5 * time.Second) // tidy: virtual time, in which both heartbeat
			require.Contains(t, first.seen.reason("assigned"), `another processor has the instance id "p-0"`)
			require.Empty(t, second.seen.reason("assigned"))
		}
		require.False(t, first.seen.has(), "it owns nothing")
		second.halt()
		first.halt()
	})
}

// guard: a dead letter that is refused is named until one is taken
func TestADeadLetterThatTheBrokersRefuseIsNamedUntilOneIsTaken(t *testing.T) {
	inVirtualTime(t, "half a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		limit := func(bytes string) {
			_, err := kadm.NewClient(cl.client).AlterTopicConfigs(t.Context(),
				[]kadm.AlterConfig{{Name: "max.message.bytes", Value: &bytes}}, deadTopic)
			require.NoError(t, err)
		}
		limit("2000")
		w := cl.start()
		large := make([]byte, 8000)
		cl.produce(schemas.Record{Key: []byte("1"), Value: large})
		cl.waitFor("it is named", func() bool { return w.seen.reason("kafka") != "" })
		require.Contains(t, w.seen.reason("kafka"), "topic pitches.dead refuses a record of 8000 bytes")
		w.cfg.produceFault.record(&w.cfg, nil, 0, 3)
		require.NotEmpty(t, w.seen.reason("kafka"), "rows that another session sends are no dead letters")
		seen := w.seen.count("kafka")
		cl.waitFor("brokers have answered since", func() bool {
			require.NotEmpty(t, w.seen.reason("kafka"))
			return w.seen.count("kafka") > seen+10
		})
		limit("100000")
		cl.waitCommitted()
		cl.waitFor("it is ready again", func() bool { return w.seen.reason("kafka") == "" })
		require.Empty(t, w.seen.reason("assigned"))
		w.halt()
		cl.requireConsistent()
	})
}

func TestAFaultOfADeadLetterOutlivesThatOfRows(t *testing.T) {
	f := &produceFault{}
	cfg := &Config{Observer: NopObserver{}, Now: time.Now, produceFault: f}
	refused := errors.New("refused")
	f.record(cfg, refused, 1, 0)
	f.record(cfg, refused, 0, 1)
	f.record(cfg, nil, 0, 1)
	require.Error(t, f.err)
	f.record(cfg, nil, 1, 0)
	require.NoError(t, f.err)
}
