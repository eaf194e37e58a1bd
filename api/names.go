package api

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/pitchstream/pitchstream/schemas"
)

// names holds all players in memory, because there are only some thousand. Readers load known; the one
// goroutine that refreshes owns version.
type names struct {
	store   Store
	known   atomic.Pointer[map[int64]schemas.Player]
	version string
}

// namesEvery is how long a newly loaded list of players may go unnoticed.
const namesEvery = 2 * time.Second

// refresh reads the list if it has changed. While it cannot be read, the last one remains.
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

// of returns the name and team of a player, "" if they are not known.
func (n *names) of(id int64) (name, team string) {
	if known := n.known.Load(); known != nil {
		p := (*known)[id]
		return p.Name, p.Team
	}
	return "", ""
}
