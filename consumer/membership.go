package consumer

import (
	"errors"
	"fmt"
	"sync"
	"time"

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

// produceFault is the last failure of sending rows or dead letters. It keeps the condition "kafka" unmet,
// also between sessions, although the brokers answer. It ends when sending succeeds; for a dead letter that
// was refused, when a dead letter is taken. It ends after produceFaultQuiet, too. The processor's goroutines
// share it.
type produceFault struct {
	mu          sync.Mutex
	err         error     // guarded by mu, as the other fields
	at          time.Time // of the last failure
	deadLetters bool      // dead letters were to be sent
}

// produceFaultQuiet is how long a fault is kept without another one. Its partition may have moved to another
// processor, which sends the record then, and this one would never hear of it.
const produceFaultQuiet = time.Minute

// record keeps the outcome of sending these numbers of dead letters and rows.
func (f *produceFault) record(cfg *Config, err error, deadLetters, rows int) {
	f.mu.Lock()
	switch {
	case err != nil:
		f.deadLetters = deadLetters > 0 || f.err != nil && f.deadLetters
		f.err, f.at = err, cfg.Now()
	// guard: a dead letter that is refused is named until one is taken | deadLetters > 0 || !f.deadLetters && rows > 0 -> true
	case deadLetters > 0 || !f.deadLetters && rows > 0:
		f.err = nil
	}
	f.mu.Unlock()
	cfg.kafkaCondition(nil) // the brokers have answered; the fault counts
}

// kafkaCondition reports the condition "kafka". It is unmet with err, why the brokers do not answer, and
// without err while a produceFault is kept. Each look at the lag calls it, so that a fault ends by itself.
func (c *Config) kafkaCondition(err error) {
	f := c.produceFault
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.err != nil && c.Now().Sub(f.at) < produceFaultQuiet {
		err = f.err
	}
	reason := ""
	if err != nil {
		reason = err.Error()
	}
	c.Observer.Condition("kafka", err == nil, reason)
}
