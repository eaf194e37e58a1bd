package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// The status of the pipeline is what GET /v1/stream returns (Stream): is it up, how far is it behind, and
// what is wrong. It is read at most once in overviewEvery for all clients, and is right also while a store is
// down.

// overviewEvery is how often the status is read at most, however many clients ask.
const overviewEvery = 500 * time.Millisecond

// overview caches the status.
type overview struct {
	reading chan struct{} // holds a token while the stores are read, so that all clients wait for one read

	mu    sync.Mutex
	began time.Time      // guarded by mu; when the last read began
	ended time.Time      // guarded by mu; when it ended
	last  streamSnapshot // guarded by mu
}

// streamSnapshot is the last that was read about the processors and the stores.
type streamSnapshot struct {
	pulse  schemas.Pulse           // from source
	works  map[string]schemas.Work // from source, by processor; nil if source does not have them
	newest Freshness               // of the newest pitch in Postgres
	source string                  // sourceMemory: the last read found no store
	at     time.Time               // when pulse was read
	stores []StoreHealth
}

// getStream returns the current status, or errUnavailable if nothing was ever read.
func getStream(ctx context.Context, a *API, _ *struct{}) (*Stream, error) {
	seen := a.overview.get(ctx, a)
	if seen.at.IsZero() {
		return nil, errUnavailable
	}
	b := seen.state(time.Now(), a.cfg.MaxLag, a.cfg.Topic)
	b.Stale = b.Stale || a.cfg.certainty() != certain
	return b, nil
}

// get returns the last snapshot, after a new read if it is older than overviewEvery. A read takes seconds
// while both stores hang, so those who waited for one take it. Once ctx ends it returns the last snapshot.
func (o *overview) get(ctx context.Context, a *API) streamSnapshot {
	defer stepAside(ctx)()
	asked := time.Now()
	select {
	case o.reading <- struct{}{}:
		defer func() { <-o.reading }()
	case <-ctx.Done():
		last, _ := o.kept(asked)
		return last
	}
	last, isNew := o.kept(asked)
	if isNew {
		return last
	}
	began := time.Now()
	readStream(shared(ctx), a, &last)
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last, o.began, o.ended = last, began, time.Now()
	return last
}

// kept returns the last snapshot, and whether one who asked then need not read anew.
func (o *overview) kept(asked time.Time) (last streamSnapshot, isNew bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	// guard: api: those who waited for the status take it | || o.ended.After(asked) ->
	return o.last, time.Since(o.began) <= overviewEvery || o.ended.After(asked)
}

// readStream reads both stores into seen. Values that cannot be read stay as they were.
//
// Redis says more recent things about the processors, so its pulse and works win. Those of Postgres count if
// Redis cannot be read. They also count if Redis stands still: it is silent while Postgres goes on.
func readStream(ctx context.Context, a *API, seen *streamSnapshot) {
	var live, store schemas.Pulse
	var needsStore bool // Redis cannot be read, or stands still
	var liveWorks, storeWorks map[string]schemas.Work
	var games []schemas.PlayedGame
	redis := healthOf(sourceRedis, func() error {
		return a.sources.askLive(ctx, func(ctx context.Context) (err error) {
			if liveWorks, err = a.cfg.Live.Works(ctx); err == nil {
				_, live, err = a.cfg.Live.Seqs(ctx, nil)
			}
			return err
		})
	})
	postgres := healthOf(sourcePostgres, func() error {
		return a.sources.askStore(ctx, func(ctx context.Context) (err error) {
			if store, err = a.cfg.Store.Pulse(ctx); err == nil {
				games, err = a.cfg.Store.Games(ctx, schemas.GameQuery{Limit: 1})
			}
			isSilent := a.sources.judge(live).silent
			needsStore = err == nil && (!redis.OK || isSilent && isFrozen(live, store, time.Now()))
			if needsStore {
				storeWorks, err = a.cfg.Store.Works(ctx)
			}
			return err
		})
	})
	seen.source = sourceMemory
	if postgres.OK {
		seen.pulse, seen.works, seen.source, seen.at = store, storeWorks, sourcePostgres, time.Now()
		if len(games) > 0 {
			seen.newest = Freshness{}
			seen.newest.cover(games[0].Last, games[0].UpdatedAt)
		}
	}
	standsStill := postgres.OK && needsStore
	// guard: api: a glance does not show what stands still in Redis | && !standsStill ->
	if redis.OK && !standsStill {
		seen.pulse, seen.works, seen.source, seen.at = live, liveWorks, sourceRedis, time.Now()
	}
	isUpToDate := redis.OK && !standsStill && a.sources.judge(live).upToDate
	// guard: api: a Redis that is not up to date is reported
	if redis.OK && !isUpToDate {
		redis.Detail = "incomplete: answers come from Postgres until a processor has repaired it"
	}
	seen.stores = []StoreHealth{postgres, redis}
}

// healthOf asks a store and returns its health. Detail never has the store's address.
func healthOf(name string, ask func() error) StoreHealth {
	began := time.Now()
	err := ask()
	h := StoreHealth{Name: name, OK: err == nil}
	switch {
	case err == nil:
		h.AnsweredInMS = schemas.Some(float64(time.Since(began).Microseconds()) / 1000)
	case errors.Is(err, context.DeadlineExceeded):
		h.Detail = "does not answer in time"
	default:
		h.Detail = "cannot be read"
	}
	return h
}

// state derives the status at a time from a snapshot. A record that waits for longer than maxLag is too late.
func (s streamSnapshot) state(now time.Time, maxLag time.Duration, topic string) *Stream {
	v := judge(s.pulse, now, maxLag)
	b := &Stream{
		At: schemas.TimeMSOf(now), AsOf: s.newest.AsOf, ProcessedAt: s.newest.ProcessedAt,
		Condition: Condition{Source: s.source, Stale: v.stale, LagMS: v.lag},
		Reasons:   []string{}, Partitions: []StreamPartition{}, Steps: []StreamStep{}, Processors: []Processor{},
		Letters: StreamLetters{ByCode: []CodeCount{}, Newest: []StreamLetter{}},
	}
	if s.source == sourceMemory {
		// guard: api: a glance from memory is stale | b.Stale, b.AgeMS = true, -> b.AgeMS =
		b.Stale, b.AgeMS = true, now.Sub(s.at).Milliseconds()
	}
	alive := b.addProcessors(s, now)
	b.addPartitions(s, alive, topic)
	b.addSteps(s, alive)
	b.addLetters(s)
	b.Stores = append([]StoreHealth{b.kafka(alive, s)}, s.stores...)
	b.addWrites(alive, s)
	b.forgetLags(s)
	b.sumLag(v.lag.Value)
	b.judge(s, len(alive), v, maxLag)
	return b
}

// addProcessors adds the processors and their sums. It returns the names of those that are alive, sorted.
func (b *Stream) addProcessors(s streamSnapshot, now time.Time) (alive []string) {
	for _, name := range slices.Sorted(maps.Keys(s.pulse.Heartbeats)) {
		h, w := s.pulse.Heartbeats[name], s.works[name]
		age := max(now.Sub(h.At.Time()).Milliseconds(), 0)
		p := Processor{
			Instance: name, Alive: age <= heartbeatLimit.Milliseconds(), At: h.At, AgeMS: age,
			Phase: h.Phase, LagMS: h.LagMS, Ready: len(w.Faults) == 0, Faults: notNil(w.Faults), Build: w.Build,
		}
		if w.Since != 0 {
			p.Since = schemas.Some(w.Since)
		}
		b.Records, b.Rows = b.Records+w.Records, b.Rows+w.Rows
		// guard: api: a processor that is silent is not alive | always
		if p.Alive {
			alive = append(alive, name)
			p.RecordsPerS = w.RecordsPerS
			b.RecordsPerS, b.BytesPerS = b.RecordsPerS+w.RecordsPerS, b.BytesPerS+w.BytesPerS
		}
		b.Processors = append(b.Processors, p)
	}
	return alive
}

// addPartitions adds the partitions of topic: those with an applied position, and those that a processor that
// is alive reads.
func (b *Stream) addPartitions(s streamSnapshot, alive []string, topic string) {
	of := map[string]StreamPartition{}
	for field, next := range s.pulse.Applied {
		// guard: api: a glance is of one topic | t == topic -> t != ""
		if t, p, _ := strings.Cut(field, "/"); t == topic {
			id, _ := strconv.ParseInt(p, 10, 32)
			of[p] = StreamPartition{Topic: t, Partition: int32(id), NextOffset: next}
		}
	}
	for _, name := range alive {
		h := s.pulse.Heartbeats[name]
		for partition := range h.Positions {
			id, err := strconv.ParseInt(partition, 10, 32)
			if err != nil || h.Topic != topic {
				continue
			}
			w, hasWork := s.works[name].Partitions[partition]
			p := StreamPartition{Topic: topic, Partition: int32(id), Processor: name}
			p.NextOffset = max(of[partition].NextOffset, h.Positions[partition], w.Next)
			if hasWork {
				p.LagRecords, p.LagMS = w.LagRecords, schemas.Some(w.LagMS)
			}
			of[partition] = p
		}
	}
	byNumber := func(a, b StreamPartition) int { return cmp.Compare(a.Partition, b.Partition) }
	b.Partitions = notNil(slices.SortedFunc(maps.Values(of), byNumber))
}

// batchSteps are the steps of a batch, in their order.
var batchSteps = []string{"decode", "postgres", "redis", "produce", "commit"}

// addSteps adds the times of each step, over the processors that are alive.
func (b *Stream) addSteps(s streamSnapshot, alive []string) {
	sum := map[string]schemas.StepWork{}
	for _, name := range alive {
		for step, w := range s.works[name].Steps {
			t := sum[step]
			t.Count, t.SumMS, t.MaxMS = t.Count+w.Count, t.SumMS+w.SumMS, max(t.MaxMS, w.MaxMS)
			sum[step] = t
		}
	}
	for _, step := range batchSteps {
		w := sum[step]
		line := StreamStep{Step: step, Batches: w.Count}
		if w.Count > 0 {
			line.MeanMS, line.MaxMS = schemas.Some(w.SumMS/float64(w.Count)), schemas.Some(w.MaxMS)
		}
		b.Steps = append(b.Steps, line)
	}
}

// addLetters adds the counts of dead letters by code, the greatest first, and the newest ones.
func (b *Stream) addLetters(s streamSnapshot) {
	counts := map[schemas.Code]int64{}
	for name, w := range s.works {
		for code, n := range w.Letters {
			counts[code] += n
			b.LettersTotal += n
		}
		for _, l := range w.Newest {
			b.Letters.Newest = append(b.Letters.Newest, StreamLetter{DeadLetterNote: l, Processor: name})
		}
	}
	for code, n := range counts {
		b.Letters.ByCode = append(b.Letters.ByCode, CodeCount{Code: code, Count: n})
	}
	slices.SortFunc(b.Letters.ByCode, func(a, b CodeCount) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Code, b.Code))
	})
	slices.SortFunc(b.Letters.Newest, func(a, b StreamLetter) int {
		byPlace := cmp.Or(cmp.Compare(a.Partition, b.Partition), cmp.Compare(b.Offset, a.Offset))
		return cmp.Or(cmp.Compare(b.At, a.At), byPlace)
	})
	b.Letters.Newest = b.Letters.Newest[:min(len(b.Letters.Newest), schemas.MaxNotes)]
}

// kafka returns the health of Kafka as the processors report it, because the API itself does not use Kafka.
func (b *Stream) kafka(alive []string, s streamSnapshot) StoreHealth {
	h := StoreHealth{Name: "kafka", OK: len(alive) > 0}
	if !h.OK {
		h.Detail = "not known: no processor is alive to report it"
	}
	for _, name := range alive {
		for _, fault := range s.works[name].Faults {
			if isOfKafka(fault) {
				h.OK, h.Detail = false, fault
			}
		}
	}
	return h
}

// forgetLags clears lags of 0 that are not known: without Kafka it is unknown how many records wait. Greater
// ones stay, because what was read there waits still.
func (b *Stream) forgetLags(s streamSnapshot) {
	for i := range b.Partitions {
		p := &b.Partitions[i]
		// guard: api: without Kafka the lag of a partition is unknown | p.LagMS.Value == 0 && -> false &&
		if p.LagMS.Value == 0 && slices.ContainsFunc(s.works[p.Processor].Faults, isOfKafka) {
			p.LagMS, p.LagRecords = schemas.Opt[int64]{}, schemas.Opt[int64]{}
		}
	}
}

// sumLag sets how many records wait in all partitions. The sum is unknown where that of one partition is,
// because the rest would look like all. Neither it nor a lag of 0 ms is known without Kafka.
func (b *Stream) sumLag(lagMS int64) {
	sum, unknown := schemas.Opt[int64]{}, schemas.Opt[int64]{}
	for _, p := range b.Partitions {
		sum = schemas.Some(sum.Value + p.LagRecords.Value)
	}
	isUnknown := func(p StreamPartition) bool { return !p.LagRecords.Present }
	// guard: api: records of a partition without a known lag are not counted as none
	if slices.ContainsFunc(b.Partitions, isUnknown) {
		sum = unknown
	}
	b.LagRecords = sum
	// guard: api: without Kafka it is unknown how many records wait | !b.Stores[0].OK && -> false &&
	if !b.Stores[0].OK && lagMS == 0 {
		b.LagMS, b.LagRecords = unknown, unknown
	}
}

// isOfKafka reports whether a fault of a processor is that it does not reach Kafka.
func isOfKafka(fault string) bool { return strings.HasPrefix(fault, "kafka:") }

// phaseRefused is the phase of a Redis that answers and must not, or cannot, be written to.
const phaseRefused = "refused"

// addWrites adds to the stores what processors report: a store that can be read may still take no writes.
func (b *Stream) addWrites(alive []string, s streamSnapshot) {
	var refused []string
	phase := ""
	for _, name := range alive {
		isRefused := func(fault string) bool { return strings.HasPrefix(fault, "postgres:") }
		if slices.ContainsFunc(s.works[name].Faults, isRefused) {
			refused = append(refused, name)
		}
		phase = max(phase, s.pulse.Heartbeats[name].Phase) // "refused" is the greatest of all phases
	}
	for i := range b.Stores {
		store := &b.Stores[i]
		switch {
		// guard: api: a Postgres that takes no writes is not well | len(refused) > 0 -> false
		case store.Name == sourcePostgres && store.OK && len(refused) > 0:
			store.Detail = "can be read, but takes no writes of " + strings.Join(refused, ", ")
		// guard: api: why Redis is incomplete is said | phase == phaseRefused -> false
		case store.Name == sourceRedis && store.OK && store.Detail != "" && phase == phaseRefused:
			store.Detail = "incomplete: it takes no writes, and /readyz of a processor says why; " +
				"answers come from Postgres"
		}
	}
}

// severities are the states, the worst first.
var severities = []string{stateDown, stateHeld, stateBehind, stateDegraded, stateOK}

// found adds a reason. The state is the worst of all reasons.
func (b *Stream) found(state, reason string) {
	if slices.Index(severities, state) < slices.Index(severities, b.State) {
		b.State = state
	}
	b.Reasons = append(b.Reasons, reason)
}

// judge sets the state, one word, and the reasons. Causes come before what follows from them, because a
// narrow line shows only the first.
func (b *Stream) judge(s streamSnapshot, alive int, v verdict, maxLag time.Duration) {
	b.State = stateOK
	if alive == 0 {
		b.found(stateDown, "no processor is alive")
	}
	for _, p := range b.Processors {
		if held := s.works[p.Instance].Breaker; p.Alive && held != "" {
			b.Breaker = Breaker{Open: true, Reason: held}
			b.found(stateHeld, p.Instance+" holds: "+held)
		}
	}
	b.addFaults(isGap) // first, because the state is held for them
	for _, store := range b.Stores {
		isKafka := store.Name == "kafka" // what is wrong with it is a fault of a processor
		if !isKafka && (!store.OK || store.Detail != "") {
			b.found(stateDegraded, store.Name+": "+store.Detail)
		}
	}
	// guard: api: causes are named before what follows from them | !isEffect -> isEffect
	b.addFaults(func(fault string) bool { return !isEffect(fault) && !isGap(fault) })
	if v.lag.Value > maxLag.Milliseconds() {
		waited := time.Duration(v.lag.Value) * time.Millisecond
		b.found(stateBehind, fmt.Sprintf("a record has waited for %v", waited.Round(100*time.Millisecond)))
	}
	if unread := b.unread(); unread != "" && alive > 0 {
		b.found(stateBehind, "nobody reads "+unread)
	}
	b.addFaults(isEffect)
}

// isGap reports whether a fault of a processor is that records are gone. A gap holds the stream as the
// breaker does: both wait for a person.
func isGap(fault string) bool { return strings.HasPrefix(fault, "gap:") }

// isEffect reports whether a fault of a processor says only that a partition does not move, and not why.
func isEffect(fault string) bool {
	return strings.HasPrefix(fault, "progress:") || strings.HasPrefix(fault, "assigned:")
}

// addFaults adds some faults of the processors that are alive, each once with all that have it.
func (b *Stream) addFaults(isWanted func(string) bool) {
	var faults []string
	with := map[string][]string{}
	for _, p := range b.Processors {
		for _, fault := range p.Faults {
			if !p.Alive || strings.HasPrefix(fault, "breaker:") || !isWanted(fault) {
				continue
			}
			if with[fault] == nil {
				faults = append(faults, fault)
			}
			with[fault] = append(with[fault], p.Instance)
		}
	}
	for _, fault := range faults {
		state := stateDegraded
		// guard: api: a gap holds the stream | isGap(fault) -> false
		if isGap(fault) {
			state = stateHeld
		}
		name, rest, _ := strings.Cut(fault, ": ")
		if !strings.HasPrefix(rest, name+": ") { // an error of a store begins with the store, as its check does
			rest = fault
		}
		b.found(state, strings.Join(with[fault], ", ")+": "+rest)
	}
}

// unread returns the partitions without a reader, as "topic/0, 1, 2"; "" without any.
func (b *Stream) unread() string {
	var found []string
	for _, p := range b.Partitions {
		// guard: api: a partition without a reader is reported
		if p.Processor == "" {
			name := strconv.Itoa(int(p.Partition))
			if len(found) == 0 {
				name = p.Topic + "/" + name
			}
			found = append(found, name)
		}
	}
	return strings.Join(found, ", ")
}
