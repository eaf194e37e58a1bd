package consumer

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
)

// membershipHook is called by the Kafka client when it has lost its place in the group. Until it is assigned
// partitions again, the processor owns nothing and is not ready.
type membershipHook struct{ cfg *Config }

// OnGroupManageError implements kgo.HookGroupManageError.
func (m membershipHook) OnGroupManageError(err error) {
	reason := m.cfg.reasonNotAMember(err)
	m.cfg.Log.Warn("lost the place in the group", "reason", reason)
	m.cfg.Observer.Condition("assigned", false, reason)
}

// reasonNotAMember returns why a processor is not a member of the group; err is nil if it left by itself.
func (c *Config) reasonNotAMember(err error) string {
	switch {
	case err == nil:
		return "not a member of the group"
	// guard: a fenced processor names the reason | c.InstanceID != "" && isFenced(err) -> false
	case c.InstanceID != "" && isFenced(err):
		verb := "may have" // a transaction that took too long is answered like that, too
		if errors.Is(err, kerr.FencedInstanceID) {
			verb = "has"
		}
		return fmt.Sprintf("another processor %s the instance id %q: give each its own, or stop one: %v",
			verb, c.InstanceID, err)
	}
	return fmt.Sprint("not a member of the group: ", err)
}

// isFenced reports whether another client has, or may have, the name of this one.
func isFenced(err error) bool {
	return errors.Is(err, kerr.FencedInstanceID) || errors.Is(err, kerr.ProducerFenced) ||
		errors.Is(err, kerr.InvalidProducerEpoch)
}
