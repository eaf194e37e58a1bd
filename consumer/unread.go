package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// unread finds the partitions that no processor of the group has read yet, as after partitions were added.
// Until one is assigned, every processor reports its lag, because otherwise none would. It
// belongs to the goroutine of watchProgress.
type unread struct {
	store      Store
	partitions *partitions         // locks itself
	since      map[int32]time.Time // when a record was first seen in each
	known      map[int32]int64     // partitions that have a stored position
}

// check reports the lag of the partitions that are not read, and whether there are any with records. A store
// that does not answer changes nothing, because the condition "postgres" reports it.
func (u *unread) check(ctx context.Context, cfg *Config, ends kadm.ListedOffsets) (found bool) {
	mustAsk := false
	owned := u.partitions.positions()
	isUnread := func(end kadm.ListedOffset) bool {
		_, isOwned := owned[end.Partition]
		_, isKnown := u.known[end.Partition]
		return end.Err == nil && end.Offset > 0 && !isOwned && !isKnown
	}
	ends.Each(func(end kadm.ListedOffset) { mustAsk = mustAsk || isUnread(end) })
	if mustAsk {
		known, err := u.store.Positions(ctx, cfg.Topic)
		if err != nil {
			return len(u.since) > 0
		}
		u.known = known
	}
	ends.Each(func(end kadm.ListedOffset) {
		since, was := u.since[end.Partition]
		// guard: the lag of unread partitions is reported
		if isUnread(end) {
			if found = true; !was {
				since = cfg.Now()
				u.since[end.Partition] = since
			}
			u.partitions.reportUnread(end.Partition, end.Offset, since)
		} else if was {
			delete(u.since, end.Partition)
			u.partitions.reportUnread(end.Partition, -1, since)
		}
	})
	return found
}

// forget reports the lag of all unread partitions as unknown (−1).
func (u *unread) forget() {
	for id, since := range u.since {
		u.partitions.reportUnread(id, -1, since)
	}
}
