package verify

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"github.com/pitchstream/pitchstream/schemas"
)

// digest is a hash of the content of a change, without its version and without who wrote it and when. Two
// digests that differ mean other content.
type digest [16]byte

// digestOf hashes what a register keeps of a change beside its version. That is the row with its own
// identifiers, the event time and the topic; for a delete only the latter two; for an identify its
// identifiers.
func digestOf(c *schemas.Change) (d digest) {
	var content any = c.IDs
	if c.Op != schemas.OpIdentify {
		row := c.Row
		if row != nil && row.Issues == nil {
			copied := *row
			copied.Issues = []string{}
			row = &copied
		}
		content = struct {
			Op        schemas.Op
			EventTime schemas.TimeMS
			Topic     string
			Row       *schemas.Row
		}{c.Op, c.EventTime, c.Origin.Topic, row}
	}
	text, err := json.Marshal(content)
	if err != nil {
		text = fmt.Append(nil, content) // NaN or infinity, which a person has written to Postgres by hand
	}
	sum := sha256.Sum256(text)
	copy(d[:], sum[:])
	return d
}

// winner is the greatest version of one register of a pitch.
type winner struct {
	version schemas.Version
	digest  digest
	batter  schemas.Opt[int64]
	game    uint32 // index in resolved.games
	upsert  bool   // not a delete
}

// resolved has the winners of all changes that were added. It is a plain map: 1,000,000 pitches take some 200
// MB.
type resolved struct {
	measured   map[schemas.PitchID]winner
	identified map[schemas.PitchID]winner
	games      []string
	gameIndex  map[string]uint32
}

func newResolved() *resolved {
	return &resolved{
		measured: map[schemas.PitchID]winner{}, identified: map[schemas.PitchID]winner{},
		gameIndex: map[string]uint32{},
	}
}

// add enters a change. Changes may come in any order, and any number of times.
func (r *resolved) add(c *schemas.Change) {
	register := r.measured
	if c.Op == schemas.OpIdentify {
		register = r.identified
	}
	if held, ok := register[c.PitchID]; ok && c.Version.Compare(held.version) < 0 {
		return
	}
	w := winner{version: c.Version, digest: digestOf(c), batter: c.IDs.BatterID}
	w.upsert = c.Op == schemas.OpUpsert
	if c.Row != nil {
		w.batter, w.game = c.Row.BatterID, r.index(string(c.Row.GamePK))
	}
	register[c.PitchID] = w
}

// index returns the index of a game, so that a winner does not hold the text.
func (r *resolved) index(pk string) uint32 {
	i, ok := r.gameIndex[pk]
	if !ok {
		i = uint32(len(r.games))
		r.games, r.gameIndex[pk] = append(r.games, pk), i
	}
	return i
}

// all yields every pitch, some of them twice.
func (r *resolved) all() iter.Seq[schemas.PitchID] {
	return func(yield func(schemas.PitchID) bool) {
		for _, register := range []map[schemas.PitchID]winner{r.measured, r.identified} {
			for id := range register {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// of returns the batter and the game for which a pitch counts; current is false if it is deleted or unknown.
func (r *resolved) of(id schemas.PitchID) (batter schemas.Opt[int64], game string, current bool) {
	w, ok := r.measured[id]
	if !ok || !w.upsert {
		return batter, "", false
	}
	batter = w.batter
	if named := r.identified[id].batter; named.Present {
		batter = named
	}
	return batter, r.games[w.game], true
}

// reduce returns each pitch once, sorted, with the versions of each register newest first, each once.
func reduce(changes []schemas.Change) []schemas.PitchChanges {
	byPitch := map[schemas.PitchID]*schemas.PitchChanges{}
	for _, c := range changes {
		p := byPitch[c.PitchID]
		if p == nil {
			p = &schemas.PitchChanges{PitchID: c.PitchID}
			byPitch[c.PitchID] = p
		}
		versions := p.Versions(c.Op)
		same := func(is schemas.Change) bool { return is.Version == c.Version }
		if !slices.ContainsFunc(*versions, same) {
			*versions = append(*versions, c)
		}
	}
	out := make([]schemas.PitchChanges, 0, len(byPitch))
	newestFirst := func(a, b schemas.Change) int { return b.Version.Compare(a.Version) }
	for _, p := range byPitch {
		slices.SortFunc(p.Measured, newestFirst)
		slices.SortFunc(p.Identified, newestFirst)
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b schemas.PitchChanges) int {
		return bytes.Compare(a.PitchID[:], b.PitchID[:])
	})
	return out
}
