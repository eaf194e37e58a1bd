package pgsink

// Pitches that are stored already are scored again, and their scores compared with what the models say.
//
// The last pitches of players are shown with their scores, so their players get new sequence numbers. Nobody
// sends their states to Redis. Processors compare it with Postgres after the end, and every few minutes
// anyway.
//
// A transaction that scores locks the registers of its pitches first, as a batch does, and reads the state of
// the version and the rows after that. So a score is of the row as it is. And no score is overwritten by a
// version that was retired before: the transaction that wrote it had seen another version live, and so would
// this one.

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/internal/pg"
)

var (
	sqlPastPitches   = statement("past_pitches")
	sqlStartScoring  = statement("start_scoring")
	sqlScoredPitches = statement("scored_pitches")
	sqlLockNamed     = statement("lock_named_players")
	sqlEndScoresOf   = map[bool]string{false: fillPast(false), true: fillPast(true)}
)

// fillPast fills the holes of end_scores_of.
func fillPast(isShadow bool) string {
	table, version := "score_registers", ""
	if isShadow {
		table, version = "shadow_registers", "AND s.version = $4::int"
	}
	return strings.NewReplacer("{scores}", table, "{and version}", version).Replace(statement("end_scores_of"))
}

// Errors of a scoring of the past.
var (
	// ErrNotScoring says that a version is neither live nor a shadow.
	ErrNotScoring = errors.New("the version scores nothing: promote it, or promote it with --shadow")
	// errStopped says that a scoring is not there any more.
	errStopped = errors.New("postgres: the scoring is not in model_scorings any more: start it again")
)

// Past scores pitches that are stored already. One goroutine uses it.
type Past struct {
	s       *Sink
	scorers map[modelVersion]schemas.Scorer
}

// modelVersion names a version of a model.
type modelVersion struct {
	model  string
	number int32
}

// NewPast makes a Past that writes with s.
func NewPast(s *Sink) *Past { return &Past{s: s, scorers: map[modelVersion]schemas.Scorer{}} }

// Scoring says which pitches a version scores again.
type Scoring struct {
	Model   string
	Version int32
	Since   time.Time
	Until   time.Time // zero: no end
}

func (g Scoring) until() *time.Time {
	if g.Until.IsZero() {
		return nil
	}
	return &g.Until
}

// Start begins a scoring, or goes on with it. It returns how many pitches have been looked at already.
func (p *Past) Start(ctx context.Context, g Scoring) (done int64, err error) {
	err = pg.ScanOne(ctx, p.s.db, []any{&done}, sqlStartScoring, g.Model, g.Version, g.Since, g.until())
	return done, pg.Wrap("scoring", err)
}

// Step scores the next pitches of a scoring that was started, at most limit, in one transaction with its
// progress. It returns how many pitches have been looked at, and whether there are no more.
func (p *Past) Step(ctx context.Context, g Scoring, limit int) (done int64, isFinished bool, err error) {
	scorer, err := p.scorer(ctx, p.s.db, modelVersion{g.Model, g.Version})
	if err != nil {
		return 0, false, err
	}
	type progress struct {
		done       int64
		isFinished bool
	}
	r, err := retryContended(p.s.cfg.Log, func() (r progress, err error) {
		err = p.s.db.InTx(ctx, func(tx *pg.Tx) error {
			var after [16]byte
			err := pg.ScanOne(ctx, tx, []any{&after, &r.done}, `SELECT next_pitch, scored FROM {schema}.model_scorings
				WHERE (model, version, since) = ($1, $2, $3) FOR UPDATE`, g.Model, g.Version, g.Since)
			if errors.Is(err, pgx.ErrNoRows) {
				return errStopped
			}
			if err != nil {
				return err
			}
			ids, err := pg.Collect(ctx, tx, scanID, sqlPastPitches, after, g.Since, g.until(), limit)
			if err != nil {
				return err
			}
			if err := p.rescore(ctx, tx, modelVersion{g.Model, g.Version}, scorer, ids); err != nil {
				return err
			}
			r.done, r.isFinished = r.done+int64(len(ids)), len(ids) < limit
			if len(ids) > 0 {
				after = ids[len(ids)-1]
			}
			// guard: models: the progress of a scoring moves with its scores | instead
			_, err = pg.Exec(ctx, tx, `UPDATE {schema}.model_scorings
				SET next_pitch = $4, scored = $5, finished_at = CASE WHEN $6 THEN clock_timestamp() END
				WHERE (model, version, since) = ($1, $2, $3)`, g.Model, g.Version, g.Since, after, r.done, r.isFinished)
			if err != nil || !r.isFinished {
				return err
			}
			return noteRescored(ctx, tx)
		})
		return r, err
	})
	return r.done, r.isFinished, pg.Wrap("scoring", err)
}

func scanID(row pgx.CollectableRow) (id [16]byte, err error) {
	err = row.Scan(&id)
	return id, err
}

// scorer returns one version, made ready. Some are kept: a version never changes.
func (p *Past) scorer(ctx context.Context, r pg.Runner, v modelVersion) (schemas.Scorer, error) {
	if s := p.scorers[v]; s != nil {
		return s, nil
	}
	m := schemas.Model{Name: v.model, Version: v.number}
	err := pg.ScanOne(ctx, r, []any{&m.Kind, &m.Content},
		`SELECT kind, content FROM {schema}.models WHERE name = $1 AND version = $2`, v.model, v.number)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, fmt.Errorf("postgres: there is no model %s %d", v.model, v.number)
	}
	if err != nil {
		return nil, pg.Wrap("models", err)
	}
	s, err := p.s.cfg.NewScorer([]schemas.Model{m})
	if err != nil {
		return nil, err
	}
	if len(p.scorers) >= schemas.MaxLiveModels {
		clear(p.scorers)
	}
	p.scorers[v] = s
	return s, nil
}

// noteRescored has processors compare Redis with Postgres.
func noteRescored(ctx context.Context, tx *pg.Tx) error {
	b := &pgx.Batch{}
	pg.NoteRescored(b)
	return tx.Run(ctx, b)
}

// rescore writes what a version says about pitches now, and ends what it says about them no more. The version
// must be live or a shadow. Players whose last pitches are among them get new sequence numbers.
func (p *Past) rescore(
	ctx context.Context, tx *pg.Tx, v modelVersion, scorer schemas.Scorer, ids [][16]byte,
) error {
	b := &pgx.Batch{}
	// guard: scores: pitches are scored again while the live models are what they are
	pg.ShareModels(b, p.s.db)
	// guard: models: a row that changes meanwhile is not scored as it was | instead
	b.Queue(sqlLockPitches, ids)
	if err := tx.Run(ctx, b); err != nil {
		return err
	}
	var state string
	if err := pg.ScanOne(ctx, tx, []any{&state},
		`SELECT state FROM {schema}.models WHERE name = $1 AND version = $2`, v.model, v.number); err != nil {
		return err
	}
	isShadow := state == schemas.ModelShadow
	// guard: models: a version that is not live any more overwrites no score | state != schemas.ModelLive -> state == ""
	if !isShadow && state != schemas.ModelLive {
		return fmt.Errorf("%s %d is %s: %w", v.model, v.number, state, ErrNotScoring)
	}
	rows, err := pg.Collect(ctx, tx, pg.ScanRow, sqlCurrentRows, ids)
	if err != nil {
		return err
	}
	a := scoreArrays{}
	for i := range rows {
		for _, s := range scorer.Score(&rows[i].Row) {
			a.add(rows[i].PitchID, &s)
		}
	}
	b = &pgx.Batch{}
	args := []any{ids, v.model, a.ids}
	if isShadow {
		args = append(args, v.number)
	}
	b.Queue(sqlEndScoresOf[isShadow], args...)
	if len(a.ids) > 0 {
		b.Queue(sqlUpsertScores[isShadow], a.ids, a.models, a.versions, a.labels, a.values, a.margins,
			a.pValues, a.shifts, p.s.cfg.Now().Truncate(time.Millisecond))
	}
	if !isShadow {
		queueRaises(b, rows)
	}
	return tx.Run(ctx, b)
}

// queueRaises gives new sequence numbers to the players and games whose last pitches are among these rows,
// which the transaction has locked.
func queueRaises(b *pgx.Batch, rows []schemas.StoredRow) {
	for _, side := range schemas.Sides {
		var players []int64
		var games []string
		var pitches [][16]byte
		for i := range rows {
			// guard: scores: the players of a pitch that is scored again follow | player.Present -> false
			if player := side.PlayerIn(&rows[i].Row); player.Present {
				players = append(players, player.Value)
				games, pitches = append(games, string(rows[i].Row.GamePK)), append(pitches, rows[i].PitchID)
			}
		}
		// guard: scores: a pitch that becomes the last one meanwhile has its new scores | len(players) > 0 -> false
		if len(players) > 0 {
			b.Queue(fillSide(side, sqlLockNamed), players)
		}
		pg.RaisePlayers(b, side, `SELECT g.{side}_id, g.game_key
			FROM unnest($1::bigint[], $2::text[], $3::uuid[]) AS t({side}_id, game_key, pitch_id)
				JOIN {schema}.{side}_game_totals AS g USING ({side}_id, game_key)
			WHERE g.last_pitch_id = t.pitch_id`, players, games, pitches)
	}
}

// liveModel is the live version of a model.
type liveModel struct {
	version int32
	since   time.Time // from when on the model had one without a gap, by Postgres' clock
	change  int64     // the row of model_changes that says so
}

const (
	// promoteTime is how long a promote may take, which retires one version and makes another one live.
	promoteTime = time.Second
	// slowBatch is for how long after the first promote batches may be written that have not seen it, by
	// whatever clock.
	slowBatch = time.Minute
)

// liveModels returns the models with a live version by their names.
func liveModels(ctx context.Context, r pg.Runner) (map[string]liveModel, error) {
	live, ended := map[string]liveModel{}, map[string]time.Time{}
	begun := map[string]liveModel{}
	_, err := pg.Collect(ctx, r, func(row pgx.CollectableRow) (struct{}, error) {
		var name, state string
		var number int32
		var id int64
		var at time.Time
		err := row.Scan(&id, &name, &number, &state, &at)
		m, isLive := live[name]
		switch {
		case state == schemas.ModelLive:
			if !isLive && at.Sub(ended[name]) > promoteTime {
				begun[name] = liveModel{since: at, change: id}
			}
			live[name] = liveModel{number, begun[name].since, begun[name].change}
		case isLive && m.version == number:
			delete(live, name)
			ended[name] = at
		}
		return struct{}{}, err
	}, `SELECT id, name, version, state, changed_at FROM {schema}.model_changes ORDER BY id`)
	return live, err
}

// ScoreReport says what Compare found.
type ScoreReport struct {
	Pitches int64 `json:"pitches"`
	Scores  int64 `json:"scores"`
	// Unscored are scores that are missing because the pitch was written before the model scored.
	Unscored    int64                `json:"unscored"`
	Differences []schemas.Difference `json:"differences,omitempty"`
}

// Compare compares the scores of the next pitches after one with what the models say, at most limit of them,
// all as of one moment. It returns the last one, and more is false if there are none after it. A difference's
// key is the model. With repair, the live version scores the pitches again whose scores differ.
func (p *Past) Compare(
	ctx context.Context, after schemas.PitchID, limit int, repair bool, r *ScoreReport,
) (last schemas.PitchID, more bool, err error) {
	var found []schemas.Difference
	var live map[string]liveModel
	err = p.s.db.InSnapshot(ctx, func(tx *pg.Tx) (err error) {
		if live, err = liveModels(ctx, tx); err != nil || len(live) == 0 {
			return err
		}
		ids, err := pg.Collect(ctx, tx, scanID, sqlScoredPitches, [16]byte(after), limit)
		if err != nil || len(ids) == 0 {
			return err
		}
		last, more = ids[len(ids)-1], len(ids) == limit
		r.Pitches += int64(len(ids))
		found, err = p.compare(ctx, tx, live, ids, r)
		return err
	})
	if err == nil && repair {
		err = p.repair(ctx, live, found)
	}
	r.Differences = append(r.Differences, found...)
	return last, more, pg.Wrap("scores", err)
}

func (p *Past) compare(
	ctx context.Context, tx *pg.Tx, live map[string]liveModel, ids [][16]byte, r *ScoreReport,
) (found []schemas.Difference, err error) {
	rows, err := pg.Collect(ctx, tx, pg.ScanRow, sqlCurrentRows, ids)
	if err != nil {
		return nil, err
	}
	byID := map[schemas.PitchID]*schemas.StoredRow{}
	for i := range rows {
		byID[rows[i].PitchID] = &rows[i]
	}
	scores, err := pg.Collect(ctx, tx, pg.ScanScore, sqlScoresOf, ids)
	if err != nil {
		return nil, err
	}
	type key struct {
		id    schemas.PitchID
		model string
	}
	has := map[key]bool{}
	for i := range scores {
		s := &scores[i]
		has[key{s.PitchID, s.Model}] = true
		r.Scores++
		want, err := p.want(ctx, tx, byID[s.PitchID], modelVersion{s.Model, s.Version})
		if err != nil {
			return nil, err
		}
		d := schemas.Difference{PitchID: &s.PitchID, Key: s.Model}
		if want == nil {
			d.Kind = schemas.DiffersExtra
		} else if d.Fields = scoreFields(&s.Score, want); len(d.Fields) > 0 {
			d.Kind = schemas.DiffersContent
		}
		if d.Kind != "" {
			found = append(found, d)
		}
	}
	for name, m := range live {
		var unscored []schemas.PitchID
		for i := range rows {
			if has[key{rows[i].PitchID, name}] {
				continue
			}
			want, err := p.want(ctx, tx, &rows[i], modelVersion{name, m.version})
			switch {
			case err != nil:
				return nil, err
			case want == nil:
			case rows[i].ProcessedAt.Time().Before(m.since.Add(slowBatch)):
				r.Unscored++
			default:
				unscored = append(unscored, rows[i].PitchID)
			}
		}
		missing, err := writtenSince(ctx, tx, m, unscored)
		if err != nil {
			return nil, err
		}
		r.Unscored += int64(len(unscored) - len(missing))
		for i := range missing {
			d := schemas.Difference{Kind: schemas.DiffersMissing, PitchID: &missing[i], Key: name}
			found = append(found, d)
		}
	}
	return found, nil
}

// writtenSince returns the pitches whose rows were written after a model had become live, by the order of the
// transactions: the clock of a processor may be wrong. A batch and a promote wait for each other, so the one
// that was first has the lower number. A restored dump has other numbers, and there only the times decide.
func writtenSince(
	ctx context.Context, tx *pg.Tx, m liveModel, ids []schemas.PitchID,
) (since []schemas.PitchID, err error) {
	if len(ids) == 0 {
		return nil, nil
	}
	// guard: scores: none is missing where a wrong clock wrote a row before the model | age(r.xmin) < -> true OR age(r.xmin) <
	const sql = `SELECT r.pitch_id FROM {schema}.pitch_registers r WHERE r.pitch_id = ANY ($1::uuid[])
		AND age(r.xmin) < (SELECT age(c.xmin) FROM {schema}.model_changes c WHERE c.id = $2) ORDER BY 1`
	raw := schemas.Map(ids, func(id schemas.PitchID) [16]byte { return id })
	found, err := pg.Collect(ctx, tx, scanID, sql, raw, m.change)
	return schemas.Map(found, func(id [16]byte) schemas.PitchID { return id }), err
}

// want returns what a version says about a row, nil if it says nothing.
func (p *Past) want(
	ctx context.Context, tx *pg.Tx, row *schemas.StoredRow, v modelVersion,
) (*schemas.Score, error) {
	scorer, err := p.scorer(ctx, tx, v)
	if err != nil || row == nil {
		return nil, err
	}
	for _, s := range scorer.Score(&row.Row) {
		return &s, nil
	}
	return nil, nil
}

// scoreFields returns the values in which a stored score differs from what the version says.
func scoreFields(got, want *schemas.Score) (fields []schemas.FieldDifference) {
	add := func(name, got, want string) {
		if got != want {
			fields = append(fields, schemas.FieldDifference{Name: name, Got: got, Want: want})
		}
	}
	number := func(v schemas.Opt[float64]) string {
		if !v.Present {
			return ""
		}
		return strconv.FormatFloat(v.Value, 'g', -1, 64)
	}
	add("label", string(got.Label), string(want.Label))
	add("value", number(got.Value), number(want.Value))
	add("margin", number(got.Margin), number(want.Margin))
	add("p_value", number(got.PValue), number(want.PValue))
	add("shift", number(got.Shift), number(want.Shift))
	return fields
}

// repair has the live versions score the pitches again, and marks their differences.
func (p *Past) repair(ctx context.Context, live map[string]liveModel, found []schemas.Difference) error {
	ids := map[string][][16]byte{}
	for _, d := range found {
		ids[d.Key] = append(ids[d.Key], *d.PitchID)
	}
	for name, some := range ids {
		slices.SortFunc(some, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
		v := modelVersion{name, live[name].version}
		scorer, err := p.scorer(ctx, p.s.db, v)
		if err != nil {
			return err
		}
		_, err = retryContended(p.s.cfg.Log, func() (struct{}, error) {
			return struct{}{}, p.s.db.InTx(ctx, func(tx *pg.Tx) error {
				if err := p.rescore(ctx, tx, v, scorer, some); err != nil {
					return err
				}
				return noteRescored(ctx, tx)
			})
		})
		if err != nil {
			return err
		}
	}
	for i := range found {
		found[i].Repaired = true
	}
	return nil
}
