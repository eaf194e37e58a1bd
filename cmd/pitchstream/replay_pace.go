package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/consumer"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// What a replay may take beside a live stream. A batch's transaction holds the locks of its batters, and a core that
// decodes is not there for the live record: both are what a live pitch waits for.
const (
	gentleRecords = 60  // of a batch
	gentleRest    = 1.0 // after a poll, in the time that it took
	livePoll      = 250 * time.Millisecond
	liveSilence   = 5 * time.Second  // a processor that says nothing for so long is in trouble
	liveGone      = 60 * time.Second // and after that it is no processor any more
)

// pacer gives way to the live stream.
type pacer struct {
	live   *pgread.Reader // nil: nobody is given way to
	maxLag time.Duration
	paused atomic.Bool
	gentle atomic.Bool // a live processor is there
	tell   func(paused bool, lag time.Duration)
	last   atomic.Int64 // Unix nanoseconds: when the last poll was let go
}

func (r *replay) newPacer() (*pacer, error) {
	p := &pacer{maxLag: time.Duration(r.c.MaxLiveLag), tell: func(paused bool, lag time.Duration) {
		if paused {
			r.log.Info("replay pauses: the live stream is behind", "lag", lag)
		} else {
			r.log.Info("replay goes on")
		}
	}}
	if !r.c.LiveFirst {
		return p, nil
	}
	var err error
	p.live, err = pgread.Open(pgread.Config{URL: r.c.Postgres.URL.Reveal(), Schema: r.c.Postgres.Schema, Group: r.c.Kafka.Group, MaxConns: 1})
	if err == nil {
		niceness()
	}
	return p, err
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

// watch looks at what the live processors say until ctx ends.
func (p *pacer) watch(ctx context.Context) error {
	if p.live == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(livePoll)
	defer tick.Stop()
	for {
		if pulse, err := p.live.Pulse(ctx); err == nil {
			p.judge(pulse, time.Now())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// judge decides whether the replay may go on. Where no processor is alive there is nobody to give way to.
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
		p.tell(paused, lag)
	}
}

// wait returns when the next poll may be made, or ctx ends.
func (p *pacer) wait(ctx context.Context) {
	if p.live == nil {
		return
	}
	began := time.Now()
	if last := p.last.Load(); last != 0 && p.gentle.Load() {
		worked := min(began.Sub(time.Unix(0, last)), time.Second)
		rest(ctx, time.Duration(gentleRest*float64(worked)))
	}
	for p.paused.Load() && ctx.Err() == nil {
		rest(ctx, 20*time.Millisecond)
	}
	p.last.Store(time.Now().UnixNano())
}

func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
