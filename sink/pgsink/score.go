package pgsink

// Rows are scored by models in the transaction that writes them.
//
// A batch reads in its transaction which generation of versions scores. A Sink caches the scorer of the
// generation that was read last, and loads the versions (scoring_models.sql) only where the number is another
// one. The winners, the registers that the batch wrote, are scored as they are then, with the game feed's
// identifiers. Their scores go with the aggregates, before the commit. The transaction holds the registers'
// locks. So the scores of a pitch follow each other in the order of its versions, and the transaction that
// commits a row has scored it.
//
// Scores need the rows that won, and these are known only after the first answer. So batches are written in
// one round trip only while no model scores (write_few.go). models_or_fail.sql fails such a batch if one
// does.

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var (
	sqlModelsOrFail  = statement("models_or_fail")
	sqlScoringModels = statement("scoring_models")
	sqlScoresOf      = `SELECT ` + pg.ScoreColumns + ` FROM {schema}.pitch_scores WHERE pitch_id = ANY ($1::uuid[]) ORDER BY 1, 2`
)

const sqlGeneration = `SELECT generation FROM {schema}.model_generation`

// fillScores fills the holes of a statement on scores. A pitch has one score for each model by live versions,
// and one for each version by shadows.
func fillScores(name string, isShadow bool) string {
	table, key, version := "score_registers", "(pitch_id, model)", ""
	if isShadow {
		table, key, version = "shadow_registers", "(pitch_id, model, version)", "AND n.version = s.version"
	}
	holes := strings.NewReplacer("{scores}", table, "{key}", key, "{and version}", version)
	return holes.Replace(statement(name))
}

// The statements by whether they are about shadows.
var (
	sqlUpsertScores = map[bool]string{
		false: fillScores("upsert_scores", false), true: fillScores("upsert_scores", true),
	}
	sqlEndScores = map[bool]string{
		false: fillScores("end_scores", false), true: fillScores("end_scores", true),
	}
)

// knownModels are the versions that score, as some transaction read them last.
type knownModels struct {
	mu         sync.Mutex
	generation int64
	scorer     schemas.Scorer // nil: no version scores
}

func (k *knownModels) get() (generation int64, scorer schemas.Scorer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.generation, k.scorer
}

// set keeps the versions of a generation. A smaller one than before is kept, too, because Postgres may have
// come back older.
func (k *knownModels) set(generation int64, scorer schemas.Scorer) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.generation, k.scorer = generation, scorer
}

// scoreStage scores the rows of one transaction.
type scoreStage struct {
	models *knownModels
	// generation is the one that the Sink knows, until queueGeneration has read that of the transaction.
	generation int64
	isScored   bool // versions were known that score, when the transaction began
	// scores are those of the winners; nil if no version scores, or nothing won.
	scores map[schemas.PitchID][]schemas.Score
}

func (k *knownModels) stage() scoreStage {
	generation, scorer := k.get()
	return scoreStage{models: k, generation: generation, isScored: scorer != nil}
}

// queueOrFail makes the batch fail if the versions that score are not those that this Sink knows.
func (s *scoreStage) queueOrFail(b *pgx.Batch) { b.Queue(sqlModelsOrFail, s.generation) }

// queueGeneration reads which set of versions scores.
func (s *scoreStage) queueGeneration(b *pgx.Batch) {
	b.Queue(sqlGeneration).QueryRow(func(row pgx.Row) error { return row.Scan(&s.generation) })
}

// score scores the current rows of the winners with the versions of the generation that the transaction has
// read. computeAndCommit writes the scores.
func (s *scoreStage) score(t *transaction) error {
	scorer, err := s.scorer(t)
	if err != nil || scorer == nil || len(t.winners) == 0 {
		return err
	}
	b := &pgx.Batch{}
	t.queueIdentified(b)
	if err := t.send(b); err != nil {
		return err
	}
	s.scores = map[schemas.PitchID][]schemas.Score{}
	for _, p := range t.current() {
		if p.Row == nil {
			s.scores[p.PitchID] = nil
		} else {
			s.scores[p.PitchID] = scorer.Score(&p.Row.Row)
		}
	}
	return nil
}

// scorer returns the versions of the transaction's generation, nil if none scores.
func (s *scoreStage) scorer(t *transaction) (schemas.Scorer, error) {
	known, scorer := s.models.get()
	// guard: the versions that score are those that the transaction reads | known == s.generation -> known > 0
	if known == s.generation {
		return scorer, nil
	}
	var models []schemas.Model
	b := &pgx.Batch{}
	b.Queue(sqlScoringModels).Query(func(rows pgx.Rows) error {
		return pg.Each(rows, func() (err error) {
			m, err := scanScoringModel(rows, &s.generation)
			if err == nil && m.Name != "" {
				models = append(models, m)
			}
			return err
		})
	})
	if err := t.send(b); err != nil {
		return nil, err
	}
	scorer, err := t.cfg.NewScorer(models)
	if err == nil {
		s.models.set(s.generation, scorer)
	}
	return scorer, err
}

func scanScoringModel(row pgx.CollectableRow, generation *int64) (m schemas.Model, err error) {
	err = row.Scan(generation, &m.Name, &m.Version, &m.Kind, &m.Content, &m.IsShadow)
	return m, err
}

// errCannotScore is the answer of a program that writes rows and has no scorer.
var errCannotScore = errors.New("models score the rows of this schema, and this program cannot: " +
	"retire them with `pitchstream model retire`")

// noScorer is the NewScorer of a Config without one.
func noScorer(models []schemas.Model) (schemas.Scorer, error) {
	if len(models) > 0 {
		return nil, errCannotScore
	}
	return nil, nil
}

// queue writes the scores of the winners, and ends those that they have no more. While no version scores, it
// leaves earlier scores as they are; no reader sees them (docs/MODELS.md).
func (s *scoreStage) queue(b *pgx.Batch, now time.Time) {
	if s.scores != nil {
		queueScores(b, s.scores, now)
	}
}

// queueScores writes the scores of pitches whose registers the transaction of b has locked, and ends all
// others that these pitches have.
func queueScores(b *pgx.Batch, scores map[schemas.PitchID][]schemas.Score, now time.Time) {
	for _, isShadow := range []bool{false, true} {
		a := scoreArrays{}
		for id, all := range scores {
			a.pitches = append(a.pitches, id)
			for i := range all {
				if all[i].IsShadow == isShadow {
					a.add(id, &all[i])
				}
			}
		}
		b.Queue(sqlEndScores[isShadow], a.pitches, a.ids, a.models, a.versions)
		if len(a.ids) > 0 {
			b.Queue(sqlUpsertScores[isShadow],
				a.ids, a.models, a.versions, a.labels, a.values, a.margins, a.pValues, a.shifts, now)
		}
	}
}

// scoreArrays are scores as the arguments of a statement: an array per column.
type scoreArrays struct {
	pitches  [][16]byte // all whose scores are replaced, those that have none any more, too
	ids      [][16]byte
	models   []string
	versions []int32
	labels   []*string
	values   []*float64
	margins  []*float64
	pValues  []*float64
	shifts   []*float64
}

func (a *scoreArrays) add(id schemas.PitchID, s *schemas.Score) {
	a.ids = append(a.ids, id)
	a.models = append(a.models, s.Model)
	a.versions = append(a.versions, s.Version)
	a.labels = append(a.labels, text(&s.Label))
	a.values = append(a.values, value(&s.Value))
	a.margins = append(a.margins, value(&s.Margin))
	a.pValues = append(a.pValues, value(&s.PValue))
	a.shifts = append(a.shifts, value(&s.Shift))
}
