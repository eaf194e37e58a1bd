package deletion

import (
	"fmt"
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
