package testkit

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

// Main runs the tests of a package, ends the servers that they share, and fails when goroutines are left. It
// does not return. ignores are exceptions to the leak check; each one needs a reason.
func Main(m *testing.M, ignores ...goleak.Option) {
	os.Exit(run(m, ignores))
}

func run(m *testing.M, ignores []goleak.Option) int {
	interrupted := make(chan os.Signal, 1)
	signal.Notify(interrupted, os.Interrupt, syscall.SIGTERM)
	go func() {
		if s, ok := <-interrupted; ok {
			_ = closeAll()
			fmt.Fprintln(os.Stderr, "testkit:", s)
			os.Exit(1)
		}
	}()
	code := m.Run()
	signal.Stop(interrupted)
	close(interrupted)
	if err := closeAll(); err != nil {
		fmt.Fprintln(os.Stderr, "testkit: ending the servers:", err)
		code = max(code, 1)
	}
	if code != 0 {
		return code // a failed test may leave goroutines, which are not the cause
	}
	if err := goleak.Find(ignores...); err != nil {
		fmt.Fprintln(os.Stderr, "testkit: goroutines were left behind:", err)
		return 1
	}
	return 0
}

// closeAll ends the shared servers of this process.
func closeAll() error {
	return errors.Join(shared.close(), whenDone())
}
