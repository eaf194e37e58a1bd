package load

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/lineage"
)

// guard: lineage: the counts of standard input are no file's
func TestCountsAreThoseOfTheOnlyInput(t *testing.T) {
	o := Options{Paths: []string{"/a.jsonl"}, Lineage: &lineage.Emitter{}}
	require.EqualValues(t, 7, o.inputs(&Report{Records: 7})[0].Rows.Value)
	o.Paths = append(o.Paths, "-")
	in := o.inputs(&Report{Records: 7})
	require.Len(t, in, 1)
	require.False(t, in[0].Rows.Present || in[0].Bytes.Present || in[0].Files.Present)
}
