package consumer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/pitchstream/pitchstream/internal/kafkaread"
)

// A topic that is deleted and created again has the same name and another ID. Its offsets mean other records,
// so a position is only worth something together with the ID. Brokers before 2.8 have no IDs; there the
// offsets alone must do.
//
// The raw topic and the outputs (Config.Outputs: the topics of rows and of dead letters) are watched while a
// session runs. When the raw topic was created anew, the session ends, and the next one begins with a gap:
// records that this group has not read are gone (starter.checkGaps). When an output was created anew, the
// stream goes on, and the condition "topics" is unmet until a person accepts that with --accept-gap. The IDs
// of the outputs are kept in the store, so that every processor of the group compares with the same.

// errOtherTopic ends a session when the raw topic was created anew. The next session names the gap.
var errOtherTopic = errors.New("the raw topic was created anew: its ID is another one")

// topicWatch compares the IDs of the topics with those that this group has seen. One goroutine uses it.
type topicWatch struct {
	cfg       *Config
	store     Store
	admin     *kadm.Client
	interrupt func(error)       // ends the session with this error
	rawID     func() string     // returns the ID of the raw topic that is read; "" when it is not known
	known     map[string]string // ID of each output, as the store last returned it; nil before its first answer
}

// check asks Kafka for the IDs of all topics. It ends the session if the raw topic was created anew. It
// reports the condition "topics", which is unmet in two cases: a topic is missing, or an output was created
// anew since this group first sent to it. Records that the former output held are lost to its readers. An
// error means that Kafka did not answer, and that nothing was reported.
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
	faults = append(faults, w.checkOutputs(ctx, ids)...)
	w.cfg.Observer.Condition("topics", len(faults) == 0, strings.Join(faults, "; "))
	return nil
}

// checkOutputs compares ids, by output, with those in the store, and returns one line for each that differs.
// The ID of an output that the store does not know is stored. With --accept-gap all are stored, once: an
// output that is created anew later needs another restart with the flag. If the store does not answer, its
// last answer counts. Outputs without an ID are deleted from ids, because they cannot be compared.
func (w *topicWatch) checkOutputs(ctx context.Context, ids map[string]string) (faults []string) {
	mustAsk, overwrite := false, mustAcceptOutputs(w.cfg)
	for topic, id := range ids {
		stored := w.known[topic]
		switch {
		case id == "":
			delete(ids, topic)
		case stored == "", stored != id && overwrite:
			mustAsk = true
		}
	}
	if mustAsk {
		stored, err := w.store.EnsureTopicIDs(ctx, ids, overwrite)
		if err == nil {
			w.known = stored
			w.cfg.outputsAccepted.Store(true) // only mustAcceptOutputs reads it, with --accept-gap
		} else if overwrite {
			faults = append(faults, outputsPending)
		} // else the condition "postgres" reports the error
	}
	for _, topic := range slices.Sorted(maps.Keys(ids)) {
		// guard: an output that was created anew is named
		if stored := w.known[topic]; stored != "" && stored != ids[topic] {
			faults = append(faults, fmt.Sprintf("topic %s was created anew: its ID is %s, "+
				"and this group has sent to %s; what that one held is gone; run with --accept-gap to accept that",
				topic, ids[topic], w.known[topic]))
		}
	}
	return faults
}

// mustAcceptOutputs reports whether --accept-gap was given, and the store has not stored the IDs of the
// outputs since this process started. It overwrites them once.
func mustAcceptOutputs(c *Config) bool {
	// guard: an output that is created anew later is another gap | && !c.outputsAccepted.Load() ->
	return c.AcceptGap && !c.outputsAccepted.Load()
}

// outputsPending is the reason of the unmet condition "topics" until the store has the new IDs of the
// outputs.
const outputsPending = "the store has not taken the IDs of the topics of rows and dead letters yet, " +
	"which --accept-gap accepts"

// reportOutputsPending reports the condition "topics" as unmet if the IDs must still be overwritten. check
// reports it as met later. Until then a processor with --accept-gap is not ready, because a person may stop a
// ready one and start it without the flag: then nothing would have been accepted.
func reportOutputsPending(c *Config) {
	// guard: a processor that accepts gaps is ready only when the store knows
	if mustAcceptOutputs(c) {
		c.Observer.Condition("topics", false, outputsPending)
	}
}

// topicIDs returns the ID of each topic that exists, as kafka-topics prints it; "" where the broker has no
// IDs. It has no entry for a topic that does not exist.
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
		ids[topic] = kafkaread.DescribedID(t.ID)
	}
	return ids, nil
}
