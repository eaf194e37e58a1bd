package replay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
)

// Words for a Place.
const (
	Start    = "start"    // the first offset that exists
	End      = "end"      // the end of the topic when the replay begins
	Position = "position" // up to where the target has read
)

// Place is where a replay begins or ends.
type Place struct {
	text    string // one of the words, or what the other fields were parsed from
	time    time.Time
	offsets map[int32]int64 // nil unless offsets were given
}

// ParsePlace reads a word, an RFC 3339 time, or offsets as 0:100,3:250 (partition:offset).
func ParsePlace(text string) (p Place, err error) {
	p.text = text
	if text == Start || text == End || text == Position {
		return p, nil
	}
	if p.time, err = time.Parse(time.RFC3339Nano, text); err == nil {
		return p, nil
	}
	p.offsets = map[int32]int64{}
	for part := range strings.SplitSeq(text, ",") {
		id, at, _ := strings.Cut(part, ":")
		partition, idErr := strconv.ParseUint(id, 10, 31)
		offset, atErr := strconv.ParseUint(at, 10, 63)
		if idErr != nil || atErr != nil {
			return p, errors.New("want start, end, position, an RFC 3339 time as 2024-09-28T19:05:00Z, " +
				"or PARTITION:OFFSET, several with commas")
		}
		p.offsets[int32(partition)] = int64(offset)
	}
	return p, nil
}

// String returns the text that the place was parsed from.
func (p Place) String() string { return p.text }

func (p Place) isPosition() bool { return p.text == Position }

// locate returns the offset of the place in a partition. span is all that the partition has, since the same
// from the place's time on, and otherwise the offset for a partition that the place does not name.
func (p Place) locate(span, since kafkaread.Span, otherwise int64) int64 {
	at := otherwise
	switch {
	case p.text == Start:
		at = span.From
	case p.text == End:
		at = span.To
	case p.isPosition():
	case p.offsets == nil:
		at = since.From
	default:
		if offset, ok := p.offsets[span.Partition]; ok {
			at = offset
		}
	}
	return min(max(at, span.From), span.To)
}

// parts returns what to read of each partition. positions are the next offsets of the target.
func (r *replay) parts(ctx context.Context, positions map[int32]int64) ([]schemas.ReplayPart, error) {
	topic := r.o.Live.TopicRaw
	spans, err := r.raw.Bounds(ctx)
	if err != nil {
		return nil, err
	}
	var parts []schemas.ReplayPart
	var since [2]kafkaread.Spans
	for i, place := range []Place{r.o.From, r.o.To} {
		for id := range place.offsets {
			if _, ok := spans[id]; !ok {
				return nil, fmt.Errorf("topic %s has no partition %d", topic, id)
			}
		}
		if since[i], err = r.raw.Since(ctx, spans, place.time); err != nil {
			return nil, err
		}
	}
	for id := range int32(len(spans)) {
		span := spans[id]
		begin := span.From
		if r.o.From.isPosition() {
			begin = positions[id]
		}
		from := r.o.From.locate(span, since[0][id], begin)
		to := max(from, r.o.To.locate(span, since[1][id], span.To))
		parts = append(parts, schemas.ReplayPart{Partition: id, From: from, To: to, Next: from})
	}
	return parts, nil
}

// missing returns what the parts lack at their beginnings. A place by time lacks nothing that is known.
func (r *replay) missing(parts []schemas.ReplayPart) (gaps []kafkaread.Span) {
	for _, p := range parts {
		var asked int64
		switch {
		case r.o.From.isPosition():
			asked = p.From
			if at, ok := r.positions[p.Partition]; ok {
				asked = at
			}
		case !r.o.From.time.IsZero():
			asked = p.From
		default:
			asked = r.o.From.offsets[p.Partition] // 0 for the start
		}
		// guard: replay: records that are gone are named | asked < p.From -> false
		if asked < p.From {
			gaps = append(gaps, kafkaread.Span{Partition: p.Partition, From: asked, To: p.From})
		}
	}
	return gaps
}

// ParseDates reads a date or DATE..DATE, YYYY-MM-DD; "" for both of an empty text. An error names the flag
// --game-dates.
func ParseDates(text string) (from, to string, err error) {
	from, to, isRange := strings.Cut(text, "..")
	if !isRange {
		to = from
	}
	for _, date := range []string{from, to} {
		if _, wrong := time.Parse(time.DateOnly, date); text != "" && (wrong != nil || from > to) {
			return "", "", fmt.Errorf("--game-dates=%s: want a date or two, as 2024-04-01..2024-04-30", text)
		}
	}
	return from, to, nil
}
