package api

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/sync/singleflight"

	"github.com/pitchstream/pitchstream/schemas"
)

var (
	errNoPath    = errors.New("the record of this pitch is not in the topic any more, or shows no swing")
	errPathsBusy = errors.New("too many swings are being read: try again")
	errNoRecords = errors.New("no Kafka was named to read records from")
)

// Limits on reading swings, because each one fetches and decodes a record of 110 KB. A kept path has some 30
// KB.
const (
	pathsKept    = 256
	pathsAtATime = 4
	pathTimeout  = 4 * time.Second
	// pathWait is how long a request waits for one of the pathsAtATime turns.
	pathWait = time.Second
)

// paths reads swing paths from Kafka and keeps the latest. A kept path never becomes wrong, because a
// correction of a pitch is another record, and one of a topic that was created anew has another timestamp.
type paths struct {
	records Records
	kafka   gate
	turns   *fairQueue
	reading singleflight.Group
	kept    *lru.Cache[schemas.Coordinates, *schemas.SwingPath]
}

func (p *paths) init(cfg Config) (err error) {
	p.records, p.turns = cfg.Records, &cfg.turns.swings
	p.kafka.name, p.kafka.log = "Kafka", cfg.Log
	p.kept, err = lru.New[schemas.Coordinates, *schemas.SwingPath](pathsKept)
	return err
}

// of returns the path in the record at these coordinates. Requests for the same record share one read.
func (p *paths) of(ctx context.Context, at schemas.Coordinates) (*schemas.SwingPath, error) {
	if p.records == nil {
		return nil, errNoRecords
	}
	// guard: api: a swing is that of the current version | p.kept.Get(at) -> p.kept.Get(schemas.Coordinates{Topic: at.Topic})
	if path, ok := p.kept.Get(at); ok {
		return path, nil
	}
	// The read does not end with the request that began it, because others share it.
	// guard: api: clients read swings in turn | requesterIn(ctx) -> requester{}
	client := requesterIn(ctx)
	read := func() (any, error) { return p.read(shared(ctx), client, at) }
	done := p.reading.DoChan(fmt.Sprint(at), read)
	defer stepAside(ctx)()
	select {
	case r := <-done:
		path, _ := r.Val.(*schemas.SwingPath)
		return path, r.Err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// read reads the path for the client that asked first. Clients take turns, so that one who asks for many
// swings leaves room for others.
func (p *paths) read(
	ctx context.Context, client requester, at schemas.Coordinates,
) (path *schemas.SwingPath, err error) {
	defer func() {
		// This runs in a goroutine of its own, where no middleware recovers.
		// guard: api: a record that panics is no other's undoing | recover() -> any(nil)
		if v := recover(); v != nil {
			p.kafka.log.Error("reading a swing panicked", "record", at, "panic", v, "stack", string(debug.Stack()))
			path, err = nil, fmt.Errorf("reading a swing panicked: %v", v)
		}
	}()
	soon, cancel := context.WithTimeout(ctx, pathWait)
	defer cancel()
	if p.turns.acquire(soon, client, ahead) != nil {
		return nil, errPathsBusy
	}
	began := time.Now()
	defer func() { p.turns.release(client, time.Since(began)) }()
	// guard: api: a Kafka that has failed is left alone | p.kafka.ask( -> (&gate{log: p.kafka.log}).ask(
	err = p.kafka.ask(ctx, pathTimeout, func(ctx context.Context) (err error) {
		path, err = p.records.SwingPath(ctx, at)
		return err
	})
	if err != nil {
		return nil, err
	}
	if path == nil {
		return nil, errNoPath
	}
	// guard: api: a version of a swing is read once
	p.kept.Add(at, path)
	return path, nil
}
