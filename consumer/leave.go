package consumer

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// leaveTimeout bounds what it may take to give up the place, after the last batch.
const leaveTimeout = 5 * time.Second

// leave gives up the place in the group of a processor with an instance id that will not come back: else the group would
// keep it until the session times out, and its partitions would stand still.
func (p *Processor) leave(ctx context.Context) {
	if p.cfg.InstanceID == "" || p.cfg.IsScaledIn == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTimeout)
	defer cancel()
	// guard: deploy: a processor that is restarted does not leave
	if !p.cfg.IsScaledIn(ctx) {
		return
	}
	client, err := kgo.NewClient(p.cfg.Client...)
	if err == nil {
		defer client.Close()
		var left kadm.LeaveGroupResponses
		left, err = kadm.NewClient(client).LeaveGroup(ctx, kadm.LeaveGroup(p.cfg.Group).InstanceIDs(p.cfg.InstanceID).Reason("scaled in"))
		if err == nil {
			err = left.Error()
		}
	}
	if err != nil {
		p.cfg.Log.Warn("the place in the group could not be given up: its partitions wait until the session times out", "error", err)
		return
	}
	p.cfg.Log.Info("left the group", "instance", p.cfg.InstanceID)
}
