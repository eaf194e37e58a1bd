package main

import (
	"cmp"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/explain"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
)

func (w *town) explain(t *testing.T, want int, args ...string) (p explain.JSON, stderr string) {
	t.Helper()
	var flags []string
	for _, f := range w.flags {
		if !strings.HasPrefix(f, "--redis") {
			flags = append(flags, f)
		}
	}
	status, stdout, stderr := runCLI(t, append(append([]string{"explain", "--json"}, args...), flags...)...)
	require.Equal(t, want, status, stderr)
	if stdout != "" {
		require.NoError(t, json.Unmarshal([]byte(stdout), &p), stdout)
	}
	return p, stderr
}

// changes are all of the raw topic, by pitch.
func (w *town) changes(t *testing.T) map[schemas.PitchID]int {
	t.Helper()
	counts := map[schemas.PitchID]int{}
	parts, err := kafkaread.Bounds(t.Context(), w.admin, rawTopic, kgo.ReadCommitted())
	require.NoError(t, err)
	client := []kgo.Opt{kgo.SeedBrokers(w.kafka.ListenAddrs()...)}
	require.NoError(t, kafkaread.Read(t.Context(), client, rawTopic, parts, func(batch []*kgo.Record) error {
		for _, r := range batch {
			if change, rej := features.Transform(kafkaread.Record(r), features.Limits{}); rej == nil {
				counts[change.PitchID]++
			}
		}
		return nil
	}))
	return counts
}

func TestExplainTellsAllThatIsKnownOfAPitch(t *testing.T) {
	w := newVerifyTown(t)
	w.play(t, 250)
	stop := w.start(t)
	w.through(t)
	stop()
	changes := w.changes(t)
	rows, err := w.postgres.Query(t.Context(), `
		(SELECT pitch_id::text FROM pitch_registers WHERE deleted LIMIT 2) UNION ALL
		(SELECT pitch_id::text FROM pitch_registers WHERE standing AND revision > 0 ORDER BY pitch_id LIMIT 4) UNION ALL
		(SELECT pitch_id::text FROM pitch_registers WHERE standing AND identified_revision IS NOT NULL ORDER BY pitch_id LIMIT 3) UNION ALL
		(SELECT pitch_id::text FROM pitches WHERE is_swing AND batter_id IS NOT NULL ORDER BY pitch_id LIMIT 3)`)
	require.NoError(t, err)
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.GreaterOrEqual(t, len(ids), 10)
	for _, text := range ids {
		id, _ := schemas.ParsePitchID(text)
		p, _ := w.explain(t, exitOK, text)
		require.Len(t, p.Versions, changes[id], "versions of %s", text)
		stands := 0
		for _, v := range p.Versions {
			if v.Stands && v.Op != "identify" {
				stands++
			}
		}
		require.Positive(t, stands)
		if p.Row == nil {
			require.Equal(t, "was deleted", p.Standing)
			require.Equal(t, "delete", p.Versions[*p.Explained].Op)
			continue
		}
		require.True(t, p.Versions[*p.Explained].Stands)
		require.Equal(t, p.Row.BatSpeedMPH, p.Explanation.Validated.Row.BatSpeedMPH)
		require.Equal(t, p.Row.IsSwing, p.Explanation.BatSpeed != nil)
		w.addsUp(t, p)
	}
}

// addsUp holds the state after against the stores' own.
func (w *town) addsUp(t *testing.T, p explain.JSON) {
	t.Helper()
	if p.Row.PitcherID.Present {
		w.pitcherAddsUp(t, p)
	}
	if !p.Row.BatterID.Present {
		require.True(t, p.Aggregates == nil || p.Aggregates.Batter == nil)
		return
	}
	var pitches, swings int64
	var speed, angle *float64
	require.NoError(t, w.postgres.QueryRow(t.Context(), `SELECT pitches, swing_count, avg_bat_speed_mph, avg_attack_angle_deg FROM batter_stats WHERE batter_id = $1`,
		p.Row.BatterID.Value).Scan(&pitches, &swings, &speed, &angle))
	after, before := p.Aggregates.Batter.After, p.Aggregates.Batter.Before
	require.Equal(t, []int64{pitches, swings}, []int64{after.Pitches, after.SwingCount})
	require.Equal(t, pitches-1, before.Pitches)
	if speed != nil {
		require.InEpsilon(t, *speed, after.AvgBatSpeedMPH.Value, 1e-9)
	}
	require.Equal(t, angle != nil, after.AvgAttackAngleDeg.Present)
	require.NoError(t, w.postgres.QueryRow(t.Context(), `SELECT pitches, swing_count FROM batter_game_stats WHERE batter_id = $1 AND game_pk = $2`,
		p.Row.BatterID.Value, string(p.Row.GamePK)).Scan(&pitches, &swings))
	require.Equal(t, []int64{pitches, swings}, []int64{
		p.Aggregates.Game.After.Pitches, p.Aggregates.Game.After.SwingCount,
	})
}

// pitcherAddsUp holds the pitcher's state after against the stores' own, type by type.
func (w *town) pitcherAddsUp(t *testing.T, p explain.JSON) {
	t.Helper()
	id, kind := p.Row.PitcherID.Value, cmp.Or(string(p.Row.PitchType), schemas.UnknownPitchType)
	require.Equal(t, id, p.Aggregates.PitcherID)
	change := func(c *explain.Change[schemas.PitcherStats]) []any {
		of := c.After.ByPitchType[kind]
		require.Equal(t, of.Pitches-1, c.Before.ByPitchType[kind].Pitches)
		all := c.After
		return []any{all.Pitches, all.WhiffCount, all.CSWRatePct.Value, of.Pitches, of.ZoneRatePct.Present}
	}
	stored := func(sql string, args ...any) (want []any) {
		var pitches, whiffs, ofType int64
		var csw float64
		var zone *float64
		require.NoError(t, w.postgres.QueryRow(t.Context(), `SELECT pitches, whiff_count, csw_rate_pct, (by_pitch_type->$1->>'pitches')::bigint, (by_pitch_type->$1->>'zone_rate_pct')::float8 FROM `+sql,
			append([]any{kind}, args...)...).Scan(&pitches, &whiffs, &csw, &ofType, &zone))
		return []any{pitches, whiffs, csw, ofType, zone != nil}
	}
	require.Equal(t, stored(`pitcher_stats WHERE pitcher_id = $2`, id), change(p.Aggregates.Pitcher))
	require.Equal(t, stored(`pitcher_game_stats WHERE pitcher_id = $2 AND game_pk = $3`, id, string(p.Row.GamePK)),
		change(p.Aggregates.PitcherGame))
}

func TestExplainFindsWhatPostgresDoesNotKnow(t *testing.T) {
	w := newVerifyTown(t)
	id := "84f189a5-98fd-478d-b982-e8032a1f14bf"
	client := kafkaClient(t, w.kafka)
	produce := func(r *kgo.Record) {
		r.Topic = rawTopic
		require.NoError(t, client.ProduceSync(t.Context(), r).FirstErr())
	}
	produce(&kgo.Record{Key: []byte("745804"), Value: []byte(`{"summary_acts":{"pitch":{"eventId":"` + strings.ToUpper(id) + `"}}}`)})
	produce(&kgo.Record{Key: []byte("745804"), Value: []byte(`{"summary_acts":{"pitch":{"eventId":"` + id + `"`)})
	_, stderr := w.explain(t, exitFailed, id)
	require.Contains(t, stderr, "--game")
	for _, where := range []string{"--game=745804", "--all"} {
		p, _ := w.explain(t, exitOK, id, where)
		require.Len(t, p.Versions, 2, where)
		require.Equal(t, []string{"upsert", "rejected"}, []string{p.Versions[0].Op, p.Versions[1].Op})
		require.Empty(t, p.Letters)
		require.Equal(t, "Postgres does not know it", p.Standing)
	}
	stop := w.start(t)
	w.through(t)
	stop()
	p, _ := w.explain(t, exitOK, id)
	require.Len(t, p.Versions, 2)
	require.Len(t, p.Letters, 1, "the torn record's")
	require.Equal(t, schemas.CodeMalformedJSON, p.Letters[0].Code)
	_, stderr = w.explain(t, exitFailed, "00000000-0000-0000-0000-000000000001", "--all")
	require.Contains(t, stderr, "nothing was found")
}

// swingRecord is a simulated swing that is reliable.
func swingRecord(t *testing.T) simulate.Message {
	t.Helper()
	s, err := simulate.New(simulate.Options{Seed: 4, Games: 1})
	require.NoError(t, err)
	for m, ok := s.Next(); ok; m, ok = s.Next() {
		if row := m.Want.Row; row != nil && len(m.Value) > 50_000 {
			change, rej := features.Transform(schemas.Record{Key: m.Key, Value: m.Value, Headers: m.Headers},
				features.Limits{})
			if rej == nil && change.Row.SpeedConfidence == schemas.SpeedReliable && change.Row.IsContact {
				return m
			}
		}
	}
	t.Fatal("no reliable swing")
	return simulate.Message{}
}

func TestExplainOfStandardInputNeedsNoServer(t *testing.T) {
	m := swingRecord(t)
	file := filepath.Join(t.TempDir(), "swing.svg")
	args := []string{"explain", "-", "--game=745804", "--header=venue=Wrigley", "--plot=" + file, "--windows"}
	var out, errs strings.Builder
	status := run(context.Background(), args, &stdio{
		In: strings.NewReader(string(m.Value)), Out: &out, Err: &errs,
	})
	require.Equal(t, exitOK, status, errs.String())
	for _, want := range []string{"would be a row", "stages", "decoded", "flattened", "derived", "validated", "bat speed: reliable", "fastest window", "venue", "Wrigley", "mph", "not 8–15 ms long",
		"flight: a parabola through", "contact: the tracker marked it", "  frame   ", "spread", "doubts",
	} {
		require.Contains(t, out.String(), want)
	}
	svg, err := os.ReadFile(file)
	require.NoError(t, err)
	d := xml.NewDecoder(strings.NewReader(string(svg)))
	lines := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "line" {
			lines++
		}
	}
	require.Greater(t, lines, 200)
	require.NotContains(t, string(svg), "NaN")
	require.Contains(t, string(svg), "attack angle")
	for _, drawn := range []string{
		"at contact", `class="zone"`, `class="flight"`, `class="bat"`, `class="met"`, `class="plate"`,
	} {
		require.True(t, strings.Contains(string(svg), drawn), drawn)
	}

	status = run(context.Background(), []string{"explain", "-"}, &stdio{In: strings.NewReader(`{"a":`), Out: &out, Err: &errs})
	require.Equal(t, exitOK, status)
	require.Contains(t, out.String(), "malformed_json at byte 5")
	status = run(context.Background(), []string{"explain", "-", "--plot=" + file}, &stdio{In: strings.NewReader(`{"summary_acts":{"pitch":{"x":1}}}`), Out: &out, Err: &errs})
	require.Equal(t, exitFailed, status)
	require.Contains(t, errs.String(), "no swing was tracked")
	again, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, svg, again, "a picture that is not made overwrites none")
}

// The pitch_id of a record without an eventId is made of its bytes, so the end of its line must not count.
func TestExplainReadsStandardInputAsProcessReadsAFile(t *testing.T) {
	const record = `{"summary_acts":{"pitch":{"result":"Ball","type":"Slider"}}}`
	explained := func(text string, args ...string) (out, errs strings.Builder, status int) {
		status = run(t.Context(), append([]string{"explain", "-"}, args...), &stdio{In: strings.NewReader(text), Out: &out, Err: &errs})
		return out, errs, status
	}
	want, _, _ := explained(record, "--game=745804")
	for name, text := range map[string]string{
		"a line": record + "\n", "a Windows line": record + "\r\n", "a mark": "\ufeff" + record + "\n",
		"an envelope": fmt.Sprintf(`{"key":"1","value":%q}`, record),
	} {
		out, errs, status := explained(text, "--game=745804")
		require.Equal(t, exitOK, status, errs.String())
		require.Equal(t, want.String(), out.String(), name)
	}
	out, _, _ := explained(`{"key":"745804","value":"` + strings.ReplaceAll(record, `"`, `\"`) + `"}`)
	require.Equal(t, want.String(), out.String(), "the envelope names the game")
	for text, want := range map[string]string{
		record + "\n" + record + "\n": "more than one record", "PAR1....": "a Parquet file", `{"plays":[` + record + `]}`: "jq -c '.plays[]'",
	} {
		_, errs, status := explained(text)
		require.Equal(t, exitFailed, status)
		require.Contains(t, errs.String(), want)
	}
	out, errs, status := explained("\x00\x00\x00\x00\x2aa\nb\n")
	require.Equal(t, exitOK, status, errs.String())
	require.Contains(t, out.String(), "schema id 42", "a binary value has no lines")
	_, errs, status = explained(strings.Repeat("x", 3<<20), "--max-record-bytes=1MiB")
	require.Equal(t, exitFailed, status)
	require.Contains(t, errs.String(), "the value has 3145728 bytes, more than the limit of 2097152")
}

func TestExplainRefusesWrongUsage(t *testing.T) {
	id := "84f189a5-98fd-478d-b982-e8032a1f14bf"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"explain"}, "pitch_id"},
		{[]string{"explain", "12"}, "want a pitch_id"},
		{[]string{"explain", id}, "--kafka-brokers is missing"},
		{[]string{"explain", id, "--kafka-brokers=localhost:1"}, "--postgres-url is missing"},
		{[]string{"explain", id, "--header=a=b"}, "standard input"},
		{[]string{"explain", "-", "--header=a"}, "KEY=VALUE"},
		{[]string{"explain", "-", "--timeout=0s"}, "--timeout"},
	} {
		status, _, stderr := runCLI(t, c.args...)
		require.Equal(t, exitUsage, status, fmt.Sprint(c.args))
		require.Contains(t, stderr, c.want)
	}
}
