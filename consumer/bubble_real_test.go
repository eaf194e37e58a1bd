//go:build !synctests

package consumer

import (
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// inBubble runs a test in real time; with the tag synctests, in virtual time.
func inBubble(t *testing.T, f func(t *testing.T)) { f(t) }

func network() (kfake.Opt, dialer) {
	return kfake.ListenFn(net.Listen), (&net.Dialer{}).DialContext
}

// inVirtualTime skips a test that takes long in real time; under CI it fails.
func inVirtualTime(t *testing.T, long string) {
	t.Helper()
	testkit.Unavailable(t, "takes "+long+" without the tag synctests")
}

var ports = kfake.NumBrokers(1)
