package redissink

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

// pointer holds which target readers see, as a processor last read it in Postgres. Of all targets it stands under live's
// prefix.
func (k keys) pointer() string { return string(k) + "pointer" }

// WritePointer writes which target readers see, under live's prefix, for a server that starts while Postgres is away. It
// is a copy: each processor writes what it has just read in Postgres, again and again, and the last one stands. The key
// of another prefix may be forbidden to this user.
func (s *Sink) WritePointer(ctx context.Context, livePrefix string, p schemas.Pointer) error {
	text, err := json.Marshal(p)
	if err == nil {
		err = s.client.Set(ctx, keys(livePrefix).pointer(), text, 0).Err()
	}
	if err != nil {
		return fmt.Errorf("redis: pointer: %w", err)
	}
	return nil
}

// ErrNoPointer says that nobody has written which target readers see.
var ErrNoPointer = errors.New("redis: no processor has told which target readers see")

// Pointer reads which target readers see, as a processor told it last; it may have been moved since. This Reader's prefix
// must be live's.
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
