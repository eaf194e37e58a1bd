package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/deadletter"
	"github.com/pitchstream/pitchstream/internal/kafkaread"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/test/internal/stack"
)

// tooSmall is a limit that most swings exceed: what processors had by mistake.
const tooSmall = 60 << 10

// The dead letters of a night with a wrong setting are retried, and the retry is killed many times. Each
// record is sent once, the predicted dead letters come back, and the books balance.
func TestLettersAreRetriedOnceAcrossKills(t *testing.T) {
	w := stack.New(t)
	limit := []string{"--breaker-share=0", "--breaker-in-a-row=0"}
	n := stress(w, 8, 500)
	night := w.Start(append(limit, fmt.Sprintf("--max-record-bytes=%d", tooSmall))...)
	w.WaitCaughtUp()
	night.Halt()
	day := w.Start(limit...)

	var ls deadletter.Report
	require.NoError(t, json.Unmarshal([]byte(w.Output("dlq", "ls", "--json")), &ls))
	require.Greater(t, ls.Open, int64(100), "%+v", ls)
	predicted := dryRun(t, w)
	require.Equal(t, ls.Open, predicted.Selected)
	require.Positive(t, predicted.WouldPass)
	require.Positive(t, predicted.WouldFail)

	killed := killRetries(t, w, int(ls.Open), 5)
	var last deadletter.RetryReport
	require.NoError(t, json.Unmarshal([]byte(w.Output("dlq", "retry", "--rate=0", "--json")), &last))
	w.WaitCaughtUp()
	t.Logf("%d records, %d letters; killed %d times; the last run: %+v", n, ls.Open, killed, last)

	sent := map[string]int{}
	w.Each(w.Raw(), func(r *kgo.Record) {
		if h := stack.Headers(r); h[schemas.HeaderDLQAttempts] != "" {
			sent[h[schemas.HeaderDLQOriginPartition]+"@"+h[schemas.HeaderDLQOriginOffset]+" "+h[schemas.HeaderDLQAttempts]]++
		}
	})
	require.Len(t, sent, int(ls.Open))
	for id, times := range sent {
		require.Equal(t, 1, times, "%s was sent again", id)
	}
	came := map[schemas.Code]int64{}
	w.Each(w.Dead(), func(r *kgo.Record) {
		if l := deadletter.Read(kafkaread.Record(r)); l.ID.Attempts == 2 {
			came[l.Code]++
		}
	})
	require.Equal(t, predicted.FailCodes, came, "what came back is what was predicted")

	want := w.Expected()
	w.Each(w.Raw(), func(r *kgo.Record) { // the night's dead letters are there too
		if len(r.Value) > tooSmall && stack.Headers(r)[schemas.HeaderDLQAttempts] == "" {
			for key := range want.DeadLetters {
				var partition, offset int64
				_, err := fmt.Sscanf(key, "%d/%d", &partition, &offset)
				require.NoError(t, err)
				if int32(partition) == r.Partition && offset == r.Offset {
					delete(want.DeadLetters, key)
				}
			}
			want.DeadLetters[fmt.Sprintf("%d/%d %s", r.Partition, r.Offset, schemas.CodeTooLarge)] = stack.ContentsOf(r)
		}
	})
	w.Require(want, 1)

	for range 2 {
		var again deadletter.RetryReport
		require.NoError(t, json.Unmarshal([]byte(w.Output("dlq", "retry", "--rate=0", "--json")), &again))
		require.Zero(t, again.Sent, "%+v", again)
	}
	w.Require(want, 1)
	day.Halt()
}

func dryRun(t *testing.T, w *stack.Stack) (r deadletter.Report) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), stack.Binary(t), "dlq", "retry", "--dry-run", "--json")
	cmd.Env, cmd.Stderr = w.Env, os.Stderr
	out, err := cmd.Output()
	require.Error(t, err, "some would fail: exit status 1")
	require.Equal(t, 1, cmd.ProcessState.ExitCode())
	require.NoError(t, json.Unmarshal(out, &r))
	return r
}

// killRetries kills a retry at most so often, each time when it has got a little further.
func killRetries(t *testing.T, w *stack.Stack, all, most int) (killed int) {
	t.Helper()
	r := rand.New(rand.NewPCG(8, 8))
	conn, err := pgx.Connect(t.Context(), w.Postgres)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	decided := func() (n int) {
		require.NoError(t, conn.QueryRow(t.Context(), `SELECT count(*) FROM pitchstream.letter_decisions`).Scan(&n))
		return n
	}
	for range most {
		target := decided() + 1 + r.IntN(1+all/(2*most))
		cmd := exec.Command(stack.Binary(t), "dlq", "retry", "--rate=60")
		cmd.Env = w.Env
		require.NoError(t, cmd.Start())
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		ended := false
		w.WaitFor("the retry has got further", func() bool {
			select {
			case <-done:
				ended = true
			default:
			}
			return ended || decided() >= target
		})
		if !ended {
			require.NoError(t, cmd.Process.Kill())
			<-done
			killed++
		}
	}
	return killed
}
