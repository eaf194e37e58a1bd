package config

import (
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync/atomic"
)

// The memory limits of commands that have no setting for it. In a container of 512 MiB a single large record
// is held several times, read, unpacked, judged and written, and what is garbage of them must go first.
const (
	commandMemory = 320 << 20
	// tightMemory is how much may be in use until the collector gives up to keep the process small. A command
	// that needs more, as verify does for millions of pitches, needs its time more.
	tightMemory = 384 << 20
)

// commandLimit returns the memory limit of a process with so many bytes in use after a collection. It leaves
// room, because the collector would take half of the time if it could not reach the limit.
func commandLimit(inUse int64) int64 {
	switch {
	case inUse <= commandMemory/4*3:
		return commandMemory
	case inUse <= tightMemory:
		return inUse / 3 * 4
	}
	return math.MaxInt64 // the collector's own pace
}

// followsUse means that the memory limit follows what is in use; Memory.Apply ends it.
var followsUse atomic.Bool

// BoundMemory sets the memory limit of a command, unless GOMEMLIMIT has set one, and lets it follow what is
// in use. Memory.Apply replaces it. It is called once, at the start of the process.
func BoundMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	followsUse.Store(true)
	debug.SetMemoryLimit(commandMemory)
	var collected func(*[64]byte) // called after each collection
	collected = func(mark *[64]byte) {
		if followsUse.Load() {
			live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
			metrics.Read(live)
			// guard: bytes: the memory limit of a command follows what is in use
			debug.SetMemoryLimit(min(commandLimit(int64(live[0].Value.Uint64())), containerMemory()/4*3))
			runtime.SetFinalizer(mark, collected)
		}
	}
	runtime.SetFinalizer(new([64]byte), collected)
}

// Apply sets the memory limit of this process, unless GOMEMLIMIT has set one. In a container with less memory
// it is three quarters of that.
func (m Memory) Apply() {
	followsUse.Store(false)
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(min(int64(m.MemoryLimit), containerMemory()/4*3))
	}
}

// containerMemory returns the memory limit of this container, math.MaxInt64 if there is none.
func containerMemory() int64 {
	return min(limitOf("/sys/fs/cgroup/memory.max"), limitOf("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
}

// limitOf returns the limit in a file of cgroups, math.MaxInt64 if there is none.
func limitOf(file string) int64 {
	text, _ := os.ReadFile(file)
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return math.MaxInt64
	}
	return limit
}
