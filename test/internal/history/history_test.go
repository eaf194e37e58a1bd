package history

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fault is what is wrong with the small system below.
type fault string

const (
	none          fault = ""
	staleCache    fault = "an answer to at_least comes from a cache"
	lostFence     fault = "a processor that was given up writes an older version"
	lostWrite     fault = "an acknowledged record is never applied"
	abortedRead   fault = "the row of an aborted transaction is seen"
	rewritten     fault = "two rows have one offset"
	passedOver    fault = "a reader passes over a row"
	countedTwice  fault = "a record is added twice"
	doubledLetter fault = "a dead letter is written twice"
	streamBack    fault = "a stream goes back to an older state"
	fromTheFuture fault = "an answer has a version that nobody has sent yet"
	staleTopic    fault = "the last row in the topic is not the present one"
)

// play runs a small system with one pitch and one batter by a random schedule, with one thing wrong.
func play(seed uint64, wrong fault) *History {
	r := rand.New(rand.NewPCG(seed, 3))
	h := &History{}
	var now int64
	tick := func() int64 { now++; return now }
	const versions = 8
	sent, applied, cached := 0, 0, 0
	var topic, seen []Entry
	sum := func(n int) string { return fmt.Sprintf("%d records", n) }
	h.Adds("b", Prefix{Text: sum(0)})
	publish := func(version int) { topic = append(topic, Entry{Offset: int64(len(topic)), Key: "p", Version: version}) }
	planted := false
	for applied < versions || sent < versions {
		switch r.IntN(6) {
		case 0:
			if sent < versions {
				sent++
				at := tick()
				h.Wrote(Write{Pitch: "p", Version: sent, Sent: at, Acked: true, Offset: int64(sent)})
				h.Adds("b", Prefix{Text: sum(sent), Sent: at})
			}
		case 1:
			if applied < sent {
				applied++
				publish(applied)
			}
		case 2:
			cached = applied
		case 3:
			h.Saw(Read{Pitch: "p", Version: applied, Present: true, Began: tick(), Ended: tick()})
		case 4:
			version := cached
			if wrong == fromTheFuture && sent > 1 && sent < versions && !planted {
				version, planted = sent+1, true
			}
			h.Saw(Read{Pitch: "p", Version: version, Began: tick(), Ended: tick()})
			h.SawSum(Sum{Batter: "b", Text: sum(cached), Stream: "s", Began: tick(), Ended: tick()})
		case 5:
			version := applied
			if wrong == staleCache && cached < applied {
				version = cached
			}
			h.Saw(Read{Pitch: "p", Version: version, AtLeast: applied, Began: tick(), Ended: tick()})
			h.SawSum(Sum{Batter: "b", Text: sum(applied), AtLeast: applied, Began: tick(), Ended: tick()})
		}
		if wrong == lostFence && applied == 5 && !planted {
			h.Saw(Read{Pitch: "p", Version: 5, Present: true, Began: tick(), Ended: tick()})
			h.Saw(Read{Pitch: "p", Version: 3, Present: true, Began: tick(), Ended: tick()})
			planted = true
		}
	}
	seen = append(seen, topic...)
	letter := Entry{Key: "0/9"}
	h.Rejected(letter.Key)
	letters := []Entry{letter}
	present := applied
	switch wrong {
	case lostWrite:
		present--
		topic, seen = topic[:len(topic)-1], seen[:len(seen)-1]
	case abortedRead:
		seen = append(seen, Entry{Offset: 1000, Key: "p", Version: 1})
	case rewritten:
		seen[2].Version += 3
	case passedOver:
		seen = append(seen[:2:2], seen[3:]...)
	case countedTwice:
		h.SawSum(Sum{Batter: "b", Text: sum(versions + 1), Ended: tick()})
	case doubledLetter:
		letters = append(letters, Entry{Offset: 1, Key: letter.Key})
	case streamBack:
		h.SawSum(Sum{Batter: "b", Text: sum(5), Stream: "s", Ended: tick()})
		h.SawSum(Sum{Batter: "b", Text: sum(4), Stream: "s", Ended: tick()})
	case staleTopic:
		topic = append(topic, Entry{Offset: int64(len(topic)), Key: "p", Version: 2})
	}
	for _, e := range seen {
		h.SawRow(e)
	}
	for _, e := range letters {
		h.SawDead(e)
	}
	h.End(topic, letters, map[string]int{"p": present})
	return h
}

func TestNothingIsWrongWithAHistoryThatIsRight(t *testing.T) {
	for seed := range uint64(200) {
		h := play(seed, none)
		require.Empty(t, h.Check(), "seed %d: %s", seed, h.Size())
	}
}

func TestPlantedFaultsAreFound(t *testing.T) {
	for wrong, words := range map[fault]string{
		staleCache: "no order of its versions", lostFence: "no order of its versions", lostWrite: "was acknowledged",
		abortedRead: "never committed", rewritten: "and the topic has", passedOver: "passed over",
		countedTwice: "adds up to", doubledLetter: "2 dead letters", streamBack: wentBack,
		fromTheFuture: "no order of its versions", staleTopic: "the last row in the topic",
	} {
		t.Run(string(wrong), func(t *testing.T) {
			found := 0
			for seed := range uint64(50) {
				if strings.Contains(strings.Join(play(seed, wrong).Check(), "\n"), words) {
					found++
				}
			}
			// A few schedules never come to the moment of the fault.
			require.Greater(t, found, 40)
		})
	}
}
