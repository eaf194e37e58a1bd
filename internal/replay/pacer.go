package replay

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/internal/lifecycle"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// Limits of a replay beside a live stream. A live pitch waits for the locks that a batch of the replay holds,
// and for a free core. So batches are small, and a pause follows each poll.
const (
	gentleRecords = 60  // of a batch
	gentleRest    = 1.0 // pause after a poll, as a share of the time that it took
	livePoll      = 250 * time.Millisecond
	liveSilence   = 5 * time.Second  // a processor that is silent for longer counts as behind
	liveGone      = 60 * time.Second // and for longer than this it is no processor any more
)

// pacer gives way to the live stream. watch runs in a goroutine of its own, wait in those of the readers.
type pacer struct {
	log    *slog.Logger
	live   *pgread.Reader // nil: it never gives way
	maxLag time.Duration
	paused atomic.Bool
	gentle atomic.Bool  // a live processor is alive
	last   atomic.Int64 // when a wait ended that was not cut short, in Unix nanoseconds; 0: never
	due    atomic.Int64 // when the rest after the last poll ends, in Unix nanoseconds; 0: none is begun
}

func newPacer(o Options, log *slog.Logger) (p *pacer, err error) {
	p = &pacer{log: log, maxLag: o.MaxLiveLag}
	if o.LiveFirst {
		live := o.Live.Postgres
		p.live, err = pgread.Open(pgread.Config{
			URL: live.Address(), Schema: live.Schema, Group: o.Live.Group, MaxConns: 1,
		})
		lowerPriority()
	}
	return p, err
}

// GiveWay calls step until it reports that all is done, and gives way to the live stream as a replay does. It
// rests for as long as each step took, and pauses while a live record has waited for longer than maxLag.
func GiveWay(
	ctx context.Context, live pgread.Config, maxLag time.Duration, log *slog.Logger,
	step func(context.Context) (isDone bool, err error),
) error {
	reader, err := pgread.Open(live)
	if err != nil {
		return err
	}
	lowerPriority()
	p := &pacer{log: log, maxLag: maxLag, live: reader}
	defer p.close()
	watching, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = p.watch(watching)
	}()
	defer func() {
		stop()
		<-ended
	}()
	for {
		p.wait(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if isDone, err := step(ctx); isDone || err != nil {
			return err
		}
	}
}

func (p *pacer) close() {
	if p.live != nil {
		p.live.Close()
	}
}

// limit bounds what one batch takes.
func (p *pacer) limit(cfg *consumer.Config) {
	if p.live != nil {
		cfg.PollMaxRecords, cfg.Workers = gentleRecords, 1
	}
}

// watch reads the heartbeats of the live processors until ctx ends.
func (p *pacer) watch(ctx context.Context) error {
	for p.live != nil && ctx.Err() == nil {
		if pulse, err := p.live.Pulse(ctx); err == nil {
			p.judge(pulse, time.Now())
		}
		_ = lifecycle.Sleep(ctx, livePoll)
	}
	<-ctx.Done()
	return nil
}

// judge decides whether the replay pauses. Without a live processor it does not.
func (p *pacer) judge(pulse schemas.Pulse, now time.Time) {
	var lag time.Duration
	alive := false
	for _, h := range pulse.Heartbeats {
		age := now.Sub(h.At.Time())
		if age > liveGone {
			continue
		}
		alive = true
		behind := time.Duration(h.LagMS) * time.Millisecond
		if age > liveSilence || behind > 0 {
			behind += max(age, 0)
		}
		lag = max(lag, behind)
	}
	p.gentle.Store(alive)
	// guard: replay: it pauses while live is behind | lag > p.maxLag -> lag > 1000*p.maxLag
	if paused := alive && lag > p.maxLag; p.paused.Swap(paused) != paused {
		if paused {
			p.log.Info("replay pauses, because the live stream is behind", "lag", lag)
		} else {
			p.log.Info("replay continues")
		}
	}
}

// wait returns when the next poll may be made, or ctx ends. The rest of a slow poll takes longer than one
// call may: the next call goes on with what is left of it.
func (p *pacer) wait(ctx context.Context) {
	if p.live == nil {
		return
	}
	if last := p.last.Load(); last != 0 && p.gentle.Load() {
		now := time.Now()
		worked := min(now.Sub(time.Unix(0, last)), time.Second)
		rest := now.Add(time.Duration(gentleRest * float64(worked)))
		// guard: replay: a rest that is cut short goes on
		p.due.CompareAndSwap(0, rest.UnixNano())
		_ = lifecycle.Sleep(ctx, time.Until(time.Unix(0, p.due.Load())))
	}
	for p.paused.Load() && ctx.Err() == nil {
		_ = lifecycle.Sleep(ctx, 20*time.Millisecond)
	}
	if ctx.Err() == nil {
		p.due.Store(0)
		p.last.Store(time.Now().UnixNano())
	}
}
