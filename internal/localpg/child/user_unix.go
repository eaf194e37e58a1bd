//go:build unix

package child

import (
	"errors"
	"os"
	"os/user"
	"strconv"
	"syscall"
)

// Attr returns the attributes of a child process in a session of its own, run by user. nil is our user with
// our groups.
func Attr(user *User) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setsid: true}
	if user != nil {
		attr.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID}
	}
	return attr
}

// Unprivileged returns the user for a program that refuses to run as root: nil, our own, unless we are root,
// else the user postgres or nobody.
func Unprivileged() (*User, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		return &User{UID: uint32(uid), GID: uint32(gid)}, errors.Join(uidErr, gidErr)
	}
	return nil, errors.New("Postgres does not run as root, and there is no user postgres or nobody: add one")
}
