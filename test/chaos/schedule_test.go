package chaos

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
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
	endTxnHeld        kind = "Kafka: the end of a transaction held back for longer than it may last (EndTxn)"
	brokerFull        kind = "Kafka: a broker's disk full"
	brokerClock       kind = "Kafka: a broker's clock an hour off"

	primaryPromoted  kind = "Postgres: the primary killed, the standby promoted"
	primaryReplaced  kind = "Postgres: the primary stopped (SIGSTOP), the standby promoted"
	primaryRestarted kind = "Postgres: the primary killed and started again"
	standbyKilled    kind = "Postgres: the synchronous standby killed"
	standbyCut       kind = "Postgres: primary and standby cut from each other"
	postgresReset    kind = "Postgres: all connections reset"
	dataFull         kind = "Postgres: the primary's disk full"
	walFull          kind = "Postgres: the disk of the primary's WAL full"
	standbyClock     kind = "Postgres: the primary killed, a standby promoted whose clock is an hour off"

	masterKilled    kind = "Redis: the master killed"
	masterRestarted kind = "Redis: the master killed and at once started empty"
	masterFrozen    kind = "Redis: the master stopped (SIGSTOP)"
	masterCut       kind = "Redis: the master cut off from everybody"
	masterFull      kind = "Redis: the disk of the master's log (AOF) full"
	masterClock     kind = "Redis: the master's clock an hour off"

	processorKilled kind = "a processor killed"
	processorZombie kind = "a processor stopped for longer than session and transaction may last, and woken"
	fromKafka       kind = "a processor cut off from Kafka"
	fromPostgres    kind = "a processor cut off from Postgres"
	fromRedis       kind = "a processor cut off from Redis"
	slowLinks       kind = "all ways slow (each piece 30 ms)"
	lossyLinks      kind = "all ways lossy (10 % of the pieces sent again)"
	twins           kind = "two processors with one instance id"
	processorClock  kind = "a processor whose clock is an hour off"
	upgraded        kind = "an earlier build in all processors, replaced one by one; one of them back for a while"

	replayKilled kind = "an operator's replay killed"
	retryKilled  kind = "an operator's dlq retry killed"
	repairKilled kind = "an operator's verify --repair killed"

	rebuildKilled  kind = "an operator's rebuild redis killed"
	targetKilled   kind = "an operator's target promote killed"
	modelKilled    kind = "an operator's model promote killed"
	backfillKilled kind = "an operator's backfill run killed"
)

// The order matters for a short schedule: it takes the first of each list before the second of any.
var kinds = [][]kind{
	{leaderKilled, transactionKilled, groupKilled, leaderFrozen, brokerCut, brokersReset,
		endTxnHeld, brokerFull, brokerClock},
	{primaryPromoted, standbyKilled, primaryReplaced, standbyCut, primaryRestarted, postgresReset,
		dataFull, walFull, standbyClock},
	{masterKilled, masterFrozen, masterRestarted, masterCut, masterFull, masterClock},
	{processorZombie, fromPostgres, twins, fromKafka, processorKilled, lossyLinks, slowLinks, fromRedis,
		processorClock, upgraded},
	{repairKilled, retryKilled, replayKilled, rebuildKilled, targetKilled, modelKilled, backfillKilled},
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

// chosen returns the lists without the kinds whose names do not match.
func chosen(only *regexp.Regexp) (lists [][]kind) {
	for _, list := range kinds {
		list = slices.DeleteFunc(slices.Clone(list), func(k kind) bool { return !only.MatchString(string(k)) })
		if len(list) > 0 {
			lists = append(lists, list)
		}
	}
	return lists
}

// kindsIn returns the kinds of a schedule.
func kindsIn(plan []fault) map[kind]bool {
	in := map[kind]bool{}
	for _, f := range plan {
		in[f.kind] = true
	}
	return in
}

// schedule takes faults from each list in turn, in an order that the seed gives.
func schedule(seed uint64, faults int, only *regexp.Regexp) (plan []fault) {
	r := rand.New(rand.NewPCG(seed, 0))
	from := chosen(only)
	for i := range faults {
		list := from[i%len(from)]
		k := list[i/len(from)%len(list)]
		plan = append(plan, fault{kind: k, whom: r.IntN(partitions), also: r.IntN(4) == 0,
			hold: time.Duration(1000+r.IntN(3000)) * time.Millisecond})
	}
	r.Shuffle(len(plan), func(i, j int) { plan[i], plan[j] = plan[j], plan[i] })
	return plan
}

func TestASeedGivesItsSchedule(t *testing.T) {
	all := regexp.MustCompile("")
	plan := schedule(7, 200, all)
	require.Equal(t, plan, schedule(7, 200, all))
	require.NotEqual(t, plan, schedule(8, 200, all))
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
	for _, f := range schedule(9, len(kinds), all) {
		short[f.kind] = true
	}
	for _, list := range kinds {
		require.True(t, short[list[0]], "a schedule of few faults has %s", list[0])
	}
	for _, f := range schedule(7, 50, regexp.MustCompile("clock")) {
		require.Contains(t, f.kind, "clock")
	}
}
