//go:build synctests

package consumer

import (
	"testing"
	"testing/synctest"

	"github.com/twmb/franz-go/pkg/kfake"
)

// inBubble runs a test in virtual time: waiting for a session to time out costs nothing. The tag also makes
// the Kafka client use locks that the virtual clock understands.
func inBubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

// network connects client and cluster in memory: real sockets would hold the virtual clock.
func network() (kfake.Opt, dialer) {
	var n kfake.VirtualNetwork
	return kfake.ListenFn(n.Listen), n.DialContext
}

// inVirtualTime skips a test that takes long in real time: none, here.
func inVirtualTime(*testing.T, string) {}

var ports = kfake.Ports(19092)
