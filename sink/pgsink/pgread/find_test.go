package pgread

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// Each filter alone finds the newest page of 200,000 pitches by an index, and reads little, whether many
// pitches pass it, few or none.
func TestFiltersHaveIndexes(t *testing.T) {
	url := testkit.Postgres(t)
	store, err := pgsink.Open(pgsink.Config{URL: url, Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 2})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	conn, err := pgx.Connect(t.Context(), url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	start := time.Now()
	_, err = conn.Exec(t.Context(), `
		SET search_path = pitchstream;
		INSERT INTO pitch_registers (pitch_id, revision, record_ts_ms, source_offset, source_partition, source_topic, event_time,
			core_version, build, processed_at, game_pk, measured_batter_id, measured_pitcher_id, identified_pitcher_id, pitch_type, pitch_result,
			is_swing, is_contact, is_whiff, is_chase, bat_samples, ball_samples, duplicate_samples, issues)
		SELECT gen_random_uuid(), 0, n, n, 0, 't', timestamptz '2025-04-01' + n * interval '10 seconds', 2, 'b', now(), (n / 300)::text,
			600000 + n % 700, 500000 + n % 400, CASE WHEN n % 2 = 0 THEN 500000 + n % 400 END,
			CASE WHEN n % 50000 = 7 THEN 'Eephus' ELSE (ARRAY['FourSeamFastball', 'Slider', 'Curveball', 'Changeup'])[1 + n % 4] END,
			CASE WHEN n % 40000 = 9 THEN 'Pickoff' ELSE (ARRAY['Strike', 'Ball', 'HitIntoPlay'])[1 + n % 3] END,
			n % 2 = 0, n % 4 = 0, n % 4 = 2, CASE WHEN n % 2 = 0 THEN n % 28 = 0 END, 0, 0, 0, '{}'
		FROM generate_series(1, 200000) n;
		INSERT INTO models (name, version, kind, state, sha256, content, added_by) VALUES ('archetypes', 1, 'archetypes', 'live', '', '', '');
		INSERT INTO score_registers (pitch_id, model, version, label, scored_at)
		SELECT pitch_id, 'archetypes', 1, 'label', now() FROM pitch_registers WHERE is_swing;
		ANALYZE pitch_registers;
		ANALYZE score_registers`)
	require.NoError(t, err)
	t.Logf("200,000 rows in %v", time.Since(start))
	some, text := schemas.Some[int64], func(s string) schemas.Text { return schemas.Text(s) }
	at := func(s string) schemas.Opt[schemas.TimeMS] {
		when, err := time.Parse(time.DateOnly, s)
		require.NoError(t, err)
		return schemas.Some(schemas.TimeMSOf(when))
	}
	// buffersOf runs a statement and returns how many blocks it looked at. It must not read the whole table.
	buffersOf := func(name, sql string, args ...any) (int, string) {
		var plan []byte
		tx, err := conn.Begin(t.Context())
		require.NoError(t, err)
		_, err = tx.Exec(t.Context(), "SET LOCAL enable_seqscan = off")
		require.NoError(t, err)
		sql = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + sql
		require.NoError(t, tx.QueryRow(t.Context(), sql, args...).Scan(&plan), name)
		require.NoError(t, tx.Rollback(t.Context()))
		require.NotContains(t, string(plan), "Seq Scan", name)
		var told []struct {
			Plan struct {
				Hit  int `json:"Shared Hit Blocks"`
				Read int `json:"Shared Read Blocks"`
			}
		}
		require.NoError(t, json.Unmarshal(plan, &told))
		return told[0].Plan.Hit + told[0].Plan.Read, string(plan)
	}
	for name, where := range map[string]string{
		"a batter": "WHERE batter_id = $2", "a pitcher": "WHERE pitcher_id = $2", "all": "WHERE $2 > 0",
	} {
		sql := strings.NewReplacer("{schema}", "pitchstream", "{where}", where).Replace(sqlAdvice)
		id := map[string]int64{"a batter": 600007, "a pitcher": 500010}[name]
		buffers, plan := buffersOf(name, sql, 5000, id+1)
		require.Less(t, buffers, 6000, "%s: %s", name, plan)
	}
	archetypes := strings.ReplaceAll(sqlArchetypes, "{schema}", "pitchstream")
	buffers, plan := buffersOf("archetypes", archetypes, 600008, "archetypes", 100)
	require.Less(t, buffers, 1000, plan)
	scores := strings.ReplaceAll(sqlPitchScores, "{schema}", "pitchstream")
	buffers, plan = buffersOf("scores of a pitch", scores, schemas.PitchID{}.String(), 16)
	require.Less(t, buffers, 100, plan)
	for _, side := range schemas.Sides {
		blocks := map[schemas.SplitLast]int{"": 1500, schemas.LastPitchesOf: 200, schemas.LastSwingsOf: 300}
		for of, most := range blocks {
			q := schemas.SplitQuery{
				Side: side, PlayerID: 600008, By: schemas.SplitMonth, Last: 10, LastOf: of, Limit: 10,
			}
			if side == schemas.Pitcher {
				q.PlayerID = 500010
			}
			if of == "" {
				q.Last = 0
			}
			sql, args := splitStatement(q)
			buffers, plan := buffersOf("splits", strings.ReplaceAll(sql, "{schema}", "pitchstream"), args...)
			require.Less(t, buffers, most, "%v %s: %s", side, of, plan)
		}
	}
	games := []struct {
		named   string
		q       schemas.GameQuery
		args    []any
		buffers int
	}{
		{sqlNamedByNewest, schemas.GameQuery{Limit: 20}, []any{time.Now(), 20 * pitchesOfAGame}, 12_000},
		{sqlNamedAll, schemas.GameQuery{Limit: 20}, nil, 12_000},
		{sqlNamedByDate, schemas.GameQuery{Limit: 20, Date: "2025-04-03"}, []any{"2025-04-03", 1000}, 2000},
	}
	for _, g := range games {
		sql, args := gamesStatement(g.named, g.q, g.args...)
		buffers, plan := buffersOf("games", strings.ReplaceAll(sql, "{schema}", "pitchstream"), args...)
		require.Less(t, buffers, g.buffers, "%s: %s", g.named, plan)
	}
	for name, c := range map[string]struct {
		f       schemas.PitchFilter
		buffers int
	}{
		"none":              {schemas.PitchFilter{}, 300},
		"a batter":          {schemas.PitchFilter{BatterID: some(600007)}, 300},
		"no such batter":    {schemas.PitchFilter{BatterID: some(1)}, 300},
		"a pitcher":         {schemas.PitchFilter{PitcherID: some(500010)}, 300},
		"no such pitcher":   {schemas.PitchFilter{PitcherID: some(1)}, 300},
		"a game":            {schemas.PitchFilter{GamePK: text("77")}, 300},
		"no such game":      {schemas.PitchFilter{GamePK: text("x")}, 300},
		"a type":            {schemas.PitchFilter{PitchType: text("Slider")}, 300},
		"a rare type":       {schemas.PitchFilter{PitchType: text("Eephus")}, 300},
		"no such type":      {schemas.PitchFilter{PitchType: text("Slidr")}, 300},
		"chases":            {schemas.PitchFilter{IsChase: schemas.Some(true)}, 300},
		"swings, no chases": {schemas.PitchFilter{IsChase: schemas.Some(false)}, 300},
		"swings":            {schemas.PitchFilter{IsSwing: schemas.Some(true)}, 300},
		"takes":             {schemas.PitchFilter{IsSwing: schemas.Some(false)}, 300},
		"a result":          {schemas.PitchFilter{Result: text("Ball")}, 300},
		"since":             {schemas.PitchFilter{Since: at("2025-04-20")}, 300},
		"until":             {schemas.PitchFilter{Until: at("2025-04-05")}, 300},
		"a batter's chases": {schemas.PitchFilter{BatterID: some(600000), IsChase: schemas.Some(true)}, 1000},
		"a rare result":     {schemas.PitchFilter{Result: text("Pickoff")}, 20000}, // the whole index by time
	} {
		for _, after := range []*schemas.PitchCursor{nil, {EventTime: at("2025-04-10").Value}} {
			where, args := filterPitches(c.f, after)
			sql := `SELECT ` + pg.RowColumns + ` FROM pitches ` + where +
				` ORDER BY event_time DESC, pitch_id DESC LIMIT 51`
			buffers, plan := buffersOf(name, sql, args...)
			require.Less(t, buffers, c.buffers, "%s: %s", name, plan)
		}
	}
}
