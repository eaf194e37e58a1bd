package simulate_test

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// TestTheCoreAgrees runs streams with everything in them through the core: every row, identifier and code is
// the one that the simulator says it made.
func TestTheCoreAgrees(t *testing.T) {
	t.Run("core 1", func(t *testing.T) { theCoreAgrees(t, 1) })
	t.Run("core 2", func(t *testing.T) { theCoreAgrees(t, 2) })
}

func theCoreAgrees(t *testing.T, core int) {
	t.Helper()
	s, err := simulate.New(simulate.Options{
		Seed: 11, Core: core, Games: 6, Pitches: 1500, FeedIDs: true, OversizeBytes: 1 << 20,
		Duplicates: 0.05, Reorder: 0.1, Corrections: 0.2, Deletes: 0.05, LateIDs: 0.3, Poison: 0.2,
	})
	require.NoError(t, err)
	near := &closeness{}
	offset := int64(0)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		change, rejection := features.Transform(schemas.Record{
			Coordinates: schemas.Coordinates{Topic: "pitches.raw", Offset: offset, TimestampMS: int64(m.Timestamp)},
			Key:         m.Key, Headers: m.Headers, Value: m.Value,
		}, features.Limits{MaxRecordBytes: 1 << 20})
		offset++
		if m.Want.Kind == simulate.KindPoison {
			require.NotNil(t, rejection, "%s", m.Want.Flavour)
			require.Equal(t, m.Want.Code, rejection.Code, "%s: %v", m.Want.Flavour, rejection)
			continue
		}
		require.Nil(t, rejection, "%s %v", m.Want.Kind, m.Want.PitchID)
		require.Equal(t, m.Want.PitchID, change.PitchID)
		require.Equal(t, m.Want.Revision, change.Version.Revision)
		require.Equal(t, m.Want.IDs, change.IDs)
		require.Equal(t, m.Want.Row == nil, change.Row == nil)
		if m.Want.Row != nil {
			require.Equal(t, m.EventTime, change.EventTime)
			requireRow(t, *m.Want.Row, *change.Row, near)
		}
	}
	near.check(t)
}

// closeness counts how far computed kinematics lie from those that the swings were made with.
type closeness struct{ swings, reliable, attackFar, speedFar int }

// requireRow wants equality, but for what is computed from samples, which it counts.
func requireRow(t *testing.T, want, got schemas.Row, near *closeness) {
	t.Helper()
	if want.IsSwing && want.SpeedConfidence == got.SpeedConfidence &&
		want.SpeedConfidence == schemas.SpeedReliable {
		near.reliable++
		if math.Abs(want.BatSpeedMPH.Value-got.BatSpeedMPH.Value) > 5 {
			near.speedFar++
		}
		if want.BatSpeedMPH.Value > 50 { // a slow bat's fastest moment may be anywhere
			near.swings++
			if math.Abs(want.AttackAngleDeg.Value-got.AttackAngleDeg.Value) > 4 {
				near.attackFar++
			}
		}
	}
	require.Equal(t, want.BatSpeedMPH.Present, got.BatSpeedMPH.Present)
	if want.AttackAngleDeg.Present != got.AttackAngleDeg.Present {
		// The limit of the range is near, or the bat is slow.
		far := max(math.Abs(want.AttackAngleDeg.Value), math.Abs(got.AttackAngleDeg.Value))
		require.True(t, far > 38 || want.BatSpeedMPH.Value < 50, "%v %v", want.AttackAngleDeg, want.BatSpeedMPH)
		got.Issues = want.Issues
	}
	if math.Abs(want.BatSpeedMPH.Value-95) < 6 {
		got.SpeedConfidence = want.SpeedConfidence // on the limit
	}
	got.BatSpeedMPH, got.AttackAngleDeg = want.BatSpeedMPH, want.AttackAngleDeg
	// How near the columns of core 2 are to their truth is measured by bench accuracy.
	fields, wanted := reflect.ValueOf(&got).Elem(), reflect.ValueOf(want)
	first, _ := fields.Type().FieldByName("ReleaseSpeedMPH")
	for i := first.Index[0]; i < fields.NumField(); i++ {
		fields.Field(i).Set(wanted.Field(i))
	}
	got.Issues = slices.DeleteFunc(slices.Clone(got.Issues), func(issue string) bool {
		return strings.HasPrefix(issue, "miss_distance_in:") || strings.HasPrefix(issue, "intercept_") ||
			strings.HasPrefix(issue, "squared_up_pct:") || strings.HasPrefix(issue, "contact_") ||
			strings.HasPrefix(issue, "swing_length_ft:")
	})
	require.Equal(t, want, got)
}

func (c *closeness) check(t *testing.T) {
	t.Logf("%d reliable swings: %d more than 5 mph off; %d full ones: attack of %d more than 4° off", c.reliable, c.speedFar, c.swings, c.attackFar)
	assert.Greater(t, c.reliable, 400)
	assert.Less(t, float64(c.speedFar), 0.05*float64(c.reliable))
	assert.Less(t, float64(c.attackFar), 0.05*float64(c.swings))
}
