package explain

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// swing returns a simulated record with a tracked swing and a batter.
func swing(t *testing.T) schemas.Record {
	t.Helper()
	s, err := simulate.New(simulate.Options{Seed: 4, Games: 1, FeedIDs: true})
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		rec := schemas.Record{Key: m.Key, Value: m.Value, Headers: m.Headers}
		change, rejection := features.Transform(rec, features.Limits{})
		if rejection == nil && change.Row != nil && change.Row.BatSpeedMPH.Present && change.Row.IsContact {
			rec.Headers = append(rec.Headers, schemas.Header{Key: schemas.HeaderBatterID, Value: []byte("665742")})
			return rec
		}
	}
	t.Fatal("no swing")
	return schemas.Record{}
}

func TestOneExplainsARecordWithoutServers(t *testing.T) {
	rec := swing(t)
	p := One(rec, features.Limits{})
	require.Equal(t, 0, p.Explained)
	require.Equal(t, "upsert", p.Versions[0].Op())
	require.Equal(t, p.Row.BatSpeedMPH, p.Explanation.BatSpeed.SpeedMPH)
	require.EqualValues(t, 665742, p.Aggregates.BatterID)
	require.Zero(t, p.Aggregates.Batter.Before.Pitches)
	require.EqualValues(t, 1, p.Aggregates.Batter.After.Pitches)
}

func TestOneExplainsARejectedRecord(t *testing.T) {
	p := One(schemas.Record{Value: []byte(`{"a":`)}, features.Limits{})
	require.Equal(t, "rejected", p.Versions[0].Op())
	require.Equal(t, schemas.CodeMalformedJSON, p.Explanation.Rejection.Code)
	require.Nil(t, p.Row)
	require.Nil(t, p.Aggregates)
}

func TestContributionIsTheDifferenceThatTheRowMakes(t *testing.T) {
	row := *One(swing(t), features.Limits{}).Row
	row.PitcherID = schemas.Opt[int64]{}
	other := row
	other.PitchID[0]++
	others := map[schemas.Side][]schemas.StoredRow{schemas.Batter: {other}}
	c := Contribution(row, others)
	require.EqualValues(t, 1, c.Batter.Before.Pitches)
	require.EqualValues(t, 2, c.Batter.After.Pitches)
	require.Nil(t, c.Pitcher, "the row has no pitcher")

	row.BatterID = schemas.Opt[int64]{}
	require.Nil(t, Contribution(row, nil))
	row.PitcherID, row.GamePK, row.PitchType = schemas.Some[int64](7), "g", "Slider"
	other.PitcherID, other.GamePK, other.PitchType = schemas.Some[int64](7), "other", "Slider"
	c = Contribution(row, map[schemas.Side][]schemas.StoredRow{schemas.Pitcher: {other}})
	require.Nil(t, c.Batter)
	require.EqualValues(t, 7, c.PitcherID)
	require.EqualValues(t, 1, c.Pitcher.Before.ByPitchType["Slider"].Pitches)
	require.EqualValues(t, 2, c.Pitcher.After.ByPitchType["Slider"].Pitches)
	require.Zero(t, c.PitcherGame.Before.Pitches, "the other pitch was in another game")
	require.EqualValues(t, 1, c.PitcherGame.After.Pitches)
}

func TestPlotDrawsWellFormedSVGOfASwingOnly(t *testing.T) {
	rec := swing(t)
	p := One(rec, features.Limits{})
	svg, ok := Plot("a <swing>", rec.Value, p.Explanation)
	require.True(t, ok)
	require.NotContains(t, svg, "NaN")
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else {
			require.NoError(t, err)
		}
	}
	_, ok = Plot("none", []byte(`{}`), One(schemas.Record{Value: []byte(`{}`)}, features.Limits{}).Explanation)
	require.False(t, ok)
}
