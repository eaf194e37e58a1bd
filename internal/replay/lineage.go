package replay

import (
	"context"

	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/schemas"
)

// Datasets returns what a replay reads and writes, with the counts of its records; nil: they are not known.
func (o *Options) Datasets(counts *schemas.ReplayCounts) (inputs, outputs []lineage.Dataset) {
	p := &o.Processor
	raw := lineage.Topic(p.Kafka, o.Live.TopicRaw)
	pitches := lineage.Table(p.Postgres.URL, o.Target.Schema, "pitches", schemas.StoredColumns)
	dead := lineage.Topic(p.Kafka, p.DeadTopic)
	if counts != nil {
		pitches, dead = pitches.Count(counts.Rows), dead.Count(counts.Letters)
		if o.Archive == "" {
			raw = raw.Count(counts.Records)
		}
	}
	inputs, outputs = append(inputs, raw), append(outputs, pitches)
	if o.Archive != "" {
		inputs = append(inputs, lineage.Path(o.Archive))
	}
	if p.RowsTopic != "" {
		rows := lineage.Topic(p.Kafka, p.RowsTopic)
		rows.Columns = schemas.StoredColumns
		outputs = append(outputs, rows)
	}
	if o.DeadLetters {
		outputs = append(outputs, dead)
	}
	return inputs, outputs
}

// beginLineage reports that the replay begins or is continued. Its run has the same ID in every process.
func (r *replay) beginLineage() {
	if r.o.Lineage == nil {
		return
	}
	in, out := r.o.Datasets(nil)
	r.lineage = r.o.Lineage.Begin(lineage.Job{
		Name: "replay." + r.o.Target.Name, ID: lineage.IDOf("replay", out[0].Namespace, out[0].Name, r.state.ID),
		IsContinued: r.isContinued, Inputs: in, Outputs: out,
	})
}

// report reports how the replay ended. One that could not be opened is a run of its own.
func (r *replay) report(ctx context.Context, report Report, err error) {
	if r.o.Lineage == nil {
		return
	}
	var counts *schemas.ReplayCounts
	if err == nil {
		err, counts = report.Err(), &report.Counts
	}
	if r.lineage == nil {
		in, out := r.o.Datasets(nil)
		r.lineage = r.o.Lineage.Begin(lineage.Job{Name: "replay." + r.o.Target.Name, Inputs: in, Outputs: out})
	}
	in, out := r.o.Datasets(counts)
	r.lineage.End(ctx, err, in, out)
}
