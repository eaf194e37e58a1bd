package crash

import (
	"os"
	"path/filepath"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/protocol"
)

// requireOfTheModel requires that each step of each process is one of docs/model/Stream.tla.
func (s *soak) requireOfTheModel() {
	s.t.Helper()
	var recordings [][]protocol.Step
	for _, p := range s.processors {
		paths, err := filepath.Glob(filepath.Join(p.steps, "*.jsonl"))
		require.NoError(s.t, err)
		for _, path := range paths {
			f, err := os.Open(path)
			require.NoError(s.t, err)
			steps, err := protocol.Read(f)
			require.NoError(s.t, err, path)
			require.NoError(s.t, f.Close())
			recordings = append(recordings, steps)
		}
	}
	if len(recordings) == 0 {
		return
	}
	began := time.Now()
	sum, err := protocol.Validate(protocol.Merge(recordings...))
	if dir := os.Getenv("PITCHSTREAM_TEST_RECORDING"); err != nil && dir != "" {
		for _, p := range s.processors {
			require.NoError(s.t, os.CopyFS(filepath.Join(dir, p.name), os.DirFS(p.steps)))
		}
	}
	require.NoError(s.t, err, "%+v", sum)
	s.t.Logf("%d processes, %d sessions: each of %d steps is one of the model: %v; %d requests took effect, "+
		"and %d without an answer; %d tries, %v", len(recordings), sum.Sessions, sum.Steps, sum.ByName,
		sum.Effects, sum.Late, sum.Tries, time.Since(began).Round(time.Millisecond))
}
