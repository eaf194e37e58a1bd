package simulation

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// untold are the columns of core 2 that are about the computation, so no swing has a truth of them, and those
// that only the game feed names.
var untold = []string{
	"flight_rms_ft", "contact_source", "contact_bat_speed_error_mph", "contact_bat_speed_spread_mph",
	"contact_confidence", "contact_doubts", "at_bat_number", "pitch_number", "batter_side", "pitcher_hand",
}

// Truths writes what the ball and the bat of a measured record did, as a JSON object. It has the pitch_id and
// the revision, the fault of the bat's track, and the true value of every column of core 2. It writes nothing
// of other messages.
func Truths(b []byte, m *simulate.Message) ([]byte, error) {
	if m.Want.Kind != simulate.KindPitch && m.Want.Kind != simulate.KindCorrection {
		return b, nil
	}
	b = append(append(append(b, `{"pitch_id":"`...), m.Want.PitchID.String()...), '"')
	columns := append([]schemas.Column{{Name: "revision"}, {Name: "fault"}}, schemas.RowColumns...)
	values := append([]any{&m.Want.Revision, &m.Want.Fault}, m.Want.Row.Fields()...)
	known := true
	for i, c := range columns {
		switch {
		case c.Name == "pitch_id":
			known = false // as the columns of core 1 that follow
		case c.Name == "release_speed_mph":
			known = true
		}
		if !known || slices.Contains(untold, c.Name) {
			continue
		}
		value, err := json.Marshal(values[i])
		if err != nil {
			return b, err
		}
		b = append(append(append(append(b, `,"`...), c.Name...), `":`...), value...)
	}
	return append(b, "}\n"...), nil
}

// WithTruth returns a sink that also writes Truths to a file, which it creates or replaces. It closes the
// sink if it cannot.
func WithTruth(ctx context.Context, sink Sink, path string) (Sink, error) {
	truths, err := ToFile(path, Truths)
	if err != nil {
		return nil, errors.Join(err, sink.Close(ctx))
	}
	return both{sink, truths}, nil
}

// both is two sinks that receive the same messages.
type both [2]Sink

func (s both) Put(ctx context.Context, m *simulate.Message) error {
	if err := s[0].Put(ctx, m); err != nil {
		return err
	}
	return s[1].Put(ctx, m)
}

func (s both) Close(ctx context.Context) error { return errors.Join(s[0].Close(ctx), s[1].Close(ctx)) }
