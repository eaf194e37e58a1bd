//go:build !unix

package child

import "syscall"

// User is the user that a child process runs as; only Unix has it.
type User struct{ UID, GID uint32 }

// Attr has nothing to say outside of Unix.
func Attr(*User) *syscall.SysProcAttr { return nil }
