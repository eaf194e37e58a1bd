package kafkasink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/pitchstream/pitchstream/schemas"
)

// Topic is the desired state of one topic.
type Topic struct {
	Name        string
	Partitions  int32
	Replication int16             // −1: the broker's default
	Configs     map[string]string // by Kafka's names
}

// TopicsConfig is the desired state of the three topics.
type TopicsConfig struct {
	Raw, Rows, Dead string
	Partitions      int32 // of each; 0: 6
	Replication     int16 // 0: the broker's default
	MaxMessageBytes int   // of the raw topic, as sent (compressed); 0: 20 MiB
}

// A topic with any other timestamp type replaces the records' times by those of their arrival, and an older
// version of a pitch wins over a newer one.
const (
	timestampType = "message.timestamp.type"
	createTime    = "CreateTime"
)

// headroom is how much larger a dead letter may be than its record, because of its headers.
const headroom = 1 << 20

// Topics returns the raw topic, the dead-letter topic and, if it has a name, the rows topic. Nothing is ever
// deleted from the raw topic, because replays read it. The dead-letter topic must take every raw record with
// more headers.
func Topics(c TopicsConfig) []Topic {
	if c.Partitions <= 0 {
		c.Partitions = 6
	}
	c.Replication = cmp.Or(c.Replication, -1)
	if c.MaxMessageBytes <= 0 {
		c.MaxMessageBytes = 20 << 20
	}
	topic := func(name string, configs map[string]string) Topic {
		return Topic{Name: name, Partitions: c.Partitions, Replication: c.Replication, Configs: configs}
	}
	topics := []Topic{
		topic(c.Raw, map[string]string{
			"cleanup.policy": "delete", "retention.ms": "-1", "max.message.bytes": strconv.Itoa(c.MaxMessageBytes),
			timestampType: createTime,
		}),
		topic(c.Dead, map[string]string{
			"cleanup.policy": "delete", "retention.ms": "-1",
			"max.message.bytes": strconv.Itoa(c.MaxMessageBytes + headroom), timestampType: createTime,
		}),
	}
	if c.Rows != "" {
		topics = append(topics, topic(c.Rows, map[string]string{"cleanup.policy": "compact"}))
	}
	return topics
}

// TopicState is the result of EnsureTopics for one topic.
type TopicState struct {
	Topic       Topic
	Created     bool
	Missing     bool     // does not exist, and was only checked for
	Differences []string // between the existing topic and Topic; nothing is changed
	Repair      string   // the command that makes its settings equal; "": they are, or cannot be changed
}

// EnsureTopics creates the missing topics and reports differences of the others, which it never changes. With
// checkOnly it creates nothing.
func EnsureTopics(
	ctx context.Context, admin *kadm.Client, topics []Topic, checkOnly bool,
) ([]TopicState, error) {
	there, err := admin.ListTopics(ctx, schemas.Map(topics, func(t Topic) string { return t.Name })...)
	if err != nil {
		return nil, fmt.Errorf("kafka: listing topics: %w", err)
	}
	var states []TopicState
	for _, t := range topics {
		state := TopicState{Topic: t}
		detail := there[t.Name]
		switch {
		case detail.Err == nil && len(detail.Partitions) > 0:
			if err = state.compare(ctx, admin, detail); err != nil {
				return nil, err
			}
		case checkOnly:
			state.Missing = true
		default:
			if state.Created, err = create(ctx, admin, t); err != nil {
				return nil, err
			}
		}
		states = append(states, state)
	}
	return states, waitVisible(ctx, admin, states)
}

// waitVisible waits until every created topic has leaders, so that it can be used at once.
func waitVisible(ctx context.Context, admin *kadm.Client, states []TopicState) error {
	var created []string
	for _, s := range states {
		if s.Created {
			created = append(created, s.Topic.Name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for len(created) > 0 {
		ends, err := admin.ListEndOffsets(ctx, created...)
		if err == nil && ends.Error() == nil {
			break
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("kafka: topics %v were created and have no leader yet: %w", created,
				errors.Join(err, ends.Error()))
		case <-time.After(50 * time.Millisecond):
		}
	}
	return nil
}

func create(ctx context.Context, admin *kadm.Client, t Topic) (created bool, err error) {
	configs := map[string]*string{}
	for k, v := range t.Configs {
		configs[k] = &v
	}
	_, err = admin.CreateTopic(ctx, t.Partitions, t.Replication, configs, t.Name)
	if errors.Is(err, kerr.TopicAlreadyExists) { // another one was faster
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("kafka: creating topic %s: %w", t.Name, err)
	}
	return true, nil
}

// compare notes the differences of the existing topic.
func (s *TopicState) compare(ctx context.Context, admin *kadm.Client, have kadm.TopicDetail) error {
	want := s.Topic
	differ := func(name string, has, want any) {
		s.Differences = append(s.Differences, fmt.Sprintf("%s: %v, want %v", name, has, want))
	}
	if n := int32(len(have.Partitions)); n != want.Partitions {
		differ("partitions", n, want.Partitions)
	}
	if n := have.Partitions.NumReplicas(); want.Replication > 0 && n != int(want.Replication) {
		differ("replication", n, want.Replication)
	}
	has, err := topicSettings(ctx, admin, want.Name)
	if err != nil {
		return err
	}
	var settings []string
	for _, key := range slices.Sorted(maps.Keys(want.Configs)) {
		if has[key] != want.Configs[key] {
			differ(key, has[key], want.Configs[key])
			settings = append(settings, key+"="+want.Configs[key])
		}
	}
	if len(settings) > 0 {
		s.Repair = alterCommand(want.Name, settings...)
	}
	return nil
}

// alterCommand returns the command that changes settings of a topic.
func alterCommand(topic string, settings ...string) string {
	return "kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics --entity-name " + topic +
		" --add-config " + strings.Join(settings, ",")
}

// MaxMessageBytes returns the largest batch that the topic takes, as the broker counts it.
func MaxMessageBytes(ctx context.Context, admin *kadm.Client, topic string) (int32, error) {
	has, err := topicSettings(ctx, admin, topic)
	if err != nil {
		return 0, err
	}
	return batchLimit(topic, has)
}

func batchLimit(topic string, settings map[string]string) (int32, error) {
	n, err := strconv.ParseInt(settings["max.message.bytes"], 10, 32)
	if err != nil {
		return 0, fmt.Errorf("kafka: max.message.bytes of topic %s: %w", topic, err)
	}
	return int32(n), nil
}

// RefuseOld returns an error if a topic would soon delete records with a timestamp, because they are older
// than it keeps records. It returns none if the settings of the topic may not be read.
func RefuseOld(ctx context.Context, admin *kadm.Client, topic string, at time.Time) error {
	settings, _ := topicSettings(ctx, admin, topic)
	return tooOld(topic, retention(settings), at)
}

// tooOld refuses a timestamp beyond the retention of a topic, 0 if there is none. Kafka deletes a segment by
// the newest timestamp in it, so that what was loaded with an old one goes at the next check, processed or
// not.
func tooOld(topic string, keeps time.Duration, at time.Time) error {
	if keeps == 0 || at.IsZero() || time.Since(at) <= keeps {
		return nil
	}
	return fmt.Errorf("the topic %s keeps records for %v, and would delete those of %s before they are "+
		"processed: give a later timestamp, load into a topic of its own, or run: %s", topic, keeps,
		at.UTC().Format(time.RFC3339), alterCommand(topic, "retention.ms=-1"))
}

// retention returns for how long a topic with these settings keeps records; 0: for ever, or not known.
func retention(settings map[string]string) time.Duration {
	ms, err := strconv.ParseInt(settings["retention.ms"], 10, 64)
	isForever := ms < 0 || ms > math.MaxInt64/int64(time.Millisecond)
	if err != nil || isForever || !strings.Contains(settings["cleanup.policy"], "delete") {
		return 0
	}
	return time.Duration(ms) * time.Millisecond
}

// topicSettings returns the settings of a topic by Kafka's names.
func topicSettings(ctx context.Context, admin *kadm.Client, topic string) (map[string]string, error) {
	configs, err := admin.DescribeTopicConfigs(ctx, topic)
	var of kadm.ResourceConfig
	if err == nil {
		of, err = configs.On(topic, nil)
	}
	if err = cmp.Or(err, of.Err); err != nil {
		return nil, fmt.Errorf("kafka: settings of topic %s: %w", topic, err)
	}
	settings := map[string]string{}
	for _, c := range of.Configs {
		settings[c.Key] = c.MaybeValue()
	}
	return settings, nil
}
