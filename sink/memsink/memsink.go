// Package memsink implements the store of record in memory, for tests that need faults and schedules which
// real servers do not give. It panics on batches that the contract forbids, and can fail at every step,
// before the step takes effect and after.
package memsink

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
)

// Store holds registers, aggregates and positions, and the view that readers see. Its methods are safe for
// concurrent use; set the exported fields before the first call.
type Store struct {
	// Before and After are called at each step ("apply", "changed", "positions", "push"). An error from Before
	// is returned with nothing done, one from After with everything done.
	Before, After func(step string) error
	// Refuse returns why this store refuses a change; "" accepts it.
	Refuse      func(schemas.Change) string
	CoreVersion int32
	Build       string
	Now         func() time.Time

	mu        sync.Mutex // guards the fields below
	registers map[schemas.PitchID]*register
	players   map[schemas.PlayerKey]*player // over all games
	positions map[place]schemas.Position
	topicIDs  map[string]string // those that EnsureTopicIDs stored
	view      View
	clock     int64
}

// register holds the newest changes of one pitch.
type register struct {
	measured    *schemas.Change
	identified  *schemas.Change
	coreVersion int32
	provenance  schemas.Provenance
}

// player is the state of a batter or of a pitcher.
type player struct {
	seq, prev int64
	games     map[string]int64 // the seq of the last change of every game ever touched; "" for rows without one
}

// place names a partition.
type place struct {
	topic     string
	partition int32
}

func placeOf(p schemas.Position) place { return place{p.Topic, p.Partition} }

// New returns an empty store of core version 1.
func New() *Store {
	ok := func(string) error { return nil }
	return &Store{
		Before: ok, After: ok, Refuse: func(schemas.Change) string { return "" },
		CoreVersion: 1, Build: "test", Now: time.Now,
		registers: map[schemas.PitchID]*register{}, players: map[schemas.PlayerKey]*player{},
		positions: map[place]schemas.Position{}, topicIDs: map[string]string{},
		view: View{
			Batters: map[int64]schemas.Stats{}, Games: map[schemas.PlayerGame]schemas.Stats{},
			Pitchers:     map[int64]schemas.PitcherStats{},
			PitcherGames: map[schemas.PlayerGame]schemas.PitcherStats{},
			Applied:      map[int32]int64{}, seqs: map[schemas.PlayerKey]int64{},
		},
	}
}

// Apply writes a batch as Postgres does; see pgsink.Sink.Apply.
func (s *Store) Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error) {
	if err := ctx.Err(); err != nil {
		return schemas.Outcome{}, err
	}
	if err := s.Before("apply"); err != nil {
		return schemas.Outcome{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	mustBeReduced(b)
	for _, m := range b.Positions {
		stored, ok := s.positions[placeOf(m.Position)]
		isOther := stored.TopicID != "" && m.TopicID != "" && stored.TopicID != m.TopicID
		if !ok || stored.NextOffset < m.Expected || isOther {
			return schemas.Outcome{}, schemas.ErrPositionBehind
		}
	}
	out := s.write(b)
	for _, m := range b.Positions {
		stored := s.positions[placeOf(m.Position)]
		stored.NextOffset = max(stored.NextOffset, m.NextOffset)
		stored.TopicID = cmp.Or(stored.TopicID, m.TopicID)
		s.positions[placeOf(m.Position)] = stored
	}
	return out, s.After("apply")
}

// mustBeReduced panics on a batch that Postgres would refuse or write wrongly, because that is a bug of the
// caller.
func mustBeReduced(b schemas.Batch) {
	for i, p := range b.Pitches {
		if i > 0 && slices.Compare(b.Pitches[i-1].PitchID[:], p.PitchID[:]) >= 0 {
			panic(fmt.Sprintf("memsink: pitches not sorted, each once: %v after %v", p.PitchID,
				b.Pitches[i-1].PitchID))
		}
		mustBeVersions(p, p.Measured, false)
		mustBeVersions(p, p.Identified, true)
	}
}

func mustBeVersions(p schemas.PitchChanges, versions []schemas.Change, isIdentify bool) {
	for i, c := range versions {
		if i > 0 && versions[i-1].Version.Compare(c.Version) <= 0 {
			panic(fmt.Sprintf("memsink: versions of %v are not newest first, each once", p.PitchID))
		}
		isWhole := (c.Op == schemas.OpUpsert) == (c.Row != nil)
		if c.PitchID != p.PitchID || (c.Op == schemas.OpIdentify) != isIdentify || !isWhole {
			panic(fmt.Sprintf("memsink: not a change of that register of %v: %+v", p.PitchID, c))
		}
	}
}

func (s *Store) write(b schemas.Batch) (out schemas.Outcome) {
	touched := map[schemas.PlayerGame]bool{}
	for _, p := range b.Pitches {
		r := s.registers[p.PitchID]
		if r == nil {
			r = &register{}
			s.registers[p.PitchID] = r
		}
		was, existed := s.row(r)
		measured := s.writeMeasured(r, p, &out)
		identified := s.writeIdentified(r, p, &out)
		now, exists := s.row(r)
		if measured || identified {
			touch(touched, was, existed)
			touch(touched, now, exists)
		}
		if measured || identified && exists || s.isOfNewerCore(r, p) {
			out.Published = append(out.Published, published(p.PitchID, r, now, exists))
		}
	}
	out.Snapshots = s.snapshots(touched)
	return out
}

func (s *Store) writeMeasured(r *register, p schemas.PitchChanges, out *schemas.Outcome) bool {
	c := s.newest(p.Measured, out)
	if c == nil {
		return false
	}
	if r.measured != nil {
		order := c.Version.Compare(r.measured.Version)
		if order < 0 || order == 0 && s.CoreVersion < r.coreVersion {
			out.Superseded++
			return false
		}
	}
	r.measured, r.coreVersion = c, s.CoreVersion
	r.provenance = schemas.ProvenanceOf(*c, s.CoreVersion, s.Build, schemas.TimeMSOf(s.Now()))
	return true
}

// newest returns the newest version that the store does not refuse, nil if there is none. It counts the
// older ones as superseded.
func (s *Store) newest(versions []schemas.Change, out *schemas.Outcome) *schemas.Change {
	for i, c := range versions {
		if why := s.Refuse(c); why != "" {
			out.Refused = append(out.Refused, schemas.Refusal{Change: c, Reason: why})
			continue
		}
		out.Superseded += len(versions) - i - 1
		return &c
	}
	return nil
}

// isOfNewerCore reports whether a newer core has stored one of the measured versions; see
// pgsink.Sink.fromNewerCore.
func (s *Store) isOfNewerCore(r *register, p schemas.PitchChanges) bool {
	return r.measured != nil && r.coreVersion > s.CoreVersion &&
		slices.ContainsFunc(p.Measured, func(c schemas.Change) bool { return c.Version == r.measured.Version })
}

func (s *Store) writeIdentified(r *register, p schemas.PitchChanges, out *schemas.Outcome) bool {
	c := s.newest(p.Identified, out)
	if c == nil {
		return false
	}
	if r.identified != nil && c.Version.Compare(r.identified.Version) < 0 {
		out.Superseded++
		return false
	}
	r.identified = c
	return true
}

// row returns the current row of a register, unless the pitch was deleted or never measured.
func (s *Store) row(r *register) (schemas.StoredRow, bool) {
	if r.measured == nil || r.measured.Op == schemas.OpDelete {
		return schemas.StoredRow{}, false
	}
	row := schemas.StoredRow{Row: *r.measured.Row, Provenance: r.provenance}
	if r.identified != nil {
		r.identified.IDs.NameIn(&row.Row)
	}
	return row, true
}

func touch(touched map[schemas.PlayerGame]bool, row schemas.StoredRow, exists bool) {
	for _, side := range schemas.Sides {
		if id := side.PlayerIn(&row.Row); exists && id.Present {
			touched[schemas.PlayerGame{Side: side, PlayerID: id.Value, GamePK: string(row.GamePK)}] = true
		}
	}
}

func published(id schemas.PitchID, r *register, row schemas.StoredRow, exists bool) schemas.Published {
	p := schemas.Published{PitchID: id, Version: r.measured.Version, CoreVersion: r.coreVersion}
	if r.identified != nil {
		p.Identified = schemas.Some(r.identified.Version)
	}
	if exists {
		p.Row = &row
	}
	return p
}

// rows returns the current rows, sorted by pitch. The caller holds mu.
func (s *Store) rows() (rows []schemas.StoredRow) {
	for _, r := range s.registers {
		if row, ok := s.row(r); ok {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b schemas.StoredRow) int { return bytes.Compare(a.PitchID[:], b.PitchID[:]) })
	return rows
}

// snapshots computes the touched players from all rows.
func (s *Store) snapshots(touched map[schemas.PlayerGame]bool) []schemas.Snapshot {
	games := map[schemas.PlayerKey][]string{}
	for g := range touched {
		key := schemas.PlayerKey{Side: g.Side, PlayerID: g.PlayerID}
		games[key] = append(games[key], g.GamePK)
	}
	if len(games) == 0 {
		return nil
	}
	states := reference.States(s.rows())
	var out []schemas.Snapshot
	for _, key := range slices.SortedFunc(maps.Keys(games), bySide) {
		p := s.players[key]
		if p == nil {
			p = &player{games: map[string]int64{}}
			s.players[key] = p
		}
		s.clock++
		p.prev, p.seq = p.seq, s.clock
		slices.Sort(games[key])
		for _, game := range games[key] {
			p.games[game] = p.seq
		}
		out = append(out, s.snapshot(key, p, games[key], states))
	}
	return out
}

func bySide(a, b schemas.PlayerKey) int {
	return cmp.Or(cmp.Compare(a.Side, b.Side), cmp.Compare(a.PlayerID, b.PlayerID))
}

func (s *Store) snapshot(
	key schemas.PlayerKey, p *player, games []string, states map[schemas.PlayerKey]schemas.GameStats,
) schemas.Snapshot {
	overall := states[key]
	snap := schemas.Snapshot{
		Side: key.Side, PlayerID: key.PlayerID, Seq: p.seq, PrevSeq: p.prev, UpdatedAt: schemas.TimeMSOf(s.Now()),
		Stats: overall.Stats, Pitching: overall.Pitching,
	}
	for _, game := range games {
		if game == "" {
			continue
		}
		g := states[schemas.PlayerKey{Side: key.Side, PlayerID: key.PlayerID, GamePK: game}]
		g.GamePK, g.Seq = game, p.games[game]
		snap.Games = append(snap.Games, g)
	}
	return snap
}
