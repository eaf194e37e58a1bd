package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/backfill"
	"github.com/pitchstream/pitchstream/internal/scoring"
	"github.com/pitchstream/pitchstream/simulate"
)

// operators is what operators have done so far.
type operators struct {
	models  int // versions of the model
	targets int // how often a target beside live was fed
	seasons int // that were loaded
	pitches int // of these seasons
}

// Names of what the operators make.
const (
	beside = "beside" // the target that is promoted
	loaded = "season" // the target of the seasons
	model  = "speed"
)

// operate runs a command of an operator again and again, and kills it in the middle.
func (c *cluster) operate(f fault) ongoing {
	c.t.Helper()
	switch f.kind {
	case targetKilled:
		return c.promoteTargets(f)
	case modelKilled:
		return c.promoteModels(f)
	case backfillKilled:
		return c.loadSeason(f)
	case rebuildKilled:
		return c.repeat(f, time.Second, func(int) []string { return []string{"rebuild", "redis"} })
	}
	args := map[kind][]string{
		replayKilled: {"replay", "--into", "live"},
		retryKilled:  {"dlq", "retry", "--rate=50"},
		repairKilled: {"verify", "--repair"},
	}[f.kind]
	return c.repeat(f, 2*f.hold, func(int) []string { return args })
}

// command is a command of an operator. Its output goes into a log.
func (c *cluster) command(args []string) *exec.Cmd {
	c.t.Helper()
	cmd := exec.Command(c.binary, args...)
	cmd.Env = c.stack.Env
	log := c.appendTo(c.logFile("operator"))
	c.t.Cleanup(func() { _ = log.Close() })
	_, _ = fmt.Fprintf(log, "%s pitchstream %s\n", time.Now().Format(time.TimeOnly), strings.Join(args, " "))
	cmd.Stdout, cmd.Stderr = log, log
	return cmd
}

// endCommand kills a command that runs until it is killed.
func (c *cluster) endCommand(cmd *exec.Cmd) {
	c.t.Helper()
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	c.t.Logf("    %v: %v", cmd.Args[1:], cmd.ProcessState)
	if !wasKilled(cmd) {
		c.t.Errorf("%v ended by itself: %v", cmd.Args[1:], cmd.ProcessState)
	}
}

// wasKilled reports whether a command that was waited for ended by SIGKILL, and not by itself just before.
func wasKilled(cmd *exec.Cmd) bool {
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// repeat runs commands one after the other until the fault ends, and kills each within a time. The fault goes
// on until one was killed, because a command may end before its time, or fail at first.
func (c *cluster) repeat(f fault, within time.Duration, args func(i int) []string) ongoing {
	c.t.Helper()
	r := rand.New(rand.NewPCG(uint64(f.hold), uint64(f.whom)))
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	var killed, done, failed atomic.Int64
	running.Go(func() {
		pause := time.NewTicker(200 * time.Millisecond)
		defer pause.Stop()
		for i := 0; ctx.Err() == nil; i++ {
			cmd := c.command(args(i))
			if err := cmd.Start(); err != nil {
				c.t.Errorf("%v: %v", cmd.Args, err)
				return
			}
			kill := time.AfterFunc(time.Duration(r.Int64N(int64(within))), func() { _ = cmd.Process.Kill() })
			err := cmd.Wait()
			kill.Stop()
			switch {
			case wasKilled(cmd):
				killed.Add(1)
			case err == nil:
				done.Add(1)
			default:
				failed.Add(1)
				select { // a command that is refused at once must not take a whole core
				case <-pause.C:
				case <-ctx.Done():
				}
			}
		}
	})
	end := func() { cancel(); running.Wait() }
	c.t.Cleanup(end)
	return ongoing{endures: true, least: f.hold, undo: func() {
		c.await(fmt.Sprint(args(0), " is killed"), func() bool {
			c.supervise()
			return killed.Load() > 0
		})
		end()
		c.t.Logf("    %v: %d killed, %d done, %d failed", args(0), killed.Load(), done.Load(), failed.Load())
	}}
}

// finish runs a command until it succeeds.
func (c *cluster) finish(args ...string) {
	c.t.Helper()
	c.await(strings.Join(args, " ")+" succeeds", func() bool {
		c.supervise()
		return c.command(args).Run() == nil
	})
}

// promoteModels promotes one of two versions after the other.
func (c *cluster) promoteModels(f fault) ongoing {
	c.t.Helper()
	for c.operators.models < 2 {
		version := c.operators.models + 1
		file := filepath.Join(c.t.TempDir(), "model.json")
		content, err := (&scoring.File{
			Format: scoring.Format, Kind: scoring.KindArchetypes, Rows: scoring.RowsPitches,
			Columns: []scoring.Column{{Name: "pitch_speed_mph", Unit: "mph"}},
			Archetypes: &scoring.Archetypes{Mean: []float64{90}, Scale: []float64{4 + float64(version)},
				Clusters: []scoring.Cluster{{Name: "slow", Center: []float64{-1}, Share: 0.5},
					{Name: "fast", Center: []float64{1}, Share: 0.5}}},
		}).Encode()
		require.NoError(c.t, err)
		require.NoError(c.t, os.WriteFile(file, content, 0o600))
		c.finish("model", "add", file, "--name="+model)
		c.operators.models = version
	}
	return c.repeat(f, 400*time.Millisecond, func(i int) []string {
		return []string{"model", "promote", model, fmt.Sprint(1 + (f.whom+i)%2)}
	})
}

// promoteTargets feeds a target beside live, and shows readers the one and the other by turns.
func (c *cluster) promoteTargets(f fault) ongoing {
	c.t.Helper()
	feed := c.command([]string{"replay", "--into", beside, "--follow", "--no-live-first"})
	require.NoError(c.t, feed.Start())
	c.await("the target is filled and fed", func() bool {
		c.supervise()
		to, ok := c.target(beside)
		return ok && to.Processors == 1 && to.Unfinished == 0
	})
	o := c.repeat(f, 2*time.Second, func(i int) []string {
		return []string{"target", "promote", []string{beside, "live"}[i%2]}
	})
	o.after = func() {
		c.await("readers see live", func() bool {
			c.supervise()
			if to, ok := c.target("live"); ok && to.Serving {
				return true
			}
			_ = c.command([]string{"target", "promote", "live"}).Run()
			return false
		})
		c.endCommand(feed)
	}
	c.t.Cleanup(func() { _ = feed.Process.Kill() })
	c.operators.targets++
	return o
}

// shown is what target list says of a target.
type shown struct {
	Name       string `json:"name"`
	Serving    bool   `json:"serving"`
	Processors int    `json:"processors"`
	Unfinished int64  `json:"unfinished_replays"`
}

func (c *cluster) target(name string) (found shown, ok bool) {
	cmd := exec.Command(c.binary, "target", "list", "--json")
	cmd.Env = c.stack.Env
	out, err := cmd.Output()
	var all []shown
	if err != nil || json.Unmarshal(out, &all) != nil {
		return found, false
	}
	for _, s := range all {
		if s.Name == name {
			return s, true
		}
	}
	return found, false
}

// loadSeason brings in a season of files, which goes on after it was killed.
func (c *cluster) loadSeason(f fault) ongoing {
	c.t.Helper()
	const pitches = 60
	c.operators.seasons++
	name := fmt.Sprint("season-", c.operators.seasons)
	dir := filepath.Join(c.logs, name)
	require.NoError(c.t, os.MkdirAll(dir, 0o755))
	sim, err := simulate.New(simulate.Options{Seed: uint64(70_000 + c.operators.seasons), Pitches: pitches})
	require.NoError(c.t, err)
	var lines []byte
	for m, ok := sim.Next(); ok; m, ok = sim.Next() {
		if len(m.Value) > 0 {
			lines = append(append(lines, m.Value...), '\n')
		}
	}
	require.NoError(c.t, os.WriteFile(filepath.Join(dir, name+".jsonl"), lines, 0o600))
	spec := filepath.Join(c.logs, name+".yaml")
	text := fmt.Sprintf("{name: %s, target: %s, files: [{path: %q}],\n"+
		" gates: {dead_letters: 1, findings: 1000, shift: 1000, missing_values: 1}}\n", name, loaded, dir)
	require.NoError(c.t, os.WriteFile(spec, []byte(text), 0o600))
	c.operators.pitches += pitches
	run := []string{"backfill", "run", spec, "--no-live-first"}
	o := c.repeat(f, 2*f.hold, func(int) []string { return run })
	o.after = func() {
		c.finish(run...)
		var s backfill.Status
		require.NoError(c.t, json.Unmarshal([]byte(c.stack.Output("backfill", "status", spec, "--json")), &s))
		require.True(c.t, s.Finished)
		for _, b := range s.Batches {
			require.True(c.t, b.Counts.Balances(), "%+v", b.Counts)
			require.GreaterOrEqual(c.t, b.Counts.Records, b.Records, "the batch, and what came beside it")
		}
	}
	return o
}

// settleOperators holds what operators have made against live, after all.
func (c *cluster) settleOperators() {
	c.t.Helper()
	for name, made := range map[string]int{beside: c.operators.targets, loaded: c.operators.seasons} {
		if made > 0 {
			c.stack.Output("replay", "--into", name, "--from=position", "--no-live-first")
			c.stack.Output("verify", "--target", name)
		}
	}
}
