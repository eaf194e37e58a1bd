package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
)

// fillGames writes the rows of simulated games into a database of its own, as the processor would.
func fillGames(t *testing.T, o simulate.Options, spoil func(*schemas.Row)) (flag string, store *pgsink.Sink) {
	t.Helper()
	url := testkit.Postgres(t)
	store, err := pgsink.Open(pgsink.Config{URL: url, Schema: "pitchstream", Group: "g", Build: "test", CoreVersion: 1})
	require.NoError(t, err)
	t.Cleanup(store.Close)
	_, err = pgadmin.New(store.DB()).Migrate(t.Context())
	require.NoError(t, err)
	fillStore(t, store, o, 0, spoil)
	return "--postgres-url=" + url, store
}

// fillStore writes the rows of simulated games, as of records behind this offset.
func fillStore(t *testing.T, store *pgsink.Sink, o simulate.Options, offset int64, spoil func(*schemas.Row)) {
	t.Helper()
	s, err := simulate.New(o)
	require.NoError(t, err)
	batch := schemas.Batch{Group: "g"}
	flush := func() {
		slices.SortFunc(batch.Pitches, func(a, b schemas.PitchChanges) int {
			return slices.Compare(a.PitchID[:], b.PitchID[:])
		})
		_, err := store.Apply(t.Context(), batch)
		require.NoError(t, err)
		batch.Pitches = nil
	}
	seen := map[schemas.PitchID]bool{}
	for r, ok := s.NextRow(); ok; r, ok = s.NextRow() {
		if offset++; seen[r.PitchID] { // pickoffs have no identity without their records
			continue
		}
		seen[r.PitchID] = true
		if spoil != nil {
			spoil(&r.Row)
		}
		at := schemas.Coordinates{Topic: "pitches.raw", Offset: offset, TimestampMS: r.RecordTSMS}
		c := schemas.Change{
			PitchID: r.PitchID, Version: schemas.Version{TimestampMS: r.RecordTSMS, Offset: offset},
			Origin: at, EventTime: r.EventTime, Row: &r.Row,
		}
		pitch := schemas.PitchChanges{PitchID: r.PitchID, Measured: []schemas.Change{c}}
		if batch.Pitches = append(batch.Pitches, pitch); len(batch.Pitches) == 2000 {
			flush()
		}
	}
	flush()
}

// A feed that sends its games twice, the second time with some other speeds, is reported.
func TestRecordsThatComeAgainShow(t *testing.T) {
	o := simulate.Options{Seed: 62, Games: 2, FeedIDs: true}
	flag, store := fillGames(t, o, nil)
	n := 0
	fillStore(t, store, o, 10_000, func(r *schemas.Row) {
		if n++; n%10 == 0 && r.PitchSpeedMPH.Present {
			r.PitchSpeedMPH.Value++
		}
	})
	status, out, stderr := runCLI(t, "quality", flag)
	require.Equal(t, exitFailed, status, stderr)
	require.Regexp(t, `(?m)^!\s+repeated_records\s+all\s+4\d\.\d %`, out)
	require.Regexp(t, `(?m)^!\s+conflicting_records\s+all\s+(9|10)\.\d %`, out)
	require.Regexp(t, `(?m)^\s+deleted_pitches\s+all\s+0\.0 %`, out)
}

// A venue that is off and a day without bat tracking are found through rows, tables and the command; the day
// before is well, by its exit status too.
func TestQualityFromRowsToTheTable(t *testing.T) {
	o := simulate.Options{Seed: 61, Games: 8 * 8, Parallel: 8, FeedIDs: true, BatterSpread: 0.5, Biases: []simulate.Bias{{Venue: "Harbour Grounds", MPH: 5, From: "2025-04-07"}}}
	n := 0
	flag, _ := fillGames(t, o, func(r *schemas.Row) {
		if n++; r.GameDate == "2025-04-08" && n%6 == 0 && (r.PitchAction == "Foul" || r.PitchResult == "HitIntoPlay") {
			r.IsSwing, r.IsWhiff, r.SwingConfidence, r.SpeedConfidence, r.BatSamples = false, false, "", "", 1
			r.BatSpeedMPH, r.AttackAngleDeg = schemas.Opt[float64]{}, schemas.Opt[float64]{}
		}
	})
	status, out, stderr := runCLI(t, "quality", flag)
	require.Equal(t, exitFailed, status, stderr)
	require.Contains(t, out, "2025-04-08   8 games")
	require.Contains(t, out, "held against 7 game days, 2025-04-01 to 2025-04-07")
	lines := strings.Split(out, "\n")
	require.Regexp(t, `^!\s+untracked_swings\s+all\s+1\d\.\d %\s+\d\.\d %\s+\+1\d`, lines[3], out)
	require.Contains(t, out, "ask the venue's operator about the bat cameras")

	reports := map[string]schemas.QualityReport{}
	_, out, _ = runCLI(t, "quality", flag, "--since=2025-04-01", "--day=2025-04-08", "--json")
	for d := json.NewDecoder(strings.NewReader(out)); d.More(); {
		var r schemas.QualityReport
		require.NoError(t, d.Decode(&r))
		reports[r.Day] = r
	}
	require.Len(t, reports, 8)
	drifting := func(day string) (venues []string) {
		for _, f := range reports[day].Findings {
			if f.Check == "drift" && f.Abnormal {
				venues = append(venues, f.Venue)
				require.InDelta(t, 5, f.Value, 2)
			}
		}
		return venues
	}
	require.Equal(t, []string{"Harbour Grounds"}, append(drifting("2025-04-07"), drifting("2025-04-08")...)[:1])
	require.Empty(t, drifting("2025-04-06"))
	status, out, _ = runCLI(t, "quality", flag, "--day=2025-04-04", "--stored")
	require.Equal(t, exitOK, status, out)
	require.Contains(t, out, "nothing is beyond its limits")

	status, _, _ = runCLI(t, "quality", flag, "--day=2025-04-08", "--game=778001")
	require.Equal(t, exitFailed, status, "that game was not on that day")
	status, out, _ = runCLI(t, "quality", flag, "--game=778001", "--all")
	require.Equal(t, exitOK, status, out)
	require.Contains(t, out, "2025-04-01   1 game,")
}

func TestQualityFlagsSayWhatWouldBeRight(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"--day=yesterday", "--day=yesterday: want a date as 2025-04-07"},
		{"--day=2025-04-01 --since=2025-04-02", "--since=2025-04-02 is after --day=2025-04-01"},
		{"--since=2025-04-02 --game=1", "give --since or --game, not both"},
		{"--stored --whole", "--whole computes, --stored does not"},
	} {
		status, _, stderr := runCLI(t, append([]string{"quality", "--postgres-url=postgres://localhost/x"}, strings.Fields(c.args)...)...)
		require.Equal(t, exitUsage, status)
		require.Contains(t, stderr, c.says)
	}
	status, _, stderr := runCLI(t, "simulate", "--pitches=1", "--bias=venue=Nowhere,mph=1")
	require.Equal(t, exitUsage, status)
	require.Contains(t, stderr, `venue "Nowhere": want one of North Park`)
}
