package fileinput

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	rawarchive "github.com/pitchstream/pitchstream/internal/archive"
)

// guard: files: a segment that is added while its folder is listed is read
func TestASegmentThatAnArchiverAddsMeanwhileIsRead(t *testing.T) {
	folder := t.TempDir()
	names := []string{
		"00000000000000000000-00000000000000000009.jsonl.zst", "00000000000000000010-00000000000000000019.jsonl.zst",
	}
	m := rawarchive.Manifest{Format: 1, Topic: "raw", TopicID: "id", Next: 20}
	for i := range int64(2) {
		s := rawarchive.Segment{First: 10 * i, Last: 10*i + 9, Records: 10, Bytes: 1, RawBytes: 1}
		m.Segments = append(m.Segments, s)
	}
	text, err := json.Marshal(m)
	require.NoError(t, err)
	// The manifest is a pipe: it is opened once the folder was listed, and so the second segment comes then.
	manifest := filepath.Join(folder, rawarchive.ManifestName)
	require.NoError(t, syscall.Mkfifo(manifest, 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(folder, names[0]), []byte("x"), 0o600))
	ended := make(chan error, 1)
	go func() {
		pipe, err := os.OpenFile(manifest, os.O_WRONLY, 0)
		for name, content := range map[string][]byte{names[1]: []byte("y"), ".next": text} {
			if err == nil {
				err = os.WriteFile(filepath.Join(folder, name), content, 0o600)
			}
		}
		if err == nil {
			err = os.Rename(filepath.Join(folder, ".next"), manifest)
		}
		if err == nil {
			_, err = pipe.Write(text)
		}
		ended <- errors.Join(err, pipe.Close())
	}()
	r, err := Open(t.Context(), Options{Paths: []string{folder}})
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, <-ended)
	problems, _, _ := r.Problems()
	require.Empty(t, problems)
	var read []string
	for _, f := range r.Files() {
		read = append(read, filepath.Base(f.Path))
	}
	require.Equal(t, names, read)
}
