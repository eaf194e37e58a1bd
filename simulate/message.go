package simulate

import "github.com/pitchstream/pitchstream/schemas"

// Message is one record of the stream, and the truth about it.
type Message struct {
	Key       []byte // the game's key
	Headers   []schemas.Header
	Value     []byte         // nil for deletes and identifies
	EventTime schemas.TimeMS // when the pitch was thrown, in game time
	Timestamp schemas.TimeMS // when a producer would have sent it, in game time; never falls along the stream
	Want      Want
}

// Kind says what a message is there for.
type Kind uint8

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

// Want is what the processor should make of a message. The books of a whole stream, read to its end, balance so: the
// rows that stand are those of the messages with Last among pitches and corrections; the deletes with Last are the
// pitches that are gone; every poison is one dead letter.
type Want struct {
	Kind     Kind
	PitchID  schemas.PitchID // zero for a poison
	Revision int64
	// Last says that no message of this register of the pitch (the measured one; of an identify the feed's) has a
	// greater revision. False for duplicates, whose original counts, and for poison.
	Last bool
	// Row is the row of a pitch, a duplicate or a correction, else nil. All is exact but the attack angle and the bat
	// speed, which are those that the swing was made with: what is computed from the samples lies near them.
	Row     *schemas.Row
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

// Total is the number of messages.
func (t Tally) Total() (n int64) {
	for _, c := range t.Records {
		n += c
	}
	return n
}
