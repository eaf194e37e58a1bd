// Package kafkasink makes the records that go to Kafka: dead letters with the original record unchanged, and
// current rows. It creates and checks topics, and has the Producer that sends records of files and
// simulations.
package kafkasink

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// Encoder makes the records to produce. It is safe for concurrent use, as AppendRow must be.
type Encoder struct {
	RowsTopic string // "": no rows are published
	DeadTopic string
	Group     string // the consumer group that rejects
	Build     string // the build that rejects
	// AppendRow appends the value of a row; nil: plain JSON.
	AppendRow func(b []byte, p *schemas.Published) []byte
}

// Row returns the record of a current row, keyed by the pitch id, or a tombstone if the pitch was deleted. It
// returns nil if no rows are published. The headers are the version of the row, because several processors
// write the topic: a reader that finds a lower version after a higher one keeps the higher one.
func (e Encoder) Row(p schemas.Published) *kgo.Record {
	if e.RowsTopic == "" {
		return nil
	}
	r := &kgo.Record{Topic: e.RowsTopic, Key: []byte(p.PitchID.String()), Headers: []kgo.RecordHeader{
		{Key: "revision", Value: decimal(p.Version.Revision)},
		{Key: "record_ts_ms", Value: decimal(p.Version.TimestampMS)},
		{Key: "source_offset", Value: decimal(p.Version.Offset)},
		{Key: "source_partition", Value: decimal(int64(p.Version.Partition))},
	}}
	switch {
	case p.Row == nil:
	case e.AppendRow != nil:
		r.Value = e.AppendRow(make([]byte, 0, 1024), &p)
	default:
		r.Value = p.AppendJSON(make([]byte, 0, 1024))
	}
	return r
}

func decimal(n int64) []byte { return strconv.AppendInt(nil, n, 10) }

// Limits of what a dead letter carries beside the record's key and value, because a broker limits a
// record's size.
const (
	maxOwnHeaderBytes = 64 << 10 // the record's own headers in sum, as schemas.Header.HeldBytes counts them
	maxMessageBytes   = 1 << 10  // each of message, group and build
)

// Failure is what the headers of a dead letter say about why and when its record failed. headers writes it,
// DecodeFailure reads it: nothing else knows the format.
type Failure struct {
	Code    schemas.Code
	Message string
	Origin  schemas.Coordinates // where the record first stood
	// Failed is the record that failed last. Partition and offset are 0 if FailedKnown is false.
	Failed      schemas.Coordinates
	FailedKnown bool
	Group       string // the consumer group that rejected it
	Build       string // the build that rejected it
	Attempts    int64  // how many times the record was rejected, this time included; 0 if unreadable
	// FirstFailedAt and FailedAt are missing if they are unreadable.
	FirstFailedAt  schemas.Opt[schemas.TimeMS]
	FailedAt       schemas.Opt[schemas.TimeMS]
	HeadersDropped int64 // headers of the record that did not fit, in all attempts
	// Cut is not nil if the dead letter has only the beginning of the record's value or key, or lacks headers
	// that did not fit into memory. The whole is where it failed.
	Cut *schemas.Cut
}

// DecodeFailure reads the headers of a dead letter, or of a record that was sent again. The last one of a
// repeated header counts. A number or time that cannot be read is 0 or missing; Origin is then the
// record's own place.
func DecodeFailure(rec schemas.Record) Failure {
	last := map[string]string{}
	for _, h := range rec.Headers {
		last[h.Key] = string(h.Value)
	}
	partition, partitionErr := strconv.ParseUint(last[schemas.HeaderDLQPartition], 10, 31)
	offset, offsetErr := strconv.ParseUint(last[schemas.HeaderDLQOffset], 10, 63)
	f := Failure{
		Code: schemas.Code(last[schemas.HeaderDLQCode]), Message: last[schemas.HeaderDLQMessage],
		Origin: features.Origin(rec),
		Failed: schemas.Coordinates{
			Topic: last[schemas.HeaderDLQTopic], Partition: int32(partition), Offset: int64(offset),
			TimestampMS: int64(instant(last[schemas.HeaderDLQTimestamp]).Value),
		},
		FailedKnown: partitionErr == nil && offsetErr == nil,
		Group:       last[schemas.HeaderDLQGroup], Build: last[schemas.HeaderDLQBuild],
		Attempts:       count(last[schemas.HeaderDLQAttempts]),
		FirstFailedAt:  instant(last[schemas.HeaderDLQFirstFailedAt]),
		FailedAt:       instant(last[schemas.HeaderDLQFailedAt]),
		HeadersDropped: count(last[schemas.HeaderDLQHeadersDropped]),
	}
	if last[schemas.HeaderDLQTruncated] != "" {
		f.Cut = &schemas.Cut{}
		f.Cut.Bytes, _ = strconv.ParseInt(last[schemas.HeaderDLQValueBytes], 10, 64)
		f.Cut.KeyBytes, _ = strconv.ParseInt(last[schemas.HeaderDLQKeyBytes], 10, 64)
		f.Cut.Headers = f.HeadersDropped
		if sum, err := hex.DecodeString(last[schemas.HeaderDLQValueSHA256]); err == nil {
			copy(f.Cut.SHA256[:], sum)
		}
	}
	return f
}

func count(text string) int64 {
	n, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0
	}
	return int64(n)
}

func instant(text string) (at schemas.Opt[schemas.TimeMS]) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		at = schemas.Some(schemas.TimeMSOf(t))
	}
	return at
}

// headers returns the failure as headers, in the order in which dead letters have always had them. The last
// five are those of Kafka Connect, which its tools read.
func (f *Failure) headers() []schemas.Header {
	var out []schemas.Header
	set := func(key, value string) {
		out = append(out, schemas.Header{Key: key, Value: []byte(value)})
	}
	oneLine := strings.Join(strings.Fields(strings.ToValidUTF8(f.Message, "�")), " ")
	message := truncate(oneLine, maxMessageBytes)
	partition, offset := strconv.Itoa(int(f.Failed.Partition)), strconv.FormatInt(f.Failed.Offset, 10)
	set(schemas.HeaderDLQCode, string(f.Code))
	set(schemas.HeaderDLQMessage, message)
	set(schemas.HeaderDLQOriginTopic, f.Origin.Topic)
	set(schemas.HeaderDLQOriginPartition, strconv.Itoa(int(f.Origin.Partition)))
	set(schemas.HeaderDLQOriginOffset, strconv.FormatInt(f.Origin.Offset, 10))
	set(schemas.HeaderDLQOriginTimestamp, timestamp(f.Origin))
	set(schemas.HeaderDLQTopic, f.Failed.Topic)
	set(schemas.HeaderDLQPartition, partition)
	set(schemas.HeaderDLQOffset, offset)
	set(schemas.HeaderDLQTimestamp, timestamp(f.Failed))
	set(schemas.HeaderDLQGroup, truncate(f.Group, maxMessageBytes))
	set(schemas.HeaderDLQBuild, truncate(f.Build, maxMessageBytes))
	set(schemas.HeaderDLQAttempts, strconv.FormatInt(f.Attempts, 10))
	set(schemas.HeaderDLQFirstFailedAt, f.FirstFailedAt.Value.String())
	set(schemas.HeaderDLQFailedAt, f.FailedAt.Value.String())
	if f.HeadersDropped > 0 {
		set(schemas.HeaderDLQHeadersDropped, strconv.FormatInt(f.HeadersDropped, 10))
	}
	if f.Cut != nil {
		set(schemas.HeaderDLQTruncated, "true")
		set(schemas.HeaderDLQValueBytes, strconv.FormatInt(f.Cut.Bytes, 10))
		set(schemas.HeaderDLQValueSHA256, hex.EncodeToString(f.Cut.SHA256[:]))
		// guard: dead letters: one whose key is a beginning says so | f.Cut.KeyBytes > 0 -> false
		if f.Cut.KeyBytes > 0 {
			set(schemas.HeaderDLQKeyBytes, strconv.FormatInt(f.Cut.KeyBytes, 10))
		}
	}
	set(schemas.HeaderConnectTopic, f.Failed.Topic)
	set(schemas.HeaderConnectPartition, partition)
	set(schemas.HeaderConnectOffset, offset)
	set(schemas.HeaderConnectMessage, message)
	set(schemas.HeaderConnectClass, string(f.Code))
	return out
}

// timestamp clamps to the years 1970–9999, because no other is RFC 3339.
func timestamp(c schemas.Coordinates) string {
	return schemas.TimeMS(min(max(c.TimestampMS, 0), schemas.MaxTimestampMS)).String()
}

// DeadLetter returns the dead letter of a record: its key and value byte for byte, its own headers, and the
// headers of the failure. Each of those is there once, however often the record failed before.
func (e Encoder) DeadLetter(l schemas.DeadLetter, failedAt time.Time) *kgo.Record {
	return e.deadLetter(l, failedAt, maxOwnHeaderBytes)
}

// Truncated returns the dead letter of a record that does not fit into its topic. Each of key, value and own
// headers has at most keep bytes, and a header says so. The whole record is found at the coordinates.
func (e Encoder) Truncated(l schemas.DeadLetter, failedAt time.Time, keep int) *kgo.Record {
	rec := &l.Record
	rec.DescribeWhole()
	if len(rec.Key) > keep {
		cut := *rec.Cut // which other copies of the record share
		cut.KeyBytes = max(cut.KeyBytes, int64(len(rec.Key)))
		rec.Cut = &cut
	}
	rec.Key, rec.Value = rec.Key[:min(len(rec.Key), keep)], rec.Value[:min(len(rec.Value), keep)]
	return e.deadLetter(l, failedAt, min(keep, maxOwnHeaderBytes))
}

func (e Encoder) deadLetter(l schemas.DeadLetter, failedAt time.Time, headerBytes int) *kgo.Record {
	before, now := DecodeFailure(l.Record), schemas.Some(schemas.TimeMSOf(failedAt))
	own, dropped := ownHeaders(l.Record.Headers, headerBytes)
	if l.Record.Cut != nil {
		dropped += l.Record.Cut.Headers
	}
	failure := Failure{
		Code: l.Code, Message: l.Message, Origin: l.Origin, Failed: l.Record.Coordinates, Group: e.Group,
		Build: e.Build, Attempts: before.Attempts + 1, FirstFailedAt: before.FirstFailedAt, FailedAt: now,
		HeadersDropped: before.HeadersDropped + dropped, Cut: l.Record.Cut,
	}
	if !failure.FirstFailedAt.Present {
		failure.FirstFailedAt = now
	}
	return &kgo.Record{
		Topic: e.DeadTopic, Key: l.Record.Key, Value: l.Record.Value,
		Headers: kafkaread.Headers(append(own, failure.headers()...)),
	}
}

// ownHeaders returns the record's headers without those of earlier failures, and how many it had to drop.
// If they are too large, the headers that the core reads are kept first: without them a record that is sent
// again would have another meaning.
func ownHeaders(headers []schemas.Header, limit int) (own []schemas.Header, dropped int64) {
	keep := make([]bool, len(headers))
	size := 0
	fit := func(want func(key string) bool) {
		for i, h := range slices.Backward(headers) {
			n := h.HeldBytes()
			if !keep[i] && !setHere[h.Key] && want(h.Key) && size+n <= limit {
				keep[i] = true
				size += n
			}
		}
	}
	fit(schemas.IsRead)
	fit(func(string) bool { return true })
	for i, h := range headers {
		switch {
		case keep[i]:
			own = append(own, h)
		case !setHere[h.Key]:
			dropped++
		}
	}
	return own, dropped
}

// setHere holds the keys that headers writes.
var setHere = func() map[string]bool {
	keys := map[string]bool{}
	for _, h := range (&Failure{HeadersDropped: 1, Cut: &schemas.Cut{KeyBytes: 1}}).headers() {
		keys[h.Key] = true
	}
	return keys
}()

// truncate cuts s to at most n bytes, between two characters.
func truncate(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
