//go:build !unix

package localpg

import (
	"errors"

	"github.com/pitchstream/pitchstream/internal/localpg/child"
)

func unprivileged() (*child.User, error) {
	return nil, errors.New("a private Postgres runs on Linux and macOS only: name a running one by --postgres-url")
}
