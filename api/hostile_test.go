package api

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// hostile are values that have broken one parser or another.
var hostile = []string{
	"%00", "a%00b", "%ff", "%c3%28", "%ed%a0%80", "%F0%9F%92%A9", "%E2%80%AE", "%0d%0aX: y", "%25%30%30", "..%2f..", "%2e%2e",
	"'", "%27%20OR%201=1--", "%22", "%5C", "%7B%7D", "%5Bnull%5D", "null", "NaN", "Infinity", "-Infinity", "1e309", "0x10", "+5", "%2B5",
	"-0", "-1", "0", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "99999999999999999999999", "1.5", "1,2", ",", "1,,2",
	"true", "2025-02-30", "0000-01-01", "9999-12-31", "10000-01-01", "-0001-01-01", "2025-04-07T00:00:00Z", "*", "$1", "%24%7Bx%7D",
	"00000000-0000-0000-0000-000000000000", "0b1e7c1e-6f0a-4f6b-8d6e-1f2a3b4c5d6", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AX__________AAAAAAAAAAAAAAAAAAAAAA",
	"AYAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "0:1", "0:999999999999999999", "999999999:0", "0:0,0:0", "%20", "", strings.Repeat("7", 64), strings.Repeat("7", 65),
	strings.Repeat("%E2%9A%BE", 64), strings.Repeat("x", 9000), strings.Repeat("1,", 200) + "1", strings.Repeat("%00", 100),
}

// hostileRequest returns the text of a request to one of the paths, with values, parameters and headers that
// no well-meaning client sends.
func hostileRequest(t *rapid.T, paths, parameters []string) string {
	value := func() string { return rapid.SampledFrom(hostile).Draw(t, "value") }
	path := rapid.SampledFrom(paths).Draw(t, "path")
	for strings.Contains(path, "{") {
		before, rest, _ := strings.Cut(path, "{")
		_, after, _ := strings.Cut(rest, "}")
		path = before + value() + after
	}
	sign := "?"
	for range rapid.IntRange(0, 3).Draw(t, "parameters") {
		path += sign + rapid.SampledFrom(parameters).Draw(t, "parameter") + "=" + value()
		sign = rapid.SampledFrom([]string{"&", ";", "&&"}).Draw(t, "separator")
	}
	path = strings.ReplaceAll(path, " ", "%20")
	request := rapid.SampledFrom([]string{"GET", "HEAD", "POST", "OPTIONS", "TRACE", "get"}).Draw(t, "method") + " " + path + " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
	for range rapid.IntRange(0, 3).Draw(t, "headers") {
		name := rapid.SampledFrom([]string{
			"Last-Event-ID", "If-None-Match", "X-Request-Id", "Authorization", "Accept-Encoding", "Accept", "Range", "Origin", "Content-Length",
			"Transfer-Encoding", "X-Forwarded-For", "Access-Control-Request-Method", "Expect", "Upgrade",
		}).Draw(t, "header")
		unescaped, err := url.PathUnescape(value())
		if err != nil || strings.ContainsAny(unescaped, "\r\n") {
			unescaped = "*"
		}
		request += name + ": " + unescaped + "\r\n"
	}
	return request + "\r\n"
}

// attack sends a request, and returns the status. It reads the answer, or of a stream its beginning.
func attack(t *rapid.T, addr, request string) int {
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer c.Close()
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err = io.WriteString(c, request)
	require.NoError(t, err)
	method, _, _ := strings.Cut(request, " ")
	answer, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
	if err != nil { // what did not come was not waited for
		return 0
	}
	defer answer.Body.Close()
	if answer.StatusCode >= 400 {
		require.Equal(t, "application/problem+json", answer.Header.Get("Content-Type"), "%d %q", answer.StatusCode, request)
		if method != "HEAD" {
			require.NoError(t, json.NewDecoder(answer.Body).Decode(new(map[string]any)), "%d %q", answer.StatusCode, request)
		}
	}
	return answer.StatusCode
}

// guard: api: no store sees a text that it cannot hold
func TestHostileRequestsCostOnlyThemselves(t *testing.T) {
	r := newReal(t)
	w := sinktest.NewGenerator(3, 60)
	for _, b := range w.Batches(w.Changes(150)) {
		r.write(t, b)
	}
	r.beat(t)
	var doc struct {
		Paths map[string]struct {
			Get struct{ Parameters []struct{ Name, In string } }
		}
	}
	require.NoError(t, json.Unmarshal(r.asker.ask("/openapi.json").Body.Bytes(), &doc))
	paths, parameters := []string{"/", "/docs", "/schemas/{}", "/{}", "/v1/{}"}, []string{"", "nothing"}
	for path, item := range doc.Paths {
		paths = append(paths, path)
		for _, p := range item.Get.Parameters {
			if p.In == "query" && p.Name != "at_least" { // which waits, as it is asked to
				parameters = append(parameters, p.Name)
			}
		}
	}
	slices.Sort(paths)
	slices.Sort(parameters)
	server, err := Listen("127.0.0.1:0", r.asker.API)
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	defer func() { stop(); require.NoError(t, <-done) }()

	others := map[string]string{"/v1/batters/600000": opBatter, "/v1/games/716404": opGame, "/v1/leaders?stat=pitches": opLeaders}
	seen := map[string]any{}
	for path, op := range others {
		seen[path] = r.asker.get(200, op, path)["source"]
	}
	rapid.Check(t, func(rt *rapid.T) {
		request := hostileRequest(rt, paths, parameters)
		status := attack(rt, server.Addr(), request)
		require.Less(rt, status, 500+above499(strings.Contains(request, "Transfer-Encoding")), "%q", request)
		for path, op := range others {
			body := r.asker.get(200, op, path)
			require.Equal(rt, seen[path], body["source"], "%s after %q", path, request)
			require.Equal(rt, false, body["stale"], "%s after %q", path, request)
		}
	})
}

// above499 returns how far above 499 a status may be: 501 is right for an unknown encoding.
func above499(encoding bool) int {
	if encoding {
		return 2
	}
	return 0
}
