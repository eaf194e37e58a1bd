package simulate

import (
	"math"
	"slices"
	"strconv"

	"github.com/pitchstream/pitchstream/schemas"
)

// The distance by which a message is moved, in pitches of the stream.
const (
	lead       = 40 // how long a pitch waits, so that something can come before it
	reorderBy  = 20 // at most, in either direction
	laterBy    = 80 // at most, for repetitions, corrections and deletes
	identifyBy = 60 // at most, for identifies that come after
)

// send adds all messages about one pitch to the outbox: the pitch itself, and what the options add to it.
func (s *Simulator) send(g *game, p *pitch) {
	r, o := g.stress, &s.o
	repeated, moved, corrected, deleted, late, poisoned := r.chance(o.Duplicates), r.chance(o.Reorder),
		r.chance(o.Corrections), r.chance(o.Deletes), r.chance(o.LateIDs), r.chance(o.Poison)
	e := envelope{s: s, g: g, p: p, r: r, named: o.FeedIDs && !late, due: s.out.now + s.lead()}
	e.id = identity(p, g.pk)
	if moved {
		by := 1 + r.IntN(reorderBy)
		if r.chance(0.5) {
			by = -by
		}
		e.due += by
	}
	revisions := int64(0)
	if corrected {
		revisions++
		if r.chance(0.2) {
			revisions++
		}
	}
	last := revisions
	if deleted {
		last++
	}
	original := e.measured(p, g.pk, e.named, 0)
	original.Want.Last = last == 0
	s.out.put(e.due, original)
	if repeated {
		e.repeat(original)
	}
	for revision := int64(1); revision <= revisions; revision++ {
		e.correct(revision, revision == last)
	}
	if deleted {
		e.delete(last)
	}
	if late {
		e.identify()
	}
	if poisoned {
		e.poison()
	}
}

func (s *Simulator) lead() int {
	if s.o.Reorder+s.o.Deletes+s.o.LateIDs > 0 {
		return lead
	}
	return 0
}

// envelope is what the messages about one pitch have in common.
type envelope struct {
	s     *Simulator
	g     *game
	p     *pitch
	r     source
	id    schemas.PitchID
	named bool // the pitch carries the feed's ids
	due   int  // when the pitch itself is sent
}

// before and after draw the time of another message about the pitch.
func (e *envelope) before() int      { return e.s.out.now + e.r.IntN(max(e.due-e.s.out.now, 1)) }
func (e *envelope) after(by int) int { return e.due + 1 + e.r.IntN(by) }

// measured returns a record of p, which may have other values than those thrown.
func (e *envelope) measured(p *pitch, pk []byte, named bool, revision int64) Message {
	m := Message{Key: pk, Value: p.value, EventTime: p.at, Headers: e.headers(p)}
	if named {
		m.Headers = appendIDs(m.Headers, p.ids)
	}
	m.Want = Want{
		Kind: KindPitch, PitchID: e.id, Revision: revision, Row: p.row(e.id, pk, e.g, named), Fault: p.fault(),
	}
	return m
}

// headers returns the headers of every measured record.
func (e *envelope) headers(p *pitch) []schemas.Header {
	return []schemas.Header{
		header(schemas.HeaderEventTime, p.at.String()),
		header(schemas.HeaderGameDate, e.g.date),
		header(schemas.HeaderVenue, e.g.venue),
	}
}

func header(key, value string) schemas.Header { return schemas.Header{Key: key, Value: []byte(value)} }

func number(key string, n int64) schemas.Header { return header(key, strconv.FormatInt(n, 10)) }

func appendIDs(h []schemas.Header, ids schemas.Identifiers) []schemas.Header {
	return append(h, number(schemas.HeaderBatterID, ids.BatterID.Value),
		number(schemas.HeaderPitcherID, ids.PitcherID.Value), number(schemas.HeaderTeamID, ids.TeamID.Value))
}

// appendAtBat adds the headers that only an identify has.
func appendAtBat(h []schemas.Header, ids schemas.Identifiers) []schemas.Header {
	if ids.AtBatNumber.Present {
		h = append(h, number(schemas.HeaderAtBatNumber, int64(ids.AtBatNumber.Value)),
			header(schemas.HeaderBatterSide, string(ids.BatterSide)),
			header(schemas.HeaderPitcherHand, string(ids.PitcherHand)))
	}
	if ids.PitchNumber.Present {
		h = append(h, number(schemas.HeaderPitchNumber, int64(ids.PitchNumber.Value)))
	}
	return h
}

// repeat sends the pitch again.
func (e *envelope) repeat(m Message) {
	m.Want.Kind, m.Want.Last = KindDuplicate, false
	e.s.out.put(e.after(laterBy), m)
}

// correct sends the pitch with other values and a greater revision, sometimes with another batter or game.
func (e *envelope) correct(revision int64, last bool) {
	r, q := e.r, *e.p
	if q.measured {
		q.speedMPH = min(max(q.speedMPH+r.normal(0, 1.5), 55), 109)
		q.typeName = pitchTypes[pick(r, pitchTypeWeights)].name
	}
	if q.batted.tracked {
		q.batted.exitMPH = min(max(q.batted.exitMPH+r.normal(0, 3), 1), 124)
		q.batted.launchDeg = min(max(q.batted.launchDeg+r.normal(0, 2), -89), 89)
	}
	named, pk := e.named, e.g.pk
	if r.chance(1. / 3) { // the scorer names him in a header, whatever else is known
		q.ids.BatterID = schemas.Some(e.anotherBatter())
		named = true
	}
	if r.chance(1. / 10) { // a neighbouring game; one that does not exist, if there is only one
		pk = strconv.AppendInt(nil, e.s.o.FirstGamePK+int64(e.g.number^1), 10)
	}
	q.value = q.rewrite()
	m := e.measured(&q, pk, named, revision)
	m.Headers = append(m.Headers, header(schemas.HeaderPitchID, e.id.String()),
		number(schemas.HeaderRevision, revision))
	m.Want.Kind, m.Want.Last = KindCorrection, last
	e.s.out.put(e.after(laterBy), m)
}

// anotherBatter draws another batter of the same team.
func (e *envelope) anotherBatter() int64 {
	t := e.g.batting()
	for {
		if b := t.batters[e.r.IntN(battersPerTeam)]; b.id != e.p.batter.id {
			return b.id
		}
	}
}

// delete deletes the pitch, in three of ten cases before it was sent.
func (e *envelope) delete(revision int64) {
	m := Message{Key: e.g.pk, EventTime: e.p.at, Headers: []schemas.Header{
		header(schemas.HeaderOp, schemas.OpDelete.String()), header(schemas.HeaderPitchID, e.id.String()),
		number(schemas.HeaderRevision, revision),
	}}
	m.Want = Want{Kind: KindDelete, PitchID: e.id, Revision: revision, Last: true}
	if e.r.chance(0.3) {
		e.s.out.put(e.before(), m)
		return
	}
	e.s.out.put(e.after(laterBy), m)
}

// identify sends the game feed's identifiers before or after the pitch. One in four is corrected later, half
// of these to another batter.
func (e *envelope) identify() {
	ids, twice := e.p.ids, e.r.chance(0.25)
	e.identifyOnce(ids, 0, !twice)
	if twice {
		if e.r.chance(0.5) {
			ids.BatterID = schemas.Some(e.anotherBatter())
		}
		e.identifyOnce(ids, 1, true)
	}
}

func (e *envelope) identifyOnce(ids schemas.Identifiers, revision int64, last bool) {
	m := Message{Key: e.g.pk, EventTime: e.p.at, Headers: appendIDs([]schemas.Header{
		header(schemas.HeaderOp, schemas.OpIdentify.String()), header(schemas.HeaderPitchID, e.id.String()),
	}, ids)}
	m.Headers = appendAtBat(m.Headers, ids)
	if revision > 0 {
		m.Headers = append(m.Headers, number(schemas.HeaderRevision, revision))
	}
	m.Want = Want{Kind: KindIdentify, PitchID: e.id, Revision: revision, Last: last, IDs: ids}
	if e.r.chance(0.4) {
		e.s.out.put(e.before(), m)
		return
	}
	e.s.out.put(e.after(identifyBy), m)
}

// outbox holds messages until they are due. Its time counts pitches of the stream.
type outbox struct {
	now   int
	items []outboxItem // by due; of equal ones, those put first come first
}

type outboxItem struct {
	due int
	m   Message
}

func (o *outbox) put(due int, m Message) {
	at, _ := slices.BinarySearchFunc(o.items, due+1, func(i outboxItem, due int) int { return i.due - due })
	o.items = slices.Insert(o.items, at, outboxItem{due, m})
}

// ready reports whether a message is due.
func (o *outbox) ready() bool { return len(o.items) > 0 && o.items[0].due <= o.now }

// flush makes all remaining messages due, in their order.
func (o *outbox) flush() { o.now = math.MaxInt }

func (o *outbox) pop() (m Message, ok bool) {
	if !o.ready() {
		return Message{}, false
	}
	m = o.items[0].m
	o.items = slices.Delete(o.items, 0, 1)
	return m, true
}
