package protocol

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// Step is a line of a recording: consumer.Step and its time. The steps restore, of no session, are before and
// after Postgres came back as it was in the beginning.
type Step struct {
	At         int64       `json:"at"` // nanoseconds, of a clock that all processors share
	Session    string      `json:"session,omitempty"`
	Name       string      `json:"step"`
	Op         int64       `json:"op,omitempty"`
	Answer     string      `json:"answer,omitempty"`
	Partitions []Partition `json:"partitions,omitempty"`
	Records    []RawRecord `json:"records,omitempty"`
	Rows       []Row       `json:"rows,omitempty"`
}

// Partition is what a step says of one partition, in offsets.
type Partition struct {
	Partition int   `json:"partition"`
	From      int64 `json:"from"`
	Next      int64 `json:"next"`
	Group     int64 `json:"group"`
	Stored    int64 `json:"stored"`
	Floor     int64 `json:"floor"`
}

// RawRecord is a record of the raw topic, or a change that the store has refused, which has no offset.
type RawRecord struct {
	Partition int             `json:"partition"`
	Offset    int64           `json:"offset"`
	Op        string          `json:"op,omitempty"`
	Pitch     schemas.PitchID `json:"pitch"`
	Version   schemas.Version `json:"version"`
}

// Row is a pitch as it was written, sent or found.
type Row struct {
	Pitch      schemas.PitchID  `json:"pitch"`
	Version    schemas.Version  `json:"version"`
	Identified *schemas.Version `json:"identified,omitempty"`
}

// Read reads a recording in JSON Lines. A line without an end is left out, because a processor may be killed
// while it writes one.
func Read(r io.Reader) (steps []Step, err error) {
	in := bufio.NewReader(r)
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return steps, nil
		}
		if err != nil {
			return nil, err
		}
		var s Step
		if err := json.NewDecoder(bytes.NewReader(line)).Decode(&s); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		steps = append(steps, s)
	}
}

// Merge returns the steps of several recordings in the order of their times.
func Merge(recordings ...[]Step) []Step {
	steps := slices.Concat(recordings...)
	slices.SortStableFunc(steps, func(a, b Step) int { return cmp.Compare(a.At, b.At) })
	return steps
}

// register is a register of a pitch, of which there are two.
type register struct {
	pitch        schemas.PitchID
	isIdentified bool
}

// names turns what a recording names into the small numbers of the model.
type names struct {
	sessions map[string]int
	pitches  map[schemas.PitchID]int
	ranks    map[register]map[schemas.Version]int // from 1, by age
	deleted  map[int]map[int]bool                 // by pitch and measured rank
	raw      [][]Record
}

// namesOf reads all polls first, because the rank of a version depends on those that come later.
func namesOf(steps []Step) (*names, error) {
	n := &names{
		sessions: map[string]int{}, pitches: map[schemas.PitchID]int{},
		ranks: map[register]map[schemas.Version]int{}, deleted: map[int]map[int]bool{},
	}
	topic := map[int]map[int64]RawRecord{}
	ends := map[int]int64{}
	versions := map[register][]schemas.Version{}
	refused := map[register]map[schemas.Version]bool{}
	for i := range steps {
		s := &steps[i]
		if _, ok := n.sessions[s.Session]; !ok && s.Session != "" {
			n.sessions[s.Session] = len(n.sessions)
		}
		for _, p := range s.Partitions {
			ends[p.Partition] = max(ends[p.Partition], p.Next)
		}
		for _, r := range s.Records {
			reg := register{r.Pitch, r.Op == "identify"}
			if s.Name == "store" {
				refused[reg] = put(refused[reg], r.Version, true)
			}
			if s.Name != "poll" {
				continue
			}
			if was, ok := topic[r.Partition][r.Offset]; ok && was != r {
				return nil, fmt.Errorf("step %d: offset %d of partition %d is another record than before",
					i+1, r.Offset, r.Partition)
			}
			topic[r.Partition] = put(topic[r.Partition], r.Offset, r)
			if r.Op != "rejected" {
				versions[reg] = append(versions[reg], r.Version)
			}
		}
	}
	for reg, all := range versions {
		slices.SortFunc(all, schemas.Version.Compare)
		n.ranks[reg] = map[schemas.Version]int{}
		for i, v := range slices.Compact(all) {
			n.ranks[reg][v] = i + 1
		}
		if _, ok := n.pitches[reg.pitch]; !ok {
			n.pitches[reg.pitch] = len(n.pitches)
		}
	}
	for p := range ends {
		n.raw = append(n.raw, make([][]Record, max(0, p+1-len(n.raw)))...)
		n.raw[p] = make([]Record, ends[p])
	}
	for p, records := range topic {
		for offset, r := range records {
			reg := register{r.Pitch, r.Op == "identify"}
			n.raw[p][offset] = n.record(r, refused[reg][r.Version])
		}
	}
	return n, nil
}

func (n *names) record(r RawRecord, isRefused bool) Record {
	if r.Op == "rejected" || isRefused {
		return Record{Rejected: true}
	}
	pitch, isIdentified := n.pitches[r.Pitch], r.Op == "identify"
	rank := n.ranks[register{r.Pitch, isIdentified}][r.Version]
	if isIdentified {
		return Record{Pitch: pitch, Version: Version{Identified: rank}}
	}
	if r.Op == "delete" {
		n.deleted[pitch] = put(n.deleted[pitch], rank, true)
	}
	return Record{Pitch: pitch, Version: Version{Measured: rank}}
}

// rows returns rows by pitch. It is an error if no poll had their version.
func (n *names) rows(rows []Row) (map[int]Version, error) {
	var found map[int]Version
	for _, r := range rows {
		var v Version
		var isMeasured bool
		isIdentified := r.Identified == nil
		v.Measured, isMeasured = n.ranks[register{r.Pitch, false}][r.Version]
		if !isIdentified {
			v.Identified, isIdentified = n.ranks[register{r.Pitch, true}][*r.Identified]
		}
		if !isMeasured || !isIdentified {
			return nil, fmt.Errorf("pitch %v has a version that no poll had", r.Pitch)
		}
		found = put(found, n.pitches[r.Pitch], v)
	}
	return found, nil
}
