package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/alecthomas/kong"

	"github.com/pitchstream/pitchstream/internal/archive"
	"github.com/pitchstream/pitchstream/internal/blob"
	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/terminal"
)

// archiveCmd groups the commands about the archive of the raw topic.
type archiveCmd struct {
	Run     archiveRunCmd     `cmd:"" name:"run" default:"withargs" help:"Write the raw topic to the archive until stopped, or with --once up to its end. The default."`
	Ls      archiveLsCmd      `cmd:"" name:"ls" help:"List what the archive has, by partition."`
	Verify  archiveVerifyCmd  `cmd:"" name:"verify" help:"Read every segment and check it against its manifest."`
	Compact archiveCompactCmd `cmd:"" name:"compact" help:"Merge small segments, and remove files that a run left that was killed an hour ago."`
	Prune   archivePruneCmd   `cmd:"" name:"prune" help:"Remove the segments that the archive took before a time, if their records are older too."`
}

// archivePlace is the archive that a command is about.
type archivePlace struct {
	Archive config.Archive `embed:"" group:"Archive"`
	Topics  config.Topics  `embed:"" group:"Kafka"`
}

func (c *archivePlace) open() (blob.Store, error) {
	if c.Archive.URL == "" {
		return nil, errors.New("--archive is missing: want a folder or a URL, as s3://bucket/prefix")
	}
	return blob.Open(c.Archive.Place())
}

// selection returns the part of the archive that is about the raw topic.
func (c *archivePlace) selection(topicID string) (archive.Selection, error) {
	store, err := c.open()
	return archive.Selection{Store: store, Topic: c.Topics.TopicRaw, TopicID: topicID}, err
}

type archiveRunCmd struct {
	Once         bool            `env:"-" name:"once" help:"End when everything is archived that the topic has now, as for a job that runs every hour. Default: go on until stopped."`
	SegmentBytes config.Bytes    `name:"archive-segment-bytes" default:"32MiB" placeholder:"SIZE" help:"Write a segment when its records have this size before packing, 64KiB to 256MiB. Default: 32MiB."`
	BufferBytes  config.Bytes    `name:"archive-buffer-bytes" default:"128MiB" placeholder:"SIZE" help:"Packed bytes of all partitions together that may wait in memory: the largest segment is written beyond. Default: 128MiB."`
	MaxAge       config.Duration `name:"archive-max-age" default:"5m" placeholder:"TIME" help:"Write a segment when its first record has waited for so long. Default: 5m."`
	AdminAddr    config.Addr     `name:"admin-addr" default:"off" placeholder:"HOST:PORT" group:"Operation" help:"Address of /healthz, /readyz, /metrics; off for none. Default: off."`
	JSON         bool            `env:"-" name:"json" help:"Print the report as one JSON object."`

	Place archivePlace `embed:""`
	Kafka config.Kafka `embed:"" group:"Kafka"`
	Log   config.Log   `embed:"" group:"Operation"`
}

// Help is the text of archive run --help below its first line.
func (*archiveRunCmd) Help() string {
	return `
Writes every record of the raw topic, with key, headers, timestamp, partition and offset, as packed segments:

  ARCHIVE/TOPIC/TOPIC_ID/PARTITION/FIRST-LAST.jsonl.zst    the offsets from FIRST to LAST
  ARCHIVE/TOPIC/TOPIC_ID/PARTITION/manifest.json           the segments: hash, counts, times

  pitchstream archive --archive s3://league/raw                           until stopped
  pitchstream archive --archive /var/lib/pitchstream/raw --once           up to the end, as from cron
  pitchstream archive --archive 's3://raw?endpoint=https://minio:9000'    another server than Amazon's

The position is in the manifests. A run that is killed goes on where the last segment ends, and no record is in two of them. Of
two archivers at the same place one gives way. The group PITCHSTREAM_KAFKA_GROUP.archive only shows the position.

Records that the topic deleted before they were archived are named, and exit status is 1 then. The commands verify, replay,
explain, dlq and serve read from the archive what the topic has no more: give them the same --archive. A segment is also a file
for load and process, and for zstdcat and jq.

Exit status: 0 well; 1 failed, or records were gone; 2 wrong usage.`
}

// Validate checks the bounds.
func (c *archiveRunCmd) Validate() error {
	switch {
	case c.SegmentBytes < 64<<10 || c.SegmentBytes > 256<<20:
		return errors.New("--archive-segment-bytes: want 64KiB to 256MiB")
	case c.BufferBytes < 1<<20:
		return errors.New("--archive-buffer-bytes: want 1MiB or more")
	case c.MaxAge <= 0:
		return errors.New("--archive-max-age: want more than 0")
	}
	return nil
}

// Run archives.
func (c *archiveRunCmd) Run(
	ctx context.Context, std *stdio, loader *config.Loader, parsed *kong.Context,
) error {
	log, err := newLogger(std, c.Log, c)
	if err != nil {
		return err
	}
	logStart(log, loader, parsed)
	o, err := c.options(log)
	if err != nil {
		return err
	}
	bar := terminal.NewLateProgress(std.Err, terminal.ProgressOptions{Title: "archive"})
	if c.Once {
		o.Progress = bar.Set
	}
	r, err := archive.RunWatched(ctx, o, c.AdminAddr.Listen(), loader.Settings(parsed)...)
	bar.Stop()
	if err != nil {
		return err
	}
	if c.JSON {
		if err := terminal.PrintJSON(std.Out, r); err != nil {
			return err
		}
	} else {
		archive.Print(std.text(), o.Store.URL(), r)
	}
	if len(r.Gaps) > 0 {
		return errors.New("records were deleted from the topic before they were archived")
	}
	return nil
}

func (c *archiveRunCmd) options(log *slog.Logger) (o archive.Options, err error) {
	o = archive.Options{
		Topic: c.Place.Topics.TopicRaw, Group: c.Kafka.Group + ".archive", SegmentBytes: int64(c.SegmentBytes),
		BufferBytes: int64(c.BufferBytes), MaxAge: time.Duration(c.MaxAge), Once: c.Once, Log: log,
	}
	if o.Store, err = c.Place.open(); err != nil {
		return o, err
	}
	o.Client, err = c.Kafka.Options()
	return o, err
}

type archiveLsCmd struct {
	Segments bool   `env:"-" name:"segments" help:"Also list each segment."`
	TopicID  string `env:"-" name:"topic-id" placeholder:"ID" help:"Only what was archived of the topic with this ID. Default: all that had its name."`
	JSON     bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Place archivePlace `embed:""`
}

// Run lists.
func (c *archiveLsCmd) Run(ctx context.Context, std *stdio) error {
	s, err := c.Place.selection(c.TopicID)
	if err != nil {
		return err
	}
	all, err := archive.List(ctx, s, c.Segments)
	if err != nil {
		return err
	}
	if c.JSON {
		return terminal.PrintJSON(std.Out, object{"archive": s.Store.URL(), "partitions": all})
	}
	return archive.PrintContents(std.text(), all)
}

type archiveVerifyCmd struct {
	TopicID string `env:"-" name:"topic-id" placeholder:"ID" help:"Only what was archived of the topic with this ID. Default: all that had its name."`
	JSON    bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Place archivePlace `embed:""`
}

// Help is the text of archive verify --help below its first line.
func (*archiveVerifyCmd) Help() string {
	return `
Reads each segment, and compares hash, size, number of records, their offsets and times with the manifest.

Exit status: 0 all is as it was written; 1 a segment is not, or offsets are in no segment; 2 wrong usage.`
}

// Run verifies.
func (c *archiveVerifyCmd) Run(ctx context.Context, std *stdio) error {
	s, err := c.Place.selection(c.TopicID)
	if err != nil {
		return err
	}
	bar := terminal.NewLateProgress(std.Err, terminal.ProgressOptions{Title: "archive verify"})
	all, err := archive.Verify(ctx, s, bar.Set)
	bar.Stop()
	if err != nil {
		return err
	}
	wrong, gaps := 0, 0
	for _, p := range all {
		wrong += len(p.Problems)
		gaps += len(p.Gaps)
	}
	if c.JSON {
		o := object{"archive": s.Store.URL(), "partitions": all, "problems": wrong, "gaps": gaps}
		err = json.NewEncoder(std.Out).Encode(o)
	} else if err = archive.PrintContents(std.text(), all); err == nil {
		fmt.Fprintf(std.Out, "%s, %s\n", terminal.Counted(int64(wrong), "segment is wrong", "segments are wrong"),
			terminal.Counted(int64(gaps), "gap"))
	}
	return orDifference(err, wrong+gaps > 0)
}

type archiveCompactCmd struct {
	SegmentBytes config.Bytes `name:"archive-segment-bytes" default:"32MiB" placeholder:"SIZE" help:"Size of a segment before packing: those in a row that are smaller than half of it become one. Default: 32MiB."`
	TopicID      string       `env:"-" name:"topic-id" placeholder:"ID" help:"Only what was archived of the topic with this ID. Default: all that had its name."`
	DryRun       bool         `env:"-" name:"dry-run" help:"Say what would be done, and do nothing."`
	JSON         bool         `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Place archivePlace `embed:""`
}

// Help is the text of archive compact --help below its first line.
func (*archiveCompactCmd) Help() string {
	return `
Merges segments in a row into larger ones, each of which has the same records. An archiver may run meanwhile. Where another
compact or prune changes the same segments, this command ends with an error, and may be repeated. A killed one leaves nothing wrong.

Exit status: 0 well; 1 failed; 2 wrong usage.`
}

// Validate checks the bounds.
func (c *archiveCompactCmd) Validate() error {
	if c.SegmentBytes < 64<<10 || c.SegmentBytes > 256<<20 {
		return errors.New("--archive-segment-bytes: want 64KiB to 256MiB")
	}
	return nil
}

// Run compacts.
func (c *archiveCompactCmd) Run(ctx context.Context, std *stdio) error {
	s, err := c.Place.selection(c.TopicID)
	if err != nil {
		return err
	}
	all, err := archive.Compact(ctx, s, int64(c.SegmentBytes), c.DryRun)
	if err != nil {
		return err
	}
	return printChanges(std, all, c.JSON, c.DryRun)
}

func printChanges(std *stdio, all []archive.Change, asJSON, isDry bool) error {
	if asJSON {
		return terminal.PrintJSON(std.Out, object{"dry_run": isDry, "partitions": all})
	}
	archive.PrintChanges(std.Out, all, isDry)
	return nil
}

type archivePruneCmd struct {
	Before  string `env:"-" name:"before" required:"" placeholder:"TIME" help:"Remove segments that the archive took before this time and whose records have older timestamps, as 2021-01-01T00:00:00Z or 2021-01-01. A season that was loaded lately stays, whatever its timestamps."`
	TopicID string `env:"-" name:"topic-id" placeholder:"ID" help:"Only what was archived of the topic with this ID. Default: all that had its name."`
	DryRun  bool   `env:"-" name:"dry-run" help:"Say what would be removed, with its timestamps and when it was archived, and remove nothing."`
	Yes     bool   `env:"-" name:"yes" help:"Remove. DANGER: what the topic has no more is gone then."`
	JSON    bool   `env:"-" name:"json" help:"Print one JSON object instead of text."`

	Place archivePlace `embed:""`
}

// Validate checks the time.
func (c *archivePruneCmd) Validate() error {
	if _, err := archive.ParseBefore(c.Before); err != nil {
		return fmt.Errorf("--before=%w", err)
	}
	if !c.Yes && !c.DryRun {
		return errors.New("archive prune removes records for good: look with --dry-run, then give --yes")
	}
	return nil
}

// Run prunes.
func (c *archivePruneCmd) Run(ctx context.Context, std *stdio) error {
	s, err := c.Place.selection(c.TopicID)
	if err != nil {
		return err
	}
	before, err := archive.ParseBefore(c.Before)
	if err != nil {
		return err
	}
	all, err := archive.Prune(ctx, s, before, c.DryRun)
	if err != nil {
		return err
	}
	return printChanges(std, all, c.JSON, c.DryRun)
}
