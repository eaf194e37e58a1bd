package stack

import (
	"bytes"
	"hash/fnv"

	"github.com/pitchstream/pitchstream/simulate"
)

// wholeInPercent is how many of the pitches keep their samples.
const wholeInPercent = 5

// Thin takes the samples out of most pitches, for tests in which pitches count, not bytes. A pitch that is
// known by its bytes keeps them.
func Thin(m *simulate.Message) []byte {
	switch m.Want.Kind {
	case simulate.KindPitch, simulate.KindDuplicate, simulate.KindCorrection:
	default:
		return m.Value
	}
	h := fnv.New32a()
	_, _ = h.Write(m.Want.PitchID[:])
	head, _, ok := bytes.Cut(m.Value, []byte(`"samples_ball": `))
	if !ok || h.Sum32()%100 < wholeInPercent || !bytes.Contains(head, []byte(m.Want.PitchID.String())) {
		return m.Value
	}
	return append(bytes.Clone(head), `"samples_ball": [], "samples_bat": [{"event": "No"}]}`...)
}
