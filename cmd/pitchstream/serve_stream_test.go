package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// One page shows what a processor wrote, what it rejected and why, and that it is gone.
func TestServeShowsTheStream(t *testing.T) {
	s := newStation(t)
	client := kafkaClient(t, s.cluster)
	end := s.start()
	s.waitReady(200, "")
	api, _ := s.serve()
	events := api.stream("/v1/stream/events")

	s.produce(client, 101.2)
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: rawTopic, Partition: 0, Key: []byte("745804"), Value: []byte(`{"broken`)}).FirstErr())
	var body map[string]any
	glance := func(has func() bool) func() bool {
		return func() bool {
			_, body = api.get("/v1/stream")
			return has()
		}
	}
	moved := false // the rate covers the last seconds: it is shown only while records arrive
	require.Eventually(t, glance(func() bool {
		rate, _ := body["records_per_s"].(float64)
		moved = moved || rate > 0
		return moved && body["letters_total"] == 1.0 && body["rows"] == 1.0 && body["state"] == "ok" && allCaughtUp(body["partitions"])
	}), time.Minute, 100*time.Millisecond)
	letter := body["letters"].(map[string]any)["newest"].([]any)[0].(map[string]any)
	require.Equal(t, "malformed_json", letter["code"])
	require.Equal(t, rawTopic, letter["topic"])
	require.NotEmpty(t, letter["message"])
	require.Equal(t, 2.0, body["records"])
	require.Equal(t, 0.0, body["lag_ms"])
	require.NotEmpty(t, body["partitions"])
	for _, step := range body["steps"].([]any) {
		require.Positive(t, step.(map[string]any)["batches"], step)
	}
	for _, p := range body["partitions"].([]any) {
		require.NotEmpty(t, p.(map[string]any)["processor"])
		require.EqualValues(t, 0, p.(map[string]any)["lag_records"])
	}
	require.NotNil(t, body["as_of"])
	for state := range events {
		if state["letters_total"] == 1.0 {
			break
		}
	}

	end()
	require.Eventually(t, glance(func() bool { return body["state"] == "down" && body["stale"] == true }), time.Minute, 100*time.Millisecond)
}

// allCaughtUp says that the lag of every partition is known, and none.
func allCaughtUp(partitions any) bool {
	list, _ := partitions.([]any)
	for _, p := range list {
		if p.(map[string]any)["lag_records"] != 0.0 {
			return false
		}
	}
	return len(list) > 0
}
