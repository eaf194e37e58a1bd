// Package replay reads a part of the raw topic again and writes it to a target, as a processor does.
//
// Run continues an unfinished replay with the same options, or begins a new one. Postgres stores what was
// asked for, and how far each partition is. The transaction of a batch counts what became of its records, but
// only of those that are not counted yet. So a replay can be killed at any time, and counts every record
// once.
//
// Three facts are not obvious. A replay into an empty target, or from the position of a target, reads as the
// consumer group of that target, and the target's processors continue behind it. Any other replay has a group
// of its own, so that it moves neither offsets nor positions of a processor. And a replay gives way to the
// live stream (pacer.go), because its transactions hold the locks of batters that a live pitch waits for.
package replay

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/internal/lineage"
	"github.com/pitchstream/pitchstream/internal/memberprofile"
	"github.com/pitchstream/pitchstream/internal/processor"
	"github.com/pitchstream/pitchstream/internal/target"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// Options say what to read and where to write it.
type Options struct {
	Live      target.Options    // the live target
	Target    schemas.Target    // the target to fill; one beside live is created if it does not exist
	Processor processor.Options // of a processor of that target
	From, To  Place             // [From, To); Position is for From, with a target beside live and all games
	Archive   string            // of the raw topic, read where the topic has a record no more; "": none
	Game      string            // only the records of this game; "": of all games
	// FromDate and ToDate select the records whose header game_date is one of these days, YYYY-MM-DD; "":
	// all.
	FromDate, ToDate string
	// DeadLetters sends a dead letter for each record that is rejected. Into live they were sent already.
	DeadLetters bool
	Resume      string        // the ID of the replay to continue; "": one with the same options, or a new one
	LiveFirst   bool          // give way to the live stream
	MaxLiveLag  time.Duration // with LiveFirst: pause while a live record has waited for longer
	Parallel    int           // partitions that are read side by side
	// Progress is called with the records that are done, and how many there are; calls do not overlap. nil:
	// not called.
	Progress func(done, total int64)
	Lineage  *lineage.Emitter // gets what is read and written; nil: nothing is reported
}

// Report says what became of the records, of all runs of the replay.
type Report struct {
	Replay   string               `json:"replay"`
	Into     string               `json:"into"`
	Group    string               `json:"kafka_group"`
	Finished bool                 `json:"finished"`
	Balances bool                 `json:"balances"`
	Seconds  float64              `json:"seconds"` // of this run
	Counts   schemas.ReplayCounts `json:"counts"`
	Parts    []schemas.ReplayPart `json:"partitions"`
	// Missing are the offsets that were asked for and are no longer in the topic, as after retention.
	Missing []kafkaread.Span `json:"missing,omitempty"`
}

// Err returns an error for a replay that did not reach its end, whose counts do not balance, or whose records
// were not all in the topic.
func (r Report) Err() error {
	switch {
	case !r.Balances:
		return errors.New("the counts of the replay do not balance")
	case !r.Finished:
		return errors.New("the replay did not reach its end: the same command continues it")
	case len(r.Missing) > 0:
		return errors.New("records that the replay should read are no longer in the topic")
	}
	return nil
}

// Run reads to the end, or until ctx ends: then Finished is false.
func Run(ctx context.Context, o Options) (report Report, err error) {
	if o.Progress == nil {
		o.Progress = func(int64, int64) {}
	}
	r := &replay{o: o, log: o.Processor.Log, began: time.Now()}
	defer r.close()
	defer func() { r.report(ctx, report, err) }()
	if err := r.open(ctx); err != nil {
		return Report{}, err
	}
	r.beginLineage()
	reached, err := r.read(ctx)
	if err == nil && reached {
		r.leave(ctx)
		err = r.replays.Finish(ctx, r.state.ID)
	}
	if err != nil {
		return Report{}, err
	}
	last, err := r.replays.Find(context.WithoutCancel(ctx), r.state.ID)
	if err != nil {
		return Report{}, err
	}
	counts := last.Counts()
	return Report{
		Replay: last.ID, Into: o.Target.Name, Group: last.Group, Finished: reached, Balances: counts.Balances(),
		Seconds: time.Since(r.began).Seconds(), Counts: counts, Parts: last.Parts, Missing: r.missing(last.Parts),
	}, nil
}

// replay is one run of a replay. open sets the fields; the readers only read them.
type replay struct {
	o           Options
	log         *slog.Logger
	client      *kgo.Client
	admin       *kadm.Client
	raw         *archive.Topic
	targetStore *pgsink.Sink    // the target's schema, with the group of its processors
	books       *pgbooks.Books  // of targetStore
	replays     pgbooks.Replays // of targetStore
	store       *pgsink.Sink    // the target's schema, with the group of the replay
	redis       *redissink.Sink
	state       schemas.ReplayState
	positions   map[int32]int64 // of the target, when this run began the replay
	began       time.Time
	unlocks     []func() // let another process run this replay, or an equal one
	isContinued bool     // an earlier process began this replay
	lineage     *lineage.Run
}

// open creates a target that does not exist, and finds the replay to continue or begins one.
func (r *replay) open(ctx context.Context) (err error) {
	if r.client, err = kgo.NewClient(r.o.Processor.Kafka...); err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	r.admin = kadm.NewClient(r.client)
	r.raw = archive.NewTopic(r.o.Processor.Kafka, r.admin, r.o.Live.TopicRaw, r.o.Archive)
	if !r.intoLive() {
		create := target.CreateOptions{Live: r.o.Live, Admin: r.admin, Target: r.o.Target, Log: r.log}
		if err := target.Create(ctx, create); err != nil {
			return err
		}
	}
	if r.targetStore, err = r.o.Processor.OpenStore(); err != nil {
		return err
	}
	r.books = pgbooks.New(r.targetStore.DB())
	r.replays = pgbooks.NewReplays(r.targetStore.DB())
	if err := r.targetStore.Ping(ctx); err != nil {
		return err
	}
	if err := r.find(ctx); err != nil {
		return err
	}
	own := r.o.Processor
	own.Group = r.state.Group
	if r.store, err = own.OpenStore(); err != nil {
		return err
	}
	r.redis, err = r.o.Processor.OpenRedis(ctx)
	return err
}

func (r *replay) close() {
	for _, unlock := range r.unlocks {
		unlock()
	}
	if r.redis != nil {
		_ = r.redis.Close()
	}
	for _, s := range []*pgsink.Sink{r.store, r.targetStore} {
		if s != nil {
			s.Close()
		}
	}
	if r.client != nil {
		r.client.Close()
	}
}

func (r *replay) intoLive() bool { return r.o.Target.Name == config.Live }

// lock keeps other processes from what a name stands for, until close.
func (r *replay) lock(ctx context.Context, name, what string) error {
	unlock, ok, err := r.books.TryLock(ctx, name)
	switch {
	case err != nil:
		return err
	case !ok:
		return fmt.Errorf("%s is under way in another process", what)
	}
	r.unlocks = append(r.unlocks, unlock)
	return nil
}

// find sets the state and locks the replay, so that no other process runs it at the same time.
func (r *replay) find(ctx context.Context) error {
	if r.o.Resume == "" {
		what := fmt.Sprintf("a replay into %s from %v to %v", r.o.Target.Name, r.o.From, r.o.To)
		// guard: replay: of two equal ones that begin at once, one is refused | instead _ = what
		if err := r.lock(ctx, "replay/of/"+r.o.spec(), what); err != nil {
			return err
		}
	}
	found, err := r.unfinished(ctx)
	if err != nil {
		return err
	}
	begun := found == nil
	r.isContinued = !begun
	if begun {
		if found, err = r.begin(ctx); err != nil {
			return err
		}
		r.log.Info("replay begins", "id", found.ID, "into", r.o.Target.Name)
	} else {
		records := found.Counts().Records
		r.log.Info("replay continues", "id", found.ID, "into", r.o.Target.Name, "records so far", records)
	}
	r.state = *found
	switch {
	case r.hasOwnGroup():
		return r.lock(ctx, "replay/"+found.ID, "replay "+found.ID)
	case begun:
		return nil
	}
	return r.lockGroup(ctx)
}

// spec is what was asked for, as it is stored with a replay.
type spec struct {
	From        string `json:"from"`
	To          string `json:"to"`
	Game        string `json:"game,omitempty"`
	FromDate    string `json:"from_date,omitempty"`
	ToDate      string `json:"to_date,omitempty"`
	DeadLetters bool   `json:"letters"`
}

func (o Options) spec() string {
	b, err := json.Marshal(spec{o.From.String(), o.To.String(), o.Game, o.FromDate, o.ToDate, o.DeadLetters})
	if err != nil {
		panic(err) // strings and a bool can be encoded
	}
	return string(b)
}

// unfinished returns the replay to continue, or nil. A resumed replay has the options that it began with.
func (r *replay) unfinished(ctx context.Context) (*schemas.ReplayState, error) {
	if r.o.Resume == "" {
		return r.replays.Unfinished(ctx, r.o.spec())
	}
	found, err := r.replays.Find(ctx, r.o.Resume)
	switch {
	case err != nil:
		return nil, err
	case found == nil:
		return nil, fmt.Errorf("there is no replay %s into %s", r.o.Resume, r.o.Target.Name)
	}
	var asked spec
	if err := json.Unmarshal([]byte(found.Spec), &asked); err != nil {
		return nil, fmt.Errorf("replay %s: %w", found.ID, err)
	}
	r.o.Game, r.o.DeadLetters = asked.Game, asked.DeadLetters
	r.o.FromDate, r.o.ToDate = asked.FromDate, asked.ToDate
	// guard: replay: a resumed replay lacks what it was asked for, not what the flags say | instead
	if r.o.From, err = ParsePlace(asked.From); err != nil {
		return nil, fmt.Errorf("replay %s: from: %w", found.ID, err)
	}
	return found, nil
}

// begin stores a new replay.
func (r *replay) begin(ctx context.Context) (*schemas.ReplayState, error) {
	positions, err := r.targetStore.Positions(ctx, r.o.Live.TopicRaw)
	if err != nil {
		return nil, err
	}
	r.positions = positions
	if r.o.From.isPosition() {
		if err := r.refuseBesideProcessors(ctx); err != nil {
			return nil, err
		}
		if err := r.lowerToOffsets(ctx, positions); err != nil {
			return nil, err
		}
	}
	asTarget := !r.intoLive() && r.o.Game+r.o.FromDate == "" && (r.o.From.isPosition() || len(positions) == 0)
	parts, err := r.parts(ctx, positions)
	if err != nil {
		return nil, err
	}
	id := time.Now().UTC().Format("20060102-150405-") + strings.ToLower(rand.Text()[:4])
	// guard: replay: a group of its own beside processors | + ".replay." + id ->
	group := r.o.Target.Group + ".replay." + id
	state := &schemas.ReplayState{ID: id, Spec: r.o.spec(), Group: group, Parts: parts}
	if asTarget {
		state.Group = r.o.Target.Group
		// Locked before the replay is stored, so that a refused one leaves nothing unfinished.
		// guard: replay: of two that read as the target's group, one is refused | r.lockGroup(ctx) -> error(nil)
		if err := r.lockGroup(ctx); err != nil {
			return nil, err
		}
	}
	return state, r.replays.Begin(ctx, *state)
}

// coordinatorTimeout is how long a replay waits for the coordinator of its group.
const coordinatorTimeout = time.Minute

// lowerToOffsets lowers the target's positions to the offsets that its group has committed. A process that
// was killed between the two commits left records in the store without their dead letters and rows. Reading
// as the group begins at the offset, and would find a gap before the part.
func (r *replay) lowerToOffsets(ctx context.Context, positions map[int32]int64) error {
	// A broker that has just started, or that makes the topic of offsets now, has no coordinator yet.
	offsets, err := backoff.Retry(ctx, func() (kadm.OffsetResponses, error) {
		offsets, err := r.admin.FetchOffsets(ctx, r.o.Target.Group)
		// guard: replay: a coordinator that is not there yet is waited for | && !kerr.IsRetriable(err) ->
		if err != nil && !kerr.IsRetriable(err) {
			err = backoff.Permanent(err)
		}
		return offsets, err
	}, backoff.WithMaxElapsedTime(coordinatorTimeout))
	if err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
		return fmt.Errorf("kafka: offsets of group %s: %w", r.o.Target.Group, err)
	}
	for id, position := range positions {
		// guard: replay: from the position begins where the group has committed
		if at, ok := offsets.Lookup(r.o.Live.TopicRaw, id); ok && at.At >= 0 && at.At < position {
			positions[id] = at.At
		}
	}
	return nil
}

// lockGroup keeps other replays from the target's group, and other processes from this one: their readers
// would have the names of these.
func (r *replay) lockGroup(ctx context.Context) error {
	return r.lock(ctx, "replay/as/"+r.o.Target.Group, "another replay that the processors of "+
		r.o.Target.Name+" continue behind")
}

// refuseBesideProcessors returns an error if processors feed the target, because they read from its position
// already.
func (r *replay) refuseBesideProcessors(ctx context.Context) error {
	feeding, err := target.FeedingOf(ctx, r.o.Live, r.o.Target)
	if err == nil && feeding.Processors > 0 {
		const text = "processors of %s read on from its position already: %d; a killed one counts for %v"
		err = fmt.Errorf(text, r.o.Target.Name, feeding.Processors, target.AliveFor)
	}
	return err
}

// hasOwnGroup reports whether the replay reads as a group that no processor has.
func (r *replay) hasOwnGroup() bool { return r.state.Group != r.o.Target.Group }

// read runs the readers until they are at the end, or ctx ends; reached reports which.
func (r *replay) read(ctx context.Context) (reached bool, err error) {
	pace, err := newPacer(r.o, r.log)
	if err != nil {
		return false, err
	}
	defer pace.close()
	shared := &consumer.Replay{
		ID: r.state.ID, From: map[int32]int64{}, To: map[int32]int64{}, SendDeadLetters: r.o.DeadLetters,
		Pace: pace.wait, Seen: newProgress(r.state, r.o.Progress).set,
	}
	for _, p := range r.state.Parts {
		shared.From[p.Partition], shared.To[p.Partition] = p.From, p.To
	}
	if r.o.Archive != "" {
		shared.Source, shared.Readers = source{r}, min(r.o.Parallel, max(1, len(r.state.Parts)))
	}
	if r.o.Game+r.o.FromDate != "" {
		shared.Keep = r.o.keep
	}
	keeper := redissink.NewKeeper(r.redis, r.books, redissink.Hooks{})
	// guard: members: a replay counts the members of its records | memberprofile.New(time.Now) -> nil
	r.o.Processor.Members = memberprofile.New(time.Now)
	members := processor.NewMembersKeeper(r.targetStore, r.o.Processor.Members, r.log)
	view := projection{keeper, r.hasOwnGroup()}
	err = lifecycle.Run(ctx, func(ctx context.Context) (err error) {
		if reached, err = r.runReaders(ctx, shared, view, pace); reached {
			awaitRedis(ctx, keeper)
		}
		return err
	}, keeper.Run, pace.watch, members.Run)
	return reached, err
}

// runReaders runs the members of the replay's group side by side.
func (r *replay) runReaders(
	ctx context.Context, shared *consumer.Replay, view consumer.View, pace *pacer,
) (reached bool, err error) {
	var ended atomic.Int64
	n := min(r.o.Parallel, max(1, len(r.state.Parts)))
	encoder, err := r.o.Processor.Encoder(ctx, processor.NewObserver(r.log, nil))
	if err != nil || ctx.Err() != nil {
		return false, err
	}
	encoder.Group = r.state.Group
	readers, ctx := errgroup.WithContext(ctx)
	for i := range n {
		cfg, err := r.o.Processor.ConsumerConfig(ctx, processor.NewObserver(r.log, nil))
		if err != nil || ctx.Err() != nil {
			readers.Go(func() error { return err })
			break
		}
		cfg.Group, cfg.InstanceID, cfg.Replay = r.state.Group, r.instance(i), shared
		cfg.Breaker = consumer.BreakerLimits{InARow: -1, Share: -1} // these records were rejected before
		cfg.ReplayReader = i
		pace.limit(&cfg)
		readers.Go(func() error {
			err := consumer.New(cfg, r.store, view, encoder).Run(ctx)
			if err == nil && ctx.Err() == nil {
				ended.Add(1)
			}
			return err
		})
	}
	err = readers.Wait()
	return err == nil && int(ended.Load()) == n, err
}

// source reads the raw topic with its archive, for readers side by side.
type source struct{ r *replay }

// Bounds returns what can be read of each partition.
func (s source) Bounds(ctx context.Context) (kafkaread.Spans, error) {
	return s.r.raw.Another().Bounds(ctx)
}

// Read reads the spans with the manifests as they are now.
func (s source) Read(ctx context.Context, spans kafkaread.Spans, each func([]*kgo.Record) error) error {
	topic := s.r.raw.Another()
	if _, err := topic.Bounds(ctx); err != nil {
		return err
	}
	return topic.Read(ctx, spans, each)
}

// instance names a member of the group. The name is the same after a restart, so that the new process takes
// over from the killed one without waiting for the session timeout.
func (r *replay) instance(i int) string { return "replay-" + r.state.ID + "-" + strconv.Itoa(i) }

// leave gives up the memberships, so that the next process need not wait for them, and deletes an own group.
func (r *replay) leave(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	var ids []string
	for i := range r.o.Parallel {
		ids = append(ids, r.instance(i))
	}
	_, err := r.admin.LeaveGroup(ctx, kadm.LeaveGroup(r.state.Group).InstanceIDs(ids...))
	if err == nil && r.hasOwnGroup() {
		_, err = r.admin.DeleteGroup(ctx, r.state.Group)
	}
	if err != nil {
		r.log.Debug("the group stays until it expires", "group", r.state.Group, "error", err)
	}
}

// projection writes Redis for a replay.
type projection struct {
	*redissink.Keeper
	ownGroup bool
}

// Push writes the snapshots. The positions in Redis are those of the target's processors, so a replay with a
// group of its own leaves them as they are.
func (p projection) Push(ctx context.Context, snaps []schemas.Snapshot, applied []schemas.Position) {
	// guard: replay: applied is the processors'
	if p.ownGroup {
		applied = nil
	}
	p.Keeper.Push(ctx, snaps, applied)
}

// awaitRedis waits until Redis has all that was pushed, for at most a minute: a processor's sweep does the
// rest.
func awaitRedis(ctx context.Context, keeper *redissink.Keeper) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for keeper.State().Phase != redissink.PhaseOK && ctx.Err() == nil {
		_ = lifecycle.Sleep(ctx, 50*time.Millisecond)
	}
}

// keep reports whether a record is of the game and the dates that were asked for.
func (o *Options) keep(r *kgo.Record) bool {
	return (o.Game == "" || ofGame(o.Game)(r)) && (o.FromDate == "" || o.ofDates(r))
}

// ofDates reports whether the last header game_date of a record is one of the days.
func (o *Options) ofDates(r *kgo.Record) bool {
	date := ""
	for _, h := range r.Headers {
		if h.Key == schemas.HeaderGameDate {
			date = string(h.Value)
		}
	}
	return o.FromDate <= date && date <= o.ToDate
}

// ofGame returns a filter for the records of one game: by the header, else by the key, as the core reads
// them.
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

// progress counts the records that are done.
type progress struct {
	report      func(done, total int64)
	mu          sync.Mutex
	next        map[int32]int64 // guarded by mu, as is done
	done, total int64
}

func newProgress(state schemas.ReplayState, report func(done, total int64)) *progress {
	p := &progress{report: report, next: map[int32]int64{}}
	for _, part := range state.Parts {
		p.total += part.To - part.From
		p.done += part.Next - part.From
		p.next[part.Partition] = part.Next
	}
	p.report(p.done, p.total)
	return p
}

// set says that a partition was read up to next. After an aborted batch it is read again from an earlier
// offset.
func (p *progress) set(partition int32, next int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := p.next[partition]; next > at {
		p.next[partition] = next
		p.done += next - at
		p.report(p.done, p.total)
	}
}
