package crash

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// kind is what is done to the target.
type kind string

// Kills of a processor. The aimed ones wait for Postgres to answer a commit, and fall before the answer
// reaches the processor, right after it did, or when the processor then writes to Redis.
const (
	killAnywhere    kind = "kill"
	killUnanswered  kind = "kill before Postgres' answer"
	killAnswered    kind = "kill after Postgres' answer"
	killAtRedis     kind = "kill at the push to Redis"
	killWithoutWord kind = "kill, and no server is told" // as a machine that lost its power
)

// Faults of servers, and of what is between.
const (
	kafkaStopped    kind = "Kafka restarted"
	kafkaKilled     kind = "Kafka killed"
	postgresStopped kind = "Postgres restarted"
	postgresKilled  kind = "Postgres killed"
	redisStopped    kind = "Redis restarted"
	redisKilled     kind = "Redis killed"
	redisFlushed    kind = "Redis flushed"

	postgresCut  kind = "connections to Postgres cut"
	redisCut     kind = "connections to Redis cut"
	postgresSlow kind = "Postgres slow"
	redisSlow    kind = "Redis slow"
	postgresHeld kind = "Postgres silent"
	redisHeld    kind = "Redis silent"

	paused kind = "processor paused until it was given up"
)

var (
	// Half of ten kills are aimed. One in ten leaves connections behind.
	kills = []kind{
		killAnywhere, killUnanswered, killAnywhere, killAnswered, killAtRedis,
		killAnywhere, killAnswered, killWithoutWord, killAnywhere, killUnanswered,
	}
	serverFaults = []kind{
		postgresKilled, kafkaKilled, redisFlushed, postgresStopped, kafkaStopped, redisKilled, redisStopped,
	}
	networkFaults = []kind{postgresCut, redisHeld, postgresSlow, postgresHeld, redisCut, redisSlow, paused}
)

// fault is one line of a schedule.
type fault struct {
	at   int64 // records that the group has committed by then
	kind kind
	whom int           // the processor, for those that hit one
	late bool          // the killed processor comes back only after others have taken over
	also bool          // a processor is killed while the server is unavailable
	wait time.Duration // between stop and start of a server; before a kill that is not aimed
}

func (f fault) String() string { return fmt.Sprintf("at %d: %s (%d)", f.at, f.kind, f.whom) }

// schedule spreads faults over records: of each list in turn, in an order and at moments that the seed gives.
func schedule(seed uint64, size size, records int64) (plan []fault) {
	r := rand.New(rand.NewPCG(seed, 0))
	add := func(n int, kinds []kind) {
		first := 0
		for i := range n {
			if i%len(kinds) == 0 && n > len(kinds) {
				first = r.IntN(len(kinds))
			}
			plan = append(plan, fault{
				kind: kinds[(first+i)%len(kinds)], whom: r.IntN(size.processors), late: r.IntN(5) == 0,
				also: r.IntN(3) == 0, wait: time.Duration(r.IntN(2000)) * time.Millisecond,
			})
		}
	}
	add(size.kills, kills)
	add(size.servers, serverFaults)
	add(size.networks, networkFaults)
	r.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	step := records / int64(len(plan)+1)
	for i := range plan {
		plan[i].at = step*int64(i+1) + r.Int64N(max(step/2, 1))
	}
	slices.SortStableFunc(plan, func(a, b fault) int { return cmp.Compare(a.at, b.at) })
	return plan
}

func TestASeedGivesItsSchedule(t *testing.T) {
	s := size{kills: 100, servers: 20, networks: 20, processors: 4}
	plan := schedule(7, s, 200_000)
	require.Equal(t, plan, schedule(7, s, 200_000))
	require.NotEqual(t, plan, schedule(8, s, 200_000))
	require.Len(t, plan, 140)
	counts := map[kind]int{}
	for _, f := range plan {
		counts[f.kind]++
		require.Less(t, f.at, int64(200_000))
	}
	for _, k := range kills {
		require.NotZero(t, counts[k], k)
	}
	for _, k := range append(serverFaults, networkFaults...) {
		require.NotZero(t, counts[k], k)
	}
}
