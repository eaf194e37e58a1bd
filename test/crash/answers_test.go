package crash

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
)

// message is one of Postgres' own.
func message(kind byte, payload string) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{kind}, uint32(4+len(payload))), payload...)
}

// However the bytes are cut into pieces, the commands and the backend's number are seen.
func TestTheProxyReadsWhatPostgresAnswers(t *testing.T) {
	var stream []byte
	for _, m := range [][]byte{
		message('R', "\x00\x00\x00\x00"), message('K', "\x00\x00\x12\x34secr"), message('1', ""), message('C', "BEGIN\x00"),
		message('D', string(make([]byte, 1000))), message('T', "C\x00\x00\x00\x0bCOMMIT\x00"), message('C', "UPDATE 3\x00"),
		message('2', ""), message('C', "COMMIT\x00"), message('Z', "I"),
	} {
		stream = append(stream, m...)
	}
	for size := 1; size <= len(stream); size++ {
		var commands []string
		p := &proxy{postgres: true, pids: map[uint32]bool{}, answered: func(command string) (func(), bool) {
			commands = append(commands, command)
			return nil, true
		}}
		look := p.answers()
		for rest := stream; len(rest) > 0; rest = rest[min(size, len(rest)):] {
			_, pass := look(rest[:min(size, len(rest))])
			require.True(t, pass)
		}
		require.Equal(t, []string{"BEGIN", "UPDATE 3", "COMMIT"}, commands, size)
		require.Equal(t, []int32{0x1234}, p.backends())
	}
}
