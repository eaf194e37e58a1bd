package redissink

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// beatKept is how long the last heartbeat of a dead processor stays, for people to see.
const beatKept = time.Hour

// Beat writes this processor's heartbeat, with the epoch that it knows, and its work in a key of its own. It
// removes heartbeats older than beatKept, and what no processor wrote.
func (s *Sink) Beat(ctx context.Context, instance string, h schemas.Heartbeat) error {
	k := s.reader.keys
	work := h.Work
	// guard: api: work is no part of the heartbeats
	h.Work = nil
	s.mu.Lock()
	h.Epoch = s.known.epoch
	s.mu.Unlock()
	// A processor writes its heartbeat before its work, and reads the heartbeats after the works of all. So work
	// without a heartbeat is nobody's, also while another processor beats for the first time.
	// guard: redis: a heartbeat is written before its work | err := -> if work != nil { _ = s.beatInto(ctx, k.work(), instance, work); work = nil }; err :=
	err := s.beatInto(ctx, k.heartbeat(), instance, h)
	if err == nil && work != nil {
		err = s.beatInto(ctx, k.work(), instance, work)
	}
	if err != nil {
		return fmt.Errorf("redis: heartbeat: %w", err)
	}
	works, err := s.reader.client.HKeys(ctx, k.work()).Result()
	if err != nil && !isWrongType(err) {
		return fmt.Errorf("redis: work: %w", err)
	}
	// guard: redis: the heartbeats are read after the works | .Result() -> .Result(); works, _ = s.reader.client.HKeys(ctx, k.work()).Result()
	all, err := s.reader.client.HGetAll(ctx, k.heartbeat()).Result()
	if isWrongType(err) {
		return nil // the next heartbeat takes its place
	} else if err != nil {
		return fmt.Errorf("redis: heartbeat: %w", err)
	}
	beats := parseJSON[schemas.Heartbeat](all)
	before := s.elect(instance, beats)
	for _, other := range slices.AppendSeq(works, maps.Keys(all)) {
		old, isBeat := beats[other]
		// A newer build may write what we cannot parse, but it is an object of JSON.
		text := all[other]
		isForeign := !isBeat && !(strings.HasPrefix(text, "{") && json.Valid([]byte(text)))
		if isForeign {
			s.reader.cfg.Log.Warn("a field of ours in Redis held what no processor writes: removing it",
				"key", k.heartbeat(), "field", other)
		}
		isOld := isBeat && h.At-old.At > schemas.TimeMS(beatKept.Milliseconds())
		// guard: api: a heartbeat that moves is kept, whatever its clock | before[other] == old.At -> (before[other] == old.At || true)
		if isForeign || isOld && before[other] == old.At {
			if err := s.Rest(ctx, other); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sink) beatInto(ctx context.Context, key, instance string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	err = s.reader.client.HSet(ctx, key, instance, text).Err()
	// guard: a heartbeat takes the place of a key of another type
	if isWrongType(err) {
		if err = s.removeForeign(ctx, key); err == nil {
			err = s.reader.client.HSet(ctx, key, instance, text).Err()
		}
	}
	return err
}

// elect decides whether this processor leads: it has the smallest name of those whose heartbeat moved since
// its own last one. Clocks play no part. Two may lead for a second, which only costs work. It returns the
// heartbeats as of the last call.
func (s *Sink) elect(
	instance string, beats map[string]schemas.Heartbeat,
) (was map[string]schemas.TimeMS) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was = s.beats
	s.beats, s.leads = map[string]schemas.TimeMS{}, true
	for other, h := range beats {
		s.beats[other] = h.At
		if other < instance && was[other] != h.At {
			s.leads = false
		}
	}
	return was
}

// Rest removes the heartbeat and the work of a processor. A processor calls it when it ends in order.
func (s *Sink) Rest(ctx context.Context, instance string) error {
	_, err := s.reader.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HDel(ctx, s.reader.keys.heartbeat(), instance)
		// guard: api: work goes with its processor
		p.HDel(ctx, s.reader.keys.work(), instance)
		return nil
	})
	if err != nil {
		return fmt.Errorf("redis: heartbeat: %w", err)
	}
	return nil
}

// WritePointer writes which target readers see, under the prefix of live, for a server that starts while
// Postgres is unavailable. Each processor writes again and again the pointer that it has just read in
// Postgres, and the last one stays. The ACLs of a user may forbid the key of another prefix.
func (s *Sink) WritePointer(ctx context.Context, livePrefix string, p schemas.Pointer) error {
	text, err := json.Marshal(p)
	if err == nil {
		err = s.reader.client.Set(ctx, keys(livePrefix).pointer(), text, 0).Err()
	}
	if err != nil {
		return fmt.Errorf("redis: pointer: %w", err)
	}
	return nil
}
