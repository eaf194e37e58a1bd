package consumer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// membershipHook is called by the Kafka client when it has lost its place in the group. Until it is assigned
// partitions again, the processor owns nothing and is not ready.
type membershipHook struct{ session *session }

// OnGroupManageError implements kgo.HookGroupManageError. The client calls it after onLost, and also where it
// has left onLost out.
func (m membershipHook) OnGroupManageError(err error) {
	// guard: a loss with nothing assigned hides no later one
	losePlace(m.session)
	m.session.cfg.reportLostPlace(err)
}

func (c *Config) reportLostPlace(err error) {
	reason := c.reasonNotAMember(err)
	c.Log.Warn("lost the place in the group", "reason", reason)
	c.Observer.Condition("assigned", false, reason)
}

// losePlace is a revoke of all partitions. It counts where there are none, too: the client remembers the
// loss, and reports no other one until a transaction ends.
func losePlace(s *session) {
	s.partitions.noteAssignment(nil)
	s.txn.revoked.Store(true)
	s.interrupt(errRevoked)
}

// assignmentWatch is a balancer that reports each assignment of this member. The client passes it on before
// it revokes or adds partitions.
type assignmentWatch struct {
	balancer kgo.GroupBalancer
	report   func(assigned map[string][]int32)
}

// ProtocolName implements kgo.GroupBalancer.
func (a assignmentWatch) ProtocolName() string { return a.balancer.ProtocolName() }

// IsCooperative implements kgo.GroupBalancer.
func (a assignmentWatch) IsCooperative() bool { return a.balancer.IsCooperative() }

// JoinGroupMetadata implements kgo.GroupBalancer.
func (a assignmentWatch) JoinGroupMetadata(
	topics []string, current map[string][]int32, generation int32,
) []byte {
	return a.balancer.JoinGroupMetadata(topics, current, generation)
}

// MemberBalancer implements kgo.GroupBalancer.
func (a assignmentWatch) MemberBalancer(members []kmsg.JoinGroupResponseMember) (
	kgo.GroupMemberBalancer, map[string]struct{}, error,
) {
	return a.balancer.MemberBalancer(members)
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (a assignmentWatch) ParseSyncAssignment(answer []byte) (map[string][]int32, error) {
	assigned, err := a.balancer.ParseSyncAssignment(answer)
	if err == nil {
		a.report(assigned)
	}
	return assigned, err
}

// noteAssignment keeps which partitions the group has assigned; nil: none, because the place is lost.
func (p *partitions) noteAssignment(assigned map[string][]int32) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isAssigned = map[int32]bool{}
	for _, id := range assigned[p.cfg.Topic] {
		p.isAssigned[id] = true
	}
}

// forgetUnassigned forgets the partitions that a revoke took which the client did not report. Otherwise they
// would count as behind for ever, and a refill of one would wait for records that never come.
func (p *partitions) forgetUnassigned() {
	p.mu.Lock()
	var gone []int32
	for id := range p.byID {
		// guard: a revoke that the client does not report is found
		if p.isAssigned != nil && !p.isAssigned[id] {
			gone = append(gone, id)
		}
	}
	p.mu.Unlock()
	if len(gone) > 0 {
		p.revoke(gone)
	}
}

// revoke forgets partitions that another processor gets.
func (p *partitions) revoke(gone []int32) {
	p.cfg.Log.Info("partitions revoked", "topic", p.cfg.Topic, "partitions", gone)
	p.mu.Lock()
	p.trace.revoked(gone) // with mu held, as polls are recorded
	p.forgetLocked(gone)
	p.mu.Unlock()
	p.updatePauses()
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

// placeEvery is how often a fenced processor looks whether its name is free.
const placeEvery = 3 * time.Second

// waitForPlace returns at once, unless err is that another processor has the instance id of this one. Then it
// returns when no member of the group has the name any more. A new session would take the place from the
// other one, which would take it back, and so on.
func waitForPlace(ctx context.Context, cfg *Config, err error) {
	// guard: a fenced processor does not take the place from the other one | always
	if cfg.InstanceID == "" || !errors.Is(err, kerr.FencedInstanceID) {
		return
	}
	cfg.reportLostPlace(err)
	client, err := kgo.NewClient(cfg.Client...)
	if err != nil {
		return // the next session says why
	}
	defer client.Close()
	for range ticks(ctx, placeEvery) {
		attempt, cancel := context.WithTimeout(ctx, placeEvery)
		groups, err := kadm.NewClient(client).DescribeGroups(attempt, cfg.Group)
		cancel()
		group, ok := groups[cfg.Group]
		if err != nil || !ok || group.Err != nil {
			continue
		}
		isTaken := slices.ContainsFunc(group.Members, func(m kadm.DescribedGroupMember) bool {
			return m.InstanceID != nil && *m.InstanceID == cfg.InstanceID
		})
		if !isTaken {
			return
		}
	}
}
