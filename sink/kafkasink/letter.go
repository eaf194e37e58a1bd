package kafkasink

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/schemas"
)

// What a letter may carry beside the record's bytes.
const (
	maxOwnHeaderBytes = 64 << 10 // the record's own headers, keys and values in sum
	maxMessageBytes   = 1 << 10
)

// DeadLetter is the dead letter of a record: its key and value byte for byte, its own headers, and what is set here, each
// once, however often the record failed before.
func (e Encoder) DeadLetter(l schemas.DeadLetter, failedAt time.Time) *kgo.Record {
	before := previous(l.Record.Headers)
	own, dropped := ownHeaders(l.Record.Headers)
	r := &kgo.Record{Topic: e.DeadTopic, Key: l.Record.Key, Value: l.Record.Value, Headers: own}
	set := func(key, value string) {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: key, Value: []byte(value)})
	}
	at, now := coordinates(l.Record.Coordinates), schemas.TimeMSOf(failedAt).String()
	message := truncate(oneLine(l.Message), maxMessageBytes)

	set(schemas.HeaderDLQCode, string(l.Code))
	set(schemas.HeaderDLQMessage, message)
	origin := coordinates(l.Origin)
	set(schemas.HeaderDLQOriginTopic, origin.topic)
	set(schemas.HeaderDLQOriginPartition, origin.partition)
	set(schemas.HeaderDLQOriginOffset, origin.offset)
	set(schemas.HeaderDLQOriginTimestamp, origin.timestamp)
	set(schemas.HeaderDLQTopic, at.topic)
	set(schemas.HeaderDLQPartition, at.partition)
	set(schemas.HeaderDLQOffset, at.offset)
	set(schemas.HeaderDLQTimestamp, at.timestamp)
	set(schemas.HeaderDLQGroup, truncate(e.Group, maxMessageBytes))
	set(schemas.HeaderDLQBuild, truncate(e.Build, maxMessageBytes))
	set(schemas.HeaderDLQAttempts, strconv.FormatInt(before.attempts+1, 10))
	set(schemas.HeaderDLQFirstFailedAt, firstNonEmpty(before.firstFailedAt, now))
	set(schemas.HeaderDLQFailedAt, now)
	if dropped += before.dropped; dropped > 0 {
		set(schemas.HeaderDLQHeadersDropped, strconv.FormatInt(dropped, 10))
	}
	set(schemas.HeaderConnectTopic, at.topic)
	set(schemas.HeaderConnectPartition, at.partition)
	set(schemas.HeaderConnectOffset, at.offset)
	set(schemas.HeaderConnectMessage, message)
	set(schemas.HeaderConnectClass, string(l.Code))
	return r
}

// failure is what earlier letters of a record say; what cannot be read counts as absent.
type failure struct {
	attempts, dropped int64
	firstFailedAt     string
}

func previous(headers []schemas.Header) (f failure) {
	for _, h := range headers { // of a repeated header the last one counts
		switch h.Key {
		case schemas.HeaderDLQAttempts:
			f.attempts = count(h.Value)
		case schemas.HeaderDLQHeadersDropped:
			f.dropped = count(h.Value)
		case schemas.HeaderDLQFirstFailedAt:
			f.firstFailedAt = ""
			if t, err := time.Parse(time.RFC3339, string(h.Value)); err == nil {
				f.firstFailedAt = schemas.TimeMSOf(t).String()
			}
		}
	}
	return f
}

func count(b []byte) int64 {
	n, err := strconv.ParseInt(string(b), 10, 32)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// ownHeaders are the record's headers without those that are set here. Where they are too large, those that mean
// something to pitchstream stay first: without them a redriven record would be another one.
func ownHeaders(headers []schemas.Header) (own []kgo.RecordHeader, dropped int64) {
	keep := make([]bool, len(headers))
	size := 0
	fit := func(want func(key string) bool) {
		for i := len(headers) - 1; i >= 0; i-- {
			h := headers[i]
			if n := len(h.Key) + len(h.Value); !keep[i] && !isSetHere(h.Key) && want(h.Key) && size+n <= maxOwnHeaderBytes {
				keep[i] = true
				size += n
			}
		}
	}
	fit(isRead)
	fit(func(string) bool { return true })
	for i, h := range headers {
		switch {
		case keep[i]:
			own = append(own, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		case !isSetHere(h.Key):
			dropped++
		}
	}
	return own, dropped
}

func isRead(key string) bool {
	switch key {
	case schemas.HeaderGamePK, schemas.HeaderGameDate, schemas.HeaderVenue, schemas.HeaderEventTime, schemas.HeaderRevision,
		schemas.HeaderOp, schemas.HeaderPitchID, schemas.HeaderBatterID, schemas.HeaderPitcherID, schemas.HeaderTeamID,
		schemas.HeaderSchemaVersion, schemas.HeaderTraceparent:
		return true
	}
	return false
}

var setHere = map[string]bool{
	schemas.HeaderDLQCode: true, schemas.HeaderDLQMessage: true, schemas.HeaderDLQOriginTopic: true,
	schemas.HeaderDLQOriginPartition: true, schemas.HeaderDLQOriginOffset: true, schemas.HeaderDLQOriginTimestamp: true,
	schemas.HeaderDLQTopic: true, schemas.HeaderDLQPartition: true, schemas.HeaderDLQOffset: true,
	schemas.HeaderDLQTimestamp: true, schemas.HeaderDLQGroup: true, schemas.HeaderDLQBuild: true,
	schemas.HeaderDLQAttempts: true, schemas.HeaderDLQFirstFailedAt: true, schemas.HeaderDLQFailedAt: true,
	schemas.HeaderDLQHeadersDropped: true, schemas.HeaderConnectTopic: true, schemas.HeaderConnectPartition: true,
	schemas.HeaderConnectOffset: true, schemas.HeaderConnectMessage: true, schemas.HeaderConnectClass: true,
}

func isSetHere(key string) bool { return setHere[key] }

// place is a record's coordinates as header texts.
type place struct{ topic, partition, offset, timestamp string }

func coordinates(c schemas.Coordinates) place {
	return place{
		topic: c.Topic, partition: strconv.Itoa(int(c.Partition)), offset: strconv.FormatInt(c.Offset, 10),
		timestamp: schemas.TimeMS(min(max(c.TimestampMS, 0), schemas.MaxTimestampMS)).String(),
	}
}

func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.ToValidUTF8(s, "�")), " ")
}

// truncate cuts at a whole character.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func firstNonEmpty(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
