package consumer

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// guard: a stop does not wait for a join that is pending
func TestAStopDoesNotWaitForAJoinThatIsPending(t *testing.T) {
	inVirtualTime(t, "a minute")
	inBubble(t, func(t *testing.T) {
		cl := newCluster(t)
		asked, released := make(chan struct{}), make(chan struct{})
		var once sync.Once
		cl.kafka.ControlKey(int16(kmsg.JoinGroup), func(kmsg.Request) (kmsg.Response, error, bool) {
			cl.kafka.KeepControl()
			cl.kafka.SleepControl(func() { // another member delays the rebalance
				once.Do(func() { close(asked) })
				select {
				case <-released:
				case <-time.After(time.Minute):
				}
			})
			return nil, nil, false
		})
		w := cl.start()
		<-asked
		began := time.Now()
		w.halt()
		close(released)
		require.LessOrEqual(t, time.Since(began), 10*time.Second)
	})
}
