package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pitchstream/pitchstream/schemas"
)

// topicPlace is where a replay begins or ends: at the start or the end of the topic, at a time, at offsets, or where the target
// stands.
type topicPlace struct {
	word    string // start, end, position; "" for the others
	time    time.Time
	offsets map[int32]int64
}

// position is where the target stands: what it has read so far.
const position = "position"

func parsePlace(text string) (p topicPlace, err error) {
	if text == "start" || text == "end" || text == position {
		return topicPlace{word: text}, nil
	}
	if p.time, err = time.Parse(time.RFC3339Nano, text); err == nil {
		return p, nil
	}
	p = topicPlace{offsets: map[int32]int64{}}
	for part := range strings.SplitSeq(text, ",") {
		id, at, _ := strings.Cut(part, ":")
		partition, e1 := strconv.ParseUint(id, 10, 31)
		offset, e2 := strconv.ParseUint(at, 10, 63)
		if e1 != nil || e2 != nil {
			return p, errors.New("want start, end, an RFC 3339 time as 2024-09-28T19:05:00Z, or PARTITION:OFFSET, several with commas")
		}
		p.offsets[int32(partition)] = int64(offset)
	}
	return p, nil
}

// extent are the first offsets of a topic's partitions, and those up to which readers see it.
type extent struct{ first, end map[int32]int64 }

func topicExtent(ctx context.Context, admin *kadm.Client, topic string) (extent, error) {
	e := extent{first: map[int32]int64{}, end: map[int32]int64{}}
	first, err := admin.ListStartOffsets(ctx, topic)
	if err == nil {
		err = first.Error()
	}
	if err == nil {
		var last kadm.ListedOffsets
		if last, err = admin.ListCommittedOffsets(ctx, topic); err == nil {
			err = last.Error()
		}
		last.Each(func(o kadm.ListedOffset) { e.end[o.Partition] = o.Offset })
	}
	if err != nil {
		return e, fmt.Errorf("kafka: offsets of %s: %w", topic, err)
	}
	first.Each(func(o kadm.ListedOffset) { e.first[o.Partition] = o.Offset })
	return e, nil
}

// locate gives the offset of each partition, within what there is; otherwise is for those that offsets do not name.
func (p topicPlace) locate(ctx context.Context, admin *kadm.Client, topic string, e extent, otherwise map[int32]int64) (map[int32]int64, error) {
	at := map[int32]int64{}
	switch {
	case p.word == position:
		at = otherwise
	case p.word == "start":
		at = e.first
	case p.word == "end":
		at = e.end
	case p.offsets == nil:
		listed, err := admin.ListOffsetsAfterMilli(ctx, p.time.UnixMilli(), topic)
		if err == nil {
			err = listed.Error()
		}
		if err != nil {
			return nil, fmt.Errorf("kafka: offsets of %s at %v: %w", topic, p.time, err)
		}
		listed.Each(func(o kadm.ListedOffset) { at[o.Partition] = o.Offset })
	default:
		for id := range p.offsets {
			if _, ok := e.first[id]; !ok {
				return nil, fmt.Errorf("topic %s has no partition %d", topic, id)
			}
		}
		for id := range e.first {
			at[id] = otherwise[id]
			if o, ok := p.offsets[id]; ok {
				at[id] = o
			}
		}
	}
	within := make(map[int32]int64, len(at))
	for id, offset := range at {
		within[id] = min(max(offset, e.first[id]), e.end[id])
	}
	return within, nil
}

// parts are what is to be read of each partition; stored is where the target stands.
func (c *replayCmd) parts(ctx context.Context, admin *kadm.Client, stored map[int32]int64) (parts []schemas.ReplayPart, err error) {
	e, err := topicExtent(ctx, admin, c.Topics.TopicRaw)
	if err != nil {
		return nil, err
	}
	from, _ := parsePlace(c.From) // Validate has parsed them
	to, _ := parsePlace(c.To)
	begin := e.first
	if from.word == position {
		begin = stored
		for id, first := range e.first {
			begin[id] = max(begin[id], first)
		}
	}
	first, err := from.locate(ctx, admin, c.Topics.TopicRaw, e, begin)
	if err != nil {
		return nil, err
	}
	last, err := to.locate(ctx, admin, c.Topics.TopicRaw, e, e.end)
	if err != nil {
		return nil, err
	}
	for id := range int32(len(e.first)) {
		parts = append(parts, schemas.ReplayPart{Partition: id, From: first[id], To: max(first[id], last[id]), Next: first[id]})
	}
	return parts, nil
}
