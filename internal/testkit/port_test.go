package testkit

import (
	"net"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// guard: one process at a time has a port
func TestAPortIsGivenAwayOnce(t *testing.T) {
	port := FreePort()
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	require.GreaterOrEqual(t, number, firstPort)
	require.Less(t, number, lastPort())
	l, err := net.Listen("tcp", "127.0.0.1:"+port)
	require.NoError(t, err, "the server that it is for can listen")
	require.NoError(t, l.Close())
	_, err = claim(number)
	require.Error(t, err, "while no server listens, nobody else has it")
}
