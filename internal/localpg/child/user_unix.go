//go:build unix

package child

import "syscall"

// User is the user that a child process runs as.
type User struct{ UID, GID uint32 }

// Attr makes a child process a session of its own, run by user (nil: by ours, with our groups).
func Attr(user *User) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if user != nil {
		attr.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID}
	}
	return attr
}
