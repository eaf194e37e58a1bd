package processor

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReplicaWithoutANameGetsAFreshOne(t *testing.T) {
	require.Equal(t, "processor-0", instanceName("processor-0"))
	require.NotEqual(t, instanceName(""), instanceName(""))
	require.Regexp(t, `^[A-Za-z0-9._-]{1,100}$`, instanceName(""))
}
