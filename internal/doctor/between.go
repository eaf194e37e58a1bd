package doctor

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

const (
	// clockTolerance is the difference of two clocks that is not reported.
	clockTolerance = 2 * time.Second
	// gravely is the difference of clocks from which answers are wrong, not only late.
	gravely = time.Minute
	// stateBytes is the memory of one batter, or batter-game, in Redis (docs/REDIS.md).
	stateBytes = 1600
)

// measure asks a server for its time. Half of the time that the answer took is allowed for.
func (x *exam) measure(server string, ask func() (time.Time, error), l *list) error {
	before := x.o.Now()
	theirs, err := ask()
	if err != nil {
		return err
	}
	after := x.o.Now()
	ahead := theirs.Sub(before.Add(after.Sub(before) / 2))
	f := Finding{
		server + ".clock", Warning,
		fmt.Sprintf("its clock is %v %s this machine's", ahead.Abs().Round(time.Millisecond), aheadOrBehind(ahead)),
		"freshness, lags and timestamps compare the times of several machines",
		"chronyc tracking (or timedatectl) on both machines, and run an NTP client where the time is wrong",
	}
	if ahead.Abs() > gravely {
		f.Severity = Error
	}
	l.check(ahead.Abs() > clockTolerance+after.Sub(before)/2, f)
	return nil
}

func aheadOrBehind(d time.Duration) string {
	if d < 0 {
		return "behind"
	}
	return "ahead of"
}

// compare makes the checks that need the answers of two servers.
func (x *exam) compare() *list {
	l := &list{}
	if raw, ok := x.seen.topics["raw"]; ok && len(x.seen.positions) > 0 {
		x.comparePositions(l, raw)
	}
	for _, name := range []string{"rows", "dead"} {
		t := x.seen.topics[name]
		kept, id := x.seen.sent[t.name], t.describedID()
		l.check(kept != "" && id != "" && kept != id, Finding{
			"kafka." + name + ".id", Error, fmt.Sprintf("topic %s was created anew: its ID was %s, and is %s", t.name,
				kept, id),
			"what was sent to the old one is not in it",
			"bring the old topic back, or go on without: pitchstream run --accept-gap",
		})
	}
	need := (x.seen.batters + x.seen.games) * stateBytes
	for _, m := range x.seen.memory {
		share := need / int64(len(x.seen.memory))
		most, of := m.most, "maxmemory"
		if most == 0 {
			most, of = m.here, "the machine's memory"
		}
		inUse := size(m.used) + " are in use"
		// guard: doctor: a need that nobody asked Postgres for is not named | need > 0 -> true
		if need > 0 {
			inUse += ", the batters of Postgres need about " + size(share)
		}
		l.check(most > 0 && max(m.used, share) > most/10*9, Finding{
			"redis.maxmemory", Error,
			fmt.Sprintf("%s, and %s is %s", inUse, of, size(most)),
			"a full server refuses every write (OOM), and the API answers from Postgres",
			fmt.Sprintf("CONFIG SET maxmemory %d%s, on a machine that has as much", 2*max(m.used, share), rewrite),
		})
	}
	return l
}

// askAgain asks for the ends of the raw topic again if a position is beyond one. The stream moves while the
// servers are asked side by side, so that Postgres may have answered after Kafka.
func (x *exam) askAgain(ctx context.Context) {
	raw, ok := x.seen.topics["raw"]
	isBeyond := ok && slices.ContainsFunc(x.seen.positions, func(p position) bool {
		end, known := raw.ends[p.Partition]
		return known && p.Next > end
	})
	if !isBeyond {
		return
	}
	client, err := kgo.NewClient(x.o.Kafka...)
	if err != nil {
		return // examineKafka has made one of the same options
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, x.o.Timeout)
	defer cancel()
	listed, err := kadm.NewClient(client).ListEndOffsets(ctx, raw.name)
	if err == nil {
		// guard: doctor: a position that Kafka has by now is not beyond the end
		listed.Each(func(o kadm.ListedOffset) { raw.ends[o.Partition] = max(raw.ends[o.Partition], o.Offset) })
	}
}

// comparePositions compares how far Postgres is with what the raw topic has.
func (x *exam) comparePositions(l *list, raw topicSeen) {
	var other, behind, ahead, missing, gaps []string
	id := raw.describedID()
	for _, p := range x.seen.positions {
		partition := fmt.Sprintf("%d", p.Partition)
		start, known := raw.starts[p.Partition]
		switch {
		case int(p.Partition) >= raw.partitions:
			missing = append(missing, partition)
		case p.TopicID != "" && id != "" && p.TopicID != id:
			other = append(other, partition)
		case p.Gap != "":
			gaps = append(gaps, partition+" ("+p.Gap+")")
		case known && p.Next < start:
			behind = append(behind, fmt.Sprintf("%s (%d to %d)", partition, p.Next, start-1))
		case known && p.Next > raw.ends[p.Partition]:
			ahead = append(ahead, fmt.Sprintf("%s (%d, and it ends at %d)", partition, p.Next, raw.ends[p.Partition]))
		}
	}
	const accept = "bring the old topic back, or go on without those records: pitchstream run --accept-gap"
	for _, f := range []struct {
		partitions []string
		name, seen string
		why        string
	}{
		{other, "kafka.raw.id",
			"the topic was created anew: its ID differs from the one in Postgres, of partitions %s",
			"its offsets say nothing about the old records: some may never have been read"},
		{missing, "kafka.raw.partitions", "Postgres has positions of partitions that the topic lacks: %s",
			"the topic was created anew with fewer partitions: records of the old one may never have been " +
				"read"},
		{gaps, "kafka.raw.gap", "a processor stopped at a gap, of partitions %s", "records are missing behind it"},
		{behind, "kafka.raw.gap",
			"records are gone from the topic that Postgres does not have, of partitions %s",
			"they were deleted before they were processed"},
		{ahead, "kafka.raw.position",
			"positions in Postgres are beyond the end of the topic, of partitions %s",
			"the topic was created anew, or lost records"},
	} {
		l.check(len(f.partitions) > 0, Finding{
			f.name, Error, fmt.Sprintf(f.seen, strings.Join(f.partitions, ", ")), f.why, accept,
		})
	}
}

// describedID returns the ID of a topic in the form of kafka-topics.sh --describe; "" of brokers without IDs.
func (t topicSeen) describedID() string {
	if t.id == (kadm.TopicID{}) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(t.id[:])
}

// size formats bytes.
func size(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
