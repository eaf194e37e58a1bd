// Package consumer reads the raw topic and keeps the stores up to date: poll, decode, plan, apply, commit.
//
// No pitch is lost, none is counted twice, and none is overwritten by an older version. The order of one
// batch guarantees that: first the store of record, then the view that readers see. Only then come the dead
// letters, the rows and the offsets, in one Kafka transaction. A crash between any two steps repeats the
// batch, and every step may be repeated.
package consumer

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
)

// Config says what a processor reads, and how much at a time. A field of 0 has the default that its comment
// names, if it names one.
type Config struct {
	Topic string
	Group string
	// Outputs are the topics that rows and dead letters are sent to. One that is missing, or was created anew
	// since the group has sent there, is reported.
	Outputs []string
	// InstanceID names one replica and survives its restarts, so that a restart moves no partition. "": a
	// fresh name at each start, which leaves the group at its end.
	InstanceID string
	// SessionTimeout is how long the group waits for a silent processor; 0: 10 s. With an InstanceID it is
	// also how long a restart may take without moving a partition.
	SessionTimeout time.Duration
	// IsScaledIn reports at the end whether a processor with an InstanceID will not come back; then it leaves
	// the group. nil: it keeps its place until the session times out.
	IsScaledIn func(ctx context.Context) bool
	// Client are the options of the Kafka client: seed brokers, TLS, SASL, hooks, dialer.
	Client []kgo.Opt
	Limits features.Limits
	// Transform reads the records; nil: features.Transform, without a schema registry.
	Transform Transform
	// PollMaxRecords bounds a poll; 0: 2,000.
	PollMaxRecords int
	// StoreMaxRecords bounds the records that go to the store in one transaction; 0: four polls. Each
	// transaction computes the aggregates of its games once. So large ones help a processor that is behind.
	StoreMaxRecords int
	// FetchMaxBytes bounds the compressed bytes that one broker sends at a time; 0: 16 MiB.
	FetchMaxBytes int32
	// CommitEvery is how long polls are gathered before they are committed together. 0: until none came for
	// 100 ms, 2.5 s at most. Negative: each poll is committed by itself.
	CommitEvery time.Duration
	// DeadLetterMaxBytes is the max.message.bytes of the dead-letter topic, which bounds a produced batch; 0:
	// 21 MiB.
	DeadLetterMaxBytes int32
	// RowMaxBytes is the max.message.bytes of the rows topic; 0: 1 MiB, Kafka's default.
	RowMaxBytes int32
	// AcceptGap goes on where records that were not read yet are no longer in the topic. They are lost to
	// this group. It is about the gaps that a processor finds when it begins to read a partition, not about
	// those that come later.
	AcceptGap bool
	// Breaker makes the processor hold when too many records are rejected.
	Breaker BreakerLimits
	// Workers is how many goroutines decode; 0: one less than there are cores. The last core unpacks the next
	// poll in the meantime.
	Workers int
	// Replay bounds the records that are read, and has them counted; nil: a live processor, which reads on
	// until ctx ends.
	Replay *Replay
	// ReplayReader numbers the processors of a Replay with a Source, from 0.
	ReplayReader int
	// Trace is called with each step that docs/model/Stream.tla knows, by several goroutines, some of which
	// hold locks; it must return at once. nil: nothing is called, and nothing is allocated for it.
	Trace    func(Step)
	Log      *slog.Logger     // nil: no lines
	Observer Observer         // nil: NopObserver
	Now      func() time.Time // nil: time.Now

	// outputsAccepted is set once the store has the IDs of the outputs: from then on AcceptGap allows no new
	// ones. It outlives a session.
	outputsAccepted *atomic.Bool
	// startFound has the partitions that this process has begun to read (int32 → true): AcceptGap allows no
	// further gap in them. It outlives a session.
	startFound   *sync.Map
	produceFault *produceFault // set by New
	batchSize    *batchSize    // of one write to the store; set by New
	commitSize   *batchSize    // of one commit, whose rows the store compares; set by New
	// share is how many records of a large batch share a placeholder. Only a new session heeds it. Set by
	// New.
	share *atomic.Int64
}

// Deadlines. A shutdown takes up to shutdownGrace and then, for a processor that is scaled in, leaveTimeout.
const (
	sessionTimeout     = 10 * time.Second // until a killed processor is replaced, by default
	rebalanceTimeout   = 30 * time.Second // for all members of the group to take part in a rebalance
	heartbeatInterval  = 2 * time.Second  // of this member to the group
	metadataMaxAge     = 10 * time.Second // until added partitions are found
	transactionTimeout = 15 * time.Second // until the transaction of a killed processor is aborted
	shutdownGrace      = 8 * time.Second  // for the batch in hand, from the beginning of a shutdown
	storeTimeout       = 30 * time.Second // for one attempt to write to the store
	leaveTimeout       = 5 * time.Second  // to leave the group
)

// maxProducedBytes is the client's limit of a produced batch. It is more than a dead letter of the largest
// --max-record-bytes needs, so that the client never refuses one.
const maxProducedBytes = 320 << 20

// Processor is one member of the consumer group.
type Processor struct {
	cfg    Config
	store  Store
	view   View
	encode Encoder

	// These outlive a session. The goroutine of Run owns failing.
	failing fetchFailures
	breaker breaker
}

// New returns a processor that does nothing until Run.
func New(cfg Config, store Store, view View, encode Encoder) *Processor {
	setDefault(&cfg.PollMaxRecords, 2000)
	setDefault(&cfg.StoreMaxRecords, 4*cfg.PollMaxRecords)
	setDefault(&cfg.FetchMaxBytes, 16<<20)
	setDefault(&cfg.DeadLetterMaxBytes, 21<<20)
	setDefault(&cfg.RowMaxBytes, 1<<20)
	setDefault(&cfg.SessionTimeout, sessionTimeout)
	cfg.Breaker = cfg.Breaker.withDefaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Observer == nil {
		cfg.Observer = NopObserver{}
	}
	cfg.outputsAccepted, cfg.startFound = &atomic.Bool{}, &sync.Map{}
	cfg.produceFault = &produceFault{}
	cfg.batchSize = newBatchSize(cfg.StoreMaxRecords, storeTimeout)
	cfg.commitSize = newBatchSize(gatherRecords+earlyRecords, earlyLimit)
	cfg.share = &atomic.Int64{}
	cfg.share.Store(kafkaread.SharedRecords)
	return &Processor{cfg: cfg, store: store, view: view, encode: encode}
}

// setDefault sets *v if it is 0 or less.
func setDefault[T cmp.Ordered](v *T, byDefault T) {
	var zero T
	if *v <= zero {
		*v = byDefault
	}
}

// Run processes until ctx ends. Then it finishes the batch in hand and commits it within ten seconds, leaves
// the group if it is scaled in, and returns nil. It also returns nil at the end of a replay. A session that
// fails is followed by a new one, after a pause that grows until a session lasts for a minute. An error means
// that no new session can help.
func (p *Processor) Run(ctx context.Context) error {
	pause := newPauses(100*time.Millisecond, 5*time.Second)
	for ctx.Err() == nil {
		began := p.cfg.Now()
		err := p.runSession(ctx)
		if ctx.Err() != nil || errors.Is(err, errReplayComplete) {
			break
		}
		if fatal := new(backoff.PermanentError); errors.As(err, &fatal) {
			return fatal.Unwrap()
		}
		if p.cfg.Now().Sub(began) > time.Minute {
			pause.Reset()
		}
		waitForPlace(ctx, &p.cfg, err) // waits only if another processor has this InstanceID
		wait := pause.NextBackOff()
		p.cfg.Log.Warn("starting over from the committed offsets", "reason", err, "after", wait)
		sleep(ctx, wait)
	}
	// guard: deploy: a processor that is scaled in leaves the group
	p.leave(ctx)
	return nil
}

// leave gives up the place in the group of a processor with an InstanceID that will not come back. Otherwise
// its partitions would wait until the session times out.
func (p *Processor) leave(ctx context.Context) {
	if p.cfg.InstanceID == "" || p.cfg.IsScaledIn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	// guard: deploy: a processor that is restarted does not leave
	if !p.cfg.IsScaledIn(ctx) {
		return
	}
	client, err := kgo.NewClient(p.cfg.Client...)
	if err == nil {
		defer client.Close()
		var left kadm.LeaveGroupResponses
		member := kadm.LeaveGroup(p.cfg.Group).InstanceIDs(p.cfg.InstanceID).Reason("scaled in")
		left, err = kadm.NewClient(client).LeaveGroup(ctx, member)
		if err == nil {
			err = left.Error()
		}
	}
	if err != nil {
		p.cfg.Log.Warn("leaving the group failed: the partitions wait until the session times out",
			"session_timeout", p.cfg.SessionTimeout, "error", err)
		return
	}
	p.cfg.Log.Info("left the group", "instance", p.cfg.InstanceID)
}
