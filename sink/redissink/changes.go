package redissink

// A patrol that reads all keys takes seconds when there are many, and must rest long after that. So it reads
// only the keys that were changed: from Redis 6 on, a server sends their names over one connection
// (CLIENT TRACKING). They wait there until take asks for them. Names may have been missed whenever that
// connection is made, and where a server or the rights of its user lack this command: then all keys are read.

import (
	"context"
	"errors"
	"sync"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/push"

	"github.com/pitchstream/pitchstream/schemas"
)

// maxChanges bounds the names that are kept.
const maxChanges = 200_000

// changeFeed collects the names of changed keys below the prefix. Close it while no patrol takes
// them, because the server keeps them.
type changeFeed struct {
	r *Reader

	mu        sync.Mutex               // guards the fields below
	listeners map[string]*redis.Client // one connection to each master, by its address
	names     map[string]bool
	missed    bool // names may have been missed since all keys were read
}

// take returns the names since the last call. ok is false if names may have been missed since restart.
func (c *changeFeed) take(ctx context.Context) (names map[string]bool, ok bool) {
	var mu sync.Mutex // guards here
	here := map[string]bool{}
	err := c.r.eachMaster(ctx, func(ctx context.Context, master *redis.Client) error {
		addr := master.Options().Addr
		mu.Lock()
		here[addr] = true
		mu.Unlock()
		return c.listener(master).Ping(ctx).Err() // the names come before its answer
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	for addr, l := range c.listeners {
		if !here[addr] {
			_ = l.Close()
			delete(c.listeners, addr)
			c.missed = true
		}
	}
	c.missed = c.missed || err != nil
	names, c.names = c.names, nil
	return names, !c.missed
}

// restart begins anew. The caller reads all keys after it.
func (c *changeFeed) restart() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names, c.missed = nil, false
}

// miss makes take return false until restart.
func (c *changeFeed) miss() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.names, c.missed = nil, true
}

// close ends the connections.
func (c *changeFeed) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for addr, l := range c.listeners {
		_ = l.Close()
		delete(c.listeners, addr)
	}
	c.names, c.missed = nil, true
}

// listener returns the client whose one connection a master sends the names to.
func (c *changeFeed) listener(master *redis.Client) *redis.Client {
	o := *master.Options()
	c.mu.Lock()
	defer c.mu.Unlock()
	if l := c.listeners[o.Addr]; l != nil {
		return l
	}
	o.Protocol, o.PoolSize, o.MinIdleConns, o.MaxRetries = 3, 1, 0, -1
	o.ConnMaxIdleTime, o.ConnMaxLifetime, o.PushNotificationProcessor = -1, 0, nil
	o.OnConnect = func(ctx context.Context, conn *redis.Conn) error {
		// guard: redis: a new connection may have missed changes
		c.miss()
		return conn.Do(ctx, "CLIENT", "TRACKING", "ON", "BCAST", "PREFIX", string(c.r.keys)).Err()
	}
	l := redis.NewClient(&o)
	if l.RegisterPushNotificationHandler("invalidate", c, false) != nil {
		c.missed = true
	}
	if c.listeners == nil {
		c.listeners = map[string]*redis.Client{}
	}
	c.listeners[o.Addr] = l
	return l
}

var errNotification = errors.New("redis: a notification has another form")

// HandlePushNotification keeps the names of ["invalidate", [name, …]]. Without a list, all keys were removed.
func (c *changeFeed) HandlePushNotification(
	_ context.Context, _ push.NotificationHandlerContext, notification []any,
) error {
	if len(notification) != 2 {
		c.miss()
		return errNotification
	}
	list, ok := notification[1].([]any)
	if !ok {
		c.miss()
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.names == nil {
		c.names = make(map[string]bool, len(list))
	}
	for _, name := range list {
		if text, ok := name.(string); ok {
			c.names[text] = true
		}
	}
	// guard: redis: the names of changed keys are bounded
	if len(c.names) > maxChanges {
		c.names, c.missed = nil, true
	}
	return nil
}

// players returns the players of a side among the names, and of each the games whose keys changed.
func (k keys) players(
	side schemas.Side, names map[string]bool,
) (ids map[int64]bool, games map[int64][]string) {
	ids, games = map[int64]bool{}, map[int64][]string{}
	for name := range names {
		if of, ok := k.collect(side, games, name); ok {
			ids[of.PlayerID] = true
		} else if id, ok := k.parseGone(side, name); ok {
			ids[id] = true
		}
	}
	return ids, games
}
