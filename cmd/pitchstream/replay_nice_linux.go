package main

import (
	"os"
	"strconv"
	"syscall"
)

// niceness lets whoever else wants a core have it first. On Linux it is a thread's; those to come have that of the one
// that makes them. Where it is not allowed, so be it.
func niceness() {
	threads, _ := os.ReadDir("/proc/self/task")
	for _, t := range threads {
		if id, err := strconv.Atoi(t.Name()); err == nil {
			_ = syscall.Setpriority(syscall.PRIO_PROCESS, id, 15)
		}
	}
}
