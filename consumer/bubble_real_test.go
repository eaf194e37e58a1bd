//go:build !synctests

package consumer

import (
	"net"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

const virtualTime = false

// bubble runs a test in real time; with the tag synctests, in virtual time.
func bubble(t *testing.T, f func(t *testing.T)) { f(t) }

func network() (kfake.Opt, kgo.Opt) {
	return kfake.ListenFn(net.Listen), kgo.Dialer((&net.Dialer{}).DialContext)
}

var ports = kfake.NumBrokers(1)
