package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// stores are a Redis and a Postgres in memory, with their faults. They hold the same, unless a test says
// otherwise.
type stores struct {
	mu       sync.Mutex
	live     map[schemas.PlayerKey]schemas.PlayerState // in Redis
	store    map[schemas.PlayerKey]schemas.PlayerState // in Postgres
	rows     []schemas.StoredRow                       // the newest first
	games    []schemas.PlayedGame
	players  []schemas.Player
	pulse    schemas.Pulse // of Redis
	pgPulse  schemas.Pulse
	liveErr  error
	storeErr error
	calls    map[string]int
	works    map[string]schemas.Work
	onLook   func()
}

var errGone = errors.New("connection refused")

const epoch = "E"

func newStores() *stores {
	s := &stores{
		live: map[schemas.PlayerKey]schemas.PlayerState{}, store: map[schemas.PlayerKey]schemas.PlayerState{},
		calls: map[string]int{},
	}
	s.pulse.Applied, s.pulse.Epoch = map[string]int64{}, epoch
	s.pgPulse.Applied = map[string]int64{}
	s.beat(schemas.Heartbeat{})
	return s
}

// beat is a heartbeat of now, with what a processor that is well says where h says nothing.
func (s *stores) beat(h schemas.Heartbeat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.At == 0 {
		h.At = schemas.TimeMSOf(time.Now())
	}
	if h.Phase == "" {
		h.Phase, h.Epoch = schemas.PhaseOK, epoch
	}
	h.Topic = "pitches.raw"
	if h.Positions == nil {
		h.Positions = map[string]int64{"0": 0}
	}
	s.pulse.Heartbeats = map[string]schemas.Heartbeat{"a": h}
	s.pgPulse.Heartbeats = s.pulse.Heartbeats
}

// put writes a state into both.
func (s *stores) put(st schemas.PlayerState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[st.PlayerKey], s.store[st.PlayerKey] = st, st
}

func (s *stores) apply(partition string, next int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pulse.Applied = map[string]int64{"pitches.raw/" + partition: next}
	s.pgPulse.Applied = s.pulse.Applied
}

func (s *stores) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

func (s *stores) called(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[name]
}

// state is a batter with so many pitches, at that sequence number.
func state(id, pitches int64) schemas.PlayerState {
	at := schemas.TimeMS(1_727_561_077_926)
	return schemas.PlayerState{
		PlayerKey: schemas.PlayerKey{PlayerID: id}, Seq: 1000 + pitches, UpdatedAt: at + 100,
		Stats: schemas.Stats{
			Pitches: pitches, SwingCount: pitches, MaxExitVelocityMPH: schemas.Some(101.2),
			LastPitch:   &schemas.LastPitch{EventTime: at},
			ByPitchType: map[string]schemas.TypeCounts{"unknown": {Pitches: pitches, Swings: pitches}},
		},
	}
}

func inGame(s schemas.PlayerState, game string) schemas.PlayerState { s.GamePK = game; return s }

func (s *stores) Look(
	ctx context.Context, keys []schemas.PlayerKey,
) ([]*schemas.PlayerState, schemas.Pulse, error) {
	s.mu.Lock()
	s.calls["Look"]++
	onLook := s.onLook
	s.mu.Unlock()
	if onLook != nil { // it may wait, or panic
		onLook()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return pick(s.live, keys), s.pulse, errors.Join(s.liveErr, ctx.Err())
}

func pick(from map[schemas.PlayerKey]schemas.PlayerState, keys []schemas.PlayerKey) []*schemas.PlayerState {
	states := make([]*schemas.PlayerState, len(keys))
	for i, k := range keys {
		if st, ok := from[k]; ok {
			states[i] = &st
		}
	}
	return states
}

func (s *stores) Seqs(ctx context.Context, keys []schemas.PlayerKey) ([]int64, schemas.Pulse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls["Seqs"]++
	seqs := make([]int64, len(keys))
	for i, k := range keys {
		seqs[i] = s.live[k].Seq
	}
	return seqs, s.pulse, errors.Join(s.liveErr, ctx.Err())
}

func (s *stores) Works(ctx context.Context) (map[string]schemas.Work, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls["Live.Works"]++
	return s.works, errors.Join(s.liveErr, ctx.Err())
}

// fakeStore is the Postgres of the stores.
type fakeStore struct{ *stores }

func (s fakeStore) ask(ctx context.Context, name string) error {
	s.calls[name]++
	return errors.Join(s.storeErr, ctx.Err())
}

func (s fakeStore) Pulse(ctx context.Context) (schemas.Pulse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pgPulse, s.ask(ctx, "Pulse")
}

func (s fakeStore) Works(ctx context.Context) (map[string]schemas.Work, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.works, s.ask(ctx, "Works")
}

func (s fakeStore) States(ctx context.Context, keys []schemas.PlayerKey) ([]*schemas.PlayerState, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return pick(s.store, keys), s.ask(ctx, "States")
}

func (s fakeStore) PlayerGames(
	ctx context.Context, key schemas.PlayerKey, after *schemas.SplitCursor, limit int,
) (out []schemas.PlayerState, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, st := range s.store {
		isBehind := after == nil || k.GamePK < string(after.Key) // of one time
		if k.GamePK != "" && k.Side == key.Side && k.PlayerID == key.PlayerID && isBehind {
			out = append(out, st)
		}
	}
	slices.SortFunc(out, func(a, b schemas.PlayerState) int { return cmp.Compare(b.GamePK, a.GamePK) })
	return out[:min(limit, len(out))], s.ask(ctx, "PlayerGames")
}

// isBehind reports whether a player comes behind the cursor of a filter.
func isBehind(s *schemas.PlayerState, f schemas.LeaderFilter) bool {
	value := leaderValue(s, f.Stat)
	return value < f.After.Value || value == f.After.Value && s.PlayerID > f.After.PlayerID
}

func (s fakeStore) Leaders(
	ctx context.Context, f schemas.LeaderFilter, limit int,
) (out []schemas.PlayerState, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, st := range s.store {
		wanted := k.GamePK == string(f.GamePK) && (f.Players == nil || slices.Contains(f.Players, k.PlayerID))
		if k.Side == f.Side && wanted && (f.After == nil || isBehind(&st, f)) {
			out = append(out, st)
		}
	}
	slices.SortFunc(out, func(a, b schemas.PlayerState) int {
		byValue := cmp.Compare(leaderValue(&b, f.Stat), leaderValue(&a, f.Stat))
		return cmp.Or(byValue, cmp.Compare(a.PlayerID, b.PlayerID))
	})
	return out[:min(limit, len(out))], s.ask(ctx, "Leaders")
}

// manyPitches is a player of whom no splits are computed.
const manyPitches = 7

func (s fakeStore) Splits(ctx context.Context, q schemas.SplitQuery) (schemas.Splits, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q.PlayerID == manyPitches {
		return schemas.Splits{IsTooMuch: true}, nil
	}
	found := reference.Splits(s.rows, q)
	for i := range found.Groups {
		found.Groups[i].ProcessedAt = 20_000
	}
	return found, s.ask(ctx, "Splits")
}

func (s fakeStore) Games(ctx context.Context, q schemas.GameQuery) ([]schemas.PlayedGame, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	games := s.games
	if q.After != nil {
		last := slices.IndexFunc(games, func(g schemas.PlayedGame) bool { return g.Place() == *q.After })
		games = games[last+1:]
	}
	return games[:min(q.Limit, len(games))], s.ask(ctx, "Games")
}

func (s fakeStore) Game(
	ctx context.Context, game string, players, pitches int,
) (*schemas.WholeGame, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.ask(ctx, "Game")
	i := slices.IndexFunc(s.games, func(g schemas.PlayedGame) bool { return g.GamePK == game })
	if i < 0 {
		return nil, err
	}
	whole := schemas.WholeGame{Game: s.games[i]}
	for k, st := range s.store {
		if k.GamePK == game {
			of := whole.PlayersOf(k.Side)
			*of = append(*of, st)
		}
	}
	for _, side := range schemas.Sides {
		of := whole.PlayersOf(side)
		slices.SortFunc(*of, func(a, b schemas.PlayerState) int { return cmp.Compare(a.PlayerID, b.PlayerID) })
		*of = (*of)[:min(players, len(*of))]
	}
	whole.Pitches = s.pitchesOf(game, nil, pitches)
	return &whole, err
}

func (s fakeStore) GameVersions(ctx context.Context, games []string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	versions := make([]string, len(games))
	for i, game := range games {
		for _, g := range s.games {
			if g.GamePK == game {
				versions[i] = fmt.Sprintf("%v %v", g, s.rows)
				for _, k := range slices.SortedFunc(maps.Keys(s.store), func(a, b schemas.PlayerKey) int {
					return cmp.Compare(a.PlayerID, b.PlayerID)
				}) {
					if k.GamePK == game {
						versions[i] += fmt.Sprint(s.store[k].Seq)
					}
				}
			}
		}
	}
	return versions, s.ask(ctx, "GameVersions")
}

func (s fakeStore) Pitches(ctx context.Context, ids []schemas.PitchID) ([]*schemas.StoredPitch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([]*schemas.StoredPitch, len(ids))
	for i, id := range ids {
		for _, r := range s.rows {
			if r.PitchID == id {
				row := complete([]schemas.StoredRow{r})[0]
				found[i] = &schemas.StoredPitch{Row: row, IsSword: row.IsCutShort}
			}
		}
	}
	return found, s.ask(ctx, "Pitches")
}

func (s fakeStore) PlayerPitches(
	ctx context.Context, key schemas.PlayerKey, after *schemas.PitchCursor, limit int,
) (out []schemas.StoredRow, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		isHis := key.Side.PlayerIn(&r.Row).Value == key.PlayerID
		if isHis && (after == nil || r.EventTime < after.EventTime) && len(out) < limit {
			out = append(out, r)
		}
	}
	return complete(out), s.ask(ctx, "PlayerPitches")
}

// complete gives rows of tests what every row has.
func complete(rows []schemas.StoredRow) []schemas.StoredRow {
	for i := range rows {
		rows[i].CoreVersion = max(rows[i].CoreVersion, 1)
	}
	return rows
}

func (s fakeStore) GamePitches(
	ctx context.Context, game string, after *schemas.PitchCursor, limit int,
) (out []schemas.StoredRow, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pitchesOf(game, after, limit), s.ask(ctx, "GamePitches")
}

func (s fakeStore) pitchesOf(
	game string, after *schemas.PitchCursor, limit int,
) (out []schemas.StoredRow) {
	for _, r := range s.rows {
		if string(r.GamePK) == game && (after == nil || r.EventTime < after.EventTime) && len(out) < limit {
			out = append(out, r)
		}
	}
	return complete(out)
}

func (s fakeStore) FindPitches(
	ctx context.Context, f schemas.PitchFilter, after *schemas.PitchCursor, limit int,
) (out []schemas.StoredRow, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		isIn := after == nil || r.EventTime < after.EventTime
		isIn = isIn && (!f.BatterID.Present || r.BatterID == f.BatterID)
		isIn = isIn && (!f.IsSwing.Present || r.IsSwing == f.IsSwing.Value)
		isIn = isIn && (!f.Since.Present || r.EventTime >= f.Since.Value)
		if isIn && len(out) < limit {
			out = append(out, r)
		}
	}
	return complete(out), s.ask(ctx, "FindPitches")
}

func (s fakeStore) BatterSwings(
	ctx context.Context, id int64, after *schemas.PitchCursor, limit int,
) (out []schemas.StoredRow, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.rows {
		isHis := r.BatterID.Value == id && r.IsSwing
		if isHis && (after == nil || r.EventTime < after.EventTime) && len(out) < limit {
			out = append(out, r)
		}
	}
	return out, s.ask(ctx, "BatterSwings")
}

func (s fakeStore) Swings(ctx context.Context, ids []int64, limit int) (out []schemas.StoredRow, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		n := 0
		for _, r := range s.rows {
			if r.BatterID.Value == id && r.IsSwing && n < limit {
				out, n = append(out, r), n+1
			}
		}
	}
	return out, s.ask(ctx, "Swings")
}

func (s fakeStore) Players(ctx context.Context, version string) ([]schemas.Player, string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.players, fmt.Sprint(s.players), s.ask(ctx, "Players")
}

// asker asks the API, and holds every answer against the document that the API serves.
type asker struct {
	*API
	t       *testing.T
	schemas *jsonschema.Compiler
}

func newAsker(t *testing.T, s *stores, change func(*Config)) *asker {
	t.Helper()
	cfg := Config{Live: s, Store: fakeStore{s}, Build: "test"}
	if change != nil {
		change(&cfg)
	}
	return askerOf(t, cfg)
}

func askerOf(t *testing.T, cfg Config) *asker {
	t.Helper()
	a, err := New(cfg)
	require.NoError(t, err)
	a.names.refresh(t.Context())
	k := &asker{API: a, t: t}
	k.schemas = jsonschema.NewCompiler()
	k.schemas.AssertFormat()
	doc, err := jsonschema.UnmarshalJSON(k.ask("/openapi.json").Body)
	require.NoError(t, err)
	// Later versions may answer more than the document says; this one answers nothing else.
	for _, s := range doc.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any) {
		if s := s.(map[string]any); s["properties"] != nil {
			require.Nil(t, s["additionalProperties"])
			s["additionalProperties"] = false
		}
	}
	require.NoError(t, k.schemas.AddResource("openapi.json", doc))
	return k
}

// ask sends a GET with headers, "Name: value". An answer that does not end, as a stream's, is cut off after a
// minute.
func (k *asker) ask(path string, headers ...string) *httptest.ResponseRecorder {
	k.t.Helper()
	return k.from("192.0.2.1:1234", path, headers...)
}

// from is ask from another address.
func (k *asker) from(addr, path string, headers ...string) *httptest.ResponseRecorder {
	k.t.Helper()
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Minute)
	defer cancel()
	req := httptest.NewRequestWithContext(ctx, "GET", path, nil)
	req.RemoteAddr = addr
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		req.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	k.ServeHTTP(w, req)
	return w
}

// get is the body of an answer of an operation, which has this status and is what the document says.
func (k *asker) get(status int, operation, path string, headers ...string) map[string]any {
	k.t.Helper()
	w := k.ask(path, headers...)
	require.Equal(k.t, status, w.Code, "%s: %s", path, w.Body)
	k.valid(operation, status, w.Header().Get("Content-Type"), w.Body.Bytes())
	var body map[string]any
	require.NoError(k.t, json.Unmarshal(w.Body.Bytes(), &body))
	if status >= 400 {
		require.Regexp(k.t, "^urn:pitchstream:problem:[a-z-]+$", body["type"], "%s: %s", path, w.Body)
	}
	return body
}

// valid holds a body against the document.
func (k *asker) valid(operation string, status int, contentType string, body []byte) {
	k.t.Helper()
	escape := strings.NewReplacer("~", "~0", "/", "~1", "{", "%7B", "}", "%7D")
	at := "openapi.json#/paths/" + escape.Replace(operation) + "/get/responses/" + fmt.Sprint(status) + "/content/" + escape.Replace(contentType) + "/schema"
	if contentType == "text/event-stream" {
		at += "/properties/data/contentSchema"
	}
	schema, err := k.schemas.Compile(at)
	require.NoError(k.t, err, at)
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
	require.NoError(k.t, err)
	require.NoError(k.t, schema.Validate(doc), "%s", body)
}

const (
	opBatter  = "/v1/batters/{id}"
	opBatters = "/v1/batters"

	opPitcher        = "/v1/pitchers/{id}"
	opPitchers       = "/v1/pitchers"
	opPitcherGame    = "/v1/pitchers/{id}/games/{game}"
	opPitcherGames   = "/v1/pitchers/{id}/games"
	opPitcherPitches = "/v1/pitchers/{id}/pitches"
	opPitcherLeaders = "/v1/leaders/pitchers"
	opPitcherStream  = "/v1/pitchers/{id}/stream"

	opSplits        = "/v1/batters/{id}/splits"
	opPitcherSplits = "/v1/pitchers/{id}/splits"

	opBatterGame = "/v1/batters/{id}/games/{game}"
	opGames      = "/v1/games"
	opGame       = "/v1/games/{game}"
	opGamePitch  = "/v1/games/{game}/pitches"
	opLeaders    = "/v1/leaders"
	opPlayers    = "/v1/players"
	opTeams      = "/v1/teams"
	opPitches    = "/v1/batters/{id}/pitches"
	opFind       = "/v1/pitches"
	opPitch      = "/v1/pitches/{id}"
	opSwing      = "/v1/pitches/{id}/swing"
	opSwings     = "/v1/swings"
	opHisSwings  = "/v1/batters/{id}/swings"
	opQuality    = "/v1/quality"
	opOverview   = "/v1/stream"
	opGlances    = "/v1/stream/events"
	opStream     = "/v1/batters/{id}/stream"
	opGameStream = "/v1/games/{game}/stream"
)

var _ http.Handler = &API{}

func decoded(t *testing.T, text string) (body map[string]any) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text), &body), text)
	return body
}
