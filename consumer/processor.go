// Package consumer reads the raw topic and keeps the stores right: poll, decode, plan, apply, commit.
//
// The order of one batch is the whole of the promise: first the store of record, then the view that readers see, and
// only then, in one Kafka transaction, the letters, the rows and the offsets. A crash between any two steps repeats the
// poll; every step absorbs the repetition.
package consumer

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/features"
)

// Config says what to read and how much at a time.
type Config struct {
	Topic      string
	Group      string
	InstanceID string // one a replica, kept over its restarts; "": a fresh one each start, never fenced, leaves the group
	// SessionTimeout is how long the group waits for a processor that does not answer; 0: 10 s. With an InstanceID it is
	// also how long a restart may take that moves no partition.
	SessionTimeout time.Duration
	// IsScaledIn tells, in the end, whether a processor with an InstanceID will not come back: then it leaves the group. nil: it
	// keeps its place until the session times out.
	IsScaledIn func(ctx context.Context) bool
	// Client are the options of the Kafka client: seed brokers, TLS, SASL, hooks, dialer.
	Client []kgo.Opt
	Limits features.Limits
	// PollMaxRecords bounds a batch; FetchMaxBytes bounds what one broker sends at a time, compressed.
	PollMaxRecords int   // 0: 2,000
	FetchMaxBytes  int32 // 0: 16 MiB
	// CommitEvery is how long polls are gathered before they are committed together; 0: until 100 ms in which none came,
	// two and a half seconds at most; negative: each poll by itself.
	CommitEvery time.Duration
	// DeadLetterMaxBytes is the dead-letter topic's max.message.bytes: what one produced batch may hold. 0: 21 MiB.
	DeadLetterMaxBytes int32
	// RowMaxBytes is the same of the rows topic. 0: Kafka's default, 1 MiB.
	RowMaxBytes int32
	// AcceptGap goes on where records that were not read yet are no longer in the topic.
	AcceptGap bool
	// Breaker holds the processor when too much is rejected.
	Breaker BreakerLimits
	// Workers decode side by side; 0: one a core, but for the one on which the client unpacks the next poll meanwhile.
	Workers int
	// Replay bounds what is read, and has it counted; nil: everything, for as long as Run is let run.
	Replay   *Replay
	Log      *slog.Logger
	Observer Observer
	Now      func() time.Time
}

// Deadlines of the loop. A killed processor is replaced after the session timeout; its open transaction holds back
// readers for at most the transaction timeout.
const (
	sessionTimeout     = 10 * time.Second
	rebalanceTimeout   = 30 * time.Second
	heartbeatInterval  = 2 * time.Second
	transactionTimeout = 15 * time.Second
	shutdownGrace      = 8 * time.Second
	storeTimeout       = 30 * time.Second
)

// largestBatch is the most that one record may need to be sent on as a letter: the largest --max-record-bytes and more.
const largestBatch = 320 << 20

// Processor is one member of the consumer group.
type Processor struct {
	cfg    Config
	store  Store
	view   View
	encode Encoder

	breaker breaker
}

// New makes a processor that does nothing until Run.
func New(cfg Config, store Store, view View, encode Encoder) *Processor {
	if cfg.PollMaxRecords <= 0 {
		cfg.PollMaxRecords = 2000
	}
	if cfg.FetchMaxBytes <= 0 {
		cfg.FetchMaxBytes = 16 << 20
	}
	if cfg.DeadLetterMaxBytes <= 0 {
		cfg.DeadLetterMaxBytes = 21 << 20
	}
	if cfg.RowMaxBytes <= 0 {
		cfg.RowMaxBytes = 1 << 20
	}
	if cfg.SessionTimeout <= 0 {
		cfg.SessionTimeout = sessionTimeout
	}
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
	return &Processor{cfg: cfg, store: store, view: view, encode: encode}
}

// Run processes until ctx ends: then it finishes the batch in hand, commits and leaves the group, within ten seconds.
// It returns nil then, and at the end of a replay, and an error only for what no waiting mends.
func (p *Processor) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 100*time.Millisecond, 5*time.Second
	for ctx.Err() == nil {
		began := p.cfg.Now()
		err := p.session(ctx)
		if ctx.Err() != nil || errors.Is(err, errReplayed) {
			break
		}
		var fatal *fatalError
		if errors.As(err, &fatal) {
			return fatal.err
		}
		if p.cfg.Now().Sub(began) > time.Minute {
			pause.Reset()
		}
		wait := pause.NextBackOff()
		p.cfg.Log.Warn("starting over from the committed offsets", "reason", err, "after", wait)
		sleep(ctx, wait)
	}
	// guard: deploy: a processor that is scaled in leaves the group
	p.leave(ctx)
	return nil
}

// fatalError is what no waiting mends.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }
func (e *fatalError) Unwrap() error { return e.err }

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
