package sinktest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features/reference"
	"github.com/pitchstream/pitchstream/schemas"
)

// Store has the methods that the suite calls. They do what pgsink's methods of the same names do.
type Store interface {
	Apply(ctx context.Context, b schemas.Batch) (schemas.Outcome, error)
	EnsurePositions(ctx context.Context, start []schemas.Position) ([]schemas.Position, error)
	Positions(ctx context.Context, topic string) (map[int32]int64, error)
	Changed(ctx context.Context, published []schemas.Published) ([]schemas.Published, error)
	SetPosition(ctx context.Context, was, p schemas.Position) (isSet bool, err error)
	LabelPosition(ctx context.Context, p schemas.Position) error
	RaiseDeadLetters(ctx context.Context, at []schemas.Position) error
	EnsureTopicIDs(ctx context.Context, ids map[string]string, overwrite bool) (map[string]string, error)
	Rows(ctx context.Context) ([]schemas.StoredRow, error) // the current rows, sorted by pitch
	PlayerSeqs(ctx context.Context, side schemas.Side) ([]schemas.PlayerSeq, error)
	PlayerSnapshots(ctx context.Context, side schemas.Side, ids []int64) ([]schemas.Snapshot, error)
}

// Fixture opens stores over one database, which is empty at first, and makes that database refuse rows.
type Fixture struct {
	// Open returns a store of that core version over the fixture's database.
	Open func(t *testing.T, coreVersion int32) Store
	// Refuse makes the database refuse, from now on, every row with this venue.
	Refuse func(t *testing.T, venue string)
	// RefuseNames makes the database refuse, from now on, every identify that names this batter.
	RefuseNames func(t *testing.T, batter int64)
}

// Exercise runs the suite. fresh returns a fixture over an empty database of its own.
func Exercise(t *testing.T, fresh func(t *testing.T) Fixture) {
	for name, test := range map[string]func(*testing.T, Fixture){
		"any order with any repetition ends in the same state":      anyOrder,
		"the fastest swings follow corrections":                     fastestFollow,
		"swords follow corrections of other swings":                 swordsFollow,
		"concurrent writers end in the same state":                  concurrentWriters,
		"snapshots in any order give readers the last state":        snapshotsInAnyOrder,
		"the same batch again changes nothing":                      repeated,
		"an older core does not rewrite what a newer one wrote":     olderCore,
		"a version that a newer core wrote is published as stored":  newerCorePublished,
		"Changed returns rows that a newer core computed since":     changedByNewerCore,
		"a refused version leaves the version before it current":    predecessorStaysCurrent,
		"a refused name leaves the name before it current":          predecessorNames,
		"a store restored from an older backup refuses the batch":   restoredOlder,
		"a position never moves back":                               neverBack,
		"a position moves only within its topic":                    sameTopic,
		"the committed dead letters grow within their topic":        committedDeadLetters,
		"topics keep their first ID until it is overwritten":        topicsKeepTheirFirstID,
		"a cancelled batch changes nothing":                         cancelled,
		"an identify is published with the whole row":               identifyPublishes,
		"an empty batch moves the position":                         emptyBatch,
		"Changed returns published rows that changed since":         changedSince,
		"Changed omits pitches that a restored store does not have": changedAfterRestore,
		"an older version changes no batter":                        olderVersion,
		"a player has the most frequent types of pitches only":      manyTypes,
		"the ends of a pitcher's game follow corrections":           pitchersTire,
		"a pitcher's aggregates follow his name":                    pitchersFollow,
	} {
		t.Run(name, func(t *testing.T) { test(t, fresh(t)) })
	}
}

func anyOrder(t *testing.T, f Fixture) {
	w := NewGenerator(7, 12)
	changes := w.Changes(300)
	s := f.Open(t, 1)
	for _, b := range w.Batches(w.Shuffled(changes)) {
		mustApply(t, s, b)
	}
	RequireState(t, s, changes)
}

// manyTypes has batters with more types of pitches than are named, some of which come and go.
func manyTypes(t *testing.T, f Fixture) {
	w := NewGenerator(21, 600)
	changes := w.Changes(900)
	for i := range changes {
		if r := changes[i].Row; r != nil {
			n := min(w.rnd.IntN(120), w.rnd.IntN(120))
			r.PitchType = schemas.Text(fmt.Sprintf("%c%02d", []rune("aBzZé")[n%5], n))
			if n == 7 {
				r.PitchType = schemas.OtherPitchTypes
			}
			r.PitcherID = schemas.Some(int64(i % 2))
		}
	}
	s := f.Open(t, 1)
	for i, b := range w.Batches(changes) {
		mustApply(t, s, b)
		if i%40 == 0 {
			RequireState(t, s, changes[:applied(changes, b)])
		}
	}
	RequireState(t, s, changes)

	// At the bound: the 65th type is named nowhere, and the 64 come back when it has gone.
	var few []schemas.Change
	for i := range schemas.MaxPitchTypes {
		c := w.Upsert(1000+i, 9)
		c.Row.BatterID, c.Row.GamePK = schemas.Some(int64(1)), schemas.Text(fmt.Sprint("g", i%2))
		c.Row.PitcherID = c.Row.BatterID
		c.Row.PitchType = schemas.Text(fmt.Sprint("type ", i))
		few = append(few, c)
	}
	mustApply(t, s, BatchOf(few...))
	last := few[0]
	row := *last.Row
	row.PitchType, row.PitchID = "one more", PitchID(2000)
	last.PitchID, last.Row = row.PitchID, &row
	gone := last
	gone.Op, gone.Row, gone.Version.Revision = schemas.OpDelete, nil, 10
	for _, c := range []schemas.Change{last, gone} {
		few = append(few, c)
		mustApply(t, s, BatchOf(c))
		RequireState(t, s, append(slices.Clone(changes), few...))
	}

	// One game alone has more types than are named.
	for i := range schemas.MaxPitchTypes + 2 {
		c := w.Upsert(3000+i, 9)
		c.Row.BatterID, c.Row.GamePK = schemas.Some(int64(2)), "g"
		c.Row.PitcherID, c.Row.PitchType = c.Row.BatterID, schemas.Text(fmt.Sprint("type ", i))
		few = append(few, c)
	}
	mustApply(t, s, BatchOf(few...))
	RequireState(t, s, append(slices.Clone(changes), few...))
}

// applied returns how many of the changes are in the batch or before it.
func applied(changes []schemas.Change, b schemas.Batch) (n int) {
	for i, c := range changes {
		for _, p := range b.Pitches {
			is := func(other schemas.Change) bool { return other.Version == c.Version }
			if p.PitchID == c.PitchID && slices.ContainsFunc(*p.Versions(c.Op), is) {
				n = i + 1
			}
		}
	}
	return n
}

// fastestFollow has batters with so many swings that each correction may move their 10th percentile.
func fastestFollow(t *testing.T, f Fixture) {
	w := NewGenerator(19, 250)
	s := f.Open(t, 1)
	var changes []schemas.Change
	for range 6 {
		more := w.Changes(150)
		changes = append(changes, more...)
		mustApply(t, s, BatchOf(more...))
		RequireState(t, s, changes)
	}
}

// swordsFollow has a swing that was cut short between the slowest and the second slowest of ten other swings.
// It is a sword until a slower swing moves the 10th percentile below it, and again without that one.
func swordsFollow(t *testing.T, f Fixture) {
	w := NewGenerator(29, 1)
	s := f.Open(t, 1)
	swing := func(i int, revision int64, mph float64, isCutShort bool) schemas.Change {
		c := w.Upsert(i, revision)
		c.Row.BatterID, c.Row.GamePK = schemas.Some[int64](7), "716404"
		c.Row.ContactBatSpeedMPH, c.Row.IsCutShort = schemas.Some(mph), schemas.Some(isCutShort)
		if c.Row.ContactConfidence = schemas.SpeedReliable; isCutShort {
			c.Row.ContactConfidence = schemas.SpeedQuestionable
		}
		return c
	}
	deleted := func(c schemas.Change) schemas.Change {
		c.Op, c.Row, c.Version.Revision = schemas.OpDelete, nil, c.Version.Revision+1
		return c
	}
	var first []schemas.Change
	for i := range 10 { // 70–79: the 10th percentile is 70.9
		first = append(first, swing(i, 1, float64(70+i), false))
	}
	sword, slow := swing(10, 1, 70.5, true), swing(11, 1, 50, false)
	elsewhere := swing(12, 1, 40, false)
	elsewhere.Row.GamePK = "716405"
	var changes []schemas.Change
	for _, step := range []struct {
		changes       []schemas.Change
		overall, game int64
	}{
		{first, 0, 0},
		{[]schemas.Change{sword}, 1, 1},
		{[]schemas.Change{slow}, 0, 0},
		{[]schemas.Change{deleted(slow)}, 1, 1},
		{[]schemas.Change{elsewhere}, 0, 1}, // the percentile of a game is of its own
		{[]schemas.Change{swing(10, 2, 70, true)}, 1, 1},
		{[]schemas.Change{swing(10, 3, 70, false)}, 0, 0},
		{[]schemas.Change{swing(10, 4, 45, true)}, 1, 1},
		{[]schemas.Change{deleted(swing(10, 4, 45, true))}, 0, 0},
	} {
		changes = append(changes, step.changes...)
		mustApply(t, s, BatchOf(step.changes...))
		RequireState(t, s, changes)
		snapshots, err := s.PlayerSnapshots(t.Context(), schemas.Batter, []int64{7})
		require.NoError(t, err)
		require.Equal(t, step.overall, snapshots[0].Stats.SwordCount)
		for _, g := range snapshots[0].Games {
			if g.GamePK == "716404" {
				require.Equal(t, step.game, g.Stats.SwordCount)
			}
		}
	}
}

// pitchersTire has pitchers with so many pitches of a type in a game that the first are not the last.
func pitchersTire(t *testing.T, f Fixture) {
	w := NewGenerator(23, 500)
	s := f.Open(t, 1)
	var changes []schemas.Change
	for range 5 {
		more := w.Changes(200)
		for i := range more {
			if r := more[i].Row; r != nil {
				r.GamePK = pick(w, "716404", "716404", "716405")
				r.PitchType = pick(w, "Slider", "Slider", schemas.OtherPitchTypes)
				r.PitcherID = schemas.Some(w.rnd.Int64N(3))
			}
		}
		changes = append(changes, more...)
		mustApply(t, s, BatchOf(more...))
		RequireState(t, s, changes)
	}
	compared := 0
	for _, g := range reference.States(reference.Resolve(changes)) {
		if g.Pitching != nil && g.Pitching.ByPitchType["Slider"].ReleaseSpeedChangeMPH.Present {
			compared++
		}
	}
	require.GreaterOrEqual(t, compared, 3)
}

// pitchersFollow names the pitcher of a pitch late, gives the pitch to another one, moves it to another game,
// and deletes it.
func pitchersFollow(t *testing.T, f Fixture) {
	w := NewGenerator(24, 1)
	s := f.Open(t, 1)
	upsert := w.Upsert(0, 1)
	upsert.Row.PitcherID, upsert.Row.GamePK = schemas.Opt[int64]{}, "716404"
	name := identifyOf(upsert, schemas.Identifiers{PitcherID: schemas.Some[int64](1)})
	other := identifyOf(upsert, schemas.Identifiers{PitcherID: schemas.Some[int64](2)})
	other.Version.Revision++
	moved := upsert
	row := *upsert.Row
	row.GamePK = "716405"
	moved.Row, moved.Version.Revision = &row, 3
	gone := upsert
	gone.Op, gone.Row, gone.Version.Revision = schemas.OpDelete, nil, 4
	var changes []schemas.Change
	for _, c := range []schemas.Change{upsert, name, other, moved, gone} {
		changes = append(changes, c)
		mustApply(t, s, BatchOf(c))
		RequireState(t, s, changes)
	}
}

func concurrentWriters(t *testing.T, f Fixture) {
	w := NewGenerator(8, 12)
	changes := w.Changes(240)
	var orders [][]schemas.Batch
	for range 4 {
		orders = append(orders, w.Batches(w.Shuffled(changes)))
	}
	s := f.Open(t, 1)
	var wg sync.WaitGroup
	for _, batches := range orders {
		wg.Go(func() {
			for _, b := range batches {
				if _, err := s.Apply(t.Context(), b); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	RequireState(t, s, changes)
}

// snapshotsInAnyOrder gives a reader the snapshots in the worst order, newest first.
func snapshotsInAnyOrder(t *testing.T, f Fixture) {
	w := NewGenerator(9, 12)
	changes := w.Changes(200)
	s := f.Open(t, 1)
	var snapshots []schemas.Snapshot
	previous := map[schemas.PlayerKey]int64{}
	for _, b := range w.Batches(changes) {
		for _, snap := range mustApply(t, s, b).Snapshots {
			key := schemas.PlayerKey{Side: snap.Side, PlayerID: snap.PlayerID}
			require.Greater(t, snap.Seq, previous[key], "sequence numbers rise")
			require.Equal(t, previous[key], snap.PrevSeq, "each names the one before")
			previous[key] = snap.Seq
			snapshots = append(snapshots, snap)
		}
	}
	slices.Reverse(snapshots)
	requireSame(t, reference.States(reference.Resolve(changes)), project(snapshots), "aggregates")
}

func repeated(t *testing.T, f Fixture) {
	w := NewGenerator(10, 6)
	changes := w.Changes(40)
	s := f.Open(t, 1)
	first := mustApply(t, s, BatchOf(changes...))
	second := mustApply(t, s, BatchOf(changes...))
	require.Equal(t, first.Superseded, second.Superseded)
	requireSame(t, published(first), published(second), "what is published")
	// A repetition has snapshots too, because the first may not have reached the readers.
	requireSame(t, project(first.Snapshots), project(second.Snapshots), "what readers get")
	RequireState(t, s, changes)
}

func olderCore(t *testing.T, f Fixture) {
	w := NewGenerator(11, 1)
	upsert := w.Upsert(0, 1)
	newer := mustApply(t, f.Open(t, 2), BatchOf(upsert))
	require.Len(t, newer.Published, 1)

	old := upsert
	row := *upsert.Row
	row.Venue = "as the older core saw it"
	old.Row = &row
	out := mustApply(t, f.Open(t, 1), BatchOf(old))
	require.Equal(t, 1, out.Superseded)
	require.Empty(t, out.Snapshots)
	require.Equal(t, newer.Published[0].Row.Row, publishedOf(t, out, upsert.PitchID).Row.Row)
	RequireState(t, f.Open(t, 1), []schemas.Change{upsert})
}

// newerCorePublished has a processor of a newer core that stored a batch and died before it published it. One
// of an older core reads the records again: an upsert, a delete, and one with an identify. A fourth is stored
// at a newer version, which another reader publishes.
func newerCorePublished(t *testing.T, f Fixture) {
	w := NewGenerator(31, 1)
	kept, gone, named, corrected := w.Upsert(0, 1), w.Upsert(1, 2), w.Upsert(2, 1), w.Upsert(3, 1)
	gone.Op, gone.Row = schemas.OpDelete, nil
	identify := identifyOf(named, schemas.Identifiers{BatterID: schemas.Some[int64](5)})
	refused := kept
	row := *kept.Row
	row.Venue = "bad"
	refused.Row = &row
	changes := []schemas.Change{kept, gone, named, identify, w.Upsert(3, 2)}
	first := mustApply(t, f.Open(t, 2), BatchOf(changes...))
	require.Len(t, first.Published, 4)

	older := f.Open(t, 1)
	again := mustApply(t, older, BatchOf(kept, gone, named, corrected, w.Upsert(4, 1)))
	require.Equal(t, 4, again.Superseded)
	require.Len(t, again.Published, 4)
	for _, c := range []schemas.Change{kept, gone, named} {
		want, got := publishedOf(t, first, c.PitchID), publishedOf(t, again, c.PitchID)
		require.Equal(t, int32(2), got.CoreVersion)
		requireSame(t, want, got, "what is published")
	}
	now, err := older.Changed(t.Context(), again.Published)
	require.NoError(t, err)
	require.Empty(t, now)

	again = mustApply(t, older, BatchOf(named, identify))
	require.Len(t, again.Published, 1, "once, although its identify is written again")
	f.Refuse(t, "bad")
	again = mustApply(t, older, BatchOf(refused))
	require.Len(t, again.Refused, 1)
	require.Len(t, again.Published, 1, "what this core cannot store is stored by the newer one")
}

// changedByNewerCore has a processor whose row was computed again by a newer core before it is in the topic.
func changedByNewerCore(t *testing.T, f Fixture) {
	w := NewGenerator(32, 1)
	upsert, gone := w.Upsert(0, 1), w.Upsert(1, 1)
	gone.Op, gone.Row = schemas.OpDelete, nil
	out := mustApply(t, f.Open(t, 1), BatchOf(upsert, gone))
	mustApply(t, f.Open(t, 2), BatchOf(upsert, gone))
	now, err := f.Open(t, 1).Changed(t.Context(), out.Published)
	require.NoError(t, err)
	require.Len(t, now, 2)
	is := schemas.Outcome{Published: now}
	require.Equal(t, int32(2), publishedOf(t, is, upsert.PitchID).Row.CoreVersion)
	require.Nil(t, publishedOf(t, is, gone.PitchID).Row)
	now, err = f.Open(t, 1).Changed(t.Context(), now)
	require.NoError(t, err)
	require.Empty(t, now, "what Changed returned is current")
}

func predecessorStaysCurrent(t *testing.T, f Fixture) {
	w := NewGenerator(12, 1)
	var changes []schemas.Change
	for i := range 40 {
		changes = append(changes, w.Upsert(i, 1))
	}
	good, bad := changes[23], w.Upsert(23, 2)
	bad.Row.Venue = "bad"
	f.Refuse(t, "bad")
	s := f.Open(t, 1)
	out := mustApply(t, s, BatchOf(append(changes, bad)...))
	require.Len(t, out.Refused, 1)
	require.Equal(t, bad.Version, out.Refused[0].Change.Version)
	require.NotEmpty(t, out.Refused[0].Reason)
	require.NotContains(t, out.Refused[0].Reason, "\n")
	require.Len(t, out.Published, 40)
	require.Equal(t, 0, out.Superseded)
	RequireState(t, s, changes)
	require.Equal(t, good.Version, publishedOf(t, out, good.PitchID).Version)
}

// predecessorNames has several identifies of one pitch in a batch, of which the store refuses the newest. A
// pitch that all of them name wrongly keeps its stored name, and so does one whose only good name is older.
func predecessorNames(t *testing.T, f Fixture) {
	const bad = 13
	w := NewGenerator(33, 1)
	name := func(i int, revision, batter int64) schemas.Change {
		return identifyOf(w.Upsert(i, revision), schemas.Identifiers{BatterID: schemas.Some(batter)})
	}
	var good []schemas.Change
	for i := range 20 {
		good = append(good, w.Upsert(i, 1))
	}
	good = append(good, name(3, 1, 5), name(4, 5, 6), name(5, 1, 7))
	f.RefuseNames(t, bad)
	s := f.Open(t, 1)
	mustApply(t, s, BatchOf(good...))

	better := []schemas.Change{name(3, 3, 8), name(11, 2, 9), name(12, 2, 9)}
	rest := []schemas.Change{name(11, 1, 10), name(4, 4, 10)} // which change nothing
	refused := []schemas.Change{name(3, 4, bad), name(11, 3, bad), name(11, 4, bad), name(4, 6, bad),
		name(5, 2, bad), name(5, 3, bad), name(17, 1, bad)}
	all := slices.Concat(better, rest, refused)
	for _, measured := range [][]schemas.Change{nil, {w.Upsert(11, 2), w.Upsert(14, 2)}} {
		good = append(good, measured...)
		out := mustApply(t, s, BatchOf(append(measured, all...)...))
		got := schemas.Map(out.Refused, func(r schemas.Refusal) schemas.Version { return r.Change.Version })
		want := schemas.Map(refused, func(c schemas.Change) schemas.Version { return c.Version })
		require.ElementsMatch(t, want, got)
		require.Equal(t, len(rest), out.Superseded)
		for _, c := range better {
			require.Equal(t, schemas.Some(c.Version), publishedOf(t, out, c.PitchID).Identified)
		}
		RequireState(t, s, append(slices.Clone(good), better...))
	}
}

func restoredOlder(t *testing.T, f Fixture) {
	w := NewGenerator(13, 3)
	s := f.Open(t, 1)
	p := schemas.Position{Topic: "t", NextOffset: 100}
	_, err := s.EnsurePositions(t.Context(), []schemas.Position{p})
	require.NoError(t, err)
	changes := w.Changes(10)
	_, err = s.Apply(t.Context(), At(BatchOf(changes...), 101, 150))
	require.ErrorIs(t, err, schemas.ErrPositionBehind)
	_, err = s.Apply(t.Context(), At(BatchOf(w.Upsert(0, 1)), 101, 150))
	require.ErrorIs(t, err, schemas.ErrPositionBehind)
	RequireState(t, s, nil)
	_, err = s.Apply(t.Context(), At(BatchOf(changes...), 100, 150))
	require.NoError(t, err)
	RequireState(t, s, changes)
}

func neverBack(t *testing.T, f Fixture) {
	s := f.Open(t, 1)
	start := []schemas.Position{{Topic: "t", NextOffset: 5}}
	got, err := s.EnsurePositions(t.Context(), start)
	require.NoError(t, err)
	require.Equal(t, start, got)
	mustApply(t, s, At(schemas.Batch{Group: "g"}, 5, 50))
	mustApply(t, s, At(schemas.Batch{Group: "g"}, 5, 20)) // another processor, late
	got, err = s.EnsurePositions(t.Context(), start)
	require.NoError(t, err)
	require.Equal(t, int64(50), got[0].NextOffset)
	positions, err := s.Positions(t.Context(), "t")
	require.NoError(t, err)
	require.Equal(t, map[int32]int64{0: 50}, positions)
}

func sameTopic(t *testing.T, f Fixture) {
	s := f.Open(t, 1)
	changes := NewGenerator(17, 3).Changes(5)
	at := func(partition int32, id string) []schemas.Position {
		return []schemas.Position{{Topic: "t", Partition: partition, TopicID: id}}
	}
	move := func(id string, next int64) schemas.Batch {
		b := BatchOf(changes...)
		to := schemas.Position{Topic: "t", NextOffset: next, TopicID: id}
		b.Positions = []schemas.PositionMove{{Position: to}}
		return b
	}
	_, err := s.EnsurePositions(t.Context(), at(0, ""))
	require.NoError(t, err)
	mustApply(t, s, move("", 5)) // brokers without IDs
	mustApply(t, s, move("first", 7))
	_, err = s.Apply(t.Context(), move("second", 9))
	require.ErrorIs(t, err, schemas.ErrPositionBehind)
	got, err := s.EnsurePositions(t.Context(), at(0, "second"))
	require.NoError(t, err)
	require.Equal(t, []schemas.Position{{Topic: "t", NextOffset: 7, TopicID: "first"}}, got)
	got, err = s.EnsurePositions(t.Context(), at(1, "second"))
	require.NoError(t, err)
	require.Equal(t, at(1, "first"), got, "a new partition belongs to the topic of the others")

	label := schemas.Position{Topic: "t", TopicID: "first", Gap: "it is shorter", NextOffset: 99}
	require.NoError(t, s.LabelPosition(t.Context(), label))
	got, err = s.EnsurePositions(t.Context(), at(0, "second"))
	require.NoError(t, err)
	label.NextOffset = 7
	require.Equal(t, []schemas.Position{label}, got)
	late := schemas.Position{Topic: "t", TopicID: "former", Gap: "of the former topic"}
	require.NoError(t, s.LabelPosition(t.Context(), late))
	got, err = s.EnsurePositions(t.Context(), at(0, "second"))
	require.NoError(t, err)
	require.Equal(t, []schemas.Position{label}, got, "another topic's gap is not stored")
	accepted := schemas.Position{Topic: "t", TopicID: "second", FormerNextOffset: 7}
	for _, was := range []schemas.Position{
		{Topic: "t", NextOffset: 6, TopicID: "first", Gap: label.Gap},
		{Topic: "t", NextOffset: 7, TopicID: "second", Gap: label.Gap},
		{Topic: "t", NextOffset: 7, TopicID: "first"},
	} {
		isSet, err := s.SetPosition(t.Context(), was, accepted)
		require.NoError(t, err)
		require.False(t, isSet, "%+v is not stored", was)
	}
	for range 2 { // the answer to the first request may be lost
		isSet, err := s.SetPosition(t.Context(), label, accepted)
		require.NoError(t, err)
		require.True(t, isSet)
		got, err = s.EnsurePositions(t.Context(), at(0, "second"))
		require.NoError(t, err)
		require.Equal(t, []schemas.Position{accepted}, got)
	}
	mustApply(t, s, move("second", 9))
	isSet, err := s.SetPosition(t.Context(), label, accepted)
	require.NoError(t, err)
	require.False(t, isSet, "another processor has moved it")
}

func committedDeadLetters(t *testing.T, f Fixture) {
	s := f.Open(t, 1)
	p := schemas.Position{Topic: "t", NextOffset: 50, TopicID: "first"}
	_, err := s.EnsurePositions(t.Context(), []schemas.Position{p})
	require.NoError(t, err)
	for _, c := range []struct {
		id          string
		from, below int64
		isStored    bool
	}{
		{"first", 10, 30, true}, {"first", 5, 30, false}, {"second", 10, 40, false}, {"", 10, 40, false},
		{"first", 10, 51, false}, {"first", 10, 40, true}, {"first", 50, 50, true},
	} {
		raised := schemas.Position{Topic: "t", TopicID: c.id, DeadLettersFrom: c.from, DeadLettersBelow: c.below}
		require.NoError(t, s.RaiseDeadLetters(t.Context(), []schemas.Position{raised}))
		if c.isStored {
			p.DeadLettersFrom, p.DeadLettersBelow = c.from, c.below
		}
		got, err := s.EnsurePositions(t.Context(), []schemas.Position{p})
		require.NoError(t, err)
		require.Equal(t, []schemas.Position{p}, got)
	}
	was := p
	p.TopicID, p.DeadLettersFrom, p.DeadLettersBelow = "second", 7, 7
	isSet, err := s.SetPosition(t.Context(), was, p)
	require.NoError(t, err)
	require.True(t, isSet)
	got, err := s.EnsurePositions(t.Context(), []schemas.Position{p})
	require.NoError(t, err)
	require.Equal(t, []schemas.Position{p}, got)
}

func topicsKeepTheirFirstID(t *testing.T, f Fixture) {
	s := f.Open(t, 1)
	for _, c := range []struct {
		ids       map[string]string
		overwrite bool
		want      map[string]string
	}{
		{map[string]string{"rows": "a", "dead": "b"}, false, map[string]string{"rows": "a", "dead": "b"}},
		{map[string]string{"rows": "c"}, false, map[string]string{"rows": "a"}},
		{map[string]string{"rows": "c", "dead": "b"}, true, map[string]string{"rows": "c", "dead": "b"}},
	} {
		got, err := s.EnsureTopicIDs(t.Context(), c.ids, c.overwrite)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}

func cancelled(t *testing.T, f Fixture) {
	s := f.Open(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := s.Apply(ctx, BatchOf(NewGenerator(14, 3).Changes(5)...))
	require.ErrorIs(t, err, context.Canceled)
	RequireState(t, s, nil)
}

func identifyPublishes(t *testing.T, f Fixture) {
	w := NewGenerator(15, 1)
	s := f.Open(t, 1)
	upsert := w.Upsert(0, 1)
	upsert.Row.BatterID = schemas.Some[int64](1)
	identify := identifyOf(upsert, schemas.Identifiers{
		BatterID: schemas.Some[int64](2), TeamID: schemas.Some[int64](9),
	})
	identify.Origin, identify.EventTime = upsert.Origin, upsert.EventTime

	require.Empty(t, mustApply(t, s, BatchOf(identify)).Published, "an identify makes no row")
	out := mustApply(t, s, BatchOf(upsert))
	require.Equal(t, schemas.Some[int64](2), publishedOf(t, out, upsert.PitchID).Row.BatterID)
	requireAtBat := func(want schemas.Identifiers) {
		t.Helper()
		row := publishedOf(t, out, upsert.PitchID).Row.Row
		got := schemas.Identifiers{
			AtBatNumber: row.AtBatNumber, PitchNumber: row.PitchNumber, BatterSide: row.BatterSide,
			PitcherHand: row.PitcherHand,
		}
		want.BatterID, want.PitcherID, want.TeamID = got.BatterID, got.PitcherID, got.TeamID
		require.Equal(t, want, got)
	}
	requireAtBat(schemas.Identifiers{})

	identify.Version.Revision++
	identify.IDs.AtBatNumber, identify.IDs.PitchNumber = schemas.Some[int16](12), schemas.Some[int16](3)
	identify.IDs.BatterSide, identify.IDs.PitcherHand = schemas.BatsLeft, schemas.ThrowsRight
	out = mustApply(t, s, BatchOf(identify))
	requireAtBat(identify.IDs)
	upsert.Version.Revision++
	out = mustApply(t, s, BatchOf(upsert))
	requireAtBat(identify.IDs)

	identify.Version.Revision++
	identify.IDs = schemas.Identifiers{PitcherID: schemas.Some[int64](7)}
	out = mustApply(t, s, BatchOf(identify))
	row := publishedOf(t, out, upsert.PitchID).Row
	require.Equal(t, schemas.Some[int64](1), row.BatterID, "each identify replaces the one before as a whole")
	require.Equal(t, upsert.Row.TeamID, row.TeamID)
	require.Equal(t, schemas.Some[int64](7), row.PitcherID)
	requireAtBat(schemas.Identifiers{})
	keys := schemas.Map(out.Snapshots, func(s schemas.Snapshot) schemas.PlayerKey {
		return schemas.PlayerKey{Side: s.Side, PlayerID: s.PlayerID}
	})
	require.Equal(t, []schemas.PlayerKey{
		{PlayerID: 1}, {PlayerID: 2}, {Side: schemas.Pitcher, PlayerID: 7},
		{Side: schemas.Pitcher, PlayerID: upsert.Row.PitcherID.Value},
	}, keys, "the batter and the pitcher who had the pitch, and those who have it now")
}

func olderVersion(t *testing.T, f Fixture) {
	w := NewGenerator(17, 1)
	s := f.Open(t, 1)
	current := w.Upsert(0, 5)
	current.Row.BatterID = schemas.Some(int64(7))
	mustApply(t, s, BatchOf(current))
	before, err := s.PlayerSeqs(t.Context(), schemas.Batter)
	require.NoError(t, err)
	out := mustApply(t, s, BatchOf(w.Upsert(0, 4)))
	require.Empty(t, out.Published)
	require.Empty(t, out.Snapshots)
	require.Equal(t, 1, out.Superseded)
	after, err := s.PlayerSeqs(t.Context(), schemas.Batter)
	require.NoError(t, err)
	require.Equal(t, before, after)
	RequireState(t, s, []schemas.Change{current})
}

func emptyBatch(t *testing.T, f Fixture) {
	s := f.Open(t, 1)
	_, err := s.EnsurePositions(t.Context(), []schemas.Position{{Topic: "t", NextOffset: 3}})
	require.NoError(t, err)
	out := mustApply(t, s, At(schemas.Batch{Group: "g"}, 3, 4))
	require.Empty(t, out.Published)
	require.Empty(t, out.Snapshots)
}

func changedSince(t *testing.T, f Fixture) {
	w := NewGenerator(16, 1)
	s := f.Open(t, 1)
	kept, corrected, named, deleted := w.Upsert(0, 1), w.Upsert(1, 1), w.Upsert(2, 1), w.Upsert(3, 1)
	out := mustApply(t, s, BatchOf(kept, corrected, named, deleted))
	now, err := s.Changed(t.Context(), out.Published)
	require.NoError(t, err)
	require.Empty(t, now)

	correction, gone := w.Upsert(1, 2), w.Upsert(3, 2)
	gone.Op, gone.Row = schemas.OpDelete, nil
	identify := identifyOf(named, schemas.Identifiers{BatterID: schemas.Some[int64](5)})
	mustApply(t, s, BatchOf(correction, gone, identify))
	now, err = s.Changed(t.Context(), out.Published)
	require.NoError(t, err)
	require.Len(t, now, 3)
	is := schemas.Outcome{Published: now}
	require.Equal(t, correction.Version, publishedOf(t, is, corrected.PitchID).Row.Version())
	require.Equal(t, schemas.Some[int64](5), publishedOf(t, is, named.PitchID).Row.BatterID)
	require.Nil(t, publishedOf(t, is, deleted.PitchID).Row)
	now, err = s.Changed(t.Context(), now)
	require.NoError(t, err)
	require.Empty(t, now, "what Changed returned is current")
}

// changedAfterRestore checks a store restored from an older backup. It may have nothing of a published pitch,
// or only an identify.
func changedAfterRestore(t *testing.T, f Fixture) {
	w := NewGenerator(18, 1)
	s := f.Open(t, 1)
	unknown, named := w.Upsert(0, 1), w.Upsert(1, 1)
	mustApply(t, s, BatchOf(identifyOf(named, schemas.Identifiers{BatterID: schemas.Some[int64](5)})))
	now, err := s.Changed(t.Context(), []schemas.Published{
		{PitchID: unknown.PitchID, Version: unknown.Version}, {PitchID: named.PitchID, Version: named.Version},
	})
	require.NoError(t, err)
	require.Empty(t, now, "there is nothing to publish before they are measured again")
}

// RequireState fails t unless the rows and aggregates of a store are those that package reference computes
// from the changes.
func RequireState(t *testing.T, s Store, changes []schemas.Change) {
	t.Helper()
	want := reference.Resolve(changes)
	rows, err := s.Rows(t.Context())
	require.NoError(t, err)
	requireSame(t, withoutWriter(want), withoutWriter(rows), "rows")

	states := reference.States(want)
	var all []schemas.Snapshot
	for _, side := range schemas.Sides {
		seqs, err := s.PlayerSeqs(t.Context(), side)
		require.NoError(t, err)
		ids := schemas.Map(seqs, func(p schemas.PlayerSeq) int64 { return p.PlayerID })
		snapshots, err := s.PlayerSnapshots(t.Context(), side, ids)
		require.NoError(t, err)
		for i, p := range seqs {
			_, current := states[schemas.PlayerKey{Side: side, PlayerID: p.PlayerID}]
			require.Equal(t, current, p.HasRows, "%v %d", side, p.PlayerID)
			require.Equal(t, p.Seq, snapshots[i].Seq)
		}
		all = append(all, snapshots...)
	}
	requireSame(t, states, project(all), "aggregates")
}

// project does what a reader does: it keeps the state with the greatest sequence number.
func project(snapshots []schemas.Snapshot) map[schemas.PlayerKey]schemas.GameStats {
	states, seqs := map[schemas.PlayerKey]schemas.GameStats{}, map[schemas.PlayerKey]int64{}
	for _, s := range snapshots {
		for _, g := range append([]schemas.GameStats{s.Overall()}, s.Games...) {
			key := schemas.PlayerKey{Side: s.Side, PlayerID: s.PlayerID, GamePK: g.GamePK}
			if g.Seq < seqs[key] {
				continue
			}
			seqs[key], g.Seq = g.Seq, 0
			delete(states, key)
			if g.Fields() != nil {
				if last := g.LastPitch(); last.Scores != nil {
					last.Scores = nil // package reference knows no models
				}
				states[key] = g
			}
		}
	}
	return states
}

// Identify returns a change that names the batter of pitch i, at that revision.
func (w *Generator) Identify(i int, revision int64) schemas.Change {
	for {
		if c := w.change(); c.Op == schemas.OpIdentify {
			c.PitchID, c.Version.Revision = PitchID(i), revision
			return c
		}
	}
}

// Upsert returns a measured change of the i-th pitch, at that revision.
func (w *Generator) Upsert(i int, revision int64) schemas.Change {
	for {
		if c := w.change(); c.Op == schemas.OpUpsert {
			c.PitchID, c.Row.PitchID, c.Version.Revision = PitchID(i), PitchID(i), revision
			return c
		}
	}
}

// identifyOf returns an identify of the pitch of c, at the version of c.
func identifyOf(c schemas.Change, ids schemas.Identifiers) schemas.Change {
	return schemas.Change{Op: schemas.OpIdentify, PitchID: c.PitchID, Version: c.Version, IDs: ids}
}

func mustApply(t *testing.T, s Store, b schemas.Batch) schemas.Outcome {
	t.Helper()
	out, err := s.Apply(t.Context(), b)
	require.NoError(t, err)
	return out
}

func withoutWriter(rows []schemas.StoredRow) []schemas.StoredRow {
	out := slices.Clone(rows)
	for i := range out {
		out[i].CoreVersion, out[i].Build, out[i].ProcessedAt = 0, "", 0
	}
	return out
}

func published(out schemas.Outcome) (rows []schemas.StoredRow) {
	for _, p := range out.Published {
		row := schemas.StoredRow{Row: schemas.Row{PitchID: p.PitchID}}
		if p.Row != nil {
			row = *p.Row
		}
		rows = append(rows, row)
	}
	return withoutWriter(rows)
}

func publishedOf(t *testing.T, out schemas.Outcome, id schemas.PitchID) schemas.Published {
	t.Helper()
	i := slices.IndexFunc(out.Published, func(p schemas.Published) bool { return p.PitchID == id })
	require.GreaterOrEqual(t, i, 0, "pitch %v is not published", id)
	return out.Published[i]
}

// requireSame compares everything exactly but averages, which may differ by 1e-9 because sums may be taken in
// any order.
func requireSame[T any](t *testing.T, want, got T, what string) {
	t.Helper()
	if d := cmp.Diff(want, got, cmpopts.EquateApprox(1e-9, 1e-9), cmpopts.EquateEmpty()); d != "" {
		t.Fatalf("%s differ (-want +got):\n%s", what, d)
	}
}
