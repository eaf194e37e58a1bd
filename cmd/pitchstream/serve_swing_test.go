package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

// aSwing is a simulated record of a swing with a batter, whose bat speed can be relied on.
func aSwing(t *testing.T, seed uint64) (m simulate.Message, row *schemas.Row) {
	t.Helper()
	sim, err := simulate.New(simulate.Options{Seed: seed, Games: 1})
	require.NoError(t, err)
	for {
		m, ok := sim.Next()
		require.True(t, ok)
		change, rej := features.Transform(schemas.Record{Key: m.Key, Headers: m.Headers, Value: m.Value},
			features.Limits{})
		if rej == nil && change.Row != nil && change.Row.SpeedConfidence == schemas.SpeedReliable &&
			change.Row.IsContact && change.Row.BatterID.Present {
			return m, change.Row
		}
	}
}

// send produces a record under the name of this pitch, and gives at_least for it.
func (s *station) send(client *kgo.Client, m simulate.Message, headers ...kgo.RecordHeader) (atLeast string) {
	s.t.Helper()
	r := &kgo.Record{Topic: rawTopic, Key: m.Key, Value: m.Value}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	r.Headers = append(r.Headers, headers...) // of a repeated one the last counts
	require.NoError(s.t, client.ProduceSync(s.t.Context(), r).FirstErr())
	return fmt.Sprintf("?at_least=%d:%d", r.Partition, r.Offset)
}

// A swing is drawn from its record, and from the corrected one when that stands. It is not drawn from another
// record in the same place.
// guard: serve: the record of a topic that was created anew is another
func TestServeDrawsSwings(t *testing.T) {
	s := newStation(t)
	client := kafkaClient(t, s.cluster)
	s.start()
	s.waitReady(200, "")
	api, _ := s.serve(s.args[0])

	first, row := aSwing(t, 1)
	path := "/v1/pitches/" + row.PitchID.String() + "/swing"
	status, body := api.get(path + s.send(client, first))
	require.Equal(t, 200, status, body)
	require.InDelta(t, row.BatSpeedMPH.Value, body["bat_speed_mph"], 1e-9)
	require.Greater(t, len(body["bat"].([]any)), 100)
	require.Greater(t, len(body["pitch"].([]any)), 5)
	require.NotEmpty(t, body["hit"])
	offset := body["source_offset"]

	second, corrected := aSwing(t, 2)
	atLeast := s.send(client, second, kgo.RecordHeader{Key: "pitch_id", Value: []byte(row.PitchID.String())}, kgo.RecordHeader{Key: "revision", Value: []byte("9")})
	status, body = api.get(path + atLeast)
	require.Equal(t, 200, status, body)
	require.InDelta(t, corrected.BatSpeedMPH.Value, body["bat_speed_mph"], 1e-9)
	require.EqualValues(t, 9, body["revision"])
	require.NotEqual(t, offset, body["source_offset"])

	status, body = api.get(fmt.Sprintf("/v1/batters/%d/swings", corrected.BatterID.Value))
	require.Equal(t, 200, status, body)
	require.Len(t, body["swings"], 1)
	status, body = api.get(fmt.Sprintf("/v1/swings?ids=%d,%d", row.BatterID.Value, corrected.BatterID.Value))
	require.Equal(t, 200, status, body)

	conn, err := pgx.Connect(t.Context(), strings.TrimPrefix(s.args[1], "--postgres-url="))
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "UPDATE pitchstream.pitches SET record_ts_ms = record_ts_ms + 1")
	require.NoError(t, err)
	status, body = api.get(path)
	require.Equal(t, 404, status, body)
}
