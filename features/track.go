package features

import "slices"

// A track as it comes, and settled. Real ones repeat their first samples, and have a Hit that was put between two frames or
// thrown far out of order:
//
//	time   −0.409  −0.406  −0.402  −2.528  −0.406        −2.528  −0.409  −0.406  −0.402
//	seq     0       1       2       3       4       ─▶    3       0       1       2        and one duplicate

// point is a position in feet: x across the plate, y toward the pitcher, z up.
type point struct{ x, y, z float64 }

// batSample is a sample of the bat that has a time: when, and where its two ends were, if that is known. An end that is
// not known is at zero, so that samples compare.
type batSample struct {
	timeS              float64 // seconds
	head, handle       point
	seq                int32 // its place among the samples with a time
	hasHead, hasHandle bool
}

const batSampleBytes = 64

// batTrack is the array samples_bat. A sample without a numeric time takes no part in kinematics and is never a
// duplicate: it counts, and it may be a reason to see a swing, and need not be kept.
type batTrack struct {
	samples []batSample // those with a time: in record order, after settle by time, each time once
	from    int         // where in the record the track begins

	total      int  // samples, after settle without the duplicates
	duplicates int  // samples that settle dropped
	conflict   bool // one of them had an end elsewhere than the one that stays
	noSwing    bool // the first sample's event is "No"
	looseEnd   bool // a sample without a time has a head or a handle
	unordered  bool // times do not strictly increase
}

func (t *batTrack) reset(from int) { *t = batTrack{samples: t.samples[:0], from: from} }

// add takes the next sample of the array; timed says that it has a time, no that its event is "No".
func (t *batTrack) add(s batSample, timed, no bool) {
	if t.total == 0 {
		t.noSwing = no
	}
	t.total++
	if !timed {
		t.looseEnd = t.looseEnd || s.hasHead || s.hasHandle
		return
	}
	n := len(t.samples)
	if n > 0 && s.timeS <= t.samples[n-1].timeS {
		t.unordered = true
	}
	s.seq = int32(n)
	t.samples = append(t.samples, s)
}

// usualSamples is room for a swing, about 370 samples, and then some.
const usualSamples = 512

// makeRoom is called when there is none for one more sample: for as many as the rest of the record can hold, if it goes on
// as it has since the track began. Growing by and by would cost several times the memory, for records made to be bad.
func (t *batTrack) makeRoom(readBytes, restBytes int) {
	more := usualSamples
	if n := len(t.samples); n > 0 {
		more = 1 + n*restBytes/readBytes
		more += more / 16 // an estimate that is a little short would cost as much again
	}
	t.samples = slices.Grow(t.samples, more)
}

// settle sorts the samples by time and drops duplicates: of those with the same time the first in the record stays. A
// track whose times increase, as nearly all do, is left as it is.
func (t *batTrack) settle() {
	if !t.unordered {
		return
	}
	slices.SortFunc(t.samples, batSample.compare)
	all, kept := t.samples, t.samples[:1]
	for _, s := range all[1:] {
		if first := kept[len(kept)-1]; s.timeS == first.timeS {
			t.conflict = t.conflict || s.differs(first)
		} else {
			kept = append(kept, s)
		}
	}
	t.samples, t.unordered = kept, false
	t.duplicates = len(all) - len(kept)
	t.total -= t.duplicates
}

// compare orders by time, and samples of the same time as they stand in the record.
func (s batSample) compare(other batSample) int {
	switch {
	case s.timeS < other.timeS:
		return -1
	case s.timeS > other.timeS:
		return 1
	}
	return int(s.seq) - int(other.seq)
}

// differs says that an end is elsewhere, or known of one of the two only.
func (s batSample) differs(other batSample) bool {
	return s.head != other.head || s.handle != other.handle || s.hasHead != other.hasHead || s.hasHandle != other.hasHandle
}

// ballTrack is the array samples_ball, of which only matters how many samples there are and how many are duplicates.
type ballTrack struct {
	times      []float64 // seconds, of the samples that have one
	total      int       // samples, after settle without the duplicates
	duplicates int
	unordered  bool // times do not strictly increase
}

func (t *ballTrack) reset() { *t = ballTrack{times: t.times[:0]} }

// add takes the next sample of the array; timed says that it has a time.
func (t *ballTrack) add(timeS float64, timed bool) {
	t.total++
	if !timed {
		return
	}
	if n := len(t.times); n > 0 && timeS <= t.times[n-1] {
		t.unordered = true
	}
	t.times = append(t.times, timeS)
}

// settle counts the duplicates.
func (t *ballTrack) settle() {
	if !t.unordered {
		return
	}
	slices.Sort(t.times)
	all := len(t.times)
	t.times, t.unordered = slices.Compact(t.times), false
	t.duplicates = all - len(t.times)
	t.total -= t.duplicates
}
