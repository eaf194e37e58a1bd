package redissink

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
)

func (r *Reader) isCluster() bool {
	_, cluster := r.client.(*redis.ClusterClient)
	return cluster
}

// eachMaster runs f for the one server, or for every master of the cluster at the same time.
func (r *Reader) eachMaster(ctx context.Context, f func(context.Context, *redis.Client) error) error {
	if c, ok := r.client.(*redis.ClusterClient); ok {
		return c.ForEachMaster(ctx, f)
	}
	return f(ctx, r.client.(*redis.Client))
}

//go:embed push.lua
var pushLua string

//go:embed applied.lua
var appliedLua string

//go:embed lower.lua
var lowerLua string

//go:embed repair.lua
var repairLua string

var (
	scriptPush    = redis.NewScript(pushLua)
	scriptApplied = redis.NewScript(appliedLua)
	scriptLower   = redis.NewScript(lowerLua)
	scriptRepair  = redis.NewScript(repairLua)
)

// call is one run of a script, with keys of one slot.
type call struct {
	name  string // for errors
	keys  []string
	args  []any
	bytes int // approximate size on the wire
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

// addPart adds the arguments of push.lua for a player or one game: seq, a count, and that many fields and
// values. The count is 0 if no row is current.
func (c *call) addPart(side schemas.Side, g schemas.GameStats, updatedAt schemas.TimeMS) error {
	if g.Seq < 0 || g.Seq > maxSeq {
		return fmt.Errorf("sequence number %d is not in 0 … 2^53", g.Seq)
	}
	fields, err := encode(side, g.Fields(), updatedAt)
	if err != nil {
		return err
	}
	c.add(g.Seq, len(fields))
	c.add(fields...)
	return nil
}

// pipelineMaxBytes is about how much is sent before the answers are read, so that memory stays flat during a
// sweep.
const pipelineMaxBytes = 1 << 20

// run runs a script once for each call, in pipelines, and returns the integers that it answered. After an
// error it sends no further pipeline; the error names the first call that failed.
func (r *Reader) run(ctx context.Context, script *redis.Script, calls []call) (answers []int64, err error) {
	for len(calls) > 0 && err == nil {
		n, size := 0, 0
		for n < len(calls) && (n == 0 || size+calls[n].bytes <= pipelineMaxBytes) {
			size += calls[n].bytes
			n++
		}
		var some []int64
		some, err = r.runPipeline(ctx, script, calls[:n])
		answers, calls = append(answers, some...), calls[n:]
	}
	return answers, err
}

func (r *Reader) runPipeline(
	ctx context.Context, script *redis.Script, calls []call,
) (answers []int64, err error) {
	results, _ := r.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, c := range calls {
			script.EvalSha(ctx, p, c.keys, c.args...)
		}
		return nil
	})
	// A restarted server, or a new node of a cluster, does not know the script yet. These calls are sent once
	// more, with the script itself.
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
