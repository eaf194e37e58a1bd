package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/obs"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgbooks"
)

// dlqCmd holds the commands for dead letters.
type dlqCmd struct {
	Ls      dlqLsCmd      `cmd:"" name:"ls" help:"List the dead letters, grouped by code and shape of message."`
	Show    dlqShowCmd    `cmd:"" name:"show" help:"Show one dead letter: coordinates, headers, the record with the fault marked, its outcome today."`
	Retry   dlqRetryCmd   `cmd:"" name:"retry" help:"Send records to the raw topic again, each once; --dry-run predicts the outcome."`
	Export  dlqExportCmd  `cmd:"" name:"export" help:"Write dead letters as JSON Lines."`
	Discard dlqDiscardCmd `cmd:"" name:"discard" help:"Record that dead letters are not wanted, and why."`
}

// dlqServers holds the server flags of all dlq commands.
type dlqServers struct {
	Timeout config.Duration `env:"-" name:"timeout" default:"1h" placeholder:"TIME" help:"End after that long, in any case; what was done is written down. Default: 1h."`

	Kafka    config.Kafka      `embed:"" group:"Kafka"`
	Topics   config.Topics     `embed:"" group:"Kafka"`
	Postgres uncheckedPostgres `embed:"" group:"Postgres"`
	Limits   config.Limits     `embed:"" group:"Processing"`
}

// uncheckedPostgres is config.Postgres for commands in which Postgres is optional.
type uncheckedPostgres config.Postgres

// dlqFilter holds the flags that select dead letters.
type dlqFilter struct {
	Code  []string `env:"-" name:"code" placeholder:"CODE" group:"Which dead letters" help:"Dead letters with this code, as malformed_json; several with commas. Default: any."`
	Since string   `env:"-" name:"since" placeholder:"TIME" group:"Which dead letters" help:"Dead letters that failed at this time or later: RFC 3339 (2026-04-06T21:30:00Z), or how long ago (90m, 24h). Default: any."`
	Until string   `env:"-" name:"until" placeholder:"TIME" group:"Which dead letters" help:"Dead letters that failed before this time, written as in --since. Default: any."`
	Game  string   `env:"-" name:"game" placeholder:"PK" group:"Which dead letters" help:"Dead letters of this game (the header game_pk, else the key). Default: any."`
}

// filter returns the filter that the flags describe.
func (f *dlqFilter) filter(now time.Time) (out deadletter.Filter, err error) {
	for _, c := range f.Code {
		if !slices.Contains(schemas.Codes, schemas.Code(c)) {
			return out, fmt.Errorf("--code=%s: want one of %s", c, codesText())
		}
		out.Codes = append(out.Codes, schemas.Code(c))
	}
	out.GamePK = f.Game
	if out.Since, err = timeOrAgo("--since", f.Since, now); err == nil {
		out.Until, err = timeOrAgo("--until", f.Until, now)
	}
	if err == nil && !out.Since.IsZero() && !out.Until.IsZero() && !out.Since.Before(out.Until) {
		err = errors.New("--since is not before --until: no letter is meant")
	}
	return out, err
}

// at returns the filter, restricted to the given places of the topic unless there are none.
func (f *dlqFilter) at(places []string) (deadletter.Filter, error) {
	out, err := f.filter(time.Now())
	if err == nil {
		out.At, err = letterPlaces(places)
	}
	return out, err
}

func codesText() string {
	var names []string
	for _, c := range schemas.Codes {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

// timeOrAgo reads an RFC 3339 time, or a time span before now; the zero time for "".
func timeOrAgo(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return t, fmt.Errorf("%s=%s: want a time as 2026-04-06T21:30:00Z, or how long ago as 90m or 24h",
			flag, text)
	}
	return t, nil
}

// letterPlaces reads PARTITION:OFFSET.
func letterPlaces(args []string) (out []schemas.Coordinates, err error) {
	for _, a := range args {
		partition, offset, found := strings.Cut(a, ":")
		p, err1 := strconv.ParseUint(partition, 10, 31)
		o, err2 := strconv.ParseUint(offset, 10, 63)
		if !found || err1 != nil || err2 != nil {
			return nil, fmt.Errorf("%q: want a letter's PARTITION:OFFSET as 3:1042 (pitchstream dlq ls names some)", a)
		}
		out = append(out, schemas.Coordinates{Partition: int32(p), Offset: int64(o)})
	}
	return out, nil
}

func (s *dlqServers) validate(needsStore bool) error {
	if s.Timeout <= 0 {
		return fmt.Errorf("--timeout=%v: want more than 0", s.Timeout)
	}
	if needsStore || s.Postgres.URL.Reveal() != "" {
		return config.Postgres(s.Postgres).Validate()
	}
	return nil
}

// deskOptions differ between the commands.
type deskOptions struct {
	progress func(done, total int64) // may be nil
	coreOnly bool
}

// open connects to the servers. The caller must call done, which closes the connections.
func (s *dlqServers) open(
	ctx context.Context, o deskOptions,
) (_ context.Context, d *deadletter.Desk, done func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(s.Timeout),
		fmt.Errorf("not done within --timeout=%v: the same command goes on", s.Timeout))
	var closers []func()
	done = func() {
		for _, c := range slices.Backward(closers) {
			c()
		}
	}
	closers = append(closers, cancel)
	fail := func(err error) (context.Context, *deadletter.Desk, func(), error) {
		done()
		return nil, nil, nil, err
	}
	options, err := s.Kafka.Options()
	if err != nil {
		return fail(err)
	}
	lo := deadletter.Options{
		Client: options, Raw: s.Topics.TopicRaw, Dead: s.Topics.TopicDead,
		CoreOnly: o.coreOnly, Progress: o.progress,
		Limits: features.Limits{MaxRecordBytes: int(s.Limits.MaxRecordBytes)}, By: whoAmI(), Build: obs.Build(),
	}
	if s.Postgres.URL.Reveal() != "" {
		var store *pgsink.Sink
		if store, err = openStore(config.Postgres(s.Postgres), s.Kafka.Group, nil); err == nil {
			closers = append(closers, store.Close)
			err = store.Ping(ctx)
		}
		if err != nil {
			return fail(err)
		}
		lo.Store = deadLetterStore{pgbooks.NewDeadLetters(store.DB()), store}
	}
	if d, err = deadletter.Open(ctx, lo); err != nil {
		return fail(err)
	}
	closers = append(closers, d.Close)
	return ctx, d, done, nil
}

// whoAmI returns user@host, which is stored with each decision.
func whoAmI() string {
	name, host := "unknown", "unknown"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if h, err := os.Hostname(); err == nil {
		host = h
	}
	return strings.ToValidUTF8(name+"@"+host, "?")
}

// deadLetterStore reads and writes decisions, and asks the tables which rows they would refuse.
type deadLetterStore struct {
	pgbooks.DeadLetters
	store *pgsink.Sink
}

func (s deadLetterStore) WouldRefuse(
	ctx context.Context, pitches []schemas.PitchChanges,
) ([]schemas.Refusal, error) {
	return s.store.WouldRefuse(ctx, pitches)
}
