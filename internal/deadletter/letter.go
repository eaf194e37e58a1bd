package deadletter

import (
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
)

// Letter is one dead letter as it stands in its topic. Key, Headers and Value are those of the letter, byte for byte.
type Letter struct {
	At      schemas.Coordinates // in the dead-letter topic
	Key     []byte
	Headers []schemas.Header
	Value   []byte

	ID      schemas.DeadLetterID
	Ours    bool                // its origin can be read: a letter that pitchstream wrote
	Failed  schemas.Coordinates // the record that failed last; no topic where that cannot be read
	Code    schemas.Code
	Message string
	Group   string // the consumer group that rejected it
	Build   string // the build that rejected it
	GamePK  string // the header's, else the key; "" where neither is text

	FirstFailedAt, FailedAt schemas.TimeMS // the letter's own timestamp where the headers have none
}

// maxTopicBytes is the longest name that a topic can have: a longer one in a header is nobody's.
const maxTopicBytes = 249

// Read makes a letter of a record of the dead-letter topic, whoever wrote it.
func Read(r *kgo.Record) Letter {
	l := Letter{
		At:  schemas.Coordinates{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TimestampMS: r.Timestamp.UnixMilli()},
		Key: r.Key, Value: r.Value,
	}
	last := map[string]string{}
	for _, h := range r.Headers {
		l.Headers = append(l.Headers, schemas.Header{Key: h.Key, Value: h.Value})
		last[h.Key] = string(h.Value)
	}
	own := schemas.Coordinates{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, TimestampMS: max(0, r.Timestamp.UnixMilli())}
	l.ID.Origin = features.Origin(schemas.Record{Coordinates: own, Headers: l.Headers})
	// guard: letters: an origin must be readable | l.ID.Origin != own && ->
	l.Ours = l.ID.Origin != own && len(l.ID.Origin.Topic) <= maxTopicBytes
	if !l.Ours {
		l.ID.Origin = own
	}
	l.ID.Attempts = int32(number(last[schemas.HeaderDLQAttempts], 31))
	l.Code, l.Message = schemas.Code(last[schemas.HeaderDLQCode]), last[schemas.HeaderDLQMessage]
	l.Group, l.Build = last[schemas.HeaderDLQGroup], last[schemas.HeaderDLQBuild]
	l.Failed = schemas.Coordinates{
		Topic: last[schemas.HeaderDLQTopic], Partition: int32(number(last[schemas.HeaderDLQPartition], 31)), Offset: number(last[schemas.HeaderDLQOffset], 63),
		TimestampMS: int64(instant(last[schemas.HeaderDLQTimestamp], 0)),
	}
	l.FailedAt = instant(last[schemas.HeaderDLQFailedAt], schemas.TimeMS(own.TimestampMS))
	l.FirstFailedAt = instant(last[schemas.HeaderDLQFirstFailedAt], l.FailedAt)
	if l.GamePK = last[schemas.HeaderGamePK]; l.GamePK == "" {
		l.GamePK = string(r.Key)
	}
	l.GamePK = strings.ToValidUTF8(l.GamePK, "\uFFFD")
	return l
}

// number reads digits; 0 where there are none, or more than fit.
func number(text string, bits int) int64 {
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0
	}
	return int64(n)
}

func instant(text string, otherwise schemas.TimeMS) schemas.TimeMS {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return otherwise
	}
	return schemas.TimeMSOf(t)
}

// kept are the headers of a letter that its record carries on when it is sent again: without them it would be another
// version, or nobody would know how often it failed.
var kept = map[string]bool{
	schemas.HeaderDLQOriginTopic: true, schemas.HeaderDLQOriginPartition: true, schemas.HeaderDLQOriginOffset: true, schemas.HeaderDLQOriginTimestamp: true,
	schemas.HeaderDLQAttempts: true, schemas.HeaderDLQFirstFailedAt: true, schemas.HeaderDLQHeadersDropped: true,
}

// isOwn says that a header is the record's own, not one that a letter sets.
func isOwn(key string) bool {
	return !strings.HasPrefix(key, schemas.HeaderDLQPrefix) && !strings.HasPrefix(key, "__connect.errors.")
}

// Own are the record's own headers, without those that letters set.
func (l *Letter) Own() (own []schemas.Header) {
	for _, h := range l.Headers {
		if isOwn(h.Key) {
			own = append(own, h)
		}
	}
	return own
}

// Record is the letter's record as it is sent again, and as the core will see it: key and value byte for byte, its own
// headers, and where it first stood and how often it failed. Coordinates are those of the letter.
func (l *Letter) Record() schemas.Record {
	rec := schemas.Record{Coordinates: l.At, Key: l.Key, Value: l.Value}
	for _, h := range l.Headers {
		// guard: letters: the origin goes along | || kept[h.Key] ->
		// guard: letters: what only a letter says does not go along | always
		if isOwn(h.Key) || kept[h.Key] {
			rec.Headers = append(rec.Headers, h)
		}
	}
	return rec
}

// Again is the record for the raw topic. It goes to the partition where it failed, so that a game's pitches stay
// together whatever partitioner their producer has (see Partitioner).
func (l *Letter) Again(raw string) *kgo.Record {
	rec := l.Record()
	r := &kgo.Record{Topic: raw, Partition: anyPartition, Key: rec.Key, Value: rec.Value}
	if l.Failed.Topic == raw {
		// guard: letters: a record goes where it failed
		r.Partition = l.Failed.Partition
	}
	for _, h := range rec.Headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return r
}

// anyPartition leaves a record to its key.
const anyPartition = -1

// Partitioner sends a record to the partition that it names, and one that names none, or one that is not there any more,
// by its key.
func Partitioner() kgo.Partitioner {
	byKey := kgo.StickyKeyPartitioner(nil)
	return partitioner{byKey}
}

type partitioner struct{ byKey kgo.Partitioner }

// ForTopic implements kgo.Partitioner.
func (p partitioner) ForTopic(topic string) kgo.TopicPartitioner {
	return topicPartitioner{p.byKey.ForTopic(topic)}
}

type topicPartitioner struct{ kgo.TopicPartitioner }

// RequiresConsistency implements kgo.TopicPartitioner.
func (p topicPartitioner) RequiresConsistency(r *kgo.Record) bool {
	return r.Partition != anyPartition || p.TopicPartitioner.RequiresConsistency(r)
}

// Partition implements kgo.TopicPartitioner.
func (p topicPartitioner) Partition(r *kgo.Record, n int) int {
	if 0 <= r.Partition && int(r.Partition) < n {
		return int(r.Partition)
	}
	return p.TopicPartitioner.Partition(r, n)
}
