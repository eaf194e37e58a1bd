package processor

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/drift"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// tiring is a store in which the pitchers 1 and 2 have six games of 60 pitches, the last one now, whose last
// 20 pitches are 3 mph slower.
func tiring(t *testing.T) *pgsink.Sink {
	t.Helper()
	store, err := pgsink.Open(pgsink.Config{
		URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2,
	})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	exec(t, store, `
		INSERT INTO pitchstream.pitch_registers (pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time,
			core_version, build, processed_at, measured_pitcher_id, game_pk, pitch_type, pitch_result, release_speed_mph,
			is_swing, is_contact, is_whiff, bat_samples, ball_samples, duplicate_samples, issues)
		SELECT gen_random_uuid(), 0, n, 1000 * p + 100 * g + n, 0, 't', now() - (5 - g) * interval '5 days' - (60 - n) * interval '20 seconds', 2, 'b', now(),
			p, g, 'Slider', 'Ball', 86 + n % 5 * 0.3 - CASE WHEN g = 5 AND n > 40 THEN 3 ELSE 0 END,
			false, false, false, 0, 0, 0, '{}'
		FROM generate_series(1, 2) p, generate_series(0, 5) g, generate_series(1, 60) n;
		INSERT INTO pitchstream.players (id, name) VALUES (1, 'Aaron')`)
	return store
}

func exec(t *testing.T, store *pgsink.Sink, sql string) {
	t.Helper()
	_, err := store.DB().Pool.Exec(t.Context(), sql)
	require.NoError(t, err)
}

// mechanicsOf returns the values of the metrics about mechanics by name and, where there is one, by player.
func mechanicsOf(t *testing.T, m *obs.Metrics) map[string]float64 {
	t.Helper()
	families, err := m.Registry.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		for _, v := range f.GetMetric() {
			labels := map[string]string{}
			for _, l := range v.GetLabel() {
				labels[l.GetName()] = l.GetValue()
			}
			switch f.GetName() {
			case "pitchstream_mechanics_drifting_players":
				if labels["side"] == "pitcher" && labels["scope"] == "game" {
					values["players"] = v.GetGauge().GetValue()
				}
			case "pitchstream_mechanics_before", "pitchstream_mechanics_after":
				require.Equal(t, "release_speed_mph", labels["measure"])
				require.Equal(t, "Slider", labels["pitch_type"])
				values[f.GetName()[len("pitchstream_mechanics_"):]+" "+labels["player"]+labels["name"]] = v.GetGauge().GetValue()
			}
		}
	}
	return values
}

// guard: drift: one process looks
// guard: drift: a player is looked at again when his rows have changed
// guard: drift: who does not play any more is not alerted about
func TestOneProcessorShowsWhoseMechanicsChanged(t *testing.T) {
	store := tiring(t)
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, nil))
	m, other := obs.NewMetrics("test"), obs.NewMetrics("test")
	first := &mechanicsKeeper{store: store, metrics: m.Mechanics(), every: time.Second, log: log}
	second := &mechanicsKeeper{store: store, metrics: other.Mechanics(), every: time.Second, log: log}
	defer first.rest() // or the store would wait for its lock
	defer second.rest()
	require.NoError(t, first.cycle(t.Context()))
	require.NoError(t, second.cycle(t.Context()))
	aaron := schemas.PlayerKey{Side: schemas.Pitcher, PlayerID: 1}
	pitches, err := pgread.NewMechanics(store.DB()).DriftPitches(t.Context(), aaron, 1, drift.MostPitches)
	require.NoError(t, err)
	change := drift.Find(pitches, schemas.Pitcher).Changes[0]
	require.Less(t, change.Change, -1.0)
	want := map[string]float64{
		"players": 2, "before 1Aaron": change.Before, "after 1Aaron": change.After,
		"before 2": change.Before, "after 2": change.After,
	}
	require.Equal(t, want, mechanicsOf(t, m))
	require.Empty(t, mechanicsOf(t, other), "no player is shown twice")
	require.Contains(t, out.String(), fmt.Sprintf("player=1 name=Aaron scope=game measure=release_speed_mph "+
		"pitch_type=Slider before=%v after=%v", change.Before, change.After))

	out.Reset()
	require.NoError(t, first.cycle(t.Context()))
	require.Empty(t, out.String(), "it is logged once")

	exec(t, store, `UPDATE pitchstream.pitch_registers SET processed_at = now() - interval '1 hour' WHERE measured_pitcher_id = 2`)
	exec(t, store, `UPDATE pitchstream.pitch_registers SET release_speed_mph = 86.5, processed_at = now()
		WHERE measured_pitcher_id = 1 AND release_speed_mph < 85`)
	require.NoError(t, first.cycle(t.Context()))
	require.Equal(t, map[string]float64{"players": 0}, mechanicsOf(t, m), "one was corrected, one does not play any more")

	exec(t, store, `UPDATE pitchstream.pitch_registers SET processed_at = now() WHERE measured_pitcher_id = 2`)
	first.rest()
	require.NoError(t, second.cycle(t.Context()))
	require.Empty(t, mechanicsOf(t, m))
	want = map[string]float64{"players": 1, "before 2": change.Before, "after 2": change.After}
	require.Equal(t, want, mechanicsOf(t, other))
}
