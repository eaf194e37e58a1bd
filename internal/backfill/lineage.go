package backfill

import (
	"context"
	"strconv"

	"github.com/google/uuid"

	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/schemas"
)

// datasets returns what the whole backfill reads and writes, or with counts what was read and written.
func (b *backfill) datasets(counts *schemas.ReplayCounts, files ...string) (in, out []lineage.Dataset) {
	if len(files) == 0 {
		return b.o.Replay.Datasets(counts)
	}
	in = lineage.Paths(files)
	raw, out := b.o.Replay.Datasets(counts)
	// The files are loaded into the raw topic, whose counts are those of all that was read from there.
	raw[0].Rows = schemas.Opt[int64]{}
	return in, append(out, raw[0])
}

// files returns the files that are loaded first.
func (b *backfill) files() (paths []string) {
	for _, f := range b.o.Spec.Files {
		paths = append(paths, f.Path)
	}
	return paths
}

// id returns the ID of the run of this backfill, the same in every process.
func (b *backfill) id(out []lineage.Dataset) uuid.UUID {
	return lineage.IDOf("backfill", out[0].Namespace, out[0].Name, b.o.Spec.Name, b.o.Spec.sha256)
}

func (b *backfill) beginLineage(isContinued bool) {
	if b.o.Lineage == nil {
		return
	}
	in, out := b.datasets(nil, b.files()...)
	b.lineage = b.o.Lineage.Begin(lineage.Job{
		Name: "backfill." + b.o.Spec.Target, ID: b.id(out), IsContinued: isContinued, Inputs: in, Outputs: out,
	})
}

// endLineage reports how the backfill ended. One without a plan is a run of its own.
func (b *backfill) endLineage(ctx context.Context, err error) {
	if b.o.Lineage == nil {
		return
	}
	var counts schemas.ReplayCounts
	for _, batch := range b.batches {
		counts = counts.Plus(batch.Counts)
	}
	in, out := b.datasets(&counts, b.files()...)
	if b.lineage == nil {
		job := lineage.Job{Name: "backfill." + b.o.Spec.Target, Inputs: in, Outputs: out}
		b.lineage = b.o.Lineage.Begin(job)
	}
	b.lineage.End(ctx, err, in, out)
}

// batchRun is the run of a batch. It is below that of the backfill, and has the same ID in every process
// until the batch is read again.
type batchRun struct {
	b   *backfill
	run *lineage.Run
}

func (b *backfill) batchLineage(batch schemas.BackfillBatch, isContinued bool) batchRun {
	if b.o.Lineage == nil {
		return batchRun{}
	}
	in, out := b.batchDatasets(batch, nil)
	number, readings := strconv.Itoa(batch.Number), strconv.Itoa(batch.Readings)
	id := lineage.IDOf(b.id(out).String(), number, readings, batch.SHA256)
	return batchRun{b, b.lineage.Begin(lineage.Job{
		Name: "batch", ID: id, IsContinued: isContinued, Inputs: in, Outputs: out,
	})}
}

func (b *backfill) batchDatasets(
	batch schemas.BackfillBatch, counts *schemas.ReplayCounts,
) (in, out []lineage.Dataset) {
	if len(b.o.Spec.Files) > 0 {
		return b.datasets(counts, batch.Source)
	}
	return b.datasets(counts)
}

// end reports how a batch ended.
func (r batchRun) end(ctx context.Context, batch schemas.BackfillBatch, err error) {
	if r.b == nil {
		return
	}
	in, out := r.b.batchDatasets(batch, &batch.Counts)
	r.run.End(ctx, err, in, out)
}
