package consumer

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
)

// membership is the hook with which the Kafka client reports that it has lost its place in the group. Until
// it is assigned partitions again, the processor owns nothing and is not ready.
type membership struct{ cfg *Config }

// OnGroupManageError implements kgo.HookGroupManageError.
func (m membership) OnGroupManageError(err error) {
	reason := m.cfg.notAMember(err)
	m.cfg.Log.Warn("lost the place in the group", "reason", reason)
	m.cfg.Observer.Condition("assigned", false, reason)
}

// notAMember returns why a processor is not a member of the group.
func (c *Config) notAMember(err error) string {
	switch {
	case err == nil:
		return "not a member of the group"
	// guard: a fenced processor names the reason | c.InstanceID != "" && isFenced(err) -> false
	case c.InstanceID != "" && isFenced(err):
		return fmt.Sprintf("another processor has the instance id %q: give each its own, or stop one: %v",
			c.InstanceID, err)
	}
	return fmt.Sprint("not a member of the group: ", err)
}

// isFenced reports whether another client has the name of this one.
func isFenced(err error) bool {
	return errors.Is(err, kerr.FencedInstanceID) || errors.Is(err, kerr.ProducerFenced) ||
		errors.Is(err, kerr.InvalidProducerEpoch)
}

// produceFault is the last failure of sending rows or dead letters. It keeps the condition "kafka" unmet
// between sessions, until sending succeeds. The processor's goroutines share it.
type produceFault struct {
	mu          sync.Mutex
	err         error     // guarded by mu, as the other fields
	at          time.Time // of the last failure
	deadLetters bool      // some were to be sent
}

// produceFaultQuiet is how long a fault is kept without another one: its partition may have moved elsewhere.
const produceFaultQuiet = time.Minute

// note keeps the outcome of sending these numbers of dead letters and rows.
func (f *produceFault) note(cfg *Config, err error, deadLetters, rows int) {
	f.mu.Lock()
	switch {
	case err != nil:
		f.err, f.at, f.deadLetters = err, cfg.Now(), deadLetters > 0
	// guard: a dead letter that is refused is named until one is taken | deadLetters > 0 || !f.deadLetters && rows > 0 -> true
	case deadLetters > 0 || !f.deadLetters && rows > 0:
		f.err = nil
	}
	f.mu.Unlock()
	cfg.kafkaCondition(nil)
}

// kafkaCondition reports the condition "kafka". err says why the brokers do not answer, nil that they do;
// then the last failure of sending counts.
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
