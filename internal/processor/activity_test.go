package processor

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestHeartbeatReportsRatesOfTheWindow(t *testing.T) {
	began := time.Unix(1_000_000, 0)
	w := newActivity(began)
	log, err := obs.NewLogger(io.Discard, "text", "info")
	require.NoError(t, err)
	health := obs.NewHealth(log, nil, "postgres")
	w.step(began, "postgres", time.Hour) // too old for the window
	for i := range 30 {
		now := began.Add(time.Duration(i) * time.Second)
		w.batch(now, consumer.BatchSummary{
			Records: 100, Bytes: 1000, Rows: 90, DeadLetters: map[schemas.Code]int{schemas.CodeNotAPitch: 1},
			Newest: []schemas.DeadLetterNote{{Message: fmt.Sprint(i)}},
		})
		w.step(now, "postgres", 4*time.Millisecond)
	}
	now := began.Add(29500 * time.Millisecond)
	w.moved(3, 7, now.Add(-2*time.Second))
	w.moved(4, 9, time.Time{})
	w.lags(3, 5)
	w.moved(9, 1, time.Time{})
	w.lags(9, -1)
	w.held("too much")

	report := w.report(now, health)
	require.EqualValues(t, 3000, report.Records)
	require.InDelta(t, 100, report.RecordsPerS, 1e-9)
	require.InDelta(t, 1000, report.BytesPerS, 1e-9)
	require.EqualValues(t, 30, report.Letters[schemas.CodeNotAPitch])
	require.Len(t, report.Newest, schemas.MaxNotes)
	require.Equal(t, "29", report.Newest[0].Message, "the newest first")
	require.EqualValues(t, 4, report.Steps["postgres"].MaxMS)
	require.EqualValues(t, 10, report.Steps["postgres"].Count)
	require.Equal(t, map[string]schemas.PartitionWork{
		"3": {Next: 7, LagRecords: schemas.Some(int64(5)), LagMS: 2000}, "4": {Next: 9},
	}, report.Partitions)
	require.Equal(t, "too much", report.Breaker)
	require.Equal(t, []string{"postgres: starting"}, report.Faults)

	quiet := w.report(now.Add(time.Minute), health)
	require.Zero(t, quiet.RecordsPerS)
	require.Empty(t, quiet.Steps)
	require.EqualValues(t, 3000, quiet.Records)
}

func TestNotesOfDeadLettersAreShort(t *testing.T) {
	for _, message := range []string{
		"short", strings.Repeat("x", 1000), strings.Repeat("⚾", 500), strings.Repeat("é", 149) + "⚾⚾⚾",
	} {
		n := schemas.DeadLetter{Message: message}.Note()
		require.LessOrEqual(t, len(n.Message), schemas.MaxNoteBytes+len("…"))
		require.Equal(t, n.Message, strings.ToValidUTF8(n.Message, "?"))
	}
}
