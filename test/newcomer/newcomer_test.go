package newcomer

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// inside marks the process of a test that runs in a network namespace of its own. There the usual ports of
// Kafka, Postgres, Redis and the API are free, whatever runs on this machine.
const inside = "PITCHSTREAM_TEST_NEWCOMER"

const theServers = "pitchstream demo --servers &"

func TestTheReadmeRunsAsPrintedWithOnlyGo(t *testing.T) {
	if os.Getenv(inside) == "" && os.Getuid() == 0 {
		ownNetwork(t)
		return
	}
	play(t, blocks(t))
}

// The README names the containers beside the block that starts servers without them.
func TestTheReadmeRunsAsPrintedWithContainers(t *testing.T) {
	if os.Getenv("PITCHSTREAM_TEST_CONTAINERS") == "off" || exec.Command("docker", "info").Run() != nil {
		testkit.Unavailable(t, "needs a container engine and docker compose")
	}
	for _, port := range []string{"9092", "5432", "6379", "8080", "9090", "9091"} {
		if answers("localhost:" + port) {
			testkit.Unavailable(t, "another program listens at port "+port)
		}
	}
	const containers = "docker compose up -d --wait kafka postgres redis"
	require.Contains(t, readme(t), "`"+containers+"`")
	all := blocks(t)
	at := slices.IndexFunc(all, func(b block) bool { return strings.Contains(b.text, theServers) })
	require.GreaterOrEqual(t, at, 0)
	all[at].text = strings.Replace(all[at].text, theServers, containers, 1)
	play(t, all)
}

// ownNetwork runs the test again in a network namespace, in which only lo exists.
func ownNetwork(t *testing.T) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0],
		"-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=15m")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	cmd.Env = append(os.Environ(), inside+"=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// block is one block of commands.
type block struct {
	language string
	text     string
}

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(testkit.Root(), "README.md"))
	require.NoError(t, err)
	return string(b)
}

// blocks returns the README's blocks in sh and sql, in their order.
func blocks(t *testing.T) (all []block) {
	t.Helper()
	for _, m := range regexp.MustCompile("(?ms)^```(sh|sql)\n(.*?)^```").FindAllStringSubmatch(readme(t), -1) {
		all = append(all, block{m[1], m[2]})
	}
	require.GreaterOrEqual(t, len(all), 8)
	return all
}

// prelude replaces what a newcomer ends by Ctrl-C, and what would run all tests.
const prelude = `
make() {
	case "$*" in
	demo) # Ctrl-C as soon as the table is there
		setsid make demo >demo.log 2>&1 & demo=$!
		until grep -q '^▸' demo.log || ! kill -0 $demo 2>/dev/null; do read -rt 0.1 <> <(:) || :; done
		kill -INT -- -$demo; wait $demo || :
		cat demo.log; grep -q 'no difference\|balance' demo.log; rm demo.log ;;
	test) command make -n test ;;
	*) command make "$@" ;;
	esac
}
curl() {
	case "$*" in
	-N*) command curl -sS --fail-with-body --max-time 3 "$@" | head -c 200 | grep -q . ;;
	*) command curl -sS --fail-with-body "$@" ;;
	esac
}
docker() {
	if [ "$1" = compose ] && ! command docker compose version >/dev/null 2>&1; then
		shift; docker-compose "${@/--wait/--no-color}" # the older one cannot wait
		until [ "$1" != up ] || [ "$(docker-compose ps | grep -c '(healthy)')" = 3 ]; do
			read -rt 0.3 <> <(:) || :
		done
	else
		command docker "$@"
	fi
}
`

// play runs the blocks in one shell, in a clone of this repository with what is not committed here.
func play(t *testing.T, all []block) {
	if os.Getenv(inside) != "" {
		out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput()
		require.NoError(t, err, "%s", out)
	}
	dir := clone(t)
	shell := open(t, dir)
	for _, b := range all {
		if b.language == "sql" {
			require.Positive(t, rows(t, b.text), b.text)
			continue
		}
		began := time.Now()
		out := shell.run(b.text)
		t.Logf("%.1f s\n%s%s", time.Since(began).Seconds(), b.text, out)
		shell.settle(b.text)
	}
	shell.close()
	status := exec.Command("git", "status", "--porcelain")
	status.Dir = dir
	left, err := status.Output()
	require.NoError(t, err)
	require.Empty(t, string(left), "a newcomer's commands leave nothing behind in the clone")
}

// clone makes a clone of this repository, with the changes that are not committed.
func clone(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "pitchstream")
	git := func(dir string, stdin []byte, args ...string) []byte {
		cmd := exec.Command("git", args...)
		cmd.Dir, cmd.Stdin = dir, bytes.NewReader(stdin)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		require.NoError(t, err, "git %v: %s", args, &errs)
		return out
	}
	git(testkit.Root(), nil, "clone", "-q", testkit.Root(), dir)
	if diff := git(testkit.Root(), nil, "diff", "HEAD", "--binary"); len(diff) > 0 {
		git(dir, diff, "apply")
	}
	untracked := git(testkit.Root(), nil, "ls-files", "-o", "--exclude-standard")
	for _, name := range strings.Fields(string(untracked)) {
		b, err := os.ReadFile(filepath.Join(testkit.Root(), name))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b, 0o644)) //nolint:gosec // as git does
	}
	git(dir, nil, "add", "-A")
	git(dir, nil, "-c", "user.name=newcomer", "-c", "user.email=newcomer@localhost",
		"commit", "-qm", "as it is", "--allow-empty")
	return dir
}

// shell is a bash that runs blocks one after the other.
type shell struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	log string // its output, and that of its jobs
}

func open(t *testing.T, dir string) *shell {
	t.Helper()
	s := &shell{t: t, log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(s.log)
	require.NoError(t, err)
	defer log.Close()
	s.cmd = exec.Command("bash")
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr = dir, log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PITCHSTREAM_") { // the newcomer has none
			s.cmd.Env = append(s.cmd.Env, kv)
		}
	}
	s.in, err = s.cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, s.cmd.Start())
	t.Cleanup(func() {
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		_ = s.cmd.Wait()
		if exec.Command("docker", "info").Run() == nil && strings.Contains(s.read(), "postgres_1") {
			s.down(dir)
		}
	})
	fmt.Fprint(s.in, prelude)
	return s
}

// down removes the containers that a block has started.
func (s *shell) down(dir string) {
	cmd := exec.Command("bash", "-c", prelude+"docker compose down -v")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Errorf("docker compose down: %v\n%s", err, out)
	}
}

func (s *shell) read() string {
	b, err := os.ReadFile(s.log)
	require.NoError(s.t, err)
	return string(b)
}

// run runs a block, whose every command must succeed, and returns what was printed meanwhile.
func (s *shell) run(text string) string {
	s.t.Helper()
	before := len(s.read())
	done := fmt.Sprintf("block-done-%d", before)
	// The jobs go on without the shell's standard input, from which it reads the blocks.
	fmt.Fprintf(s.in, "{ set -e\n%s\n} </dev/null\nset +e; echo %s\n", text, done)
	s.await(func() (bool, string) {
		return strings.Contains(s.read()[before:], done+"\n"), s.read()[before:]
	})
	out, _, _ := strings.Cut(s.read()[before:], done)
	return out
}

// settle waits until the servers that a block has started answer.
func (s *shell) settle(text string) {
	s.t.Helper()
	wait := func(address string) {
		s.await(func() (bool, string) { return answers(address), address + " does not answer\n" + s.read() })
	}
	switch {
	case strings.Contains(text, theServers):
		wait("localhost:5432")
		wait("localhost:6379")
		wait("localhost:9092")
	case strings.Contains(text, "pitchstream serve &"):
		s.await(func() (bool, string) {
			resp, err := http.Get("http://localhost:9091/readyz") //nolint:noctx // it answers at once or not at all
			if err != nil {
				return false, err.Error() + "\n" + s.read()
			}
			defer resp.Body.Close()
			return resp.StatusCode == http.StatusOK, resp.Status + "\n" + s.read()
		})
	}
}

// await polls because files and ports send no event. It fails the test when the shell has ended.
func (s *shell) await(cond func() (ok bool, state string)) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 8*time.Minute)
	defer cancel()
	for tick := time.Tick(50 * time.Millisecond); ; {
		ok, state := cond()
		if ok {
			return
		}
		var status syscall.WaitStatus
		ended, _ := syscall.Wait4(s.cmd.Process.Pid, &status, syscall.WNOHANG, nil)
		if ended == s.cmd.Process.Pid || ctx.Err() != nil {
			s.t.Fatalf("a command failed (%v), or took too long:\n%s", status.ExitStatus(), state)
		}
		<-tick
	}
}

// close ends the jobs as the README says.
func (s *shell) close() {
	s.t.Helper()
	require.Contains(s.t, readme(s.t), "`kill %2 %3`")
	fmt.Fprintln(s.in, "kill $(jobs -p); wait; exit 0")
	s.await(func() (bool, string) { return !answers("localhost:8080"), s.read() })
}

func answers(address string) bool {
	conn, err := net.DialTimeout("tcp", address, time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close()
	return true
}

// rows runs a block in SQL and returns the number of rows.
func rows(t *testing.T, statement string) (n int) {
	t.Helper()
	url := regexp.MustCompile(`PITCHSTREAM_POSTGRES_URL='(.*)'`).FindStringSubmatch(readme(t))
	require.NotNil(t, url)
	conn, err := pgx.Connect(t.Context(), url[1])
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	found, err := conn.Query(t.Context(), statement)
	require.NoError(t, err)
	for found.Next() {
		n++
	}
	require.NoError(t, found.Err())
	return n
}
