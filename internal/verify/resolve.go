package verify

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"

	"github.com/pitchstream/pitchstream/schemas"
)

// digest stands for what a change says, whoever wrote it and when. Two that differ mean other content.
type digest [16]byte

// digestOf is of all that a register keeps of a change beside its version: the row with its own identifiers, the event
// time and the topic; of a delete only the latter two; of an identify its identifiers.
func digestOf(c *schemas.Change) (d digest) {
	var said any = c.IDs
	if c.Op != schemas.OpIdentify {
		row := c.Row
		if row != nil && row.Issues == nil {
			copied := *row
			copied.Issues = []string{}
			row = &copied
		}
		said = struct {
			Op        schemas.Op
			EventTime schemas.TimeMS
			Topic     string
			Row       *schemas.Row
		}{c.Op, c.EventTime, c.Origin.Topic, row}
	}
	text, err := json.Marshal(said)
	if err != nil {
		text = fmt.Append(nil, said) // a number that JSON has not, which only a hand can have written
	}
	sum := sha256.Sum256(text)
	copy(d[:], sum[:])
	return d
}

// winner is what is kept of the greatest version of one register of a pitch.
type winner struct {
	version schemas.Version
	digest  digest
	batter  schemas.Opt[int64]
	game    uint32 // in resolved.games
	stands  bool   // an upsert
}

// resolved are the winners of all records so far. It is a plain map: 1,000,000 pitches take some 200 MB.
type resolved struct {
	measured   map[schemas.PitchID]winner
	identified map[schemas.PitchID]winner
	games      []string
	gameAt     map[string]uint32
}

func newResolved() *resolved {
	return &resolved{measured: map[schemas.PitchID]winner{}, identified: map[schemas.PitchID]winner{}, gameAt: map[string]uint32{}}
}

// add enters a change, in any order and any number of times.
func (r *resolved) add(c *schemas.Change) {
	register := r.measured
	if c.Op == schemas.OpIdentify {
		register = r.identified
	}
	if held, ok := register[c.PitchID]; ok && c.Version.Compare(held.version) < 0 {
		return
	}
	w := winner{version: c.Version, digest: digestOf(c), batter: c.IDs.BatterID, stands: c.Op == schemas.OpUpsert}
	if c.Row != nil {
		w.batter, w.game = c.Row.BatterID, r.gameIndex(string(c.Row.GamePK))
	}
	register[c.PitchID] = w
}

func (r *resolved) gameIndex(pk string) uint32 {
	i, ok := r.gameAt[pk]
	if !ok {
		i = uint32(len(r.games))
		r.games, r.gameAt[pk] = append(r.games, pk), i
	}
	return i
}

// of is whom a standing pitch counts for.
func (r *resolved) of(id schemas.PitchID) (batter schemas.Opt[int64], game string, stands bool) {
	w, ok := r.measured[id]
	if !ok || !w.stands {
		return batter, "", false
	}
	batter = w.batter
	if named := r.identified[id].batter; named.Present {
		batter = named
	}
	return batter, r.games[w.game], true
}
