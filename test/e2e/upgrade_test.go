package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// A club goes from the rows of the first core to those of the second by the commands of docs/BACKFILL.md. The
// processors of live are replaced one by one meanwhile. An older one that reads all again changes no row.
func TestFromTheFirstCoreToTheSecond(t *testing.T) {
	w := stack.New(t)
	older := stack.Build(t, "-tags", "core1")
	t.Cleanup(func() { require.NoError(t, os.Remove(older)) })

	stress(w, 5, 300)
	first := w.StartBinary(older, "run")
	w.WaitCaughtUp()
	require.Equal(t, []int32{1}, coresOf(rowsOf(w, "")))

	// The second core's rows are made beside live, and compared.
	w.StartCommand("replay", "--into", "core2", "--follow", "--no-live-first")
	w.WaitFor("the target is filled and fed", func() bool {
		core2 := targetNamed(w, "core2")
		return core2.Unfinished == 0 && core2.Processors == 1 && core2.Behind == 0
	})
	require.Equal(t, []int32{features.CoreVersion}, coresOf(rowsOf(w, "core2")))
	requireOnlyNewColumns(t, w)

	// Readers go over, and back.
	w.Output("target", "promote", "core2")
	require.True(t, targetNamed(w, "core2").Serving)
	w.Output("target", "rollback")
	require.True(t, targetNamed(w, "live").Serving)
	w.Output("target", "promote", "core2")

	// A processor of the second core joins one of the first, and replaces it.
	second := w.Start()
	stress(w, 6, 300)
	first.Halt()
	w.WaitCaughtUp()
	stack.SameRows(t, "rows of live", asWritten(w.Expected().Rows, rowsOf(w, "")), rowsOf(w, ""))
	second.Halt()

	// It reads the topic again: no row of the first core is left, and all stores agree.
	w.Output("replay", "--into", "live", "--no-live-first")
	now := rowsOf(w, "")
	require.Equal(t, []int32{features.CoreVersion}, coresOf(now))
	w.Require(w.Expected(), 1)
	w.Output("verify")
	w.Output("verify", "--target", "core2")

	// An older build that reads everything once more changes no row.
	again := exec.CommandContext(t.Context(), older, "replay", "--into", "live", "--no-live-first")
	again.Env = w.Env
	out, err := again.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Equal(t, now, rowsOf(w, ""))
	w.Output("verify")
}

// rowsOf returns the current rows of a target; "" is live.
func rowsOf(w *stack.Stack, target string) []schemas.StoredRow {
	w.T.Helper()
	cfg := pgsink.Config{URL: w.Postgres, Schema: "pitchstream", Group: w.Name}
	if target != "" {
		cfg.Schema, cfg.Group = cfg.Schema+"_"+target, cfg.Group+"."+target
	}
	store, err := pgsink.Open(cfg)
	require.NoError(w.T, err)
	defer store.Close()
	rows, err := pgbooks.New(store.DB()).Rows(w.T.Context())
	require.NoError(w.T, err)
	return rows
}

// coresOf returns the versions of the cores that computed some rows.
func coresOf(rows []schemas.StoredRow) (cores []int32) {
	for _, r := range rows {
		if !slices.Contains(cores, r.CoreVersion) {
			cores = append(cores, r.CoreVersion)
		}
	}
	return cores
}

// asWritten returns the rows that are wanted, without the columns of the second core where the first core
// wrote the row that is stored.
func asWritten(want, stored []schemas.StoredRow) []schemas.StoredRow {
	ofFirst := map[schemas.PitchID]bool{}
	for _, r := range stored {
		ofFirst[r.PitchID] = r.CoreVersion == 1
	}
	want = slices.Clone(want)
	for i, r := range want {
		if ofFirst[r.PitchID] {
			want[i] = withoutContact(r)
		}
	}
	return want
}

// withoutContact returns the row as the first core computes it from the same record, with the columns of
// identify records, which any core takes.
func withoutContact(r schemas.StoredRow) schemas.StoredRow {
	fields := reflect.ValueOf(&r.Row).Elem()
	isNew := false
	for i := range fields.NumField() {
		name := fields.Type().Field(i).Name
		isNew = (isNew || name == "ReleaseSpeedMPH") && name != "AtBatNumber"
		if isNew {
			fields.Field(i).SetZero()
		}
	}
	return r
}

// targetStatus is what target list --json says of one target.
type targetStatus struct {
	Name       string `json:"name"`
	Serving    bool   `json:"serving"`
	Processors int    `json:"processors"`
	Behind     int64  `json:"records_behind_the_furthest"`
	Unfinished int64  `json:"unfinished_replays"`
}

func targetNamed(w *stack.Stack, name string) (found targetStatus) {
	w.T.Helper()
	var list []targetStatus
	require.NoError(w.T, json.Unmarshal([]byte(w.Output("target", "list", "--json")), &list))
	for _, s := range list {
		if s.Name == name {
			return s
		}
	}
	return targetStatus{Unfinished: -1}
}

// requireOnlyNewColumns holds target diff to what the second core adds: columns of which the first one has no
// value, and nothing else.
func requireOnlyNewColumns(t *testing.T, w *stack.Stack) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), stack.Binary(t), "target", "diff", "live", "core2", "--json")
	cmd.Env = w.Env
	out, err := cmd.Output()
	require.Equal(t, 1, cmd.ProcessState.ExitCode(), "%s %v", out, err)
	var d schemas.TargetDiff
	require.NoError(t, json.Unmarshal(out, &d))
	require.Positive(t, d.Rows.Differ)
	require.Equal(t, d.Rows.InB, d.OtherCore)
	for _, table := range []schemas.TableDiff{d.Rows, d.Batters, d.BatterGames, d.Pitchers, d.PitcherGames} {
		require.Zero(t, table.OnlyA+table.OnlyB)
		for _, c := range table.Columns {
			// A count that is 0 without the second core's columns, and what has some of them in it.
			if c.Name != "competitive_swings" && c.Name != "by_pitch_type" {
				require.Zero(t, c.PresentA, "%s is new", c.Name)
			}
			require.Positive(t, c.PresentB, "%s is new", c.Name)
		}
	}
}
