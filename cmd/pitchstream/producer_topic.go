package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// askTopic fails where the brokers or the topic are not there, and learns how large a batch the topic takes.
func (p *producer) askTopic(ctx context.Context) error {
	client := p.lanes[laneSmall]
	if err := client.Ping(ctx); err != nil {
		return fmt.Errorf("Kafka cannot be reached: %w", p.explain(err))
	}
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx, p.o.Topic)
	if err == nil {
		err = topics.Error()
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return fmt.Errorf("the topic %s does not exist: run: pitchstream topics", p.o.Topic)
	}
	if err != nil {
		return fmt.Errorf("the topic %s: %w", p.o.Topic, p.explain(err))
	}
	p.limit = min(topicLimit(ctx, admin, p.o.Topic, int32(p.o.MaxRecordBytes)), 96<<20) // a request is 100 MiB at most
	return nil
}

// topicLimit is the topic's max.message.bytes, or unknown where we may not ask.
func topicLimit(ctx context.Context, admin *kadm.Client, topic string, unknown int32) int32 {
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return unknown
	}
	described, err := configs.On(topic, nil)
	if err != nil || described.Err != nil {
		return unknown
	}
	for _, c := range described.Configs {
		if c.Key == "max.message.bytes" {
			if n, err := strconv.ParseInt(c.MaybeValue(), 10, 32); err == nil && n >= 512 {
				return int32(n)
			}
		}
	}
	return unknown
}
