package main

import (
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

// A record whose key, headers, message and value are escape sequences moves no terminal's cursor.
//
// guard: terminal: dlq ls prints no escape sequence of a record
func TestNothingOfADeadLetterIsObeyedByATerminal(t *testing.T) {
	w := newDeadTown(t)
	const hostile = "\x1b]0;owned\a\x1b[2J\u009b1A\u202ex\r\x7f\n1 dead letter discarded"
	for i := range 3 {
		origin := schemas.Coordinates{Topic: rawTopic, Offset: int64(i), TimestampMS: originMS}
		record := schemas.Record{
			Coordinates: origin, Key: []byte(hostile), Value: []byte(`{"` + hostile + `": "` + hostile),
			Headers: []schemas.Header{{Key: hostile, Value: []byte(hostile)}},
		}
		code := []schemas.Code{schemas.CodeMalformedJSON, hostile, schemas.CodeInternal}[i]
		letter := w.encoder(hostile).DeadLetter(schemas.DeadLetter{
			Record: record, Origin: origin, Code: code, Message: hostile,
		}, time.Now())
		require.NoError(t, w.client.ProduceSync(t.Context(), letter).FirstErr())
	}
	for _, args := range [][]string{
		{"ls"}, {"ls", "--json"}, {"show"}, {"show", "--json"}, {"retry", "--dry-run"}, {"ls", "--code", hostile},
		{"show", "0:" + hostile},
	} {
		status, stdout, stderr := runCLI(t, append(append([]string{"dlq"}, args...), w.flags[:1]...)...)
		require.NotEmpty(t, stdout+stderr, "%v: %d", args, status)
		for _, r := range stdout + stderr {
			require.True(t, unicode.IsGraphic(r) || r == '\n' || r == '\t', "%v: %q", args, stdout+stderr)
		}
		require.NotContains(t, stdout, "\n1 dead letter discarded", "%v", args)
	}
}
