package redissink

import (
	"context"
	_ "embed"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

// RefusedError says that a server answers and must not be written to, and what to change.
type RefusedError struct {
	Addr string
	Why  string
}

func (e *RefusedError) Error() string { return "redis " + e.Addr + ": " + e.Why }

// ready inspects the server before the first write, where it was away when the sink was opened.
func (s *Sink) ready(ctx context.Context) error {
	s.mu.Lock()
	inspected := s.inspected
	s.mu.Unlock()
	if inspected {
		return nil
	}
	_, err := s.inspect(ctx)
	return err
}

// nodes are the masters by address.
type nodes map[string]node

// live reports whether all of them are still there, none was started anew, and none has become empty. In a cluster, what
// stands in applied says nothing of the other nodes.
func (was nodes) live(now nodes) bool {
	for addr, w := range was {
		n, ok := now[addr]
		if !ok || n.runID != w.runID || n.empty && !w.empty {
			return false
		}
	}
	return len(now) == len(was)
}

// inspect asks every master what it is, and whether it may be written to.
func (s *Sink) inspect(ctx context.Context) (nodes, error) {
	var mu sync.Mutex
	found := nodes{}
	untold := ""
	err := s.eachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
		n, err := inspectNode(ctx, c)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		found[n.addr] = n
		if n.policy == "" {
			untold = n.addr
		}
		_, cluster := s.client.(*redis.ClusterClient)
		return n.refused(cluster)
	})
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inspected = err == nil
	if err == nil && untold != "" && !s.warned {
		s.warned = true
		s.cfg.Log.Warn("Redis does not tell its maxmemory-policy: make sure that it is noeviction", "addr", untold)
	}
	return found, err
}

// eachMaster runs f for the one server, or for every master of the cluster.
func (r *Reader) eachMaster(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	if c, ok := r.client.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, f)
	}
	return f(ctx, r.client.(*redis.Client))
}

// node is what a server says of itself.
type node struct {
	addr   string
	policy string // maxmemory-policy; "" where it does not tell
	mode   string // standalone, cluster
	runID  string // another one each time that it is started
	empty  bool
}

func inspectNode(ctx context.Context, c *redis.Client) (node, error) {
	var memory, server *redis.StringCmd
	var size *redis.IntCmd
	_, err := c.Pipelined(ctx, func(p redis.Pipeliner) error {
		memory, server, size = p.Info(ctx, "memory"), p.Info(ctx, "server"), p.DBSize(ctx)
		return nil
	})
	// An answer that says no is an answer: INFO is forbidden to some users, and not every server has all of it.
	if err != nil && !tells(err) {
		return node{}, fmt.Errorf("redis %s: %w", c.Options().Addr, err)
	}
	return node{
		addr:   c.Options().Addr,
		policy: infoField(memory.Val(), "maxmemory_policy"),
		mode:   infoField(server.Val(), "redis_mode"),
		runID:  infoField(server.Val(), "run_id"),
		empty:  size.Err() == nil && size.Val() == 0,
	}, nil
}

// tells reports an error with which a server refuses INFO or DBSIZE, while it would take commands: for lack of permission,
// for not knowing the command, or, as the server in memory of demonstrations, for not having that section.
func tells(err error) bool {
	return redis.HasErrorPrefix(err, "NOPERM") || redis.HasErrorPrefix(err, "ERR") || strings.HasPrefix(err.Error(), "section (")
}

func (n node) refused(cluster bool) error {
	if n.policy != "" && n.policy != "noeviction" {
		return &RefusedError{n.addr, fmt.Sprintf("its maxmemory-policy %s may evict keys that applications rely on; set it to "+
			"noeviction (CONFIG SET maxmemory-policy noeviction, and in redis.conf)", n.policy)}
	}
	if n.mode == "cluster" && !cluster {
		return &RefusedError{n.addr, "it is a node of a Redis Cluster; write the address with a comma after it, or those of several nodes"}
	}
	return nil
}

// infoField finds a line name:value in what INFO gave.
func infoField(info, name string) string {
	for line := range strings.Lines(info) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

//go:embed push.lua
var pushLua string

//go:embed applied.lua
var appliedLua string

//go:embed lower.lua
var lowerLua string

var (
	scriptPush    = redis.NewScript(pushLua)
	scriptApplied = redis.NewScript(appliedLua)
	scriptLower   = redis.NewScript(lowerLua)
)

// call is one run of a script, with keys of one slot.
type call struct {
	name  string // what an error says it was about
	keys  []string
	args  []any
	bytes int // about what it takes on the wire
}

func (c *call) add(args ...any) {
	c.args = append(c.args, args...)
	for _, a := range args {
		if text, ok := a.(string); ok {
			c.bytes += len(text)
		}
		c.bytes += 16 // an integer's digits, and the protocol's
	}
}

// pipelineMaxBytes is about how much is sent before the answers are read: memory stays flat however much is mended.
const pipelineMaxBytes = 1 << 20

// run runs a script once a call, pipelined, and gives the integers that it answered. Every call is tried; the error is
// the first one's.
func (r *Reader) run(ctx context.Context, script *redis.Script, calls []call) ([]int64, error) {
	answers := make([]int64, 0, len(calls))
	for len(calls) > 0 {
		n, size := 0, 0
		for n < len(calls) && (n == 0 || size+calls[n].bytes <= pipelineMaxBytes) {
			size += calls[n].bytes
			n++
		}
		some, err := r.runSome(ctx, script, calls[:n])
		answers = append(answers, some...)
		if err != nil {
			return answers, err
		}
		calls = calls[n:]
	}
	return answers, nil
}

func (r *Reader) runSome(ctx context.Context, script *redis.Script, calls []call) (answers []int64, err error) {
	results, _ := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, c := range calls {
			script.EvalSha(ctx, p, c.keys, c.args...)
		}
		return nil
	})
	// A server that was restarted, or a node of a cluster that is new, has not seen the script yet. All that it says
	// this of are sent once more, with the script.
	var unknown []int
	for i, result := range results {
		if redis.HasErrorPrefix(result.Err(), "NOSCRIPT") {
			unknown = append(unknown, i)
		}
	}
	again, _ := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, i := range unknown {
			script.Eval(ctx, p, calls[i].keys, calls[i].args...)
		}
		return nil
	})
	for i, j := range unknown {
		results[j] = again[i]
	}
	for i, result := range results {
		answer, failed := result.(*redis.Cmd).Int64()
		if failed != nil && err == nil {
			err = fmt.Errorf("redis: %s: %w", calls[i].name, failed)
		}
		answers = append(answers, answer)
	}
	return answers, err
}
