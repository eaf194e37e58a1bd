package processor

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"sync"

	"github.com/pitchstream/pitchstream/consumer"
)

// stepsFile writes the steps of the protocol as JSON Lines, each with one write, so that a process that is
// killed leaves all but the last one whole.
type stepsFile struct {
	log *slog.Logger

	mu     sync.Mutex
	file   *os.File
	failed bool // a write failed, and nothing is written any more
}

// openSteps appends to a file; path "" is none, which is nil.
func openSteps(path string, log *slog.Logger) (*stepsFile, error) {
	if path == "" {
		return nil, nil
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--record-steps: %w", err)
	}
	return &stepsFile{log: log, file: file}, nil
}

// report returns what a processor calls at each step; nil for a nil file.
func (f *stepsFile) report() func(consumer.Step) {
	if f == nil {
		return nil
	}
	return f.write
}

func (f *stepsFile) write(s consumer.Step) {
	line, err := json.Marshal(s)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed {
		return
	}
	if err == nil {
		_, err = f.file.Write(append(line, '\n'))
	}
	if err != nil {
		f.failed = true
		f.log.Error("the steps are not recorded any more", "error", err)
	}
}

func (f *stepsFile) close() {
	if f != nil {
		_ = f.file.Close()
	}
}
