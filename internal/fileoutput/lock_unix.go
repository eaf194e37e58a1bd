//go:build linux || darwin || freebsd || netbsd || openbsd || dragonfly

package fileoutput

import (
	"errors"
	"os"
	"syscall"
)

// lock locks a folder for this process. The kernel releases the lock when the process ends in any way. On a
// file system without locks it does nothing.
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
