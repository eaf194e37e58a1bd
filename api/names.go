package api

import (
	"context"
	"sync/atomic"
	"time"
)

// names holds all players in memory, because there are only some thousand. Readers load known; the one
// goroutine that refreshes owns version.
type names struct {
	store   Store
	known   atomic.Pointer[players]
	version string
}

// namesEvery is how long a newly loaded list of players may go unnoticed.
const namesEvery = 2 * time.Second

// refresh reads the list if it has changed. While it cannot be read, the last one remains.
func (n *names) refresh(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, storeTimeout)
	defer cancel()
	listed, version, err := n.store.Players(ctx, n.version)
	if err != nil || version == n.version {
		return
	}
	n.version = version
	n.known.Store(newPlayers(listed))
}

// of returns the name and team of a player, "" if they are not known.
func (n *names) of(id int64) (name, team string) {
	if known := n.known.Load(); known != nil {
		p := known.byID[id]
		return p.Name, p.Team
	}
	return "", ""
}

// ofTeam returns the ids of the players of a team, as the list has them.
func (n *names) ofTeam(team string) (ids []int64) {
	if known := n.known.Load(); known != nil {
		for _, p := range known.byKey {
			if p.Team == team {
				ids = append(ids, p.ID)
			}
		}
	}
	return ids
}
