package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	stream "github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// replay is one replay under way.
type replay struct {
	c         *replayCmd
	std       *stdio
	log       *slog.Logger
	target    schemas.Target
	processor stream.Options // of the target
	client    *kgo.Client
	admin     *kadm.Client
	books     *pgsink.Sink // the target's schema, as its processors' group
	store     *pgsink.Sink // the same, as the replay's group
	redis     *redissink.Sink
	state     schemas.ReplayState
	began     time.Time
	free      func() // lets another process go on with this replay
}

// open makes the target where it is a new one, and finds the replay to go on with, or begins one.
func (c *replayCmd) open(ctx context.Context, std *stdio, log *slog.Logger) (r *replay, err error) {
	r = &replay{c: c, std: std, log: log, began: time.Now(), free: func() {}}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if r.target, err = c.targets().Of(c.Into); err != nil {
		return r, err
	}
	if r.processor, err = c.processor(log); err != nil {
		return r, err
	}
	if r.client, err = connect(c.Kafka); err != nil {
		return r, err
	}
	r.admin = kadm.NewClient(r.client)
	if c.Into != config.Live {
		o := target.CreateOptions{Live: c.live(), Admin: r.admin, Target: r.target, Log: log}
		if err := target.Create(ctx, o); err != nil {
			return r, err
		}
	}
	if r.books, err = r.processor.OpenStore(); err != nil {
		return r, err
	}
	if err = r.books.Ping(ctx); err != nil {
		return r, err
	}
	if err = r.find(ctx); err != nil {
		return r, err
	}
	own := r.processor
	own.Group = r.state.Group
	if r.store, err = own.OpenStore(); err != nil {
		return r, err
	}
	r.redis, err = r.processor.OpenRedis(ctx)
	return r, err
}

func (r *replay) close() {
	r.free()
	if r.redis != nil {
		_ = r.redis.Close()
	}
	for _, s := range []*pgsink.Sink{r.store, r.books} {
		if s != nil {
			s.Close()
		}
	}
	if r.client != nil {
		r.client.Close()
	}
}

// find sets the state: of the replay that is named, of one that was begun by the same command, or of a new one.
func (r *replay) find(ctx context.Context) error {
	found, err := r.begun(ctx)
	if err != nil {
		return err
	}
	if found == nil {
		if found, err = r.fresh(ctx); err != nil {
			return err
		}
		if err := pgbooks.New(r.books.DB()).BeginReplay(ctx, *found); err != nil {
			return err
		}
		r.log.Info("replay begins", "id", found.ID, "into", r.c.Into)
	} else {
		r.log.Info("replay goes on", "id", found.ID, "into", r.c.Into, "records so far", found.Counts().Records)
	}
	r.state = *found
	release, ok, err := pgbooks.New(r.books.DB()).TryLock(ctx, "replay/"+found.ID)
	if err == nil && !ok {
		err = fmt.Errorf("replay %s is under way in another process", found.ID)
	}
	if err == nil {
		r.free = release
	}
	return err
}

func (r *replay) begun(ctx context.Context) (*schemas.ReplayState, error) {
	if r.c.Resume == "" {
		return pgbooks.New(r.books.DB()).UnfinishedReplay(ctx, r.c.spec())
	}
	found, err := pgbooks.New(r.books.DB()).Replay(ctx, r.c.Resume)
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		return nil, fmt.Errorf("--resume=%s: there is no such replay into %s", r.c.Resume, r.c.Into)
	}
	var asked replaySpec
	if err := json.Unmarshal([]byte(found.Spec), &asked); err != nil {
		return nil, fmt.Errorf("replay %s: %w", found.ID, err)
	}
	r.c.From, r.c.To, r.c.Game, r.c.Letters = asked.From, asked.To, asked.Game, asked.Letters
	return found, nil
}

// replaySpec is what was asked for, as it is kept.
type replaySpec struct {
	From    string `json:"from"`
	To      string `json:"to"`
	Game    string `json:"game,omitempty"`
	Letters bool   `json:"letters"`
}

func (c *replayCmd) spec() string {
	b, err := json.Marshal(replaySpec{c.From, c.To, c.Game, c.Letters})
	if err != nil {
		panic(err) // plain words
	}
	return string(b)
}

// fresh is a new replay. A target that nobody has fed, or that is to go on where it stands, is filled as its own group, which
// its processor goes on as; any other one by a group that nobody else has.
func (r *replay) fresh(ctx context.Context) (*schemas.ReplayState, error) {
	fed, err := r.books.Positions(ctx, r.c.Topics.TopicRaw)
	if err != nil {
		return nil, err
	}
	goesOn := r.c.From == position || len(fed) == 0
	if r.c.From == position {
		if err := r.alone(ctx); err != nil {
			return nil, err
		}
	}
	parts, err := r.c.parts(ctx, r.admin, fed)
	if err != nil {
		return nil, err
	}
	id := time.Now().UTC().Format("20060102-150405-") + strings.ToLower(rand.Text()[:4])
	// guard: replay: a group of its own beside processors | + ".replay." + id ->
	state := &schemas.ReplayState{ID: id, Spec: r.c.spec(), Group: r.target.Group + ".replay." + id, Parts: parts}
	if r.c.Into != config.Live && goesOn && r.c.Game == "" {
		state.Group = r.target.Group
	}
	return state, nil
}

// alone refuses to read as the target's group beside its processors: they read what is new already.
func (r *replay) alone(ctx context.Context) error {
	is, err := target.FeedingOf(ctx, r.c.live(), r.target)
	if err == nil && is.Processors > 0 {
		err = fmt.Errorf("--from position: %s already (a processor that was killed is forgotten after %v)", terminal.Counted(int64(is.Processors), "processor")+" of "+r.c.Into+" read on from there", target.AliveFor)
	}
	return err
}

// ofItsOwn says that the positions of this replay are not those of the target.
func (r *replay) ofItsOwn() bool { return r.state.Group != r.target.Group }

// run reads to the end, and reports however it ends.
func (r *replay) run(ctx context.Context) error {
	reached, err := r.read(ctx)
	if err == nil && reached {
		r.leave(ctx)
		err = pgbooks.New(r.books.DB()).FinishReplay(ctx, r.state.ID)
	}
	if err != nil {
		return err
	}
	last, err := pgbooks.New(r.books.DB()).Replay(context.WithoutCancel(ctx), r.state.ID)
	if err != nil {
		return err
	}
	r.state = *last
	return r.report(reached)
}

// read runs the processors until they are at the end, or ctx is; reached tells which.
func (r *replay) read(ctx context.Context) (reached bool, err error) {
	pace, err := r.newPacer()
	if err != nil {
		return false, err
	}
	defer pace.close()
	seen := newSeen(r.std.Err, r.state)
	defer seen.stop()
	shared := &consumer.Replay{ID: r.state.ID, From: map[int32]int64{}, To: map[int32]int64{}, SendDeadLetters: r.c.Letters, Pace: pace.wait, Seen: seen.set}
	for _, p := range r.state.Parts {
		shared.From[p.Partition], shared.To[p.Partition] = p.From, p.To
	}
	if r.c.Game != "" {
		shared.Keep = ofGame(r.c.Game)
	}
	keeper := redissink.NewKeeper(r.redis, pgbooks.New(r.books.DB()), redissink.KeeperConfig{Log: r.log})
	err = lifecycle.Run(ctx, func(ctx context.Context) (err error) {
		if reached, err = r.process(ctx, shared, projection{keeper, r.ofItsOwn()}, pace); reached {
			whole(ctx, keeper)
		}
		return err
	}, keeper.Run, pace.watch)
	return reached, err
}

// process runs the readers of one group side by side.
func (r *replay) process(ctx context.Context, shared *consumer.Replay, view consumer.View, pace *pacer) (bool, error) {
	readers, ctx := errgroup.WithContext(ctx)
	var ended atomic.Int64
	n := min(r.c.Parallel, max(1, len(r.state.Parts)))
	for i := range n {
		cfg, err := r.processor.ConsumerConfig(ctx, stream.NewObserver(r.log, nil))
		if err != nil || ctx.Err() != nil {
			readers.Go(func() error { return err })
			break
		}
		cfg.Group, cfg.InstanceID, cfg.Replay = r.state.Group, r.instance(i), shared
		cfg.Breaker = consumer.BreakerLimits{InARow: -1, Share: -1} // what is rejected now was rejected before
		pace.limit(&cfg)
		encoder := r.processor.Encoder()
		encoder.Group = r.state.Group
		readers.Go(func() error {
			err := consumer.New(cfg, r.store, view, encoder).Run(ctx)
			if err == nil && ctx.Err() == nil {
				ended.Add(1)
			}
			return err
		})
	}
	err := readers.Wait()
	return err == nil && int(ended.Load()) == n, err
}

// instance is kept over restarts: who starts again takes over at once.
func (r *replay) instance(i int) string { return "replay-" + r.state.ID + "-" + strconv.Itoa(i) }

// leave gives the places in the group up, so that whoever comes next need not wait; a group of its own goes.
func (r *replay) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var ids []string
	for i := range r.c.Parallel {
		ids = append(ids, r.instance(i))
	}
	_, err := r.admin.LeaveGroup(ctx, kadm.LeaveGroup(r.state.Group).InstanceIDs(ids...))
	if err == nil && r.ofItsOwn() {
		_, err = r.admin.DeleteGroup(ctx, r.state.Group)
	}
	if err != nil {
		r.log.Debug("the group stays until it expires", "group", r.state.Group, "error", err)
	}
}

// projection is Redis as a replay writes it. Beside a target's own processors it moves no positions there.
type projection struct {
	*redissink.Keeper
	beside bool
}

// Push is the keeper's.
func (p projection) Push(ctx context.Context, snaps []schemas.Snapshot, applied []schemas.Position) {
	// guard: replay: applied is the processors'
	if p.beside {
		applied = nil
	}
	p.Keeper.Push(ctx, snaps, applied)
}

// whole waits until Redis has what was pushed, a minute at most: where it is away, processors' sweeps see to it.
func whole(ctx context.Context, keeper *redissink.Keeper) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for keeper.State().Phase != redissink.PhaseOK {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// ofGame keeps the records of one game: by the header, else by the key, as the core reads them.
func ofGame(game string) func(*kgo.Record) bool {
	return func(r *kgo.Record) bool {
		of := r.Key
		for _, h := range r.Headers {
			if h.Key == schemas.HeaderGamePK {
				of = r.Key
				if len(h.Value) > 0 {
					of = h.Value
				}
			}
		}
		return string(of) == game
	}
}

// errReplay ends with status 1.
var errReplay = errors.New("the replay did not reach its end: the same command goes on")
