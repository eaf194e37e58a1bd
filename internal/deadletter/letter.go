package deadletter

import (
	"cmp"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// Letter is one dead letter as it is in its topic.
// Key, Headers and Value are those of the dead letter, byte for byte.
type Letter struct {
	At      schemas.Coordinates // in the dead-letter topic
	Key     []byte
	Headers []schemas.Header
	Value   []byte
	Cut     *schemas.Cut // not nil if Value or Key is only a beginning, or headers are missing

	ID schemas.DeadLetterID
	// HasOrigin reports that pitchstream wrote the dead letter. Otherwise ID.Origin is its own place.
	HasOrigin bool
	Failed    schemas.Coordinates // the record that failed last; no topic if its headers name none
	Code      schemas.Code
	Message   string
	Group     string // the consumer group that rejected it
	Build     string // the build that rejected it
	GamePK    string // of the header, else the key; "" if neither is there

	FirstFailedAt, FailedAt schemas.TimeMS // the dead letter's own timestamp if its headers have none
}

// maxTopicBytes is the longest name that a topic can have. An origin with a longer one was not written by us.
const maxTopicBytes = 249

// Bounds of what the headers of a dead letter say, because another program can write anything there.
const (
	maxCodeBytes = 64
	maxTextBytes = 1 << 10 // of a message, a group and a build, as in the product's own
)

// bounded returns the beginning of a text, and shares nothing with a longer one.
func bounded(text string, most int) string {
	// guard: dead letters: what the headers say is bounded | always
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "") + "…"
}

// Read returns the dead letter that a record of the dead-letter topic is, also if another program wrote it.
func Read(rec schemas.Record) Letter {
	own := rec.Coordinates
	own.TimestampMS = max(0, own.TimestampMS)
	f := kafkasink.DecodeFailure(schemas.Record{Coordinates: own, Headers: rec.Headers})
	l := Letter{
		At: rec.Coordinates, Key: rec.Key, Headers: rec.Headers, Value: rec.Value, Cut: cmp.Or(f.Cut, rec.Cut),
		ID: schemas.DeadLetterID{Origin: f.Origin, Attempts: int32(f.Attempts)}, Failed: f.Failed,
		Code:    schemas.Code(bounded(string(f.Code), maxCodeBytes)),
		Message: bounded(f.Message, maxTextBytes), Group: bounded(f.Group, maxTextBytes),
		Build: bounded(f.Build, maxTextBytes), FailedAt: schemas.TimeMS(own.TimestampMS),
		GamePK: string(rec.Key),
	}
	// guard: dead letters: an origin must be readable | l.ID.Origin != own && ->
	l.HasOrigin = l.ID.Origin != own && len(l.ID.Origin.Topic) <= maxTopicBytes
	if !l.HasOrigin {
		l.ID.Origin = own
	}
	if f.FailedAt.Present {
		l.FailedAt = f.FailedAt.Value
	}
	l.FirstFailedAt = l.FailedAt
	if f.FirstFailedAt.Present {
		l.FirstFailedAt = f.FirstFailedAt.Value
	}
	for _, h := range slices.Backward(rec.Headers) {
		if h.Key == schemas.HeaderGamePK {
			if len(h.Value) > 0 {
				l.GamePK = string(h.Value)
			}
			break
		}
	}
	l.GamePK = bounded(strings.ToValidUTF8(l.GamePK, "\uFFFD"), maxTextBytes)
	return l
}

// heldBytes returns about how much memory the dead letter takes.
func (l *Letter) heldBytes() int64 {
	n := len(l.Key) + len(l.Value) + 1000
	for i := range l.Headers {
		n += l.Headers[i].HeldBytes()
	}
	return int64(n)
}

// kept holds the headers of a dead letter that its record keeps when it is sent again. Without them the
// record would be another version, and its attempts would not be counted on.
var kept = map[string]bool{
	schemas.HeaderDLQOriginTopic: true, schemas.HeaderDLQOriginPartition: true,
	schemas.HeaderDLQOriginOffset: true, schemas.HeaderDLQOriginTimestamp: true,
	schemas.HeaderDLQAttempts: true, schemas.HeaderDLQFirstFailedAt: true, schemas.HeaderDLQHeadersDropped: true,
}

// isOwn reports whether a header is the record's own, not one about its failure.
func isOwn(key string) bool {
	return !strings.HasPrefix(key, schemas.HeaderDLQPrefix) && !strings.HasPrefix(key, "__connect.errors.")
}

// Own returns the record's own headers, without those about its failure.
func (l *Letter) Own() (own []schemas.Header) {
	for _, h := range l.Headers {
		if isOwn(h.Key) {
			own = append(own, h)
		}
	}
	return own
}

// Record returns the record that is sent again, as the core will see it. Key and value are unchanged; the
// headers are its own, its origin and its number of attempts. Its coordinates are the dead letter's.
func (l *Letter) Record() schemas.Record {
	rec := schemas.Record{Coordinates: l.At, Key: l.Key, Value: l.Value, Cut: l.Cut}
	for _, h := range l.Headers {
		// guard: dead letters: the origin goes along | || kept[h.Key] ->
		// guard: dead letters: their own headers do not go along | always
		if isOwn(h.Key) || kept[h.Key] {
			rec.Headers = append(rec.Headers, h)
		}
	}
	return rec
}

// Again returns the record for the raw topic. It goes to the partition where it failed, because the pitches
// of a game must stay together whatever partitioner their producer has. Partitioner obeys it.
func (l *Letter) Again(raw string) *kgo.Record {
	rec := l.Record()
	r := &kgo.Record{
		Topic: raw, Partition: anyPartition, Key: rec.Key, Value: rec.Value,
		Headers: kafkaread.Headers(rec.Headers),
	}
	if l.Failed.Topic == raw {
		// guard: dead letters: a record goes where it failed
		r.Partition = l.Failed.Partition
	}
	return r
}

// anyPartition leaves the partition to the record's key.
const anyPartition = -1

// Partitioner returns a partitioner that sends a record to the partition that it names. A record that names
// none, or one that the topic does not have, is sent by its key.
func Partitioner() kgo.Partitioner {
	return kgo.BasicConsistentPartitioner(func(topic string) func(*kgo.Record, int) int {
		byKey := kgo.StickyKeyPartitioner(nil).ForTopic(topic)
		return func(r *kgo.Record, n int) int {
			if 0 <= r.Partition && int(r.Partition) < n {
				return int(r.Partition)
			}
			return byKey.Partition(r, n)
		}
	})
}
