package backfill

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// planner finds where each batch begins in each partition. It sees every record once, in the order of the
// partition.
//
// Three facts are not obvious. A batch is a range of offsets, so that a replay reads each record once and the
// target's position moves with the batches. Records of a season come in the order of their days, but for
// strays: late corrections and wrong dates. So a batch begins where the fewest records are on the wrong side:
// earlier ones behind it, its own and later ones before it.
type planner struct {
	byMonth bool
	dates   map[string]string // of games, from the schedule
	spans   kafkaread.Spans
	runs    map[int32][]run
	of      map[string]*dates // of each batch
	total   int
}

// run is a stretch of records of one batch.
type run struct {
	batch   string
	first   int64
	records int64
}

type dates struct{ from, to string }

const maxRuns = 200_000

func newPlanner(s *Spec, spans kafkaread.Spans) *planner {
	p := &planner{
		byMonth: s.Batches == "month", dates: map[string]string{}, spans: spans, runs: map[int32][]run{},
		of: map[string]*dates{},
	}
	for _, g := range s.games {
		p.dates[g.pk] = g.date
		if !s.notDue[g.pk] {
			p.batch(g.date) // a batch of which no record came is one too
		}
	}
	return p
}

// batch returns the batch of a date.
func (p *planner) batch(date string) string {
	name := date
	if p.byMonth {
		name = date[:len("2006-01")]
	}
	of := p.of[name]
	if of == nil {
		of = &dates{date, date}
		p.of[name] = of
	}
	of.from, of.to = min(of.from, date), max(of.to, date)
	return name
}

// record adds a record with the game and the date that its key and headers name.
func (p *planner) record(r schemas.Record) error {
	date, pk := "", string(r.Key)
	for _, h := range r.Headers {
		switch h.Key {
		case schemas.HeaderGameDate:
			date = string(h.Value)
		case schemas.HeaderGamePK:
			pk = string(h.Value)
		}
	}
	return p.add(r.Partition, r.Offset, pk, date)
}

// add takes the next record of a partition. Where neither its header nor the schedule has a date, it belongs
// to the batch of the record before it.
func (p *planner) add(partition int32, offset int64, gamePK, date string) error {
	if !isDate(date) {
		date = p.dates[gamePK]
	}
	runs := p.runs[partition]
	last := len(runs) - 1
	name := ""
	switch {
	case date != "":
		name = p.batch(date)
	case last >= 0:
		name = runs[last].batch
	}
	if last >= 0 && (runs[last].batch == name || runs[last].batch == "") {
		runs[last].batch = name
		runs[last].records++
		return nil
	}
	// guard: backfill: the runs of a plan are bounded
	if p.total++; p.total > maxRuns || len(p.of) > maxBatches {
		return fmt.Errorf("the dates of the records go up and down more than %d times, or there are more than %d "+
			"batches: the source is not in the order of its days", maxRuns, maxBatches)
	}
	p.runs[partition] = append(runs, run{name, offset, 1})
	return nil
}

// batches returns the batches in the order of their dates, up to the end of the spans.
func (p *planner) batches(source, sha256 string) []schemas.BackfillBatch {
	names := slices.Sorted(maps.Keys(p.of))
	var all []schemas.BackfillBatch
	for i, name := range names {
		all = append(all, schemas.BackfillBatch{
			Number: i + 1, Name: name, FromDate: p.of[name].from, ToDate: p.of[name].to, State: schemas.BatchPlanned,
			Source: source, SHA256: sha256, First: map[int32]int64{}, End: map[int32]int64{},
		})
	}
	for partition, span := range p.spans {
		begins := p.begins(partition, names)
		at := span.From
		for i := range all {
			end := span.To
			if i+1 < len(all) {
				end = max(at, begins[i+1])
			}
			all[i].First[partition], all[i].End[partition] = at, end
			at = end
		}
		for _, r := range p.runs[partition] {
			for i := range all { // runs begin where batches do, so that none is in two
				if r.first >= all[i].First[partition] && r.first < all[i].End[partition] {
					all[i].Records += r.records
				}
			}
		}
	}
	return all
}

// begins returns where each batch and those after it begin in a partition.
func (p *planner) begins(partition int32, names []string) []int64 {
	runs := p.runs[partition]
	numbers := make([]int, len(runs))
	for i, r := range runs {
		numbers[i], _ = slices.BinarySearch(names, r.batch)
	}
	begins := make([]int64, len(names))
	next := p.spans[partition].To
	for number := range slices.Backward(names) {
		// wrong is how many records more are on the wrong side if the batch begins behind a run than if it
		// begins before all of them.
		wrong, least, at := int64(0), int64(0), p.spans[partition].From
		for i, r := range runs {
			if wrong < least || i == 0 {
				least, at = wrong, r.first
			}
			if numbers[i] >= number {
				wrong += r.records
			} else {
				wrong -= r.records
			}
		}
		// guard: backfill: a batch of which no record came is empty
		if wrong < least || len(runs) == 0 {
			at = p.spans[partition].To
		}
		next = min(next, at)
		begins[number] = next
	}
	return begins
}

// check returns an error if nothing says when the records were, because then no batch would have them.
func (p *planner) check() error {
	records := int64(0)
	for _, runs := range p.runs {
		for _, r := range runs {
			records += r.records
		}
	}
	// guard: backfill: a source without dates is an error
	if records > 0 && len(p.of) == 0 {
		return fmt.Errorf("none of the %d records has a date: send the header %s, or give a schedule with the "+
			"games of the records' header %s or key", records, schemas.HeaderGameDate, schemas.HeaderGamePK)
	}
	return nil
}

// place returns the offsets of a batch's end as a place of a replay.
func place(end map[int32]int64) string {
	text := ""
	for _, partition := range slices.SortedFunc(maps.Keys(end), cmp.Compare[int32]) {
		if text != "" {
			text += ","
		}
		text += fmt.Sprintf("%d:%d", partition, end[partition])
	}
	return text
}
