// Package verify answers whether the copies are right, and repairs them: each of four parts compares a
// source with what is derived from it.
//
//   - topic: the raw topic, up to the positions in Postgres, is read and run through the core again. Records
//     that it has no more are read from its archive. The winning version and the content of every pitch are
//     compared with its registers, and rejected records with the dead letters.
//   - aggregates: the stored totals are compared with the sums of their rows (pgadmin.CompareTotals).
//   - redis: every field of every key is compared with Postgres (redissink.Audit).
//   - scores: the stored scores are compared with what their versions say about the rows (pgsink.Past).
//
// All report in the same words, the schemas.Differs constants. Processors may run meanwhile, and a
// change on its way looks like a difference for a moment, so whatever differs is looked at again before it is
// reported.
//
// topic.go reads and orders the comparison of the topic, judge.go decides about one pitch without any I/O,
// resolve.go keeps the winning versions in memory, deadletters.go compares the dead letters. Rebuild
// (rebuild.go) rewrites Redis.
package verify

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/schemaregistry"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// Part is one of the comparisons.
type Part string

// The parts.
const (
	Topic      Part = "topic"      // Kafka and Postgres
	Aggregates Part = "aggregates" // Postgres in itself
	Redis      Part = "redis"      // Postgres and Redis
	Scores     Part = "scores"     // rows and what the models say about them
)

// Options say what to compare.
type Options struct {
	Parts    []Part
	Postgres *pgsink.Sink
	Redis    *redissink.Sink // nil without the part redis
	Kafka    Kafka           // for the part topic
	// Repair makes equal what differs, where the source has what is right. Differences that it repaired are
	// marked.
	Repair bool
	// Progress is called with the records or players that are done, and how many there are; nil: not called.
	Progress func(part Part, done, total int64)
}

// Kafka says how to read the topics, and whose work is compared.
type Kafka struct {
	Client    []kgo.Opt // how to reach the brokers
	Raw, Dead string    // topics
	Archive   string    // of the raw topic; "": none
	Group     string    // the consumer group that processed the records
	Build     string    // of this program: a dead letter of another build follows that build's rules
	Limits    features.Limits
	Registry  *schemaregistry.Client // for raw values with its prefix; nil: none
	Wait      time.Duration          // for processors that are behind, before comparing
}

// Report says what Run found; a part that was not compared is nil.
type Report struct {
	Topic       *TopicReport           `json:"topic,omitempty"`
	Aggregates  *AggregatesReport      `json:"aggregates,omitempty"`
	Redis       *redissink.AuditReport `json:"redis,omitempty"`
	Scores      *pgsink.ScoreReport    `json:"scores,omitempty"`
	Differences int                    `json:"differences"`
	Repaired    int                    `json:"repaired"`
	Left        int                    `json:"left"` // differences that were not repaired
}

// AggregatesReport compares the rows with the totals of all batters and pitchers.
type AggregatesReport struct {
	Batters  int64        `json:"batters"`
	Rows     schemas.Sums `json:"rows"` // of the batters
	Totals   schemas.Sums `json:"totals"`
	Pitchers int64        `json:"pitchers"`
	// PitcherRows and PitcherTotals are those of the pitchers.
	PitcherRows   schemas.Sums         `json:"pitcher_rows"`
	PitcherTotals schemas.Sums         `json:"pitcher_totals"`
	Differences   []schemas.Difference `json:"differences,omitempty"`
}

// of returns where the figures of a side are.
func (r *AggregatesReport) of(side schemas.Side) (players *int64, rows, totals *schemas.Sums) {
	if side == schemas.Pitcher {
		return &r.Pitchers, &r.PitcherRows, &r.PitcherTotals
	}
	return &r.Batters, &r.Rows, &r.Totals
}

// Run compares the parts in the order in which each is derived from the one before, so that a repair of one
// part is seen by the next. A difference is no error. On an error the report has the parts before it.
func Run(ctx context.Context, o Options) (r Report, err error) {
	if o.Progress == nil {
		o.Progress = func(Part, int64, int64) {}
	}
	if slices.Contains(o.Parts, Topic) {
		c := newComparison(pgbooks.New(o.Postgres.DB()), o.Kafka)
		if o.Repair {
			c.repair = o.apply
		}
		c.progress = func(done, total int64) { o.Progress(Topic, done, total) }
		if err = c.run(ctx); err != nil {
			return r, err
		}
		r.Topic = &c.report
		r.count(c.report.Differences)
	}
	if slices.Contains(o.Parts, Aggregates) {
		if r.Aggregates, err = compareAggregates(ctx, o); err != nil {
			return r, err
		}
		r.count(r.Aggregates.Differences)
	}
	if slices.Contains(o.Parts, Redis) {
		audit := redissink.AuditOptions{Repair: o.Repair}
		audit.Progress = func(done, total int64) { o.Progress(Redis, done, total) }
		found, err := o.Redis.Audit(ctx, pgbooks.New(o.Postgres.DB()), audit)
		if err != nil {
			return r, err
		}
		r.Redis = &found
		r.count(found.Differences)
	}
	if slices.Contains(o.Parts, Scores) {
		r.Scores = &pgsink.ScoreReport{}
		if err := compareScores(ctx, o, r.Scores); err != nil {
			return r, err
		}
		r.count(r.Scores.Differences)
	}
	return r, nil
}

// scoresAtOnce bounds the pitches of one comparison.
const scoresAtOnce = 1000

func compareScores(ctx context.Context, o Options, r *pgsink.ScoreReport) error {
	past := pgsink.NewPast(o.Postgres)
	var last schemas.PitchID
	for more, err := true, error(nil); more; {
		if last, more, err = past.Compare(ctx, last, scoresAtOnce, o.Repair, r); err != nil {
			return err
		}
		o.Progress(Scores, r.Pitches, r.Pitches)
	}
	return nil
}

func (r *Report) count(found []schemas.Difference) {
	for _, d := range found {
		r.Differences++
		if d.Repaired {
			r.Repaired++
		} else {
			r.Left++
		}
	}
}

// apply writes a batch of repairs to Postgres, and what it changed to Redis. It sends no rows to their topic,
// because only a processor knows how these are encoded, and returns how many it should have.
func (o Options) apply(ctx context.Context, b schemas.Batch) (rows int, err error) {
	outcome, err := o.Postgres.Apply(ctx, b)
	if err != nil {
		return 0, err
	}
	return len(outcome.Published), o.push(ctx, outcome.Snapshots)
}

// push sends Redis the batters that a repair changed in Postgres. Without Redis the processors' next sweep
// does it.
func (o Options) push(ctx context.Context, snaps []schemas.Snapshot) error {
	if o.Redis == nil || len(snaps) == 0 {
		return nil
	}
	_, err := o.Redis.Push(ctx, snaps, nil)
	return err
}

// playersAtOnce bounds the rows that one query adds up: a player has up to some 3,000 pitches in a season.
const playersAtOnce = 50

func compareAggregates(ctx context.Context, o Options) (*AggregatesReport, error) {
	admin := pgadmin.New(o.Postgres.DB())
	ids, total := map[schemas.Side][]int64{}, 0
	for _, side := range schemas.Sides {
		var err error
		if ids[side], err = admin.TotalPlayers(ctx, side); err != nil {
			return nil, err
		}
		total += len(ids[side])
	}
	r := &AggregatesReport{}
	for _, side := range schemas.Sides {
		players, rows, totals := r.of(side)
		for some := range slices.Chunk(ids[side], playersAtOnce) {
			found, err := compareSome(ctx, o, admin, side, some)
			if err != nil {
				return nil, err
			}
			*players += int64(len(some))
			*rows, *totals = rows.Plus(found.Rows), totals.Plus(found.Totals)
			r.Differences = append(r.Differences, found.Differences...)
			o.Progress(Aggregates, r.Batters+r.Pitchers, int64(total))
		}
	}
	return r, nil
}

// compareSome compares some players of a side, and repairs what differs if it should.
func compareSome(
	ctx context.Context, o Options, admin *pgadmin.Admin, side schemas.Side, ids []int64,
) (pgadmin.TotalsReport, error) {
	found, err := admin.CompareTotals(ctx, side, ids)
	if err != nil || !o.Repair || len(found.Differences) == 0 {
		return found, err
	}
	snaps, err := o.Postgres.RepairTotals(ctx, side, found.Players, found.Broken)
	if err == nil {
		err = o.push(ctx, snaps)
	}
	if err != nil {
		return found, err
	}
	for i := range found.Differences {
		found.Differences[i].Repaired = true
	}
	return found, nil
}
