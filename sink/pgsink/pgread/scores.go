package pgread

import (
	"context"
	"math"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

// archetypeSwings bounds the swings of a batter whose labels are counted.
const archetypeSwings = 5000

// sqlPitchScores returns a row a score, and one without a model where the pitch has none. A pitch has at most
// as many as versions may be live.
const sqlPitchScores = `
	SELECT coalesce(s.model, ''), coalesce(s.version, 0), coalesce(m.kind, ''), s.label, s.value, s.margin, s.p_value, s.shift,
		coalesce(s.scored_at, p.processed_at), p.event_time, greatest(p.processed_at, s.scored_at)
	FROM {schema}.pitches p LEFT JOIN {schema}.pitch_scores s ON s.pitch_id = p.pitch_id
		LEFT JOIN {schema}.models m ON m.name = s.model AND m.version = s.version
	WHERE p.pitch_id = $1 ORDER BY s.model LIMIT $2`

// sqlArchetypes counts the newest $3 swings of a batter by the labels that the live version of a model gave
// them. A swing has one score of the model, by this version or by another. Without a live version of this
// kind there is no row, and without swings one that counts none.
// guard: pgread: a group is of the live version | s.version IS NOT NULL AND s.version <> live.version -> false
const sqlArchetypes = `
	SELECT live.version, s.version IS NOT NULL AND s.version <> live.version, s.label,
		count(his.pitch_id), coalesce(max(his.event_time), to_timestamp(0)), coalesce(max(greatest(his.processed_at, s.scored_at)), to_timestamp(0)),
		coalesce((array_agg(his.pitch_id ORDER BY his.event_time DESC, his.pitch_id DESC))[1], '00000000-0000-0000-0000-000000000000')
	FROM (SELECT version FROM {schema}.models WHERE name = $2 AND kind = 'archetypes' AND state = 'live') AS live
		LEFT JOIN (SELECT pitch_id, event_time, processed_at FROM {schema}.pitches
			WHERE batter_id = $1 AND is_swing ORDER BY event_time DESC, pitch_id DESC LIMIT $3) AS his ON true
		LEFT JOIN {schema}.score_registers s ON s.pitch_id = his.pitch_id AND s.model = $2 AND s.is_current
	GROUP BY 1, 2, 3 ORDER BY 4 DESC, 3`

// Scores reads what live models say.
type Scores struct{ db *pg.DB }

// NewScores reads over the connections of a Reader, which stays open meanwhile.
func NewScores(r *Reader) Scores { return Scores{r.db} }

// PitchScores returns the scores of a pitch, nil if it is not current.
func (r Scores) PitchScores(ctx context.Context, id schemas.PitchID) (found *schemas.PitchScores, err error) {
	_, err = pg.Collect(ctx, r.db, func(row pgx.CollectableRow) (none struct{}, err error) {
		var s schemas.ModelScore
		if found == nil {
			found = &schemas.PitchScores{Scores: []schemas.ModelScore{}}
		}
		var at schemas.TimeMS
		err = row.Scan(&s.Model, &s.Version, &s.Kind, pg.Text(&s.Label), pg.Float(&s.Value), pg.Float(&s.Margin),
			pg.Float(&s.PValue), pg.Float(&s.Shift), pg.Time(&s.ScoredAt), pg.Time(&found.AsOf), pg.Time(&at))
		found.ProcessedAt = max(found.ProcessedAt, at)
		if s.Model != "" {
			found.Scores = append(found.Scores, s)
		}
		return none, err
	}, sqlPitchScores, [16]byte(id), schemas.MaxLiveModels)
	return found, pg.Wrap("scores of a pitch", err)
}

// Archetypes returns the groups of a batter's newest swings. The version is 0 if no version of the model is
// live, or if it is of another kind.
func (r Scores) Archetypes(
	ctx context.Context, batterID int64, model string,
) (found schemas.Archetypes, err error) {
	found = schemas.Archetypes{Model: model, Archetypes: []schemas.ArchetypeShare{}}
	b := &pgx.Batch{}
	b.Queue(`SELECT set_config('enable_seqscan', 'off', true)`) // never all scores
	b.Queue(sqlArchetypes, batterID, model, archetypeSwings).Query(func(rows pgx.Rows) error {
		return pg.Each(rows, func() error { return addArchetype(rows, &found) })
	})
	if err := r.db.Run(ctx, b); err != nil {
		return found, pg.Wrap("archetypes of a batter", err)
	}
	for i := range found.Archetypes {
		a := &found.Archetypes[i]
		a.SharePct = math.Round(1e4*float64(a.Swings)/float64(found.Labelled)) / 100
	}
	return found, nil
}

func addArchetype(row pgx.CollectableRow, found *schemas.Archetypes) error {
	var a schemas.ArchetypeShare
	var isOfOther bool
	var label schemas.Text
	var processed schemas.TimeMS
	err := row.Scan(&found.Version, &isOfOther, pg.Text(&label), &a.Swings, pg.Time(&a.LastAt),
		pg.Time(&processed), (*[16]byte)(&a.LastPitchID))
	found.Swings += a.Swings
	found.AsOf = max(found.AsOf, a.LastAt)
	found.ProcessedAt = max(found.ProcessedAt, processed)
	switch {
	case isOfOther:
		found.OfOthers += a.Swings
	case label != "":
		a.Label = string(label)
		found.Labelled += a.Swings
		found.Archetypes = append(found.Archetypes, a)
	}
	return err
}
