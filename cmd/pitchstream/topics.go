package main

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/terminal"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

type topicsCmd struct {
	Kafka  config.Kafka  `embed:"" group:"Kafka"`
	Topics config.Topics `embed:"" group:"Kafka"`

	Partitions      int32         `name:"topic-partitions" default:"6" placeholder:"N" help:"Partitions of a topic that is created: as many processors can share the work. Default: 6. DANGER: it cannot be changed later without moving games to other partitions."`
	Replication     int16         `name:"topic-replication" default:"-1" placeholder:"N" help:"Replicas of a topic that is created; -1: the broker's default. For the promise that nothing is lost: 3, with min.insync.replicas=2."`
	MaxMessageBytes config.Bytes  `name:"topic-max-message-bytes" default:"20MiB" placeholder:"SIZE" help:"max.message.bytes of the raw topic (a batch as sent, compressed); the dead-letter topic's is 1 MiB more. Default: 20MiB."`
	Check           bool          `env:"-" name:"check" help:"Create nothing: exit 1 when a topic is missing or differs."`
	Limits          config.Limits `embed:"" group:"Kafka"`
	JSON            bool          `env:"-" name:"json" help:"Print one JSON object instead of text."`
}

// Run prints a line for each topic, and one for each difference.
func (c *topicsCmd) Run(ctx context.Context, std *stdio) error {
	client, err := connect(c.Kafka)
	if err != nil {
		return err
	}
	defer client.Close()
	names := kafkasink.TopicsConfig{
		Raw: c.Topics.TopicRaw, Rows: c.Topics.TopicRows, Dead: c.Topics.TopicDead,
		Partitions: c.Partitions, Replication: c.Replication, MaxMessageBytes: int(c.MaxMessageBytes),
	}
	admin := kadm.NewClient(client)
	states, err := kafkasink.EnsureTopics(ctx, admin, kafkasink.Topics(names), c.Check)
	if err != nil {
		return err
	}
	misfits, err := kafkasink.SizeMisfits(ctx, admin, names, int64(c.Limits.MaxRecordBytes))
	if err != nil {
		return err
	}
	differs := slices.ContainsFunc(misfits, func(m kafkasink.Misfit) bool { return !m.IsNote })
	var topics []object
	for _, s := range states {
		differs = differs || s.Missing || len(s.Differences) > 0
		topics = append(topics, object{
			"topic": s.Topic.Name, "created": s.Created, "missing": s.Missing,
			"differences": append([]string{}, s.Differences...), "repair": s.Repair,
		})
		if c.JSON {
			continue
		}
		fmt.Fprintln(std.Out, s.Topic.Name, stateWord(s))
		for _, d := range s.Differences {
			fmt.Fprintf(std.Out, "  differs: %s (left as it is)\n", d)
		}
		if s.Repair != "" {
			fmt.Fprintf(std.Out, "  repair:  %s\n", s.Repair)
		}
	}
	if c.JSON {
		misfits = append([]kafkasink.Misfit{}, misfits...)
		err = terminal.PrintJSON(std.Out, object{"topics": topics, "misfits": misfits})
	} else {
		printMisfits(std.Out, misfits)
	}
	return orDifference(err, c.Check && differs)
}

func printMisfits(out io.Writer, misfits []kafkasink.Misfit) {
	for _, m := range misfits {
		word := "sizes:"
		if m.IsNote {
			word = "note: "
		}
		fmt.Fprintf(out, "%s   %s\n  repair:  %s\n", word, m.Text, m.Repair)
	}
}

func stateWord(s kafkasink.TopicState) string {
	switch {
	case s.Created:
		return "created"
	case s.Missing:
		return "missing"
	}
	return "is there"
}
