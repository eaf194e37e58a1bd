package api

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// names are all players, in memory: there are some thousands.
type names struct {
	store   Store
	known   atomic.Pointer[map[int64]schemas.Player]
	version string
}

// namesEvery is how soon a list that was loaded is seen.
const namesEvery = 2 * time.Second

func (n *names) keep(ctx context.Context) {
	tick := time.NewTicker(namesEvery)
	defer tick.Stop()
	for {
		n.refresh(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// refresh reads the list where it has changed. While it cannot be read the last one stands.
func (n *names) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	players, version, err := n.store.Players(ctx, n.version)
	if err != nil || version == n.version {
		return
	}
	known := make(map[int64]schemas.Player, len(players))
	for _, p := range players {
		known[p.ID] = p
	}
	n.version = version
	n.known.Store(&known)
}

// of gives the name and team of a player; "" where they are not known.
func (n *names) of(id int64) (name, team string) {
	if known := n.known.Load(); known != nil {
		p := (*known)[id]
		return p.Name, p.Team
	}
	return "", ""
}
