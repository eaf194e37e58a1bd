package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

func TestHeartbeatReportsTheLargestLag(t *testing.T) {
	var p positions
	now := time.UnixMilli(1_700_000_000_000)
	h := p.heartbeat(now, "t", redissink.PhaseOK)
	require.Equal(t, schemas.Heartbeat{At: 1_700_000_000_000, Phase: "ok", Topic: "t", Positions: map[string]int64{}}, h)
	p.set(0, 5, time.Time{})
	p.set(1, 6, now.Add(-2*time.Second))
	p.set(2, 7, now.Add(-time.Second))
	h = p.heartbeat(now, "t", redissink.PhaseRepairing)
	require.Equal(t, map[string]int64{"0": 5, "1": 6, "2": 7}, h.Positions)
	require.EqualValues(t, 2000, h.LagMS)
	p.drop(1)
	p.set(2, 8, now.Add(time.Hour)) // a producer whose clock is ahead
	require.EqualValues(t, 1, p.heartbeat(now, "t", redissink.PhaseOK).LagMS, "something waits")
	p.set(2, 9, time.Time{})
	require.Zero(t, p.heartbeat(now, "t", redissink.PhaseOK).LagMS)
}
