package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// reader is pitchstream serve, and a client of it.
type reader struct {
	t     *testing.T
	url   string
	admin string
}

// serve runs the API over the station's stores; stop is SIGTERM and waits for its end.
func (s *station) serve(args ...string) (r *reader, stop func()) {
	s.t.Helper()
	addr, admin := testkit.FreeAddr(), testkit.FreeAddr()
	ctx, cancel := context.WithCancel(s.t.Context())
	ended, log := make(chan int, 1), &lockedBuffer{}
	flags := append([]string{"serve", "--api-addr=" + addr, "--admin-addr=" + admin}, append(s.args[1:], args...)...)
	go func() {
		ended <- run(ctx, flags, &stdio{In: strings.NewReader(""), Out: io.Discard, Err: log})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if status := <-ended; status != exitOK {
			s.t.Errorf("status %d:\n%s", status, log.String())
		}
	})
	s.t.Cleanup(stop)
	r = &reader{t: s.t, url: "http://" + addr, admin: "http://" + admin}
	require.Eventually(s.t, func() bool { status, _ := r.get("/docs"); return status == 200 }, time.Minute, 20*time.Millisecond)
	return r, stop
}

// applied answers what get does, once the records that the path asks for are in; on a busy machine that takes
// more than one request may wait.
func (r *reader) applied(path string) (status int, body map[string]any) {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		if status, body = r.get(path); body["type"] != "urn:pitchstream:problem:not-applied-yet" {
			break
		}
	}
	return status, body
}

// get answers the status and the body; 0 while no server does.
func (r *reader) get(path string) (int, map[string]any) {
	r.t.Helper()
	url := path
	if strings.HasPrefix(path, "/") {
		url = r.url + path
	}
	resp, err := (&http.Client{
		Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Minute,
	}).Get(url)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	var body map[string]any
	_ = json.NewDecoder(resp.Body).Decode(&body)
	return resp.StatusCode, body
}

// produce sends one record of the pitch, and gives at_least for it.
func (s *station) produce(client *kgo.Client, exit float64, headers ...string) (atLeast string) {
	s.t.Helper()
	const pitchID = "0b1e7c1e-6f0a-4f6b-8d6e-1f2a3b4c5d6e"
	r := &kgo.Record{Topic: rawTopic, Key: []byte("745804"), Value: fmt.Appendf(nil,
		`{"summary_acts":{"pitch":{"eventId":"%s","result":"HitIntoPlay","type":"FourSeamFastball"},"hit":{"speed":{"mph":%v}}}}`, pitchID, exit)}
	for _, h := range append(headers, "batter_id=660271", "event_time=2024-09-28T22:04:37.926Z") {
		k, v, _ := strings.Cut(h, "=")
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: k, Value: []byte(v)})
	}
	require.NoError(s.t, client.ProduceSync(s.t.Context(), r).FirstErr())
	return fmt.Sprintf("?at_least=%d:%d", r.Partition, r.Offset)
}

// An application reads what it has written, sees corrections at once, and streams them.
func TestServeStory(t *testing.T) {
	s := newStation(t)
	client := kafkaClient(t, s.cluster)
	s.start()
	s.waitReady(200, "")
	api, stop := s.serve()

	status, body := api.applied("/v1/batters/660271" + s.produce(client, 101.2))
	require.Equal(t, 200, status, body)
	require.EqualValues(t, 1, body["pitches"])
	require.EqualValues(t, 101.2, body["max_exit_velocity_mph"])
	require.Equal(t, "2024-09-28T22:04:37.926Z", body["as_of"])
	require.Nil(t, body["max_bat_speed_mph"])
	require.Eventually(t, func() bool {
		_, body = api.get("/v1/batters/660271")
		return body["source"] == "redis" && body["stale"] == false && body["lag_ms"] == 0.0
	}, time.Minute, 20*time.Millisecond)

	events := api.stream("/v1/batters/660271/stream")
	game := api.stream("/v1/games/745804/stream")
	require.EqualValues(t, 101.2, (<-events)["max_exit_velocity_mph"])
	require.EqualValues(t, 1, (<-game)["pitches"])
	status, body = api.applied("/v1/batters/660271" + s.produce(client, 88.5, "revision=1"))
	require.Equal(t, 200, status, body)
	require.EqualValues(t, 1, body["pitches"])
	require.EqualValues(t, 88.5, body["max_exit_velocity_mph"])
	for state := range events {
		if state["max_exit_velocity_mph"] == 88.5 {
			break
		}
	}
	for state := range game {
		if state["last_pitches"].([]any)[0].(map[string]any)["exit_velocity_mph"] == 88.5 {
			break
		}
	}

	names := writeFiles(t, map[string]string{"names.csv": "id,name,team\n660271,Shohei Ohtani,LAD\n"}) + "/names.csv"
	require.Contains(t, s.command("players", "load", names, s.args[1]), "1 added or changed")
	require.Contains(t, s.command("players", "load", names, s.args[1]), "0 added or changed")
	require.Eventually(t, func() bool {
		_, body = api.get("/v1/batters/660271/games/745804")
		return body["name"] == "Shohei Ohtani" && body["team"] == "LAD"
	}, time.Minute, 50*time.Millisecond)

	require.Eventually(t, func() bool { // a processor on a busy machine may be late to say that it is alive
		status, body = api.get("/v1/pitches/0b1e7c1e-6f0a-4f6b-8d6e-1f2a3b4c5d6e")
		return status != 200 || body["stale"] == false
	}, time.Minute, 50*time.Millisecond)
	require.Equal(t, 200, status, body)
	require.EqualValues(t, 1, body["revision"])
	require.Equal(t, "postgres", body["source"])

	status, _ = api.get(api.admin + "/readyz")
	require.Equal(t, 200, status)
	admin := strings.TrimPrefix(api.admin, "http://")
	s.command("serve", "--check", "--admin-addr="+admin, s.args[1], s.args[2])
	stop() // the streams are open, and do not hold it up
	for range events {
	}
	out := &lockedBuffer{}
	require.Equal(t, exitFailed, run(t.Context(), []string{"serve", "--check", "--admin-addr=" + admin, s.args[1], s.args[2]}, &stdio{Out: out, Err: out}))
}

// A Redis that was emptied is not read until it has been repaired.
func TestServeNeverShowsAnEmptiedRedis(t *testing.T) {
	s := newStation(t)
	client := kafkaClient(t, s.cluster)
	s.start()
	s.waitReady(200, "")
	api, _ := s.serve()
	status, _ := api.applied("/v1/batters/660271" + s.produce(client, 101.2))
	require.Equal(t, 200, status)
	isRedis := func() bool { _, body := api.get("/v1/batters/660271"); return body["source"] == "redis" }
	require.Eventually(t, isRedis, time.Minute, 20*time.Millisecond)

	_, addr, _ := strings.Cut(s.args[2], "redis://")
	server := redis.NewClient(&redis.Options{Addr: addr})
	defer server.Close()
	for range 3 {
		prefix := strings.TrimPrefix(s.args[3], "--redis-prefix=")
		keys, err := server.Keys(t.Context(), prefix+"*").Result()
		require.NoError(t, err)
		require.NoError(t, server.Del(t.Context(), keys...).Err())
		require.Eventually(t, func() bool {
			status, body := api.get("/v1/batters/660271")
			require.Equal(t, 200, status)
			require.EqualValues(t, 1, body["pitches"])
			return body["source"] == "redis"
		}, time.Minute, 5*time.Millisecond)
	}
}

// stream gives the states of a stream until it ends.
func (r *reader) stream(path string) <-chan map[string]any {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), "GET", r.url+path, nil)
	require.NoError(r.t, err)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	require.NoError(r.t, err)
	require.Equal(r.t, 200, resp.StatusCode)
	states := make(chan map[string]any, 100)
	go func() {
		defer close(states)
		defer resp.Body.Close()
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok {
				var state map[string]any
				_ = json.Unmarshal([]byte(data), &state)
				states <- state
			}
		}
	}()
	return states
}
