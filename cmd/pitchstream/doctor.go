package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/doctor"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// doctorCmd checks the servers' settings.
type doctorCmd struct {
	Only     []string        `env:"-" name:"only" enum:"kafka,postgres,redis" placeholder:"SERVER" help:"Check only these: kafka, postgres, redis. Default: all whose addresses are given."`
	For      string          `env:"-" name:"for" enum:"run,serve,migrate" default:"run" placeholder:"run|serve|migrate" help:"The command whose rights to check, with the logins in the settings. Default: run."`
	Backfill config.Duration `env:"-" name:"backfill" default:"720h" placeholder:"TIME" help:"How far back a replay, or a Postgres restored from a backup, must reach: the raw topic should keep its records for longer. Default: 720h."`
	Timeout  config.Duration `env:"-" name:"timeout" default:"10s" placeholder:"TIME" help:"How long to wait for each server. Default: 10s."`
	JSON     bool            `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Kafka    optionalKafka    `embed:"" group:"Kafka"`
	Topics   config.Topics    `embed:"" group:"Kafka"`
	Postgres optionalPostgres `embed:"" group:"Postgres"`
	Redis    optionalRedis    `embed:"" group:"Redis"`
	Limits   config.Limits    `embed:"" group:"Processing"`
}

// Help returns the text of doctor --help below its first line.
func (*doctorCmd) Help() string {
	return `
Asks Kafka, Postgres and Redis for the settings that the promise rests on (nothing lost, nothing counted twice), and compares
them with each other and with pitchstream's own. It changes nothing. Each finding says what was seen, why it matters, and the
command that repairs it. A server that does not answer is a finding; the others are still checked.

  error     data can be lost or wrong, or the stream stops
  warning   a fault costs more than it must, or a limit is near
  note      right for a test system, and worth knowing elsewhere

  pitchstream doctor                         all servers in the settings
  pitchstream doctor --only postgres,redis
  pitchstream doctor --for serve             with the logins of the API
  pitchstream doctor --json | jq -r .findings[].name

pitchstream run makes the same checks once, beside the stream, and logs the errors.

Exit status: 0 no error and no warning; 1 at least one of them, or it failed; 2 wrong usage.`
}

// Validate checks the settings of the servers that are to be checked.
func (c *doctorCmd) Validate() error {
	servers := optionalServers(c.Kafka, c.Postgres, c.Redis)
	for _, name := range c.Only {
		i := slices.IndexFunc(servers, func(s optionalServer) bool { return s.name == name })
		if !servers[i].isGiven {
			return fmt.Errorf("--only=%s: its address is missing: give --%s", name, servers[i].flag)
		}
	}
	if !slices.ContainsFunc(servers, func(s optionalServer) bool { return s.isGiven }) {
		return errors.New("no server is given: want --kafka-brokers, --postgres-url, --redis-url, or some of them")
	}
	var errs []error
	for _, s := range servers {
		if c.checks(s.name, s.isGiven) {
			errs = append(errs, s.validate())
		}
	}
	if c.Timeout <= 0 {
		errs = append(errs, errors.New("--timeout: want a time span, more than 0"))
	}
	return errors.Join(errs...)
}

func (c *doctorCmd) checks(server string, given bool) bool {
	return given && (len(c.Only) == 0 || slices.Contains(c.Only, server))
}

// options returns what to check.
func (c *doctorCmd) options() (o doctor.Options, err error) {
	o = doctor.Options{
		Group: c.Kafka.Group, RawTopic: c.Topics.TopicRaw, RowsTopic: c.Topics.TopicRows,
		DeadTopic: c.Topics.TopicDead, MaxRecordBytes: int64(c.Limits.MaxRecordBytes),
		Backfill: time.Duration(c.Backfill), Schema: c.Postgres.Schema, For: doctor.Command(c.For),
		Timeout: time.Duration(c.Timeout), Hint: hintFor(c),
	}
	if c.checks("kafka", len(c.Kafka.Brokers) > 0) {
		if o.Kafka, err = config.Kafka(c.Kafka).Options(); err != nil {
			return o, err
		}
	}
	if c.checks("postgres", true) {
		o.PostgresURL = config.Postgres(c.Postgres).Address()
	}
	if c.checks("redis", c.Redis.URL.Reveal() != "") {
		redis, err := redisConfig(config.Redis(c.Redis))
		if err != nil {
			return o, err
		}
		o.Redis = &redis
	}
	return o, nil
}

// Run checks, and prints the report.
func (c *doctorCmd) Run(ctx context.Context, std *stdio) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	r, err := doctor.Run(ctx, o)
	if err != nil {
		return err
	}
	if c.JSON {
		err = terminal.PrintJSON(std.Out, r)
	} else {
		err = printReport(std.Out, r)
	}
	return orDifference(err, len(r.Findings) > 0)
}

func printReport(out io.Writer, r *doctor.Report) error {
	w := bufio.NewWriter(out)
	for _, f := range slices.Concat(r.Findings, r.Notes) {
		fmt.Fprintf(w, "%-8s %s: %s\n         why: %s\n         fix: %s\n", f.Severity, f.Name, f.Seen, f.Why,
			f.Fix)
	}
	for _, text := range r.NotChecked {
		fmt.Fprintf(w, "%-8s %s\n", "unknown", text)
	}
	errs := int64(r.Errors())
	counts := []string{terminal.Counted(errs, "error"), terminal.Counted(int64(len(r.Findings))-errs, "warning"),
		terminal.Counted(int64(len(r.Notes)), "note")}
	fmt.Fprintf(w, "%s; %s made, %s could not be made\n", strings.Join(counts, ", "),
		terminal.Counted(int64(r.Checked), "check"), terminal.Count(int64(len(r.NotChecked))))
	return w.Flush()
}

// logFindings checks the servers of a processor once, and logs the errors. The stream itself reports that a
// server does not answer.
func (c *runCmd) logFindings(ctx context.Context, log *slog.Logger) {
	d := doctorCmd{
		Kafka: optionalKafka(c.Kafka), Topics: c.Topics, Postgres: optionalPostgres(c.Postgres),
		Redis: optionalRedis(c.Redis), Limits: c.Limits, For: "run", Backfill: config.Duration(24 * time.Hour),
	}
	o, err := d.options()
	if err != nil {
		return // the processor ends with this error
	}
	r, err := doctor.Run(ctx, o)
	if err != nil || ctx.Err() != nil {
		return
	}
	for _, f := range r.Findings {
		if f.Severity == doctor.Error && !strings.HasSuffix(f.Name, ".reachable") {
			log.Warn("a server's setting can cost data or stop the stream",
				"check", f.Name, "seen", f.Seen, "why", f.Why, "fix", f.Fix)
		}
	}
}
