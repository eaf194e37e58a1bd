package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/api"
	"github.com/pitchstream/pitchstream/internal/testkit"
)

const clientFolder = "clients/typescript"

// npm is the TypeScript client with what it needs, in a folder of its own; the result runs a command there.
func npm(t *testing.T) (dir string, run func(env []string, name string, args ...string) string) {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			testkit.Unavailable(t, "needs "+tool+", 18 or newer")
		}
	}
	dir = t.TempDir()
	for _, folder := range []string{".", "src", "test"} { // not what was installed beside them
		names, err := filepath.Glob(filepath.Join(testkit.Root(), clientFolder, folder, "*.*"))
		require.NoError(t, err)
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o755))
		for _, name := range names {
			if b, err := os.ReadFile(name); err == nil {
				require.NoError(t, os.WriteFile(filepath.Join(dir, folder, filepath.Base(name)), b, 0o644))
			}
		}
	}
	run = func(env []string, name string, args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, "%s %v\n%s", name, args, out)
		return string(out)
	}
	run(nil, "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline")
	return dir, run
}

// document is the API's, as every server has it.
func document(t *testing.T) []byte {
	t.Helper()
	a, err := api.New(api.Config{Build: "any"})
	require.NoError(t, err)
	w := httptest.NewRecorder()
	a.ServeHTTP(w, httptest.NewRequest("GET", "/openapi.json", nil))
	require.Equal(t, 200, w.Code)
	return w.Body.Bytes()
}

// The client's types are those of the document (PITCHSTREAM_UPDATE=1 writes them), it compiles, wrong words
// do not, and what it says of a served API is so.
func TestTheTypeScriptClient(t *testing.T) {
	dir, run := npm(t)
	openapi := filepath.Join(dir, "openapi.json")
	require.NoError(t, os.WriteFile(openapi, document(t), 0o644))
	generated, committed := filepath.Join(dir, "src", "schema.ts"), filepath.Join(testkit.Root(), clientFolder, "src", "schema.ts")
	run([]string{"OPENAPI=" + openapi}, "npm", "run", "generate")
	want, err := os.ReadFile(generated)
	require.NoError(t, err)
	if os.Getenv("PITCHSTREAM_UPDATE") != "" {
		require.NoError(t, os.WriteFile(committed, want, 0o644))
	}
	have, err := os.ReadFile(committed)
	require.NoError(t, err)
	require.Equal(t, string(want), string(have), "the client's types are not those of the API: make client")

	s := newStation(t)
	client := kafkaClient(t, s.cluster)
	s.start()
	s.waitReady(200, "")
	served, _ := s.serve("--api-token=secret")
	s.produce(client, 101.2)
	token := "Authorization: Bearer secret"
	require.Eventually(t, func() bool { return served.status("/v1/pitches/0b1e7c1e-6f0a-4f6b-8d6e-1f2a3b4c5d6e", token) == 200 }, time.Minute, 20*time.Millisecond)
	out := run([]string{"PITCHSTREAM_API=" + served.url, "PITCHSTREAM_API_TOKEN=secret"}, "npm", "test")
	require.Contains(t, out, "pass 21")
	require.Contains(t, out, "skipped 0")
}

// A program depends on the client by path, or by the tarball that would be published, and finds code and
// types.
func TestTheTypeScriptClientInstalls(t *testing.T) {
	dir, run := npm(t)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "node_modules")), "as in a fresh clone")
	const use = `import { connect, type Batter, type Id } from "pitchstream-client";
const seen: Id[] = [];
for await (const { state } of connect({ baseUrl: "http://127.0.0.1:1" }).batterStates(1, AbortSignal.abort())) seen.push((state as Batter).batter_id);
console.log("found", seen.length);
`
	for _, how := range []string{"path", "tarball"} {
		depend := dir
		if how == "tarball" {
			run(nil, "npm", "pack", "--pack-destination", dir)
			packed, err := filepath.Glob(filepath.Join(dir, "pitchstream-client-*.tgz"))
			require.NoError(t, err)
			require.Len(t, packed, 1)
			depend = packed[0]
		}
		app := filepath.Join(dir, "app-"+how)
		require.NoError(t, os.Mkdir(app, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(app, "package.json"), []byte(`{"type": "module"}`), 0o644))
		require.NoError(t, os.WriteFile(filepath.Join(app, "use.ts"), []byte(use), 0o644))
		in := []string{"--prefix", app, "--no-audit", "--no-fund", "--prefer-offline"}
		run(nil, "npm", append([]string{"install", depend}, in...)...)
		tsc := filepath.Join(dir, "node_modules", "typescript", "bin", "tsc")
		run(nil, "node", tsc, "--strict", "--skipLibCheck", "--module", "NodeNext", "--target", "ES2022",
			"--lib", "ES2023,DOM,DOM.Iterable", filepath.Join(app, "use.ts"))
		require.Equal(t, "found 0\n", run(nil, "node", filepath.Join(app, "use.js")), how)
	}
}

// status asks with a header.
func (r *reader) status(path, header string) int {
	req, err := http.NewRequestWithContext(r.t.Context(), "GET", r.url+path, nil)
	require.NoError(r.t, err)
	name, value, _ := strings.Cut(header, ": ")
	req.Header.Set(name, value)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return 0
	}
	_ = resp.Body.Close()
	return resp.StatusCode
}
