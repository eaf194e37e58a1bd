package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/redissink"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// real are a Redis and a Postgres that hold an untidy world, as a processor wrote it.
type real struct {
	redis  *redissink.Sink
	store  *pgsink.Sink
	server *testkit.Server // of Redis
	asker  *asker
	next   int64
	rest   func() // ends the heartbeats
}

func newReal(t *testing.T) *real {
	t.Helper()
	r := &real{server: testkit.OwnRedis(t), rest: func() {}}
	t.Cleanup(func() { r.rest() })
	cfg := redissink.Config{URL: r.server.Addr, IOTimeout: 30 * time.Second}
	pg := pgsink.Config{URL: testkit.Postgres(t), Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 1}
	var err error
	r.store, err = pgsink.Open(pg)
	require.NoError(t, err)
	t.Cleanup(r.store.Close)
	_, err = pgadmin.New(r.store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	_, err = r.store.EnsurePositions(t.Context(), []schemas.Position{{Topic: "t"}})
	require.NoError(t, err)
	r.redis, err = redissink.Open(t.Context(), cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = r.redis.Close() })
	_, err = r.redis.Sweep(t.Context(), pgbooks.New(r.store.DB()))
	require.NoError(t, err)

	live, err := redissink.OpenReader(cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = live.Close() })
	read, err := pgread.Open(pg)
	require.NoError(t, err)
	t.Cleanup(read.Close)
	require.NoError(t, read.Ping(t.Context()))
	r.asker = askerOf(t, Config{Live: live, Store: read, Topic: "t", Build: "test", LiveTimeout: 30 * time.Second, Timeout: time.Minute})
	return r
}

// write does what a processor does with a batch, and lives.
func (r *real) write(t *testing.T, b schemas.Batch) {
	t.Helper()
	b = sinktest.At(b, r.next, r.next+int64(len(b.Pitches)))
	r.next += int64(len(b.Pitches))
	out, err := r.store.Apply(t.Context(), b)
	require.NoError(t, err)
	_, err = r.redis.Push(t.Context(), out.Snapshots, []schemas.Position{b.Positions[0].Position})
	require.NoError(t, err)
	r.beat(t)
}

// beat says that the processor is alive, and goes on with it: nothing is about how long a test takes.
func (r *real) beat(t *testing.T) { r.beatAs(t, schemas.PhaseOK, 0) }

// beatAs is beat of a processor whose clock is wrong. A stopped store gets no heartbeat.
func (r *real) beatAs(t *testing.T, phase string, wrongBy time.Duration) {
	t.Helper()
	h := schemas.Heartbeat{Phase: phase, Topic: "t", Positions: map[string]int64{"0": r.next}}
	once := func(ctx context.Context) error {
		h.At = schemas.TimeMSOf(time.Now().Add(wrongBy))
		redis := r.redis.Beat(ctx, "a", h)
		_, err := pgbooks.NewHeartbeats(r.store.DB()).Beat(ctx, "a", h)
		return errors.Join(redis, err)
	}
	r.rest()
	if err := once(t.Context()); phase == schemas.PhaseOK {
		require.NoError(t, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var beating sync.WaitGroup
	r.rest = func() { stop(); beating.Wait() }
	beating.Go(func() {
		tick := time.NewTicker(300 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = once(ctx)
			}
		}
	})
}

// guard: api: a heartbeat that moves is of a live processor, whatever its clock
// guard: api: a heartbeat in Postgres is dated by Postgres
func TestAnswersAreFreshThoughTheProcessorsClockIsWrong(t *testing.T) {
	for _, wrongBy := range []time.Duration{-time.Hour, -25 * time.Hour, time.Hour} {
		t.Run(wrongBy.String(), func(t *testing.T) {
			r := newReal(t)
			r.write(t, sinktest.BatchOf(sinktest.NewGenerator(3, 300).Upsert(0, 1)))
			r.beatAs(t, schemas.PhaseOK, wrongBy)
			fresh := func(source string) func() bool {
				return func() bool {
					body := r.asker.get(200, opOverview, "/v1/stream")
					return body["source"] == source && body["stale"] == false
				}
			}
			require.Eventually(t, fresh("redis"), time.Minute, 100*time.Millisecond)
			r.server.Stop(t)
			r.beatAs(t, "away", wrongBy)
			require.Eventually(t, fresh("postgres"), time.Minute, 100*time.Millisecond)
			r.rest()
			require.Eventually(t, func() bool { return !fresh("postgres")() }, time.Minute, 100*time.Millisecond, "the processor is dead")
		})
	}
}

// A full Redis answers reads and refuses writes, heartbeats too. It keeps its last ones, which say ok.
//
// guard: api: a Redis that a living processor cannot write is not read
func TestAFullRedisIsNotBelieved(t *testing.T) {
	r := newReal(t)
	w := sinktest.NewGenerator(3, 300)
	pitch := func(i int) schemas.Batch {
		c := w.Upsert(i, 1)
		c.Row.BatterID = schemas.Some(int64(600_000))
		return sinktest.BatchOf(c)
	}
	r.write(t, pitch(0))
	before := r.asker.get(200, opBatter, "/v1/batters/600000")
	require.Equal(t, "redis", before["source"])

	client := redis.NewClient(&redis.Options{Addr: r.server.Addr})
	defer client.Close()
	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "1").Err())
	b := pitch(1)
	b = sinktest.At(b, r.next, r.next+int64(len(b.Pitches)))
	out, err := r.store.Apply(t.Context(), b)
	require.NoError(t, err)
	_, err = r.redis.Push(t.Context(), out.Snapshots, []schemas.Position{b.Positions[0].Position})
	require.ErrorContains(t, err, "OOM")
	r.beatAs(t, "away", 0)
	require.ErrorContains(t, r.redis.Beat(t.Context(), "a", schemas.Heartbeat{}), "OOM", "the last one stands")

	body := r.asker.get(200, opBatter, fmt.Sprintf("/v1/batters/600000?at_least=0:%d", r.next))
	require.Equal(t, "postgres", body["source"])
	require.Greater(t, body["seq"], before["seq"])
	body = r.asker.get(200, opBatter, "/v1/batters/600000")
	require.Equal(t, "postgres", body["source"])
	require.Equal(t, false, body["stale"])

	require.NoError(t, client.ConfigSet(t.Context(), "maxmemory", "0").Err())
	r.beat(t)
	_, err = r.redis.Push(t.Context(), out.Snapshots, []schemas.Position{b.Positions[0].Position})
	require.NoError(t, err)
	body = r.asker.get(200, opBatter, "/v1/batters/600000")
	require.Equal(t, "redis", body["source"])
}

// everything asks all that can be asked of a world, and gives the answers by path.
func (r *real) everything(t *testing.T) map[string]map[string]any {
	t.Helper()
	k := r.asker
	ids := []int64{600_000, 600_001, 600_002, 600_003}
	games := []string{"716404", "716405", "a game\tof 'quotes' ⚾"}
	answers := map[string]map[string]any{}
	get := func(op, path string) { answers[path] = k.get(200, op, path) }
	get(opBatters, "/v1/batters?ids=600000,600001,600002,600003,1")
	get(opSwings, "/v1/swings?ids=600003,1,600000")
	get(opGames, "/v1/games")
	for _, id := range ids {
		get(opBatter, fmt.Sprintf("/v1/batters/%d", id))
		get(opPitches, fmt.Sprintf("/v1/batters/%d/pitches", id))
		get(opHisSwings, fmt.Sprintf("/v1/batters/%d/swings", id))
		for _, g := range games {
			get(opBatterGame, fmt.Sprintf("/v1/batters/%d/games/%s", id, url.PathEscape(g)))
		}
	}
	get(opPitchers, "/v1/pitchers?ids=600000,600001,600002,600003,0,77")
	for _, id := range ids {
		get(opPitcher, fmt.Sprintf("/v1/pitchers/%d", id))
		get(opPitcherGames, fmt.Sprintf("/v1/pitchers/%d/games", id))
		get(opPitcherSplits, fmt.Sprintf("/v1/pitchers/%d/splits?by=game&limit=2", id))
		get(opSplits, fmt.Sprintf("/v1/batters/%d/splits?by=pitch_type&last=5&last_of=swings", id))
		get(opPitcherPitches, fmt.Sprintf("/v1/pitchers/%d/pitches", id))
		for _, g := range games {
			get(opPitcherGame, fmt.Sprintf("/v1/pitchers/%d/games/%s", id, url.PathEscape(g)))
		}
	}
	for _, stat := range []string{"pitches", "csw_rate_pct", "max_pitch_speed_mph"} {
		get(opPitcherLeaders, "/v1/leaders/pitchers?stat="+stat+"&min_pitches=2")
	}
	for _, g := range games {
		get(opGame, "/v1/games/"+url.PathEscape(g))
		get(opGamePitch, "/v1/games/"+url.PathEscape(g)+"/pitches?limit=200")
	}
	for _, stat := range []string{"pitches", "whiff_rate_pct", "max_exit_velocity_mph", "avg_attack_angle_deg"} {
		get(opLeaders, "/v1/leaders?stat="+stat+"&min_swings=2")
	}
	for i := range 60 {
		path := "/v1/pitches/" + sinktest.PitchID(i).String()
		if k.ask(path).Code == 200 {
			get(opPitch, path)
		}
	}
	return answers
}

// Redis, Postgres and memory return equal answers, field by field.
func TestAllSourcesReturnTheSameAnswers(t *testing.T) {
	r := newReal(t)
	w := sinktest.NewGenerator(3, 300)
	for _, b := range w.Batches(w.Changes(700)) {
		r.write(t, b)
	}
	r.beat(t)
	whole := r.everything(t)
	require.Equal(t, "redis", whole["/v1/batters/600000"]["source"])
	require.Equal(t, "redis", whole["/v1/pitchers/600000"]["source"])
	require.Equal(t, false, whole["/v1/batters/600000"]["stale"])
	require.EqualValues(t, 0, whole["/v1/batters/600000"]["lag_ms"])
	require.Equal(t, []any{1.0}, whole["/v1/batters?ids=600000,600001,600002,600003,1"]["missing"])

	r.server.Stop(t)
	r.beatAs(t, "away", 0)
	fallback := r.everything(t)
	require.Equal(t, "postgres", fallback["/v1/batters/600000"]["source"])
	require.Equal(t, false, fallback["/v1/batters/600000"]["stale"], "processors tell Postgres too")
	require.Equal(t, settled(whole), settled(fallback))
}

// settled leaves out where an answer comes from; averages are compared to nine digits.
func settled(v any) any {
	switch v := v.(type) {
	case map[string]map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = settled(map[string]any(e))
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			if !slices.Contains([]string{"source", "lag_ms", "age_ms"}, k) {
				out[k] = settled(e)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = settled(e)
		}
		return out
	case float64:
		return fmt.Sprintf("%.9g", v)
	}
	return v
}

// A page after the other gives each row once, though many have one event time.
func TestPagesOfRealPitches(t *testing.T) {
	r := newReal(t)
	w := sinktest.NewGenerator(4, 300)
	for _, b := range w.Batches(w.Changes(600)) {
		r.write(t, b)
	}
	seen, cursor := map[string]bool{}, ""
	for {
		body := r.asker.get(200, opPitches, "/v1/batters/600001/pitches?limit=7&cursor="+cursor)
		for _, p := range body["pitches"].([]any) {
			id := p.(map[string]any)["pitch_id"].(string)
			require.False(t, seen[id])
			seen[id] = true
		}
		next, more := body["next_cursor"].(string)
		if !more {
			break
		}
		cursor = next
	}
	require.EqualValues(t, r.asker.get(200, opBatter, "/v1/batters/600001")["pitches"], len(seen))
}

// The last swings are those of the pages, batter by batter.
func TestLastSwingsAreThoseOfThePages(t *testing.T) {
	r := newReal(t)
	w := sinktest.NewGenerator(6, 300)
	for _, b := range w.Batches(w.Changes(600)) {
		r.write(t, b)
	}
	found := r.asker.get(200, opSwings, "/v1/swings?ids=600001,600002&limit=7")["batters"].([]any)
	for i, id := range []int{600_001, 600_002} {
		var want, got []any
		for _, p := range r.asker.get(200, opPitches, fmt.Sprintf("/v1/batters/%d/pitches?limit=200", id))["pitches"].([]any) {
			if row := p.(map[string]any); row["is_swing"] == true && len(want) < 7 {
				want = append(want, row["pitch_id"])
			}
		}
		for _, s := range found[i].(map[string]any)["swings"].([]any) {
			got = append(got, s.(map[string]any)["pitch_id"])
		}
		require.Equal(t, want, got)
		require.Len(t, got, 7)
	}
}

// Redis and Postgres report the same work of processors, and the pulse does not include it.
func TestBothStoresReportTheSameWork(t *testing.T) {
	r := newReal(t)
	work := schemas.Work{Records: 7, RecordsPerS: 1.5, Partitions: map[string]schemas.PartitionWork{"0": {Next: 5, LagRecords: schemas.Some(int64(2))}},
		Steps: map[string]schemas.StepWork{"redis": {Count: 1, SumMS: 2.5, MaxMS: 2.5}}, Letters: map[schemas.Code]int64{schemas.CodeNotAPitch: 1}, Newest: []schemas.DeadLetterNote{{Message: "'⚾'"}}}
	h := schemas.Heartbeat{At: schemas.TimeMSOf(time.Now()), Phase: schemas.PhaseOK, Topic: "t", Positions: map[string]int64{"0": 0}, Work: &work}
	require.NoError(t, r.redis.Beat(t.Context(), "a", h))
	_, err := pgbooks.NewHeartbeats(r.store.DB()).Beat(t.Context(), "a", h)
	require.NoError(t, err)
	for name, read := range map[string]func() (map[string]schemas.Work, error){
		"redis":    func() (map[string]schemas.Work, error) { return r.asker.cfg.Live.Works(t.Context()) },
		"postgres": func() (map[string]schemas.Work, error) { return r.asker.cfg.Store.Works(t.Context()) },
	} {
		works, err := read()
		require.NoError(t, err)
		require.Equal(t, map[string]schemas.Work{"a": work}, works, name)
	}
	p, err := r.asker.cfg.Store.Pulse(t.Context())
	require.NoError(t, err)
	require.Nil(t, p.Heartbeats["a"].Work)
	require.Equal(t, h.Positions, p.Heartbeats["a"].Positions)

	before := r.asker.get(200, opOverview, "/v1/stream")
	require.Equal(t, "redis", before["source"])
	r.server.Stop(t)
	require.Eventually(t, func() bool {
		body := r.asker.get(200, opOverview, "/v1/stream")
		return body["source"] == "postgres" && body["records"] == before["records"]
	}, time.Minute, 100*time.Millisecond)
}

func TestNamesAreKeptInPostgres(t *testing.T) {
	r := newReal(t)
	w := sinktest.NewGenerator(5, 50)
	for _, b := range w.Batches(w.Changes(100)) {
		r.write(t, b)
	}
	k := r.asker
	load := func(want int64, players ...schemas.Player) {
		changed, err := pgbooks.NewPlayers(r.store.DB()).Set(t.Context(), players)
		require.NoError(t, err)
		require.Equal(t, want, changed)
		k.names.refresh(t.Context())
	}
	load(2, schemas.Player{ID: 600_000, Name: "José Ramírez", Team: "CLE"}, schemas.Player{ID: 2, Name: "Pitcher"})
	load(0, schemas.Player{ID: 600_000, Name: "José Ramírez", Team: "CLE"})
	require.Equal(t, "CLE", k.get(200, opBatter, "/v1/batters/600000")["team"])
	load(1, schemas.Player{ID: 600_000, Name: "José Ramírez"})
	body := k.get(200, opBatter, "/v1/batters/600000")
	require.Equal(t, "José Ramírez", body["name"])
	require.NotContains(t, body, "team")
}

func TestAGamesVersionChangesWithEachOfItsRows(t *testing.T) {
	r := newReal(t)
	read, err := pgread.Open(r.store.DB().Config)
	require.NoError(t, err)
	t.Cleanup(read.Close)
	games := []string{"716404", "none", "716405", "a game\tof 'quotes' ⚾"}
	rows := func() (of [4]string) {
		all, err := pgbooks.New(r.store.DB()).Rows(t.Context())
		require.NoError(t, err)
		for i, g := range games {
			for _, row := range all {
				if string(row.GamePK) == g {
					row.ProcessedAt = 0 // the clock is not what counts
					of[i] += fmt.Sprint(row)
				}
			}
		}
		return of
	}
	w := sinktest.NewGenerator(5, 60)
	before, versions := rows(), []string{"", "", "", ""}
	for _, b := range w.Batches(w.Changes(150)) {
		r.write(t, b)
		after := rows()
		now, err := read.GameVersions(t.Context(), games)
		require.NoError(t, err)
		for i := range games {
			if before[i] != after[i] {
				require.NotEqual(t, versions[i], now[i], games[i])
			}
			require.Equal(t, after[i] == "", now[i] == "", games[i])
		}
		before, versions = after, now
	}
}

// Leaders of a game and of a date are counted again from the rows.
func TestLeadersOfDatesAreThoseOfTheRows(t *testing.T) {
	r := newReal(t)
	w := sinktest.NewGenerator(8, 300)
	changes := w.Changes(400)
	for i := range changes { // of a game either no row or some have the date of its pitches
		if row := changes[i].Row; row != nil {
			row.GameDate = "2024-09-28"
			if row.GamePK != "716404" {
				row.GameDate = "2023-11-14"
			}
		}
	}
	for _, b := range w.Batches(changes) {
		r.write(t, b)
	}
	type line struct {
		Player, Pitches int64
		Game            string
	}
	for _, c := range []struct{ query, where string }{
		{"game=716405", "game_pk = '716405'"},
		{"game=none", "false"},
		{"date=2023-11-14", "game_pk <> '716404'"},
		{"date=2024-09-28", "false"}, // its pitches are dated a year before, and quality has not seen it
		{"date=2024-09-28", "game_pk = '716404'"},
	} {
		if c.where == "game_pk = '716404'" {
			_, err := r.store.DB().Pool.Exec(t.Context(), `INSERT INTO pitchstream.quality_games (game_key, day, venue, computed_at, pitches, facts)
				VALUES ('716404', '2024-09-28', '', now(), 1, '{}')`)
			require.NoError(t, err)
		}
		for path, side := range map[string]string{"/v1/leaders": "batter", "/v1/leaders/pitchers": "pitcher"} {
			rows, err := r.store.DB().Pool.Query(t.Context(), `SELECT player, pitches, game_pk FROM (
				SELECT DISTINCT ON (player) * FROM (
					SELECT `+side+`_id AS player, count(*) AS pitches, game_pk FROM pitchstream.pitches
					WHERE game_pk IS NOT NULL AND `+side+`_id IS NOT NULL AND `+c.where+` GROUP BY 1, 3) AS a
				ORDER BY player, pitches DESC, game_pk) AS b ORDER BY pitches DESC, player`)
			require.NoError(t, err)
			want, err := pgx.CollectRows(rows, pgx.RowToStructByPos[line])
			require.NoError(t, err)
			var got []line
			for _, l := range r.asker.get(200, path, path+"?stat=pitches&"+c.query)["leaders"].([]any) {
				l := l.(map[string]any)
				got = append(got, line{int64(l[side+"_id"].(float64)), int64(l["pitches"].(float64)), l["game_pk"].(string)})
			}
			require.ElementsMatch(t, want, got, "%s %s", path, c.query)
			require.True(t, slices.IsSortedFunc(got, func(x, y line) int { return cmp.Compare(y.Pitches, x.Pitches) }))
		}
	}
}
