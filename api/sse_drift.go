package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/pitchstream/pitchstream/schemas"
)

// driftEvery is the interval of reads of drift. Only players whose rows have changed are read, one after
// another, because each search takes milliseconds of Postgres.
const driftEvery = time.Second

// drifts returns the topics of drift. The caller holds mu.
func (h *hub) drifts() (found []*topic) {
	for _, t := range h.topics {
		if t.key.drift {
			found = append(found, t)
		}
	}
	return found
}

// noteDrift notes the sequence number of the player's rows. It makes the drift due if the number is another
// one than before, or with always.
func (t *topic) noteDrift(always bool, seq int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// guard: api: the drift of a player is read when his rows have changed | t.seen != seq -> false
	t.due = t.due || always || t.seen != seq
	t.seen = seq
}

// readDrifts reads the drift of the players that are due. Those that cannot be read stay due.
func (h *hub) readDrifts(ctx context.Context) {
	h.mu.Lock()
	drifts := h.drifts()
	h.mu.Unlock()
	for _, t := range drifts {
		t.mu.Lock()
		due := t.due
		t.due = false // before it is read, because a row may come meanwhile
		t.mu.Unlock()
		if due {
			h.warn(h.readDrift(ctx, t))
		}
	}
}

// readDrift reads the drift of a player and publishes it. It publishes absent if no row of the player can be
// compared. If this store has no drift at all, it returns the problem 404.
func (h *hub) readDrift(ctx context.Context, t *topic) error {
	if _, ok := h.api.cfg.Store.(DriftStore); !ok {
		return errNoDrift()
	}
	ctx, cancel := context.WithTimeout(ctx, h.api.cfg.Timeout)
	defer cancel()
	read, key := h.reads.Add(1), t.key.player
	var state any
	d, c, err := driftOf(ctx, h.api, key, "")
	name, _ := h.api.names.of(key.PlayerID)
	var problem huma.StatusError
	switch {
	case errors.As(err, &problem) && problem.GetStatus() == http.StatusNotFound:
		name, absent := h.api.names.event(key, held{})
		return t.publish(read, name, absent)
	case err != nil:
		t.retryDrift()
		return err
	case key.Side == schemas.Pitcher:
		state = PitcherDrift{PitcherID: key.PlayerID, Name: name, Drift: d, Condition: c}
	default:
		state = BatterDrift{BatterID: key.PlayerID, Name: name, Drift: d, Condition: c}
	}
	if c.Source == sourceMemory {
		t.retryDrift()
	}
	return t.publish(read, "state", state)
}

// retryDrift makes the drift due again, because no store answered.
func (t *topic) retryDrift() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.due = true
}
