package processor

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/sink/redissink"
)

func TestReadyNamesARedisThatIsRefusedAndStaysReady(t *testing.T) {
	o := NewObserver(slog.New(slog.DiscardHandler), nil)
	o.health.Set("assigned", true, "")
	o.health.Set("postgres", true, "")
	changed := o.RedisHooks(func() {}).Changed
	changed(redissink.State{Phase: redissink.PhaseRefused, Reason: "redis h:1: its maxmemory-policy may evict"})
	ready, _ := o.health.Ready()
	require.True(t, ready)
	require.Equal(t, []string{"redis: refused: redis h:1: its maxmemory-policy may evict"}, o.health.Notes())
	changed(redissink.State{Phase: redissink.PhaseOK})
	require.Empty(t, o.health.Notes())
}
