package fileprocess

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReportFoldsLongLines(t *testing.T) {
	require.Equal(t, []string{"whole: a, bb,", "       ccc"}, folded([]string{"a", "bb", "ccc"}, 14))
	require.Equal(t, []string{"whole: a"}, folded([]string{"a"}, 14))
	require.Equal(t, "2.2s 59.9s 1m00s", tookText(2.16)+" "+tookText(59.94)+" "+tookText(59.96))
}
