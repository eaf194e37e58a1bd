package replay

import (
	"os"
	"strconv"
	"syscall"
)

// lowerPriority gives other processes the cores first. Linux keeps the priority by thread, and a new thread
// inherits that of its creator. An error is ignored, because the replay works without it.
func lowerPriority() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, 15)
		}
	}
}
