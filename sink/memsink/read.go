package memsink

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
)

// View holds the states that readers of the projection see, each fenced by its sequence number.
type View struct {
	Batters map[int64]schemas.Stats
	Games   map[schemas.PlayerGame]schemas.Stats
	Applied map[int32]int64

	seqs map[string]int64
}

// Rows returns the current rows, sorted by pitch.
func (s *Store) Rows(context.Context) ([]schemas.StoredRow, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rows(), nil
}

// Changed does what pgsink's method of the same name does.
func (s *Store) Changed(_ context.Context, before []schemas.Published) (now []schemas.Published, err error) {
	if err := s.Before("changed"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range before {
		r := s.registers[p.PitchID]
		if r == nil || r.measured == nil {
			continue
		}
		row, exists := s.row(r)
		if is := published(p.PitchID, r, row, exists); is.Version != p.Version || is.Identified != p.Identified {
			now = append(now, is)
		}
	}
	return now, nil
}

// EnsurePositions does what pgsink's method of the same name does.
func (s *Store) EnsurePositions(ctx context.Context, start []schemas.Position) ([]schemas.Position, error) {
	if err := s.Before("positions"); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]schemas.Position, len(start))
	for i, p := range start {
		stored, ok := s.positions[placeOf(p)]
		if !ok {
			stored = p
			for _, other := range s.positions {
				if other.Topic == p.Topic && other.TopicID != "" && p.TopicID != "" && other.TopicID != p.TopicID {
					stored.TopicID = other.TopicID
				}
			}
			s.positions[placeOf(p)] = stored
		}
		out[i] = stored
	}
	return out, s.After("positions")
}

// Positions does what pgsink's method of the same name does.
func (s *Store) Positions(_ context.Context, topic string) (map[int32]int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[int32]int64{}
	for _, p := range s.positions {
		if p.Topic == topic {
			out[p.Partition] = p.NextOffset
		}
	}
	return out, nil
}

// SetPosition does what pgsink's method of the same name does.
func (s *Store) SetPosition(_ context.Context, p schemas.Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.positions[placeOf(p)] = p
	return nil
}

// LabelPosition does what pgsink's method of the same name does.
func (s *Store) LabelPosition(_ context.Context, p schemas.Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := s.positions[placeOf(p)]
	stored.TopicID, stored.Gap = p.TopicID, p.Gap
	s.positions[placeOf(p)] = stored
	return nil
}

// RaiseDeadLetters does what pgsink's method of the same name does.
func (s *Store) RaiseDeadLetters(_ context.Context, at []schemas.Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range at {
		stored := s.positions[placeOf(p)]
		isReached := stored.TopicID == p.TopicID && stored.NextOffset >= p.DeadLettersBelow
		if isReached && stored.DeadLettersBelow < p.DeadLettersBelow {
			stored.DeadLettersFrom, stored.DeadLettersBelow = p.DeadLettersFrom, p.DeadLettersBelow
			s.positions[placeOf(p)] = stored
		}
	}
	return nil
}

// TopicIDs does what pgsink's method of the same name does.
func (s *Store) TopicIDs(
	_ context.Context, ids map[string]string, overwrite bool,
) (map[string]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored := map[string]string{}
	for topic, id := range ids {
		if overwrite || s.topicIDs[topic] == "" {
			s.topicIDs[topic] = id
		}
		stored[topic] = s.topicIDs[topic]
	}
	return stored, nil
}

// BatterSeqs does what pgsink's method of the same name does.
func (s *Store) BatterSeqs(context.Context) ([]schemas.PlayerSeq, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batters, _ := reference.Fold(s.rows())
	var out []schemas.PlayerSeq
	for _, id := range slices.Sorted(maps.Keys(s.batters)) {
		_, standing := batters[id]
		out = append(out, schemas.PlayerSeq{PlayerID: id, Seq: s.batters[id].seq, Standing: standing})
	}
	return out, nil
}

// BatterSnapshots does what pgsink's method of the same name does.
func (s *Store) BatterSnapshots(_ context.Context, ids []int64) ([]schemas.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	batters, byGame := reference.Fold(s.rows())
	var out []schemas.Snapshot
	for _, id := range ids {
		if b := s.batters[id]; b != nil {
			snap := s.snapshot(id, b, slices.Sorted(maps.Keys(b.games)), batters, byGame)
			snap.PrevSeq = 0
			out = append(out, snap)
		}
	}
	return out, nil
}

// Push writes states to the view, each only over a lower sequence number. Like the keeper of Redis it returns
// no error: if a hook fails the push, the view is repaired from the store at once.
func (s *Store) Push(_ context.Context, snapshots []schemas.Snapshot, applied []schemas.Position) {
	if s.Before("push") == nil {
		s.mu.Lock()
		s.project(snapshots)
		for _, p := range applied {
			s.view.Applied[p.Partition] = max(s.view.Applied[p.Partition], p.NextOffset)
		}
		s.mu.Unlock()
		if s.After("push") == nil {
			return
		}
	}
	s.RequestSweep()
}

// RequestSweep makes the whole view equal to the store. It removes states that the store does not have.
func (s *Store) RequestSweep() {
	s.mu.Lock()
	ids := slices.Sorted(maps.Keys(s.batters))
	s.mu.Unlock()
	snapshots, _ := s.BatterSnapshots(context.Background(), ids)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.project(snapshots)
	maps.DeleteFunc(s.view.Batters, func(id int64, _ schemas.Stats) bool { return s.batters[id] == nil })
	maps.DeleteFunc(s.view.Games, func(g schemas.PlayerGame, _ schemas.Stats) bool {
		b := s.batters[g.PlayerID]
		return b == nil || b.games[g.GamePK] == 0 // sequence numbers begin at 1
	})
}

func (s *Store) project(snapshots []schemas.Snapshot) {
	for _, snap := range snapshots {
		if s.newer(fmt.Sprint(snap.PlayerID), snap.Seq) {
			put(s.view.Batters, snap.PlayerID, snap.Stats)
		}
		for _, g := range snap.Games {
			if s.newer(fmt.Sprint(snap.PlayerID, "/", g.GamePK), g.Seq) {
				put(s.view.Games, schemas.PlayerGame{PlayerID: snap.PlayerID, GamePK: g.GamePK}, g.Stats)
			}
		}
	}
}

func (s *Store) newer(key string, seq int64) bool {
	if seq < s.view.seqs[key] {
		return false
	}
	s.view.seqs[key] = seq
	return true
}

func put[K comparable](m map[K]schemas.Stats, key K, st *schemas.Stats) {
	if st == nil {
		delete(m, key)
		return
	}
	m[key] = *st
}

// View returns a copy of the view.
func (s *Store) View() View {
	s.mu.Lock()
	defer s.mu.Unlock()
	return View{
		Batters: maps.Clone(s.view.Batters), Games: maps.Clone(s.view.Games), Applied: maps.Clone(s.view.Applied),
	}
}

// Restore empties the store as a restore from an empty backup does, and leaves the view as it is.
func (s *Store) Restore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.registers)
	clear(s.batters)
	clear(s.positions)
}
