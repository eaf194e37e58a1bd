package simulate

import "github.com/pitchstream/pitchstream/schemas"

// Message is one record of the stream, with the expected result.
type Message struct {
	Key       []byte // the game's key
	Headers   []schemas.Header
	Value     []byte         // nil for deletes and identifies
	EventTime schemas.TimeMS // when the pitch was thrown, in game time
	Timestamp schemas.TimeMS // when a producer would have sent it, in game time; never falls along the stream
	Want      Want
}

// The faults of a track of the bat.
const (
	FaultLost       = "lost"       // the bat has no length
	FaultLate       = "late"       // its speed rises or falls in the last 15 ms as no bat's does
	FaultImpossible = "impossible" // it spins as no hands can turn it
)

// Kind says why a message is in the stream.
type Kind uint8

// The kinds.
const (
	KindPitch      Kind = iota // a measured pitch, as first sent
	KindDuplicate              // one sent again, byte for byte
	KindCorrection             // a measured pitch again, with a greater revision and other values
	KindDelete                 // op=delete
	KindIdentify               // op=identify
	KindPoison                 // a record that no row can be made of
	kinds
)

var kindNames = [kinds]string{"pitch", "duplicate", "correction", "delete", "identify", "poison"}

func (k Kind) String() string { return kindNames[k] }

// Want is what the processor should make of a message. Over a whole stream the counts balance. The current
// rows are those of the pitches and corrections with Last; the deletes with Last are the deleted pitches;
// every poison is one dead letter.
type Want struct {
	Kind     Kind
	PitchID  schemas.PitchID // zero for a poison
	Revision int64
	// Last means that no later message about the same register of the pitch has a greater revision. The
	// registers are the measured values and the identifiers of the feed. It is false for duplicates, whose
	// original counts, and for poison.
	Last bool
	// Row is the row of a pitch, a duplicate or a correction, otherwise nil. The columns of core 1 are exact
	// except for attack angle and bat speed, to which the values computed from the samples are close. The
	// columns of core 2 are the truth: what the ball and the bat did, whatever the cameras saw of it. Those
	// about the computation itself are missing: source, error, spread, confidence and doubts.
	Row     *schemas.Row
	Fault   string              // of the bat's track; "" for none
	IDs     schemas.Identifiers // of an identify
	Code    schemas.Code        // of a poison: the code of its dead letter
	Flavour string              // of a poison: what was done to it
}

// Tally counts the messages of a stream.
type Tally struct {
	Games    int
	Records  [kinds]int64 // by Kind
	Standing int64        // pitches whose row stands in the end
	Gone     int64        // pitches that are deleted in the end
	Letters  map[schemas.Code]int64
	Bytes    int64 // of values
}

// Add counts a message.
func (t *Tally) Add(m *Message) {
	t.Records[m.Want.Kind]++
	t.Bytes += int64(len(m.Value))
	switch {
	case m.Want.Kind == KindPoison:
		if t.Letters == nil {
			t.Letters = map[schemas.Code]int64{}
		}
		t.Letters[m.Want.Code]++
	case !m.Want.Last || m.Want.Kind == KindIdentify:
	case m.Want.Kind == KindDelete:
		t.Gone++
	default:
		t.Standing++
	}
}

// Total returns the number of messages.
func (t Tally) Total() (n int64) {
	for _, c := range t.Records {
		n += c
	}
	return n
}
