package deletion

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// guard: deletion: a list is bounded
func TestAListOfPitchesIsReadAndBounded(t *testing.T) {
	const id = "00000000-0000-4000-8000-000000000001"
	ids, err := Read(strings.NewReader("\ufeffpitch_id,reason\r\n\"" + id + "\",x\r\n\r\n" + strings.ToUpper(id)))
	require.NoError(t, err)
	require.Len(t, ids, 2)
	require.Equal(t, id, ids[1].String())
	_, err = Read(strings.NewReader(id + "\nnope"))
	require.ErrorContains(t, err, `line 2: "nope": want a pitch_id`)
	var all strings.Builder
	for n := range MaxPitches + 1 {
		fmt.Fprintf(&all, "00000000-0000-4000-8000-%012d\n", n)
	}
	_, err = Read(strings.NewReader(all.String()))
	require.ErrorContains(t, err, "more than 100000 pitches")
}

func TestAListMayBePackedAndOtherFormatsAreNamed(t *testing.T) {
	const id = "84f189a5-98fd-478d-b982-e8032a1f14bf"
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write([]byte("\ufeffpitch_id\n" + id + "\n"))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	path := filepath.Join(t.TempDir(), "ids.csv.gz")
	require.NoError(t, os.WriteFile(path, packed.Bytes(), 0o600))
	ids, err := ReadFile(t.Context(), path)
	require.NoError(t, err)
	require.Len(t, ids, 1)
	require.NoError(t, os.WriteFile(path, []byte("\xff\xfe8\x004\x00"), 0o600))
	_, err = ReadFile(t.Context(), path)
	require.ErrorContains(t, err, "it is UTF-16 text, which is not read here: give a list in UTF-8")
}
