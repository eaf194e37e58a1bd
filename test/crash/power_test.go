package crash

import (
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A machine that loses its power in the middle of a transaction informs no server. Its locks must be free
// long before the network notices, which takes hours, because the next owner of its partitions needs them.
func TestAMachineThatLosesItsPowerHoldsUpNoOther(t *testing.T) {
	if testing.Short() {
		t.Skip("starts servers")
	}
	s := newSoak(t, size{processors: 2})
	f := startFeed(t, s.w, 1, 3000, 200)
	f.open(math.MaxInt64)
	stop := s.follow(f)
	defer stop()
	s.reach(300)
	p, bury := s.aim(fault{kind: killWithoutWord})
	require.Equal(t, 1, s.counts.aimed, "killed in the middle of a transaction")
	dead, at := time.Now(), s.committed.Load()
	s.start(p)
	s.reach(3000)
	s.w.WaitCaughtUp()
	t.Logf("%d of the records were through then, all of them %v after the power failed", at, time.Since(dead).Round(time.Second))
	bury()
	s.settle()
}
