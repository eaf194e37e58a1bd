package config

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestCommandLimitLeavesRoomAndGivesUp(t *testing.T) {
	require.EqualValues(t, 320<<20, commandLimit(0))
	require.EqualValues(t, 320<<20, commandLimit(240<<20))
	require.EqualValues(t, 400<<20, commandLimit(300<<20))
	require.LessOrEqual(t, commandLimit(384<<20), int64(512<<20))
	require.EqualValues(t, int64(math.MaxInt64), commandLimit(385<<20), "its time counts more")
}

// guard: bytes: the memory limit of a command follows what is in use
func TestTheMemoryLimitOfACommandFollowsItsUse(t *testing.T) {
	t.Setenv("GOMEMLIMIT", "")
	before := debug.SetMemoryLimit(-1)
	defer debug.SetMemoryLimit(before)
	limit := func() int64 { return debug.SetMemoryLimit(-1) }
	waitFor := func(is func() bool) {
		for deadline := time.Now().Add(10 * time.Second); !is() && time.Now().Before(deadline); {
			runtime.GC() // what follows a collection runs in a goroutine of the runtime
		}
		require.True(t, is())
	}
	BoundMemory()
	require.EqualValues(t, commandMemory, limit())
	held := make([]byte, 300<<20) // never touched, so that it takes no memory
	waitFor(func() bool { return limit() > commandMemory+64<<20 })
	runtime.KeepAlive(held)
	waitFor(func() bool { return limit() == commandMemory })
	Memory{MemoryLimit: 1 << 40}.Apply()
	held = make([]byte, 300<<20)
	for range 5 {
		runtime.GC()
	}
	require.EqualValues(t, min(1<<40, containerMemory()/4*3), limit(), "a setting counts")
	runtime.KeepAlive(held)
}
