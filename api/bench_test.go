package api

import (
	"net/http/httptest"
	"testing"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// BenchmarkBatter is one answer without a connection, from a Redis in another process.
func BenchmarkBatter(b *testing.B) {
	cfg := redissink.Config{URL: testkit.Redis(b), Prefix: testkit.Name(b) + ":"}
	sink, err := redissink.Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer sink.Close()
	s := state(1, 20)
	s.Stats.LastPitch.PitchResult = "Strike"
	if _, err := sink.Push(b.Context(), []schemas.Snapshot{{PlayerID: 1, Seq: 5, Stats: &s.Stats}}, []schemas.Position{{Topic: "pitches.raw", NextOffset: 5}}); err != nil {
		b.Fatal(err)
	}
	live, err := redissink.OpenReader(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer live.Close()
	st := newStores()
	st.put(s)
	a, err := New(Config{Live: live, Store: fakeStore{st}})
	if err != nil {
		b.Fatal(err)
	}
	b.SetParallelism(16)
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			w := httptest.NewRecorder()
			a.ServeHTTP(w, httptest.NewRequest("GET", "/v1/batters/1", nil))
			if w.Code != 200 {
				b.Error(w.Code, w.Body)
				return
			}
		}
	})
}
