//go:build unix

package localpg

import (
	"errors"
	"os"
	"os/user"
	"strconv"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

// unprivileged is the user to run Postgres as, which refuses root: nil (our own) unless we are root.
func unprivileged() (*child.User, error) {
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
		return &child.User{UID: uint32(uid), GID: uint32(gid)}, errors.Join(uidErr, gidErr)
	}
	return nil, errors.New("Postgres does not run as root, and this machine has no user postgres or nobody")
}
