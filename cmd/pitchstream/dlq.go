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

	Kafka    config.Kafka          `embed:"" group:"Kafka"`
	Topics   config.Topics         `embed:"" group:"Kafka"`
	Archive  config.Archive        `embed:"" group:"Kafka"`
	Postgres optionalPostgres      `embed:"" group:"Postgres"`
	Registry config.SchemaRegistry `embed:"" group:"Schema registry"`
	Limits   config.Limits         `embed:"" group:"Processing"`
}

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
			codes := schemas.Map(schemas.Codes, func(c schemas.Code) string { return string(c) })
			return out, fmt.Errorf("--code=%s: want one of %s", c, strings.Join(codes, ", "))
		}
		out.Codes = append(out.Codes, schemas.Code(c))
	}
	out.GamePK = f.Game
	if out.Since, err = timeOrAgo("--since", f.Since, now); err == nil {
		out.Until, err = timeOrAgo("--until", f.Until, now)
	}
	if err == nil && !out.Since.IsZero() && !out.Until.IsZero() && !out.Since.Before(out.Until) {
		err = errors.New("--since is not before --until: no dead letter is meant")
	}
	return out, err
}

// Validate checks the flags of every dlq command.
func (f *dlqFilter) Validate() error {
	_, err := f.filter(time.Now())
	return err
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
			return nil, fmt.Errorf("%q: want PARTITION:OFFSET, as 3:1042 (see pitchstream dlq ls)", a)
		}
		out = append(out, schemas.Coordinates{Partition: int32(p), Offset: int64(o)})
	}
	return out, nil
}

// Validate checks the servers' flags. Commands that cannot do without Postgres check its address themselves.
func (s *dlqServers) Validate() error {
	if s.Timeout <= 0 {
		return fmt.Errorf("--timeout=%v: want more than 0", s.Timeout)
	}
	if s.Postgres.URL.Reveal() != "" {
		return config.Postgres(s.Postgres).Validate()
	}
	return nil
}

// dlqRun is what the dlq commands do differently.
type dlqRun struct {
	places   []string                // of the topic; none: all that the filter takes
	progress func(done, total int64) // may be nil
	coreOnly bool
	do       func(context.Context, *deadletter.Desk, deadletter.Filter) error
}

// run connects to the servers, calls r.do and closes the connections.
func (s *dlqServers) run(ctx context.Context, f *dlqFilter, r dlqRun) error {
	filter, err := f.filter(time.Now())
	if err != nil {
		return err
	}
	if filter.At, err = letterPlaces(r.places); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(s.Timeout),
		fmt.Errorf("not done within --timeout=%v: the same command goes on", s.Timeout))
	defer cancel()
	o := deadletter.Options{
		Raw: s.Topics.TopicRaw, Dead: s.Topics.TopicDead, Archive: s.Archive.Place(), CoreOnly: r.coreOnly,
		Progress: r.progress,
		Limits:   coreLimits(s.Limits), By: whoAmI(), Build: obs.Build(),
	}
	if o.Client, err = s.Kafka.Options(); err != nil {
		return err
	}
	if o.Registry, err = s.Registry.Open(); err != nil {
		return err
	}
	if s.Postgres.URL.Reveal() != "" {
		store, err := pgsink.Reach(ctx, groupConfig(config.Postgres(s.Postgres), s.Kafka.Group))
		if err != nil {
			return err
		}
		defer store.Close()
		o.Store = deadLetterStore{pgbooks.NewDeadLetters(store.DB()), store}
	}
	desk, err := deadletter.Open(ctx, o)
	if err != nil {
		return err
	}
	defer desk.Close()
	return r.do(ctx, desk, filter)
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

func (s deadLetterStore) WouldRefuse(c context.Context, p []schemas.PitchChanges) ([]schemas.Refusal, error) {
	return s.store.WouldRefuse(c, p)
}
