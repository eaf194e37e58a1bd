package api

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// Freshness says how old an answer is, and whether anything may be missing in it.
type Freshness struct {
	AsOf        schemas.Opt[schemas.TimeMS] `json:"as_of" doc:"Event time of the newest pitch in this answer; null where it has none"`
	ProcessedAt schemas.Opt[schemas.TimeMS] `json:"processed_at" doc:"When the newest value in this answer was computed; null where it has none"`
	Condition
}

// Condition says where an answer comes from, and how far that source is behind.
type Condition struct {
	Source string             `json:"source" enum:"redis,postgres,memory" doc:"Where this was read: redis; postgres, where Redis cannot be trusted or does not have it; memory, the last answer, while neither can be read"`
	Stale  bool               `json:"stale" doc:"Something may be missing: no processor is alive for a part of the stream, a record has waited for too long, or the source is memory"`
	LagMS  schemas.Opt[int64] `json:"lag_ms" doc:"Age of the oldest record that is not applied yet, in ms; 0 when caught up; null where no processor reports it"`
	AgeMS  int64              `json:"age_ms" doc:"How long ago this was read, in ms: 0, but from memory"`
}

// counted returns the source that an answer is counted under, "" if it is not.
func (c Condition) counted() string { return c.Source }

// Names of sources.
const (
	sourceRedis    = "redis"
	sourcePostgres = "postgres"
	sourceMemory   = "memory"
)

// heartbeatLimit is the age beyond which a heartbeat is that of a dead processor.
const heartbeatLimit = 3 * time.Second

// beatsApart is by how much, in ms, a processor's heartbeat in Postgres must be newer than that in Redis to
// show that it cannot write there. It writes both together each second, and of a dead one both stand still.
const beatsApart = 1500

// verdict is the conclusion from a pulse.
type verdict struct {
	// upToDate reports that Redis holds everything that was ever written to it.
	upToDate bool
	stale    bool
	lag      schemas.Opt[int64] // ms
	// silent reports that of a part of the stream no processor was heard. It may be dead, or unable to write
	// to the store of this pulse.
	silent bool
}

func (v verdict) condition(source string) Condition {
	return Condition{Source: source, Stale: v.stale, LagMS: v.lag}
}

// judge draws the conclusion from a pulse. Redis is up to date if every live processor confirms it. The
// confirmation must be for the data set that Redis holds now, and the positions in Redis must not be below
// those that the processor wrote. A processor that has not noticed that Redis was emptied names another
// epoch. One that has not noticed that Redis was restored from an older copy reports higher positions. If no
// processor is alive, the confirmation of the last one counts,
// unless Postgres knows better (isFrozen).
func judge(p schemas.Pulse, now time.Time, maxLag time.Duration) verdict {
	var v verdict
	at := schemas.TimeMSOf(now)
	alive, last := 0, schemas.Heartbeat{}
	ok := func(h schemas.Heartbeat) bool {
		has := true
		for partition, next := range h.Positions {
			// guard: api: Redis must have what it was given | has && p.Applied -> has || p.Applied
			has = has && p.Applied[h.Topic+"/"+partition] >= next
		}
		// guard: api: an epoch must be there | p.Epoch != "" && ->
		// guard: api: the epoch must be the current one | p.Epoch != "" && h.Epoch == p.Epoch -> true
		return has && h.Phase == schemas.PhaseOK && p.Epoch != "" && h.Epoch == p.Epoch
	}
	topics, owned := map[string]bool{}, map[string]bool{}
	lost := map[string]schemas.Heartbeat{} // the newest one of the dead, by partition
	v.upToDate = true
	for _, h := range p.Heartbeats {
		age := max(int64(at-h.At), 0)
		if h.At > last.At {
			last = h
		}
		// guard: api: a silent processor is dead
		if !isAlive(h, now) {
			for partition := range h.Positions {
				field := h.Topic + "/" + partition
				older, isKnown := lost[field]
				isNewer := cmp.Or(cmp.Compare(h.At, older.At), cmp.Compare(h.LagMS, older.LagMS)) > 0
				// guard: api: a partition's wait counts from the newest heartbeat | || isNewer -> || !isNewer
				if !isKnown || isNewer {
					lost[field] = h
				}
			}
			continue
		}
		alive++
		// guard: api: every processor that is alive must say ok | v.upToDate && ok(h) -> ok(h) || v.upToDate && alive > 1
		v.upToDate = v.upToDate && ok(h)
		behind := h.LagMS
		if behind > 0 {
			behind += age
		}
		v.lag = schemas.Some(max(v.lag.Value, behind))
		topics[h.Topic] = true
		for partition := range h.Positions {
			owned[h.Topic+"/"+partition] = true
		}
	}
	// The partitions of a dead processor count until another one has taken them over. One that read on and
	// gave a partition up has left no heartbeat for it. The last of several dead ones counts, because it had
	// read what the others left.
	for field, h := range lost {
		_, partition, _ := strings.Cut(field, "/")
		// guard: api: a dead one that another has passed says nothing | < p.Applied[field] -> < 0
		if h.Positions[partition] < p.Applied[field] {
			continue
		}
		// guard: api: a dead one's partitions are missed
		if !owned[field] {
			v.silent = true
			v.lag = schemas.Some(max(v.lag.Value, h.LagMS+int64(at-h.At)))
		}
	}
	for field := range p.Applied {
		topic, _, _ := strings.Cut(field, "/")
		// guard: api: a partition without an owner is noticed
		if topics[topic] && !owned[field] {
			v.silent = true
			// guard: api: nothing waits only where that is known | v.lag.Value > 0 -> true
			v.lag.Present = v.lag.Value > 0
		}
	}
	if alive == 0 {
		v.silent, v.upToDate = true, ok(last)
	}
	// guard: api: without a live processor answers are stale
	v.stale = v.stale || v.silent
	// guard: api: too great a lag is stale
	v.stale = v.stale || v.lag.Value > maxLag.Milliseconds()
	return v
}

// isAlive reports whether a heartbeat is of a living processor.
func isAlive(h schemas.Heartbeat, now time.Time) bool {
	return schemas.TimeMSOf(now)-h.At <= schemas.TimeMS(heartbeatLimit.Milliseconds())
}

// isFrozen reports whether Redis, in which a part of the stream is silent, is not written any more although
// the stream goes on. Redis answers reads then and keeps its last heartbeats, as when its memory is full, or
// when it became a replica. Postgres tells it from a Redis whose processors have died: it hears one of them,
// or is ahead.
func isFrozen(live, store schemas.Pulse, now time.Time) bool {
	owned := map[string]bool{}
	for _, h := range live.Heartbeats {
		for partition := range h.Positions {
			owned[h.Topic+"/"+partition] = owned[h.Topic+"/"+partition] || isAlive(h, now)
		}
	}
	for name, h := range store.Heartbeats {
		inRedis := live.Heartbeats[name]
		// guard: api: a processor that has just died does not make Redis frozen
		if h.At-inRedis.At < beatsApart {
			continue
		}
		// guard: api: a Redis that a living processor cannot write is not read
		if isAlive(h, now) && !isAlive(inRedis, now) {
			return true
		}
	}
	for field, next := range store.Applied {
		// A batch of a processor that is heard may be on its way to Redis.
		// guard: api: a Redis behind Postgres is not read once nobody writes it
		if !owned[field] && next > live.Applied[field] {
			return true
		}
	}
	return false
}

// errResting reports that a read has just failed, so that another one would only cost time.
var errResting = errors.New("the pulse could not be read a moment ago")

// pulseCache shares a pulse among requests: one of them reads it, the others wait for that.
type pulseCache struct {
	read func(context.Context) (schemas.Pulse, error)
	// rest is how long nothing is read after a failure.
	rest time.Duration
	// reading is held while one request reads. No other lock is taken first.
	reading sync.Mutex
	mu      sync.Mutex
	// at is when reading last began. mu guards it and last.
	at   time.Time
	last *taken
	// failed is when a read last failed. The holder of reading owns it.
	failed time.Time
}

// taken is a pulse that was read.
type taken struct {
	pulse schemas.Pulse
	// judging is done once isUpToDate is set.
	judging    sync.Once
	isUpToDate bool
}

// get returns a pulse that was read at most maxAge ago.
func (c *pulseCache) get(ctx context.Context, maxAge time.Duration) (schemas.Pulse, error) {
	p, err := c.take(ctx, maxAge)
	if err != nil {
		return schemas.Pulse{}, err
	}
	return p.pulse, nil
}

// take does what get does. Callers that share a pulse share what they conclude from it, too.
func (c *pulseCache) take(ctx context.Context, maxAge time.Duration) (*taken, error) {
	if p, ok := c.kept(maxAge); ok {
		return p, nil
	}
	defer stepAside(ctx)()
	c.reading.Lock()
	defer c.reading.Unlock()
	if p, ok := c.kept(maxAge); ok {
		return p, nil
	}
	// guard: api: a Postgres that says nothing is not asked at once again
	if time.Since(c.failed) < c.rest {
		return nil, errResting
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	at := time.Now()
	p, err := c.read(shared(ctx)) // for those who wait behind us too
	c.mu.Lock()
	defer c.mu.Unlock()
	if err != nil {
		c.failed = time.Now()
		return nil, err
	}
	c.at, c.last = at, &taken{pulse: p}
	return c.last, nil
}

// kept returns the last pulse if it was read at most maxAge ago.
func (c *pulseCache) kept(maxAge time.Duration) (*taken, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last, !c.at.IsZero() && time.Since(c.at) <= maxAge
}
