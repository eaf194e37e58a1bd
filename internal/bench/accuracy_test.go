package bench

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTry(t *testing.T) {
	r, err := Accuracy(t.Context(), AccuracyOptions{Pitches: 3000, Seed: 1})
	require.NoError(t, err)
	r.Print(os.Stderr)
}
