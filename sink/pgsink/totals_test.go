package pgsink

import (
	cmp2 "cmp"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// filled is a sink with what a world's batches made.
func filled(t *testing.T) (*Sink, []schemas.Change) {
	t.Helper()
	s := open(t)
	w := sinktest.NewGenerator(7, 400)
	changes := w.Changes(1200)
	for _, b := range w.Batches(changes) {
		_, err := s.Apply(t.Context(), b)
		require.NoError(t, err)
	}
	return s, changes
}

// The view has a row for each sword that is counted, and the counts are those of the rows.
//
// guard: a sword is as slow as the slowest tenth of its batter
// guard: a sword is as slow as the slowest tenth of its game
func TestTheViewOfSwordsHasThoseThatAreCounted(t *testing.T) {
	s, _ := filled(t)
	var counted, shown, different int64
	require.NoError(t, raw(t, s).QueryRow(t.Context(), `
		SELECT sum(sword_count), sum(n), count(*) FILTER (WHERE n <> sword_count)
		FROM (SELECT sword_count, (SELECT count(*) FROM swords w WHERE w.batter_id = b.batter_id) AS n FROM batter_stats b) AS c`).
		Scan(&counted, &shown, &different))
	require.Positive(t, counted)
	require.Equal(t, counted, shown)
	require.Zero(t, different)
	require.Empty(t, compareAll(t, s, schemas.Batter).Differences)
	require.Equal(t, counted, swordsByPitch(t, s))
}

// swordsByPitch counts the swords as a reader of one pitch after the other does. It requires that swings
// without a tracked end are not judged.
func swordsByPitch(t *testing.T, s *Sink) (swords int64) {
	t.Helper()
	found, err := raw(t, s).Query(t.Context(), `SELECT pitch_id FROM pitches`)
	require.NoError(t, err)
	ids, err := pgx.CollectRows(found, pgx.RowTo[[16]byte])
	require.NoError(t, err)
	reader, err := pgread.Open(*s.cfg)
	require.NoError(t, err)
	defer reader.Close()
	for _, id := range ids {
		p, err := reader.Pitch(t.Context(), id)
		require.NoError(t, err)
		require.Equal(t, p.Row.IsCutShort.Present, p.IsSword.Present)
		if p.IsSword.Value {
			swords++
		}
	}
	return swords
}

func compareAll(t *testing.T, s *Sink, side schemas.Side) pgadmin.TotalsReport {
	t.Helper()
	ids, err := pgadmin.New(s.DB()).TotalPlayers(t.Context(), side)
	require.NoError(t, err)
	rep, err := pgadmin.New(s.DB()).CompareTotals(t.Context(), side, ids)
	require.NoError(t, err)
	return rep
}

func named(rep pgadmin.TotalsReport) (found []string) {
	for _, d := range rep.Differences {
		found = append(found, fmt.Sprint(*cmp2.Or(d.BatterID, d.PitcherID), "/", d.GamePK, d.Key, " ", d.Kind))
	}
	return found
}

// spoilt is a statement that changes totals by hand, and what it makes differ.
type spoilt struct {
	spoil string
	want  []string
}

// Every column of the totals, spoilt by hand, is found where it is and nowhere else; and computed anew.
func TestTotalsThatWereChangedAreFoundAndComputedAnew(t *testing.T) {
	s, _ := filled(t)
	right := dump(t, s)
	findAndRepair(t, s, schemas.Pitcher, []spoilt{
		{`UPDATE pitcher_game_totals SET pitches = pitches + 1 WHERE pitcher_id = 600001 AND game_key = '716404'`, []string{"600001/716404 content"}},
		{`UPDATE pitcher_game_totals SET type_speed_sums[2] = type_speed_sums[2] + 0.001 WHERE pitcher_id = 600001 AND game_key = '716405'`, []string{"600001/716405 content"}},
		{`UPDATE pitcher_game_totals SET last_offset = last_offset + 1 WHERE pitcher_id = 600002 AND game_key = ''`, []string{"600002/no game content"}},
		{`UPDATE pitcher_game_totals SET type_called_strikes[1] = 99 WHERE pitcher_id = 600002 AND game_key = '716404'`, []string{"600002/716404 content"}},
		{`UPDATE pitcher_game_totals SET type_first_sums[1] = 99 WHERE pitcher_id = 600002 AND game_key = '716404'`, []string{"600002/716404 content"}},
		{`UPDATE pitcher_game_totals SET seq = seq + 1000000000 WHERE pitcher_id = 600003 AND game_key = '716404'`, []string{"600003/716404 content"}},
		{`DELETE FROM pitcher_game_totals WHERE pitcher_id = 600003 AND game_key = '716404'`, []string{"600003/716404 missing"}},
		{`INSERT INTO pitcher_game_totals (pitcher_id, game_key, seq, updated_at, pitches) VALUES (600003, 'x', 1, now(), 1)`, []string{"600003/x extra"}},
		{`UPDATE pitcher_totals SET type_spin_maxima[1] = NULL WHERE pitcher_id = 600000`, []string{"600000/ content"}},
		{`DELETE FROM pitcher_totals WHERE pitcher_id = 600000`, []string{"600000/ missing"}},
	})
	findAndRepair(t, s, schemas.Batter, []spoilt{
		{`UPDATE batter_game_totals SET pitches = pitches + 1 WHERE batter_id = 600001 AND game_key = '716404'`, []string{"600001/716404 content"}},
		{`UPDATE batter_game_totals SET exit_velocity_sum = exit_velocity_sum + 0.001 WHERE batter_id = 600001 AND game_key = '716405'`, []string{"600001/716405 content"}},
		{`UPDATE batter_game_totals SET last_offset = last_offset + 1 WHERE batter_id = 600002 AND game_key = ''`, []string{"600002/no game content"}},
		{`UPDATE batter_game_totals SET type_whiffs[1] = 99 WHERE batter_id = 600002 AND game_key = '716404'`, []string{"600002/716404 content"}},
		{`UPDATE batter_game_totals SET seq = seq + 1000000000 WHERE batter_id = 600003 AND game_key = '716404'`, []string{"600003/716404 content"}},
		{`DELETE FROM batter_game_totals WHERE batter_id = 600003 AND game_key = '716404'`, []string{"600003/716404 missing"}},
		{`INSERT INTO batter_game_totals (batter_id, game_key, seq, updated_at, pitches) VALUES (600003, 'x', 1, now(), 1)`, []string{"600003/x extra"}},
		{`UPDATE batter_totals SET bat_speed_max = NULL WHERE batter_id = 600000`, []string{"600000/ content"}},
		{`DELETE FROM batter_totals WHERE batter_id = 600000`, []string{"600000/ missing"}},
		{`UPDATE pitch_registers SET is_whiff = NOT is_whiff WHERE pitch_id = (SELECT pitch_id FROM pitches WHERE batter_id = 600000 AND game_pk = '716404' LIMIT 1)`, []string{"600000/ content", "600000/716404 content"}},
	})
	_, err := raw(t, s).Exec(t.Context(), `DELETE FROM batter_game_totals WHERE game_key = 'x'; DELETE FROM pitcher_game_totals WHERE game_key = 'x'`)
	require.NoError(t, err)
	now := dump(t, s)
	delete(right, "600000")
	delete(now, "600000") // whose row was changed
	require.Empty(t, cmp.Diff(right, now))
}

// findAndRepair changes totals of a side by hand, and has them found and repaired.
func findAndRepair(t *testing.T, s *Sink, side schemas.Side, cases []spoilt) {
	t.Helper()
	clean := compareAll(t, s, side)
	require.Empty(t, clean.Differences)
	require.Equal(t, clean.Rows, clean.Totals)
	require.Positive(t, clean.Rows.Whiffs)
	for _, c := range cases {
		_, err := raw(t, s).Exec(t.Context(), c.spoil)
		require.NoError(t, err)
		rep := compareAll(t, s, side)
		require.ElementsMatch(t, c.want, named(rep), c.spoil)
		snaps, err := s.RepairTotals(t.Context(), side, rep.Players, rep.Broken)
		require.NoError(t, err)
		require.Len(t, snaps, 1)
		require.Empty(t, named(compareAll(t, s, side)), c.spoil)
	}
}

// dump are the players' totals as readers see them.
func dump(t *testing.T, s *Sink) map[string]string {
	t.Helper()
	unstable := []string{"updated_at", "seq"} // and averages, because the order of their sums is not fixed
	for _, c := range schemas.StatsColumns {
		if strings.HasPrefix(c.Name, "avg_") {
			unstable = append(unstable, c.Name)
		}
	}
	unstable = append(unstable, "avg_pitch_speed_mph", "avg_spin_rate_rpm", "by_pitch_type")
	rows, err := raw(t, s).Query(t.Context(), `
		SELECT batter_id::text, (to_jsonb(b) - $1::text[])::text FROM batter_stats b
		UNION ALL
		SELECT batter_id || '/' || game_pk, (to_jsonb(g) - $1::text[])::text FROM batter_game_stats g WHERE batter_id <> 600000
		UNION ALL
		SELECT 'p' || pitcher_id, (to_jsonb(b) - $1::text[])::text FROM pitcher_stats b WHERE pitcher_id <> 600000
		UNION ALL
		SELECT 'p' || pitcher_id || '/' || game_pk, (to_jsonb(g) - $1::text[])::text FROM pitcher_game_stats g WHERE pitcher_id <> 600000`, unstable)
	require.NoError(t, err)
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var key, text string
		require.NoError(t, rows.Scan(&key, &text))
		all[key] = text
	}
	require.NoError(t, rows.Err())
	return all
}

// Both registers are read back as they were written.
func TestRegistersReadBackWhatWon(t *testing.T) {
	s, changes := filled(t)
	measured, identified := map[schemas.PitchID]schemas.Change{}, map[schemas.PitchID]schemas.Change{}
	for _, c := range changes {
		register := measured
		if c.Op == schemas.OpIdentify {
			register = identified
		}
		if held, ok := register[c.PitchID]; !ok || c.Version.Compare(held.Version) > 0 {
			register[c.PitchID] = c
		}
	}
	var after schemas.PitchID
	var all []schemas.PitchID
	for {
		page, err := pgbooks.New(s.DB()).Registers(t.Context(), after, 50)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, r := range page {
			all = append(all, r.PitchID)
			if want, ok := measured[r.PitchID]; ok {
				require.Empty(t, cmp.Diff(want, *r.Measured))
				require.EqualValues(t, 1, r.CoreVersion)
			} else {
				require.Nil(t, r.Measured)
			}
			if want, ok := identified[r.PitchID]; ok {
				require.Equal(t, want.IDs, r.Identified.IDs)
				require.Equal(t, want.Version, r.Identified.Version)
			} else {
				require.Nil(t, r.Identified)
			}
		}
		after = page[len(page)-1].PitchID
	}
	some, err := pgbooks.New(s.DB()).RegistersOf(t.Context(), all[3:5])
	require.NoError(t, err)
	require.Len(t, some, 2)
	require.Equal(t, all[3], some[0].PitchID)
}
