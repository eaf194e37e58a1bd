package redissink

import (
	"context"
	_ "embed"
	"fmt"

	"github.com/redis/go-redis/v9"
)

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
