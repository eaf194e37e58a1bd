package crash

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/models"
	"github.com/pitchstream/pitchstream/internal/scoring"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// swapped is the model that is promoted and rolled back, of all pitches.
const swapped = "speed"

// versionFile is a version whose labels name it, so that a score shows who gave it.
func versionFile(version int) *scoring.File {
	names := [2]string{fmt.Sprint("slow by ", version), fmt.Sprint("fast by ", version)}
	return &scoring.File{
		Format: scoring.Format, Kind: scoring.KindArchetypes, Rows: scoring.RowsPitches,
		Columns: []scoring.Column{{Name: "pitch_speed_mph", Unit: "mph"}},
		Archetypes: &scoring.Archetypes{
			Mean: []float64{90}, Scale: []float64{5 + float64(version)/100},
			Clusters: []scoring.Cluster{
				{Name: names[0], Center: []float64{-1}, Share: 0.5}, {Name: names[1], Center: []float64{1}, Share: 0.5},
			},
		},
	}
}

// swapper promotes new versions and takes them back.
type swapper struct {
	*soak
	o    models.Options
	live []int32 // in the order in which they were live
}

func newSwapper(s *soak) *swapper {
	return &swapper{soak: s, o: models.Options{
		By: "swaps", Postgres: pgsink.Config{URL: s.postgres.URL, Schema: "pitchstream"},
	}}
}

func (s *swapper) promote() {
	s.t.Helper()
	list, err := models.List(s.t.Context(), s.o, swapped)
	require.NoError(s.t, err)
	content, err := versionFile(len(list) + 1).Encode()
	require.NoError(s.t, err)
	added, err := models.Add(s.t.Context(), s.o, swapped, content, models.AddOptions{})
	require.NoError(s.t, err)
	c, err := models.Promote(s.t.Context(), s.o, swapped, added.Version, schemas.ModelLive)
	require.NoError(s.t, err)
	s.live = append(s.live, c.Version)
}

func (s *swapper) rollback() {
	s.t.Helper()
	c, err := models.Rollback(s.t.Context(), s.o, swapped)
	require.NoError(s.t, err)
	s.live = append(s.live, c.Version)
}

// Versions are promoted and rolled back while processors are killed. Each row has one score, of a version
// that was live when it was scored. A score that somebody changes is found. PITCHSTREAM_CRASH_SWAPS and
// _PITCHES make it longer.
func TestEachRowHasOneScoreWhateverIsSwappedAndKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processors for a minute")
	}
	began := time.Now()
	swaps := number(t, "PITCHSTREAM_CRASH_SWAPS", 4)
	size := size{pitches: number(t, "PITCHSTREAM_CRASH_PITCHES", 1500), processors: 2, ahead: 300}
	seed := uint64(number(t, "PITCHSTREAM_CRASH_SEED", int(rand.Uint32())))
	t.Logf("PITCHSTREAM_CRASH_SEED=%d plays this schedule again", seed)
	s := newSwapper(newSoak(t, size))
	s.promote() // before the first row, so that each must have a score
	f := startFeed(t, s.w, seed, size.pitches, size.ahead)
	stop := s.follow(f)
	defer stop()

	kinds := []kind{killUnanswered, killAnswered, killAnywhere, killAtRedis}
	random := rand.New(rand.NewPCG(seed, 20))
	step := int64(size.pitches) / int64(swaps+1)
	for i := range swaps {
		at := step * int64(i+1)
		// not all of it, or commits that take much at once leave nothing to be killed at
		f.open(at + f.ahead/4)
		s.reach(at)
		f.open(at + f.ahead)
		kill := fault{at: at, kind: kinds[i%len(kinds)], whom: random.IntN(size.processors)}
		swap := s.promote
		if i%3 == 2 {
			swap = s.rollback
		}
		// A kill before, beside and after the swap.
		isFirst := random.IntN(2) == 0
		if isFirst {
			swap()
		}
		s.inflict(kill)
		if !isFirst {
			swap()
		}
	}
	f.open(math.MaxInt64)
	s.settle()
	stop()
	for _, p := range s.processors {
		p.stop()
	}
	require.Equal(t, swaps, s.counts.kills)
	s.w.Require(s.w.Expected(), 1)
	s.requireOneScoreEach()
	s.requireVerifyFindsAChange()
	t.Logf("crash: seed %d, %d pitches in %d records, %d swaps to %v, %d kills; %v", seed, f.tally.Records[0],
		f.tally.Total(), swaps, s.live, s.counts.kills, time.Since(began).Round(time.Second))
}

// requireOneScoreEach fails unless each current row has one score, with the label that its version gives. The
// version must have been live in the half minute in which the batch may have read it.
func (s *swapper) requireOneScoreEach() {
	s.t.Helper()
	db := s.w.Store().DB()
	rows, err := pgbooks.New(db).Rows(s.t.Context())
	require.NoError(s.t, err)
	scores, err := pgbooks.NewModels(db).AllScores(s.t.Context())
	require.NoError(s.t, err)
	require.Len(s.t, scores, len(rows), "the rows with a score")
	byVersion, withLabel := map[int32]int{}, 0
	for _, r := range rows {
		require.Len(s.t, scores[r.PitchID], 1, "pitch %s", r.PitchID)
		score := scores[r.PitchID][0]
		require.Contains(s.t, s.live, score.Version)
		byVersion[score.Version]++
		if score.Label != "" {
			withLabel++
			require.True(s.t, strings.HasSuffix(string(score.Label), fmt.Sprint(" by ", score.Version)), score.Label)
		}
	}
	require.Greater(s.t, len(byVersion), 1, "versions have changed under the stream")
	require.Positive(s.t, withLabel)
	strange, err := s.audit.pool.Query(s.t.Context(), `
		WITH lives AS (SELECT version, changed_at AS since, lead(changed_at) OVER (ORDER BY id) AS until
			FROM pitchstream.model_changes WHERE name = $1 AND state = 'live')
		SELECT s.pitch_id::text || ' by ' || s.version || ' at ' || s.scored_at FROM pitchstream.pitch_scores s
		WHERE NOT EXISTS (SELECT FROM lives l WHERE l.version = s.version AND l.since <= s.scored_at + interval '1 s'
			AND (l.until IS NULL OR l.until >= s.scored_at - interval '30 s'))`, swapped)
	require.NoError(s.t, err)
	found, err := pgx.CollectRows(strange, pgx.RowTo[string])
	require.NoError(s.t, err)
	require.Empty(s.t, found, "scores of a version that was not live then")
	s.t.Logf("rows by the version that scored them: %v", byVersion)
}

// requireVerifyFindsAChange fails unless the command finds no difference, also of Redis, whose last pitches
// have scores, and then the one that is made.
func (s *swapper) requireVerifyFindsAChange() {
	s.t.Helper()
	verify := func() (string, error) {
		cmd := exec.CommandContext(s.t.Context(), stack.Binary(s.t), "verify", "scores", "redis")
		cmd.Env = append(slices.Clone(s.w.Env),
			"PITCHSTREAM_POSTGRES_URL="+s.postgres.URL, "PITCHSTREAM_REDIS_URL=redis://"+s.redis.Addr)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := verify()
	require.NoError(s.t, err, out)
	s.t.Log(out)
	var pitch string
	require.NoError(s.t, s.audit.pool.QueryRow(s.t.Context(), `
		UPDATE pitchstream.score_registers SET value = value + 0.5 WHERE pitch_id = (
			SELECT pitch_id FROM pitchstream.pitch_scores WHERE value IS NOT NULL ORDER BY pitch_id LIMIT 1)
		RETURNING pitch_id::text`).Scan(&pitch))
	out, err = verify()
	var status *exec.ExitError
	require.ErrorAs(s.t, err, &status, out)
	require.Equal(s.t, 1, status.ExitCode(), out)
	require.Contains(s.t, out, pitch)
}
