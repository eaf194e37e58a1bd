package testkit

import (
	"errors"
	"os"
	"sync"
	"testing"
)

// sharedDirs are the folders that closeAll removes. mu guards paths, because a signal ends a process from
// another goroutine.
var sharedDirs struct {
	mu    sync.Mutex
	paths []string
}

// SharedDir returns a new folder for the tests of this process. Main removes it at the end.
func SharedDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "pitchstream-test-")
	if err != nil {
		t.Fatal(err)
	}
	sharedDirs.mu.Lock()
	defer sharedDirs.mu.Unlock()
	sharedDirs.paths = append(sharedDirs.paths, dir)
	return dir
}

// removeSharedDirs removes the folders of SharedDir.
func removeSharedDirs() error {
	sharedDirs.mu.Lock()
	defer sharedDirs.mu.Unlock()
	var all []error
	for _, dir := range sharedDirs.paths {
		// guard: a test process leaves no binary behind
		all = append(all, os.RemoveAll(dir))
	}
	sharedDirs.paths = nil
	return errors.Join(all...)
}
