package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/compare"
)

// The file is made of the stored rows, with a bias and another order: the command finds both.
func TestStoredPitchesAreComparedWithACSV(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 120)
	stop := w.start(t)
	w.through(t)
	stop()
	rows, err := w.postgres.Query(t.Context(), `
		SELECT concat_ws(',', game_pk, batter_id, pitcher_id, inning, row_number() OVER w, 1,
			CASE pitch_result WHEN 'Strike' THEN 'S' WHEN 'Ball' THEN 'B' WHEN 'HitIntoPlay' THEN 'X' ELSE '' END,
			pitch_speed_mph, coalesce((contact_bat_speed_mph + 2)::text, ''), coalesce((plate_x_ft + 0.5)::text, ''))
		FROM pitches WHERE game_pk ~ '^[0-9]+$' AND batter_id IS NOT NULL AND pitcher_id IS NOT NULL AND inning IS NOT NULL
			AND pitch_speed_mph IS NOT NULL
		WINDOW w AS (PARTITION BY game_pk ORDER BY event_time, pitch_id) ORDER BY pitch_id`)
	require.NoError(t, err)
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(lines), 40)
	path := filepath.Join(t.TempDir(), "savant.csv")
	text := "game_pk,batter,pitcher,inning,at_bat_number,pitch_number,type,release_speed,bat_speed,plate_x\n" +
		strings.Join(lines, "\n") + "\n1,1,1,1,1,1,S,90,,\n"
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	args := []string{"compare", "savant", path, "--all", w.flags[1]}
	status, stdout, stderr := runCLI(t, append(args, "--json")...)
	require.Equal(t, exitOK, status, stderr)
	var r compare.Report
	require.NoError(t, json.Unmarshal([]byte(stdout), &r))
	require.EqualValues(t, len(lines), r.ByOrder, stdout)
	require.EqualValues(t, 1, r.Unmatched)
	for _, c := range r.Columns {
		bias := map[string]float64{"contact_bat_speed_mph": -2, "plate_x_ft": -0.5}[c.Name]
		switch c.Name {
		case "pitch_speed_mph", "contact_bat_speed_mph", "plate_x_ft":
			require.Positive(t, c.N, c.Name)
			require.InDelta(t, bias, c.Bias, 1e-9, c.Name)
			require.InDelta(t, 0, c.SD, 1e-6, c.Name)
		}
	}
	status, stdout, stderr = runCLI(t, args...)
	require.Equal(t, exitOK, status, stderr)
	require.Contains(t, stdout, fmt.Sprintf("%d lines in ", len(lines)+1))
	require.Regexp(t, `contact_bat_speed_mph +bat_speed +\d+ +-2\.00 +2\.00 +-2\.00 to -2\.00 mph`, stdout)
	require.Contains(t, stdout, "pitchstream explain ")
}
