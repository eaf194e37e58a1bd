package processor

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

func TestHeartbeatReportsTheLargestLag(t *testing.T) {
	w := newActivity(time.Now())
	health := obs.NewHealth(slog.New(slog.DiscardHandler), nil)
	now := time.UnixMilli(1_700_000_000_000)
	h := w.heartbeat(now, "t", redissink.PhaseOK, health)
	h.Work = nil
	require.Equal(t, schemas.Heartbeat{At: 1_700_000_000_000, Phase: "ok", Topic: "t", Positions: map[string]int64{}}, h)
	w.moved(0, 5, time.Time{})
	w.moved(1, 6, now.Add(-2*time.Second))
	w.moved(2, 7, now.Add(-time.Second))
	h = w.heartbeat(now, "t", redissink.PhaseRepairing, health)
	require.Equal(t, map[string]int64{"0": 5, "1": 6, "2": 7}, h.Positions)
	require.EqualValues(t, 2000, h.LagMS)
	w.lags(1, -1)
	w.moved(2, 8, now.Add(time.Hour)) // a producer whose clock is ahead
	require.EqualValues(t, 1, w.heartbeat(now, "t", redissink.PhaseOK, health).LagMS, "something waits")
	w.moved(2, 9, time.Time{})
	require.Zero(t, w.heartbeat(now, "t", redissink.PhaseOK, health).LagMS)
}
