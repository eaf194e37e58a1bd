package memsink

import (
	"context"
	"maps"
	"slices"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
)

// View holds the states that readers of the projection see, each fenced by its sequence number.
type View struct {
	Batters      map[int64]schemas.Stats
	Games        map[schemas.PlayerGame]schemas.Stats // of the batters
	Pitchers     map[int64]schemas.PitcherStats
	PitcherGames map[schemas.PlayerGame]schemas.PitcherStats
	Applied      map[int32]int64

	seqs map[schemas.PlayerKey]int64
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
		is := published(p.PitchID, r, row, exists)
		if is.Version != p.Version || is.CoreVersion != p.CoreVersion || is.Identified != p.Identified {
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
func (s *Store) SetPosition(_ context.Context, was, p schemas.Position) (isSet bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, ok := s.positions[placeOf(p)]
	// guard: a position that another processor has moved is not overwritten | always
	if !ok || !isAt(stored, was) && !isAt(stored, p) {
		return false, nil
	}
	s.positions[placeOf(p)] = p
	return true, nil
}

// isAt reports whether two positions have the same offset, topic ID and gap.
func isAt(stored, p schemas.Position) bool {
	return stored.NextOffset == p.NextOffset && stored.TopicID == p.TopicID && stored.Gap == p.Gap
}

// LabelPosition does what pgsink's method of the same name does.
func (s *Store) LabelPosition(_ context.Context, p schemas.Position) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	stored, ok := s.positions[placeOf(p)]
	// guard: a gap is stored only where it is of the same topic | (stored.TopicID == "" || stored.TopicID == p.TopicID) -> true
	if ok && (stored.TopicID == "" || stored.TopicID == p.TopicID) {
		stored.TopicID, stored.Gap = p.TopicID, p.Gap
		s.positions[placeOf(p)] = stored
	}
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

// EnsureTopicIDs does what pgsink's method of the same name does.
func (s *Store) EnsureTopicIDs(
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

// PlayerSeqs does what pgbooks' method of the same name does.
func (s *Store) PlayerSeqs(_ context.Context, side schemas.Side) ([]schemas.PlayerSeq, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := reference.States(s.rows())
	var out []schemas.PlayerSeq
	for _, key := range slices.SortedFunc(maps.Keys(s.players), bySide) {
		if key.Side == side {
			overall := states[key]
			seq := schemas.PlayerSeq{PlayerID: key.PlayerID, Seq: s.players[key].seq}
			seq.HasRows = overall.Fields() != nil
			out = append(out, seq)
		}
	}
	return out, nil
}

// PlayerSnapshots does what pgbooks' method of the same name does.
func (s *Store) PlayerSnapshots(
	_ context.Context, side schemas.Side, ids []int64,
) ([]schemas.Snapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := reference.States(s.rows())
	var out []schemas.Snapshot
	for _, id := range ids {
		key := schemas.PlayerKey{Side: side, PlayerID: id}
		if p := s.players[key]; p != nil {
			snap := s.snapshot(key, p, slices.Sorted(maps.Keys(p.games)), states)
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
	for _, side := range schemas.Sides {
		seqs, _ := s.PlayerSeqs(context.Background(), side)
		ids := schemas.Map(seqs, func(p schemas.PlayerSeq) int64 { return p.PlayerID })
		snapshots, _ := s.PlayerSnapshots(context.Background(), side, ids)
		s.mu.Lock()
		s.project(snapshots)
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	dropUnknown(s, schemas.Batter, s.view.Batters, s.view.Games)
	dropUnknown(s, schemas.Pitcher, s.view.Pitchers, s.view.PitcherGames)
}

// dropUnknown removes the states of players that the store does not have.
func dropUnknown[S any](s *Store, side schemas.Side, players map[int64]S, games map[schemas.PlayerGame]S) {
	of := func(id int64) *player { return s.players[schemas.PlayerKey{Side: side, PlayerID: id}] }
	maps.DeleteFunc(players, func(id int64, _ S) bool { return of(id) == nil })
	maps.DeleteFunc(games, func(g schemas.PlayerGame, _ S) bool {
		p := of(g.PlayerID)
		return p == nil || p.games[g.GamePK] == 0 // sequence numbers begin at 1
	})
}

func (s *Store) project(snapshots []schemas.Snapshot) {
	for _, snap := range snapshots {
		for _, g := range append([]schemas.GameStats{snap.Overall()}, snap.Games...) {
			key := schemas.PlayerKey{Side: snap.Side, PlayerID: snap.PlayerID, GamePK: g.GamePK}
			if s.newer(key, g.Seq) {
				s.view.put(key, g)
			}
		}
	}
}

// put writes one state.
func (v *View) put(key schemas.PlayerKey, g schemas.GameStats) {
	game := schemas.PlayerGame(key)
	switch {
	case key.Side == schemas.Batter && key.GamePK == "":
		put(v.Batters, key.PlayerID, g.Stats)
	case key.Side == schemas.Batter:
		put(v.Games, game, g.Stats)
	case key.GamePK == "":
		put(v.Pitchers, key.PlayerID, g.Pitching)
	default:
		put(v.PitcherGames, game, g.Pitching)
	}
}

func (s *Store) newer(key schemas.PlayerKey, seq int64) bool {
	if seq < s.view.seqs[key] {
		return false
	}
	s.view.seqs[key] = seq
	return true
}

func put[K comparable, S any](m map[K]S, key K, st *S) {
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
		Batters: maps.Clone(s.view.Batters), Games: maps.Clone(s.view.Games),
		Pitchers: maps.Clone(s.view.Pitchers), PitcherGames: maps.Clone(s.view.PitcherGames),
		Applied: maps.Clone(s.view.Applied),
	}
}

// Restore empties the store as a restore from an empty backup does, and leaves the view as it is.
func (s *Store) Restore() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.registers)
	clear(s.players)
	clear(s.positions)
}
