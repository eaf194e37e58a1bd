package simulate

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"
)

func TestFloatsLookLikeTheRealOnes(t *testing.T) {
	for f, want := range map[float64]string{
		93: "93.0", 0: "0.0", -2: "-2.0", 0.0206462: "0.0206462", -0.3740199000000002: "-0.3740199000000002",
		7.947194163386946e-15: "7.947194163386946e-15",
	} {
		assert.Equal(t, want, string(appendFloat(nil, f)))
	}
	for f, want := range map[float64]string{
		1.5: "1.5", -10: "-10.0", 0.25: "0.25", 0.0125: "0.0125", 0: "0.0", 123.456: "123.456", 1e-7: "1e-07",
	} {
		assert.Equal(t, want, string(appendMeasure(nil, f)))
	}
}

// A measure keeps 16 significant digits and is always a JSON number.
func TestMeasuresKeepTheirValue(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := rapid.Float64Range(-5000, 5000).Draw(rt, "f")
		text := appendMeasure(nil, f)
		var back float64
		if err := json.Unmarshal(text, &back); err != nil {
			rt.Fatalf("%s: %v", text, err)
		}
		if math.Abs(back-f) > 2e-15*math.Abs(f) {
			rt.Fatalf("%v became %s", f, text)
		}
	})
}
