package consumer

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// A topic that is deleted and created again has the same name and another ID. Its offsets mean other records,
// so a position is only worth something together with the ID. Brokers before 2.8 have no IDs; there the
// offsets alone must do.

// errOtherTopic ends a session when the raw topic was created anew. The next one names the gap.
var errOtherTopic = errors.New("the raw topic was created anew: its ID is another one")

// topicIDs returns the ID of each topic as kafka-topics prints it; "" for a topic that does not exist, and of
// brokers without IDs.
func topicIDs(ctx context.Context, admin *kadm.Client, topics ...string) (map[string]string, error) {
	found, err := admin.Metadata(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("kafka: metadata of %s: %w", strings.Join(topics, ", "), err)
	}
	ids := map[string]string{}
	for _, topic := range topics {
		t, ok := found.Topics[topic]
		switch {
		case !ok, errors.Is(t.Err, kerr.UnknownTopicOrPartition):
			continue
		case t.Err != nil:
			return nil, fmt.Errorf("kafka: metadata of %s: %w", topic, t.Err)
		}
		ids[topic] = ""
		if t.ID != (kadm.TopicID{}) {
			ids[topic] = base64.RawURLEncoding.EncodeToString(t.ID[:])
		}
	}
	return ids, nil
}

// topicWatch compares the topics with those that this group knows. One goroutine uses it.
type topicWatch struct {
	cfg       *Config
	store     Store
	admin     *kadm.Client
	interrupt func(error)
	rawID     func() string     // returns the ID of the raw topic that is read; "" when it is not known
	known     map[string]string // IDs of the outputs, as the store has them; nil until it has answered
}

// check ends the session when the raw topic is another one. It reports outputs that are missing, and those
// that were created anew since the group has sent there: what the former ones held is lost to readers.
func (w *topicWatch) check(ctx context.Context) error {
	topics := append([]string{w.cfg.Topic}, w.cfg.Outputs...)
	ids, err := topicIDs(ctx, w.admin, topics...)
	if err != nil {
		return err
	}
	var faults []string
	for _, topic := range topics {
		if _, exists := ids[topic]; !exists {
			faults = append(faults, "topic "+topic+" does not exist: run `pitchstream topics`")
		}
	}
	// guard: a topic that was created anew ends the session
	if was, id := w.rawID(), ids[w.cfg.Topic]; was != "" && id != "" && was != id {
		w.interrupt(errOtherTopic)
	}
	delete(ids, w.cfg.Topic)
	faults = append(faults, w.changed(ctx, ids)...)
	w.cfg.Observer.Condition("topics", len(faults) == 0, strings.Join(faults, "; "))
	return nil
}

// changed describes the outputs whose ID is not the one that the store has. With --accept-gap the store takes
// the new ones. It removes from ids, which are those of the outputs, the topics without an ID.
func (w *topicWatch) changed(ctx context.Context, ids map[string]string) (faults []string) {
	mustAsk := false
	for topic, id := range ids {
		switch known := w.known[topic]; {
		case id == "":
			delete(ids, topic)
		case known == "", known != id && w.cfg.AcceptGap:
			mustAsk = true
		}
	}
	if mustAsk {
		stored, err := w.store.TopicIDs(ctx, ids, w.cfg.AcceptGap)
		if err != nil {
			return nil // the condition "postgres" reports it
		}
		w.known = stored
	}
	for _, topic := range slices.Sorted(maps.Keys(ids)) {
		// guard: an output that was created anew is named
		if w.known[topic] != ids[topic] {
			faults = append(faults, fmt.Sprintf("topic %s was created anew: its ID is %s, "+
				"and this group has sent to %s; what that one held is gone; run with --accept-gap to accept that",
				topic, ids[topic], w.known[topic]))
		}
	}
	return faults
}
