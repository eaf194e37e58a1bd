// Package target lists, creates, compares, promotes and drops targets.
//
// A target is one complete copy of the results: a Postgres schema, a prefix of Redis keys, a consumer group,
// and topics for rows and dead letters. Live is the target that the settings name, and the names of every
// other target follow from live's (config.Targets). All targets read the same raw topic. Readers see one
// target at a time, the one to which the table pointer in the schema SCHEMA_serving points; a promote moves
// it. The same schema lists the targets beside live.
//
// Each function opens its own connections and closes them before it returns.
package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgadmin"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// Options name live.
type Options struct {
	Postgres config.Postgres
	Group    string // consumer group
	TopicRaw string // the topic that every target reads
}

// catalog is the connection to the list of targets.
type catalog struct {
	live  Options
	books *pgadmin.Targets
}

func open(live Options) (*catalog, error) {
	p := live.Postgres
	books, err := pgadmin.OpenTargets(pgsink.Config{URL: p.Address(), Schema: p.Schema}, p.ServingSchema())
	return &catalog{live, books}, err
}

func (c *catalog) close() { c.books.Close() }

// all returns live, and then the other targets by name.
func (c *catalog) all(ctx context.Context) ([]schemas.Target, error) {
	others, err := c.books.List(ctx)
	live := schemas.Target{Name: config.Live, Schema: c.live.Postgres.Schema, Group: c.live.Group}
	return slices.Insert(others, 0, live), err
}

// find returns the target of this name. Only name, schema and group of live are set.
func (c *catalog) find(ctx context.Context, name string) (schemas.Target, error) {
	all, err := c.all(ctx)
	if err != nil {
		return schemas.Target{}, err
	}
	var names []string
	for _, t := range all {
		if t.Name == name {
			return t, nil
		}
		names = append(names, t.Name)
	}
	return schemas.Target{}, fmt.Errorf("there is no target %s: give one of %s, or make it with `pitchstream replay --into %s`",
		name, strings.Join(names, ", "), name)
}

// Use changes live's settings into those of a target. The target must exist, so that a misspelled name does
// not start a copy of its own.
func Use(ctx context.Context, settings config.Targets, name string) error {
	if name != "" && name != config.Live {
		c, err := open(Options{Postgres: *settings.Postgres})
		if err != nil {
			return err
		}
		defer c.close()
		if _, err := c.find(ctx, name); err != nil {
			return err
		}
	}
	_, err := settings.Use(name)
	return err
}

// ShareRights gives the roles that may use live's schema the same rights on the schemas of the other targets,
// and on the views for readers. Call it after rights on live's schema were granted.
func ShareRights(ctx context.Context, live config.Postgres) error {
	c, err := open(Options{Postgres: live})
	if err != nil {
		return err
	}
	defer c.close()
	return c.books.Share(ctx)
}

// Feeding is how far a target has read, and how many processors feed it.
type Feeding struct {
	Processors int              `json:"processors"` // with a heartbeat of the last AliveFor
	LagMS      int64            `json:"lag_ms"`     // the age of the oldest record that waits for one of them
	Positions  map[string]int64 `json:"positions"`  // the next offset, by partition
}

// AliveFor is the greatest age of the last heartbeat of a processor that is taken for alive.
const AliveFor = 5 * time.Second

// FeedingOf reads the positions and the heartbeats from the schema of a target.
func FeedingOf(ctx context.Context, live Options, t schemas.Target) (f Feeding, err error) {
	url := live.Postgres.Address()
	reader, err := pgread.Open(pgread.Config{URL: url, Schema: t.Schema, Group: t.Group})
	if err != nil {
		return f, err
	}
	defer reader.Close()
	pulse, err := reader.Pulse(ctx)
	return feedingIn(pulse, live.TopicRaw, time.Now()), err
}

func feedingIn(pulse schemas.Pulse, topic string, now time.Time) Feeding {
	f := Feeding{Positions: map[string]int64{}}
	for field, next := range pulse.Applied {
		if partition, ok := strings.CutPrefix(field, topic+"/"); ok {
			f.Positions[partition] = next
		}
	}
	for _, h := range pulse.Heartbeats {
		if now.Sub(h.At.Time()) <= AliveFor {
			f.Processors++
			f.LagMS = max(f.LagMS, h.LagMS)
		}
	}
	return f
}

// Status is one target of a List.
type Status struct {
	schemas.Target
	Serving    bool  `json:"serving"`                     // readers see it
	Previous   bool  `json:"previous"`                    // readers saw it before the last promote
	Pitches    int64 `json:"pitches"`                     // current ones
	Behind     int64 `json:"records_behind_the_furthest"` // that another target has read, and this one has not
	Unfinished int64 `json:"unfinished_replays"`          // -1: there is no schema of this build
	Feeding
}

// List returns live and then the other targets, by name.
func List(ctx context.Context, live Options) ([]Status, error) {
	c, err := open(live)
	if err != nil {
		return nil, err
	}
	defer c.close()
	pointer, err := c.books.Pointer(ctx)
	if err != nil {
		return nil, err
	}
	all, err := c.all(ctx)
	if err != nil {
		return nil, err
	}
	var list []Status
	for _, t := range all {
		s := Status{Target: t, Serving: t.Name == pointer.Target.Name, Previous: t.Name == pointer.Previous}
		if s.Unfinished, err = c.books.UnfinishedReplays(ctx, t.Schema); err != nil {
			return nil, err
		}
		if s.Unfinished >= 0 {
			if s.Pitches, err = c.books.Pitches(ctx, t.Schema); err != nil {
				return nil, err
			}
			if s.Feeding, err = FeedingOf(ctx, live, t); err != nil {
				return nil, err
			}
		}
		list = append(list, s)
	}
	countBehind(list)
	return list, nil
}

// countBehind compares the positions of each target with the furthest of all.
func countBehind(list []Status) {
	furthest := map[string]int64{}
	for _, s := range list {
		for partition, next := range s.Positions {
			furthest[partition] = max(furthest[partition], next)
		}
	}
	for i := range list {
		for partition, next := range furthest {
			list[i].Behind += next - list[i].Positions[partition]
		}
	}
}

// Diff compares the current rows and the aggregates of two targets at one moment. Pitches that only one of
// them has read so far are counted as moving, and not compared.
func Diff(ctx context.Context, live Options, a, b string) (d schemas.TargetDiff, err error) {
	c, err := open(live)
	if err != nil {
		return d, err
	}
	defer c.close()
	first, err := c.find(ctx, a)
	if err != nil {
		return d, err
	}
	second, err := c.find(ctx, b)
	if err != nil {
		return d, err
	}
	return c.books.Diff(ctx, first, second, live.TopicRaw)
}

// Move is a change of the target that readers see.
type Move struct {
	From, To   string        // equal: readers saw it already
	Generation int64         // how often the pointer was moved so far
	Took       time.Duration // of the transaction
	// NotReady has the reasons for which readers should not see To yet.
	NotReady []string
}

// NotReadyError refuses a promote.
type NotReadyError struct {
	Name    string
	Reasons []string
}

func (e *NotReadyError) Error() string {
	return fmt.Sprintf("%s is not ready for readers: %s", e.Name, strings.Join(e.Reasons, "; "))
}

// rollbackMaxLag is the MaxLag of a Rollback.
const rollbackMaxLag = 10 * time.Second

// Rollback moves readers to the target that they saw before the last promote. It goes back even to a target
// that is not ready, because a rollback is urgent; Move.NotReady has the reasons, also when the move itself
// fails. by is the user and the machine.
func Rollback(ctx context.Context, live Options, by string) (m Move, err error) {
	c, err := open(live)
	if err != nil {
		return m, err
	}
	defer c.close()
	p, err := c.books.Pointer(ctx)
	if err != nil {
		return m, err
	}
	if p.Previous == "" {
		return m, errors.New("there is no target to go back to")
	}
	t, err := c.find(ctx, p.Previous)
	if err != nil {
		return m, err
	}
	reasons, err := c.notReady(ctx, t, rollbackMaxLag, 0)
	if err != nil {
		reasons = append(reasons, err.Error())
	}
	return c.promote(ctx, t.Name, schemas.Promotion{Kind: "rollback", By: by, NotReady: reasons})
}

func (c *catalog) promote(ctx context.Context, name string, note schemas.Promotion) (Move, error) {
	if err := c.books.Ensure(ctx); err != nil {
		return Move{To: name, NotReady: note.NotReady}, err
	}
	began := time.Now()
	was, is, err := c.books.Promote(ctx, name, note)
	return Move{was.Target.Name, name, is.Generation, time.Since(began), note.NotReady}, err
}

// serving returns the target that readers see.
func (c *catalog) serving(ctx context.Context) (schemas.Target, error) {
	pointer, err := c.books.Pointer(ctx)
	if err != nil {
		return schemas.Target{}, err
	}
	return c.find(ctx, pointer.Target.Name)
}

// notReady returns the reasons for which readers should not see a target yet.
func (c *catalog) notReady(
	ctx context.Context, t schemas.Target, maxLag time.Duration, acceptMissing int64,
) (reasons []string, err error) {
	unfinished, err := c.books.UnfinishedReplays(ctx, t.Schema)
	switch {
	case err != nil:
		return nil, err
	case unfinished < 0:
		return nil, fmt.Errorf("schema %s is not that of this build: run `pitchstream migrate --postgres-schema=%s`",
			t.Schema, t.Schema)
	case unfinished > 0 && t.Name != config.Live:
		reasons = append(reasons, "a replay into it has not reached its end")
	}
	feeding, err := FeedingOf(ctx, c.live, t)
	if err != nil {
		return nil, err
	}
	serving, err := c.serving(ctx)
	if err != nil {
		return nil, err
	}
	seen, err := FeedingOf(ctx, c.live, serving)
	if err != nil {
		return nil, err
	}
	unread, err := c.books.UnreadPitches(ctx, t.Schema, serving.Schema, c.live.TopicRaw)
	if err != nil {
		return nil, err
	}
	missing := int64(0)
	var where []string
	for _, u := range unread {
		missing += u.Pitches
		where = append(where, fmt.Sprintf("%d of partition %d, offsets %d to %d",
			u.Pitches, u.Partition, u.First, u.Last))
	}
	// guard: target: one that lacks deleted records is not promoted
	if missing > acceptMissing {
		reasons = append(reasons, fmt.Sprintf("%d pitches that %s has come from records that are no longer in the "+
			"topic: %s (--accept-missing=%d promotes it without them)",
			missing, serving.Name, strings.Join(where, "; "), missing))
	}
	return slices.Concat(reasons, lacking(t.Name, feeding, serving.Name, seen, maxLag)), nil
}

// lacking returns what a target lacks to replace the one that readers see.
func lacking(name string, f Feeding, seenName string, seen Feeding, maxLag time.Duration) (reasons []string) {
	unread := 0
	for partition := range seen.Positions {
		if _, ok := f.Positions[partition]; !ok {
			unread++
		}
	}
	if unread > 0 {
		reasons = append(reasons, fmt.Sprintf("it has read nothing of %d partitions that %s has", unread, seenName))
	}
	switch {
	// guard: target: one without processors is not promoted
	case f.Processors == 0:
		reasons = append(reasons, fmt.Sprintf("no processor feeds it (pitchstream run --target %s)", name))
	case f.LagMS > maxLag.Milliseconds():
		waited := time.Duration(f.LagMS) * time.Millisecond
		reasons = append(reasons, fmt.Sprintf("a record has waited for %v", waited))
	}
	return reasons
}
