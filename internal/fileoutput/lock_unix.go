//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package fileoutput

import (
	"errors"
	"os"
	"syscall"
)

// lock takes a folder for this process; the kernel lets it go when the process ends, however it ends. Where a file
// system has no locks, it takes nothing.
func lock(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(d.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		_ = d.Close()
		return nil, errInUse
	}
	return func() { _ = d.Close() }, nil
}
