//go:build !unix

package child

import (
	"errors"
	"syscall"
)

// Attr returns nil, because sessions and users as here exist on Unix only.
func Attr(*User) *syscall.SysProcAttr { return nil }

// Unprivileged returns an error, because a private Postgres needs Attr.
func Unprivileged() (*User, error) {
	return nil, errors.New("a private Postgres runs on Linux and macOS only: name another by --postgres-url")
}
