package main

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/config"
)

func TestServedLettersAreThoseOfTheTopic(t *testing.T) {
	w := newDeadTown(t)
	r := rand.New(rand.NewPCG(2, 2))
	all := kinds()
	for i := range 45 {
		w.letter(t, r, all[i%len(all)])
	}
	require.NoError(t, w.client.Flush(t.Context()))
	status, _ := w.dlq(t, "discard", "--code=malformed_json", "--reason=torn", "--yes")
	require.Equal(t, exitOK, status)
	c := &serveCmd{TopicRaw: rawTopic, TopicDead: deadTopic}
	c.Kafka.Brokers = strings.Split(strings.TrimPrefix(w.flags[0], "--kafka-brokers="), ",")
	c.Postgres = config.Postgres{URL: config.NewSecretURL(strings.TrimPrefix(w.flags[1], "--postgres-url=")), Schema: "pitchstream"}
	served, done, err := c.letters()
	require.NoError(t, err)
	defer done()
	report, err := served.DeadLetterReport(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 45, report.Letters)
	require.EqualValues(t, 3, report.Discarded)
	require.EqualValues(t, 42, report.Open)
	require.NotZero(t, report.ReadAt)
	again, err := served.DeadLetterReport(t.Context())
	require.NoError(t, err)
	require.Equal(t, report.ReadAt, again.ReadAt, "the topic is not read for everybody who asks")
	for _, g := range report.Groups {
		l, err := served.Letter(t.Context(), g.Example.Partition, g.Example.Offset)
		require.NoError(t, err)
		require.Equal(t, g.Code, l.Code)
		require.Equal(t, g.Example.Message, l.Message)
		require.Len(t, l.SHA256, 64)
		require.NotEmpty(t, l.Headers)
		if l.Code == "malformed_json" {
			require.Equal(t, "discarded", l.Status)
			require.Equal(t, "torn", l.Decision.Reason)
			require.Equal(t, "fails", l.Today)
		}
	}
	none, err := served.Letter(t.Context(), 0, 1<<40)
	require.NoError(t, err)
	require.Nil(t, none)
	none, err = served.Letter(t.Context(), 99, 0)
	require.NoError(t, err)
	require.Nil(t, none)
}
