package child

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

// TestMain is also the process that is killed by a test.
func TestMain(m *testing.M) {
	if fifo := os.Getenv("CHILD_TEST_FIFO"); fifo != "" {
		_, err := Tie(nil, `echo "undone by $1" >"$2"`, "lifeline", fifo)
		fmt.Println("tied", err)
		select {}
	}
	goleak.VerifyTestMain(m)
}

func TestAKilledProcessIsUndone(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	victim := exec.Command(os.Args[0])
	victim.Env = append(os.Environ(), "CHILD_TEST_FIFO="+fifo)
	stdout, err := victim.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, victim.Start())
	output, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "tied <nil>\n", output)

	require.NoError(t, victim.Process.Kill())
	_ = victim.Wait()
	undone, err := os.ReadFile(fifo) // blocks until the shell writes
	require.NoError(t, err)
	require.Equal(t, "undone by lifeline\n", string(undone))
}

func TestCutUndoesNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "undone")
	line, err := Tie(nil, `touch "$1"`, file)
	require.NoError(t, err)
	require.NoError(t, line.Cut())
	require.NoFileExists(t, file)
	require.NoError(t, line.Cut(), "a second time")
	require.NoError(t, (*Line)(nil).Cut(), "nil")
}

func TestTailKeepsTheLastBytes(t *testing.T) {
	var tail Tail
	for range 1000 {
		fmt.Fprintln(&tail, strings.Repeat("early ", 10))
	}
	fmt.Fprint(&tail, "late")
	require.Len(t, tail.String(), tailMaxBytes)
	require.True(t, strings.HasSuffix(tail.String(), "early \nlate"))
	tail.Reset()
	require.Empty(t, tail.String())
}
