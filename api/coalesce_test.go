package api

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/pitchstream/pitchstream/schemas"
)

// Questions that come while others are on their way go together; none joins one that has been sent; and each
// has its own answer.
// guard: api: each has his own of an answer to several
func TestQuestionsGoTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var sent []int
		l := coalescer[schemas.PlayerKey, *schemas.PlayerState]{log: slog.Default(), send: func(
			_ context.Context, keys []schemas.PlayerKey,
		) (states []*schemas.PlayerState, p schemas.Pulse, err error) {
			mu.Lock()
			sent = append(sent, len(keys))
			mu.Unlock()
			for _, k := range keys {
				states = append(states, &schemas.PlayerState{PlayerKey: k})
			}
			p.Epoch = time.Now().String()
			time.Sleep(time.Second)
			return states, p, nil
		}}
		var all sync.WaitGroup
		ask := func(n int) {
			asked := time.Now()
			all.Go(func() {
				keys := []schemas.PlayerKey{{PlayerID: int64(n)}, {PlayerID: int64(-n)}}
				states, p, err := l.ask(t.Context(), keys)
				require.NoError(t, err)
				require.Equal(t, keys, []schemas.PlayerKey{states[0].PlayerKey, states[1].PlayerKey})
				at, err := time.Parse("2006-01-02 15:04:05.999999999 -0700 MST", p.Epoch[:len(p.Epoch)-len(" m=+0.000000000")])
				if err == nil {
					require.False(t, at.Before(asked.Truncate(time.Nanosecond)), "it was sent after it was asked")
				}
			})
			synctest.Wait()
		}
		for n := 1; n <= 10; n++ {
			ask(n)
			time.Sleep(time.Millisecond)
		}
		all.Wait()
		require.Equal(t, []int{2, 2, 16}, sent)
		ask(11)
		all.Wait()
		require.Equal(t, []int{2, 2, 16, 2}, sent)
		require.Zero(t, l.inFlight)
	})
}

// guard: api: a reader that gives up stops no other
func TestACallerWhoGivesUpStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := coalescer[schemas.PlayerKey, *schemas.PlayerState]{log: slog.Default(), send: func(
			ctx context.Context, keys []schemas.PlayerKey,
		) ([]*schemas.PlayerState, schemas.Pulse, error) {
			time.Sleep(time.Second)
			return make([]*schemas.PlayerState, len(keys)), schemas.Pulse{}, ctx.Err()
		}}
		short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		var all sync.WaitGroup
		for range maxLookups + 1 {
			all.Go(func() {
				_, _, err := l.ask(short, []schemas.PlayerKey{{}})
				require.ErrorIs(t, err, context.DeadlineExceeded)
			})
		}
		synctest.Wait()
		_, _, err := l.ask(t.Context(), slices.Repeat([]schemas.PlayerKey{{}}, maxBatch))
		require.NoError(t, err)
		all.Wait()
	})
}

// A digest leaves out what a plain pattern finds.
func TestDigestsLeaveOutLagAndAge(t *testing.T) {
	plain := regexp.MustCompile(`"(?:lag|age)_ms":(?:null|[0-9]+)`)
	word := rapid.SampledFrom([]string{`"lag_ms":`, `"age_ms":`, `"lag_ms`, `_ms":`, `"max_ms":`, "null", "17", "0", "n", ",", "-", `"`, "lag", `"a`})
	rapid.Check(t, func(t *rapid.T) {
		var body []byte
		for _, w := range rapid.SliceOfN(word, 0, 12).Draw(t, "words") {
			body = append(body, w...)
		}
		sum := sha256.Sum256(plain.ReplaceAll(body, nil))
		require.Equal(t, hex.EncodeToString(sum[:12]), digest(body), "%s", body)
	})
}
