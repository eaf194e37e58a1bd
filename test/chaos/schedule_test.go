package chaos

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// kind is a kind of fault, in the words of the table in docs/RELIABILITY.md.
type kind string

const (
	leaderKilled      kind = "Kafka: the leader of a partition killed"
	leaderFrozen      kind = "Kafka: the leader of a partition stopped (SIGSTOP)"
	groupKilled       kind = "Kafka: the group's coordinator killed"
	transactionKilled kind = "Kafka: a transaction's coordinator killed"
	brokerCut         kind = "Kafka: a broker cut off from everybody"
	brokersReset      kind = "Kafka: all connections reset"

	primaryPromoted  kind = "Postgres: the primary killed, the standby promoted"
	primaryReplaced  kind = "Postgres: the primary stopped (SIGSTOP), the standby promoted"
	primaryRestarted kind = "Postgres: the primary killed and started again"
	standbyKilled    kind = "Postgres: the synchronous standby killed"
	standbyCut       kind = "Postgres: primary and standby cut from each other"
	postgresReset    kind = "Postgres: all connections reset"

	masterKilled    kind = "Redis: the master killed"
	masterRestarted kind = "Redis: the master killed and at once started empty"
	masterFrozen    kind = "Redis: the master stopped (SIGSTOP)"
	masterCut       kind = "Redis: the master cut off from everybody"

	processorKilled kind = "a processor killed"
	processorZombie kind = "a processor stopped for longer than session and transaction may last, and woken"
	fromKafka       kind = "a processor cut off from Kafka"
	fromPostgres    kind = "a processor cut off from Postgres"
	fromRedis       kind = "a processor cut off from Redis"
	slowLinks       kind = "all ways slow (each piece 30 ms)"
	lossyLinks      kind = "all ways lossy (10 % of the pieces sent again)"
	twins           kind = "two processors with one instance id"

	replayKilled kind = "an operator's replay killed"
	retryKilled  kind = "an operator's dlq retry killed"
	repairKilled kind = "an operator's verify --repair killed"
)

// The order matters for a short schedule: it takes the first of each list before the second of any.
var kinds = [][]kind{
	{leaderKilled, transactionKilled, groupKilled, leaderFrozen, brokerCut, brokersReset},
	{primaryPromoted, standbyKilled, primaryReplaced, standbyCut, primaryRestarted, postgresReset},
	{masterKilled, masterFrozen, masterRestarted, masterCut},
	{processorZombie, fromPostgres, twins, fromKafka, processorKilled, lossyLinks, slowLinks, fromRedis},
	{repairKilled, retryKilled, replayKilled},
}

// fault is one line of a schedule.
type fault struct {
	kind kind
	whom int           // the processor or broker that is hit, where there is a choice
	hold time.Duration // how long it lasts at least
	also bool          // a processor is killed in the middle of it, and started again at its end
}

func (f fault) String() string {
	s := fmt.Sprintf("%s (%d, %v)", f.kind, f.whom, f.hold)
	if f.also {
		s += ", and a processor killed"
	}
	return s
}

// schedule takes faults from each list in turn, in an order that the seed gives.
func schedule(seed uint64, faults int) (plan []fault) {
	r := rand.New(rand.NewPCG(seed, 0))
	for i := range faults {
		list := kinds[i%len(kinds)]
		k := list[i/len(kinds)%len(list)]
		plan = append(plan, fault{kind: k, whom: r.IntN(partitions), also: r.IntN(4) == 0,
			hold: time.Duration(1000+r.IntN(3000)) * time.Millisecond})
	}
	r.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	return plan
}

func TestASeedGivesItsSchedule(t *testing.T) {
	plan := schedule(7, 200)
	require.Equal(t, plan, schedule(7, 200))
	require.NotEqual(t, plan, schedule(8, 200))
	counts := map[kind]int{}
	for _, f := range plan {
		counts[f.kind]++
	}
	for _, list := range kinds {
		for _, k := range list {
			require.NotZero(t, counts[k], k)
		}
	}
	short := map[kind]bool{}
	for _, f := range schedule(9, len(kinds)) {
		short[f.kind] = true
	}
	for _, list := range kinds {
		require.True(t, short[list[0]], "a schedule of few faults has %s", list[0])
	}
}
