package fileprocess

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/lineage"
)

// guard: lineage: the counts of standard input are no file's
func TestCountsAreThoseOfTheOnlyInput(t *testing.T) {
	o := Options{Paths: []string{"/a.jsonl"}, Lineage: &lineage.Emitter{}}
	require.True(t, o.inputs(&Report{})[0].Rows.Present)
	o.Paths = append(o.Paths, "-")
	in := o.inputs(&Report{})
	require.Len(t, in, 1)
	require.False(t, in[0].Rows.Present || in[0].Bytes.Present || in[0].Files.Present)
}
