package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/explain"
	"github.com/pitchstream/pitchstream/internal/fileinput"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
)

// explainCmd is pitchstream explain.
type explainCmd struct {
	Pitch string `arg:"" name:"PITCH_ID" help:"The pitch's identifier, or - for one record (the value) on standard input, which needs no server."`

	Window  config.Duration `env:"-" name:"window" default:"24h" placeholder:"TIME" help:"How long before and after the versions that Postgres holds the raw topic is searched for others. Default: 24h."`
	All     bool            `env:"-" name:"all" help:"Search the whole raw topic, every partition, and all dead letters."`
	Game    string          `env:"-" name:"game" placeholder:"PK" help:"The game: where to search for a pitch that Postgres does not know; for a record on standard input, its key."`
	Header  []string        `env:"-" name:"header" sep:"none" placeholder:"KEY=VALUE" help:"A header of the record on standard input, as revision=2; may be repeated."`
	Windows bool            `env:"-" name:"windows" help:"List every window of the bat speed, not only why some were rejected."`
	Plot    string          `env:"-" name:"plot" placeholder:"FILE.svg" help:"Write a picture of the swing: the bat from above and from the side, coloured by its speed, the flight of the pitch and the contact; and the strike zone as the catcher sees it."`
	JSON    bool            `env:"-" name:"json" help:"Print one JSON object instead of text."`
	Timeout config.Duration `env:"-" name:"timeout" default:"10m" placeholder:"TIME" help:"End after that long, in any case. Default: 10m."`

	Kafka    optionalKafka         `embed:"" group:"Kafka"`
	Topics   config.Topics         `embed:"" group:"Kafka"`
	Archive  config.Archive        `embed:"" group:"Kafka"`
	Postgres optionalPostgres      `embed:"" group:"Postgres"`
	Registry config.SchemaRegistry `embed:"" group:"Schema registry"`
	Limits   config.Limits         `embed:"" group:"Processing"`
}

// Help returns the text of explain --help below its first line.
func (*explainCmd) Help() string {
	return `
Prints every version of the pitch in the raw topic with its coordinates, and which of them is current. For the current version
it shows each stage of the core: the headers, what was read of the value, the columns taken from it, the features, what was out
of range, and which windows the bat speed accepted or rejected, and why; the fit of the pitch's flight; the contact with its
frames, the estimates of its speed, their error and the doubts. Then follow the row, what it adds to the values of its
batter and batter-game, and the pitch's dead letters.

The search begins in Postgres: it reads the partitions of the versions stored there and the partition of the game, --window
before and after those versions. --all reads the whole topic. A pitch that Postgres does not know needs --game or --all.

  pitchstream explain 84f189a5-98fd-478d-b982-e8032a1f14bf
  pitchstream explain 84f189a5-98fd-478d-b982-e8032a1f14bf --plot swing.svg
  pitchstream explain 84f189a5-98fd-478d-b982-e8032a1f14bf --json | jq .explanation.bat_speed
  pitchstream explain --game 745804 --header revision=2 - < record.json

Exit status: 0 well; 1 it failed, or nothing was found; 2 wrong usage.`
}

// Validate checks the flags.
func (c *explainCmd) Validate() error {
	if c.Timeout <= 0 || c.Window < 0 {
		return errors.New("--timeout and --window: want a time span, more than 0")
	}
	if c.Pitch == "-" {
		_, err := c.headers()
		return err
	}
	if _, ok := schemas.ParsePitchID(c.Pitch); !ok {
		return fmt.Errorf("%q: want a pitch_id as 84f189a5-98fd-478d-b982-e8032a1f14bf, "+
			"or - for a record on standard input", c.Pitch)
	}
	if len(c.Header) > 0 {
		return errors.New("--header is for a record on standard input")
	}
	if err := config.Kafka(c.Kafka).Validate(); err != nil {
		return err
	}
	return config.Postgres(c.Postgres).Validate()
}

func (c *explainCmd) headers() (out []schemas.Header, err error) {
	for _, h := range c.Header {
		key, value, ok := strings.Cut(h, "=")
		if !ok || key == "" {
			return nil, fmt.Errorf("--header=%s: want KEY=VALUE", h)
		}
		out = append(out, schemas.Header{Key: key, Value: []byte(value)})
	}
	return out, nil
}

// PostgresRole returns a reader, which this command connects as.
func (*explainCmd) PostgresRole() config.Role { return config.Reader }

// Run finds and prints a pitch.
func (c *explainCmd) Run(ctx context.Context, std *stdio) error {
	ctx, cancel := context.WithTimeoutCause(ctx, time.Duration(c.Timeout),
		fmt.Errorf("not done within --timeout=%v", c.Timeout))
	defer cancel()
	var p *explain.Pitch
	var err error
	if c.Pitch == "-" {
		p, err = c.standardInput(ctx, std.In)
	} else {
		p, err = c.find(ctx, std)
	}
	if err != nil {
		return err
	}
	w := bufio.NewWriter(std.Out)
	if c.JSON {
		err = terminal.PrintJSON(w, p.JSON())
	} else {
		explain.Print(terminal.Plain(w), p, c.Windows)
	}
	if err = errors.Join(err, w.Flush()); err != nil {
		return err
	}
	if err := c.plot(p); err != nil {
		return err
	}
	if p.Registers == nil && len(p.Versions)+len(p.Letters) == 0 {
		return errors.New("nothing was found of this pitch")
	}
	return nil
}

// standardInput explains one record without any server.
func (c *explainCmd) standardInput(ctx context.Context, in io.Reader) (*explain.Pitch, error) {
	headers, err := c.headers()
	if err != nil {
		return nil, err
	}
	item, ok, err := fileinput.One(ctx, in, int(c.Limits.MaxRecordBytes)+1<<20)
	if err != nil {
		return nil, err
	}
	var rec schemas.Record
	if ok {
		rec = item.KafkaRecord(c.Game, fileinput.Identity{})
	} else if c.Game != "" { // no record at all is one without a value, as a delete is
		rec.Key = []byte(c.Game)
	}
	rec.Topic, rec.Headers = "-", append(rec.Headers, headers...)
	registry, err := c.Registry.Open()
	if err == nil {
		rec, _, err = registry.Plain(ctx, rec, coreLimits(c.Limits))
	}
	return explain.One(rec, coreLimits(c.Limits)), err
}

func (c *explainCmd) find(ctx context.Context, std *stdio) (*explain.Pitch, error) {
	id, _ := schemas.ParsePitchID(c.Pitch)
	options, err := config.Kafka(c.Kafka).Options()
	if err != nil {
		return nil, err
	}
	registry, err := c.Registry.Open()
	if err != nil {
		return nil, err
	}
	bar := terminal.NewLateProgress(std.Err, terminal.ProgressOptions{Title: "explain: searching"})
	defer bar.Stop()
	p, err := explain.Find(ctx, id, explain.Options{
		Client: options, Raw: c.Topics.TopicRaw, Dead: c.Topics.TopicDead, Limits: coreLimits(c.Limits),
		Archive: c.Archive.Place(), Registry: registry,
		Postgres: pgread.Config{
			URL: config.Postgres(c.Postgres).Address(), Schema: c.Postgres.Schema, Group: c.Kafka.Group,
		},
		Window: time.Duration(c.Window), All: c.All, GamePK: c.Game, Progress: bar.Set,
	})
	if errors.Is(err, explain.ErrUnknown) {
		err = fmt.Errorf("%w: name its game with --game, or search everything with --all", err)
	}
	return p, err
}

// plot writes the picture to a file that appears complete or not at all.
func (c *explainCmd) plot(p *explain.Pitch) error {
	switch {
	case c.Plot == "":
		return nil
	case p.Explained < 0:
		return errors.New("--plot: there is no version to draw")
	}
	svg, ok := explain.Plot("pitch "+p.ID.String(), p.Versions[p.Explained].Record.Value, p.Explanation)
	if !ok {
		return errors.New("--plot: no swing was tracked in this record")
	}
	f, err := os.CreateTemp(filepath.Dir(c.Plot), ".plot-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(svg)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), c.Plot)
}
