package redissink

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// Reader reads from Redis. It is safe for use by several goroutines.
//
// Players and applied are not read at one moment. To know how fresh a player is, read applied first: all
// changes below those positions are in the players that are read afterwards.
type Reader struct {
	client redis.UniversalClient
	at     addresses
	keys   keys
	cfg    Config
	beats  movements // the heartbeats of former pulses; locks itself
}

// OpenReader returns a Reader. It does not connect.
func OpenReader(cfg Config) (*Reader, error) {
	cfg.Prefix = cmp.Or(cfg.Prefix, "ps:live:")
	cfg.IOTimeout = cmp.Or(cfg.IOTimeout, 5*time.Second)
	cfg.Log = cmp.Or(cfg.Log, slog.New(slog.DiscardHandler))
	if strings.ContainsAny(cfg.Prefix, "{}") { // braces in keys choose the node of a cluster
		return nil, fmt.Errorf("redis prefix %q: want no brace in it", cfg.Prefix)
	}
	client, at, err := connect(cfg)
	if err != nil {
		return nil, err
	}
	return &Reader{client: client, at: at, keys: keys(cfg.Prefix), cfg: cfg}, nil
}

// Close closes the connections.
func (r *Reader) Close() error { return r.client.Close() }

// States reads players over all games or in single games, in one round trip and in the order of the keys; nil
// where no row is current. Each state is consistent in itself, but they are not of one moment. A key that
// cannot be parsed gives a state that is Suspect, with Seq 0.
func (r *Reader) States(ctx context.Context, keys []schemas.PlayerKey) ([]*schemas.PlayerState, error) {
	if len(keys) == 0 {
		return nil, nil
	}
	hashes := make([]*redis.MapStringStringCmd, len(keys))
	ask := func(p redis.Pipeliner) { r.queueStates(ctx, p, keys, hashes) }
	if err := pipelined(ctx, r.client, ask); err != nil {
		return nil, fmt.Errorf("redis: players: %w", r.at.explain(ctx, err))
	}
	return parseStates(keys, hashes), nil
}

func (r *Reader) queueStates(
	ctx context.Context, p redis.Pipeliner, keys []schemas.PlayerKey, hashes []*redis.MapStringStringCmd,
) {
	for i, k := range keys {
		hashes[i] = p.HGetAll(ctx, r.keys.of(k))
	}
}

// parseStates parses the hashes that were read for the keys. One broken hash says nothing about the others.
func parseStates(keys []schemas.PlayerKey, hashes []*redis.MapStringStringCmd) []*schemas.PlayerState {
	states := make([]*schemas.PlayerState, len(keys))
	for i, k := range keys {
		state, err := parseState(k.Side, hashes[i])
		// guard: redis: one unreadable player hides no other
		if err != nil {
			state = &schemas.PlayerState{Suspect: true}
		}
		if state != nil {
			state.PlayerKey = k
		}
		states[i] = state
	}
	return states
}

// parseState returns nil for no key. An error means that no processor wrote the key as it is.
func parseState(side schemas.Side, hash *redis.MapStringStringCmd) (*schemas.PlayerState, error) {
	if len(hash.Val()) == 0 {
		return nil, hash.Err()
	}
	state, err := decode(side, hash.Val())
	return &state, err
}

// Look reads states, in the order of the keys, nil where no row is current, and the pulse: heartbeats, epoch
// and applied positions. It takes one round trip, two in a cluster. The pulse is read last, so a pulse that
// reports a complete Redis is true for the states too. A batter that cannot be read is suspect.
func (r *Reader) Look(
	ctx context.Context, keys []schemas.PlayerKey,
) ([]*schemas.PlayerState, schemas.Pulse, error) {
	hashes := make([]*redis.MapStringStringCmd, len(keys))
	pulse, err := r.withPulse(ctx, func(p redis.Pipeliner) { r.queueStates(ctx, p, keys, hashes) })
	if err != nil {
		return nil, pulse, err
	}
	return parseStates(keys, hashes), pulse, nil
}

// Seqs reads the pulse and the sequence numbers of batters, or of batters in games, in the order of the keys.
// A number is 0 where no row is current, and -1 where the key cannot be parsed. It takes one round trip, two
// in a cluster.
func (r *Reader) Seqs(ctx context.Context, keys []schemas.PlayerKey) ([]int64, schemas.Pulse, error) {
	fields := make([]*redis.StringCmd, len(keys))
	pulse, err := r.withPulse(ctx, func(p redis.Pipeliner) {
		for i, k := range keys {
			fields[i] = p.HGet(ctx, r.keys.of(k), "seq")
		}
	})
	if err != nil {
		return nil, pulse, err
	}
	seqs := make([]int64, len(keys))
	for i, f := range fields {
		if seqs[i], err = f.Int64(); err != nil && !errors.Is(err, redis.Nil) {
			seqs[i] = -1
		}
	}
	return seqs, pulse, nil
}

// withPulse sends the commands of ask, and after them those of the pulse. To a cluster it sends them in two
// round trips, because its nodes answer independently. The pulse reads applied before the heartbeats, so that
// their positions are never behind it. Missing keys are no error.
func (r *Reader) withPulse(ctx context.Context, ask func(redis.Pipeliner)) (pulse schemas.Pulse, err error) {
	var applied, beats *redis.MapStringStringCmd
	var epoch *redis.StringCmd
	askPulse := func(p redis.Pipeliner) {
		applied, beats = p.HGetAll(ctx, r.keys.applied()), p.HGetAll(ctx, r.keys.heartbeat())
		epoch = p.Get(ctx, r.keys.epoch())
	}
	trips := [][]func(redis.Pipeliner){{ask, askPulse}}
	if r.isCluster() {
		trips = [][]func(redis.Pipeliner){{ask}, {askPulse}}
	}
	for _, questions := range trips {
		if err := pipelined(ctx, r.client, func(p redis.Pipeliner) {
			for _, q := range questions {
				q(p)
			}
		}); err != nil {
			return pulse, fmt.Errorf("redis: %w", r.at.explain(ctx, err))
		}
	}
	// A value that cannot be parsed is left out: then the pulse does not say that Redis is complete.
	pulse = schemas.Pulse{Epoch: epoch.Val(), Heartbeats: parseJSON[schemas.Heartbeat](beats.Val())}
	r.beats.date(pulse.Heartbeats, time.Now()) // because the clocks of processors may be wrong
	pulse.Applied, _ = parseApplied(applied.Val())
	return pulse, nil
}

// parseJSON parses the values of a hash. It leaves out those that it cannot read, because a newer build may
// have written them.
func parseJSON[T any](hash map[string]string) map[string]T {
	parsed := make(map[string]T, len(hash))
	for field, text := range hash {
		var v T
		if json.Unmarshal([]byte(text), &v) == nil {
			parsed[field] = v
		}
	}
	return parsed
}

// Applied reads the positions up to which the batters are complete, by `<topic>/<partition>`. A field that is
// no offset is an error; the other fields are returned all the same.
func (r *Reader) Applied(ctx context.Context) (map[string]int64, error) {
	hash, err := r.client.HGetAll(ctx, r.keys.applied()).Result()
	if err != nil {
		return nil, fmt.Errorf("redis: applied: %w", err)
	}
	return parseApplied(hash)
}

func parseApplied(hash map[string]string) (applied map[string]int64, err error) {
	applied = make(map[string]int64, len(hash))
	for field, text := range hash {
		n, failed := strconv.ParseUint(text, 10, 63)
		if failed != nil {
			err = errors.Join(err, fmt.Errorf("redis: applied: field %s: %w", field, failed))
			continue
		}
		applied[field] = int64(n)
	}
	return applied, err
}

// Works reads what each processor is doing, by instance. A dead one keeps the last that it has written.
func (r *Reader) Works(ctx context.Context) (map[string]schemas.Work, error) {
	hash, err := r.client.HGetAll(ctx, r.keys.work()).Result()
	if err != nil && !isWrongType(err) {
		return nil, fmt.Errorf("redis: work: %w", err)
	}
	return parseJSON[schemas.Work](hash), nil
}

// ErrNoPointer reports that no processor has written which target readers see.
var ErrNoPointer = errors.New("redis: no processor has written which target readers see")

// Pointer reads which target readers see, as a processor last wrote it; it may have been moved since. The
// prefix of this Reader must be that of live.
func (r *Reader) Pointer(ctx context.Context) (p schemas.Pointer, err error) {
	text, err := r.client.Get(ctx, r.keys.pointer()).Bytes()
	if errors.Is(err, redis.Nil) {
		return p, ErrNoPointer
	}
	if err == nil {
		err = json.Unmarshal(text, &p)
	}
	if err == nil && p.Target.Name == "" {
		err = errors.New("it names no target")
	}
	if err != nil {
		return schemas.Pointer{}, fmt.Errorf("redis: pointer: %w", err)
	}
	return p, nil
}
