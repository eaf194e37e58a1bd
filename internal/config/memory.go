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
	// leastMemory is the lowest limit that follows what is in use up to a setting.
	leastMemory = 128 << 20
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

// limitFor returns the memory limit of this process for what is in use. While it is nil, the limit is a fixed
// one.
var limitFor atomic.Pointer[func(inUse int64) int64]

// BoundMemory sets the memory limit of a command, unless GOMEMLIMIT has set one, and lets it follow what is
// in use. Memory.Apply and Memory.ApplyAtMost replace it. It is called once, at the start of the process.
func BoundMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	follow(commandLimit)
	var collected func(*[64]byte) // called after each collection
	collected = func(mark *[64]byte) {
		if limit := limitFor.Load(); limit != nil {
			// guard: bytes: the memory limit of a command follows what is in use
			debug.SetMemoryLimit(min((*limit)(memoryInUse()), containerMemory()/4*3))
			runtime.SetFinalizer(mark, collected)
		}
	}
	runtime.SetFinalizer(new([64]byte), collected)
}

// memoryInUse returns the bytes that the last collection has left, and those that none can free. The memory
// limit counts the stacks of ten thousand streams, too.
func memoryInUse() (sum int64) {
	in := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/metadata/mspan/inuse:bytes"}, {Name: "/memory/classes/metadata/other:bytes"},
	}
	metrics.Read(in)
	for i := range in {
		sum += int64(in[i].Value.Uint64())
	}
	return sum
}

// follow sets the memory limit for nothing in use, and lets it follow what is.
func follow(limit func(inUse int64) int64) {
	limitFor.Store(&limit)
	debug.SetMemoryLimit(min(limit(0), containerMemory()/4*3))
}

// ApplyAtMost lets the memory limit of this process follow what is in use, up to MemoryLimit, unless
// GOMEMLIMIT has set one. Many requests at a time allocate faster than the collector frees, so one that
// begins only near the limit comes too late.
func (m Memory) ApplyAtMost() {
	if os.Getenv("GOMEMLIMIT") == "" {
		// guard: bytes: the collector of serve begins before the limit is near | inUse/3*4 -> int64(m.MemoryLimit)
		follow(func(inUse int64) int64 { return min(max(inUse/3*4, leastMemory), int64(m.MemoryLimit)) })
	}
}

// Apply sets the memory limit of this process, unless GOMEMLIMIT has set one. In a container with less memory
// it is three quarters of that.
func (m Memory) Apply() {
	limitFor.Store(nil)
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
