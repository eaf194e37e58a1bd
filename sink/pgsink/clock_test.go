package pgsink

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// guard: what is written is dated by Postgres
// guard: api: a heartbeat in Postgres is dated by Postgres
func TestAWrongClockOfAProcessorIsNotWritten(t *testing.T) {
	for name, wrongBy := range map[string]time.Duration{"behind": -time.Hour, "ahead": time.Hour, "far behind": -48 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			clock := func() time.Time { return time.Now().Add(wrongBy) }
			s, err := Open(Config{URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 1, Now: clock})
			require.NoError(t, err)
			t.Cleanup(s.Close)
			_, err = pgadmin.New(s.DB()).Migrate(t.Context())
			require.NoError(t, err)
			isNow := func(at schemas.TimeMS) {
				t.Helper()
				require.WithinDuration(t, time.Now(), at.Time(), 10*time.Minute)
			}
			out, err := s.Apply(t.Context(), sinktest.BatchOf(sinktest.NewGenerator(7, 1).Upsert(0, 1)))
			require.NoError(t, err)
			isNow(out.Published[0].Row.ProcessedAt)
			isNow(out.Snapshots[0].UpdatedAt)

			beat := schemas.Heartbeat{At: schemas.TimeMSOf(clock()), Topic: "t"}
			_, err = pgbooks.NewHeartbeats(s.DB()).Beat(t.Context(), "a", beat)
			require.NoError(t, err)
			r, err := pgread.Open(*s.cfg)
			require.NoError(t, err)
			defer r.Close()
			pulse, err := r.Pulse(t.Context())
			require.NoError(t, err)
			require.Contains(t, pulse.Heartbeats, "a")
			isNow(pulse.Heartbeats["a"].At)
		})
	}
}
