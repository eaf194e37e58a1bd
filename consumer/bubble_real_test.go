//go:build !synctests

package consumer

import (
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
)

// bubble runs a test in real time; with the tag synctests, in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) { f(t) }

func network() (kfake.Opt, dialer) {
	return kfake.ListenFn(net.Listen), (&net.Dialer{}).DialContext
}

const virtual = false

var ports = kfake.NumBrokers(1)
