package load

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// guard: bytes: the games of a load are bounded
func TestTheGamesOfALoadAreBounded(t *testing.T) {
	c := counts{games: map[uint64]struct{}{}}
	for i := range maxGames + 1000 {
		c.addGame(strconv.Itoa(i))
		c.addGame(strconv.Itoa(i / 2))
	}
	require.Len(t, c.games, maxGames)
}
