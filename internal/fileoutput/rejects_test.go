package fileoutput

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/schemas"
)

func TestRejectsReadBack(t *testing.T) {
	var out bytes.Buffer
	j := NewRejects(&out)
	var want []Reject
	for _, size := range []int{0, 1, 2, 3, 3072 - 1, 3072, 3072 + 1, 5*3072 + 2} {
		value := make([]byte, size)
		for i := range value {
			value[i] = byte(i * 7)
		}
		want = append(want, Reject{
			Source: "a \"b\"\n.jsonl", Record: int64(size), ByteOffset: 12, SizeBytes: int64(size), Code: schemas.CodeMalformedJSON,
			Message: "malformed_json at byte 3: \"<é>\"", Value: value,
		})
	}
	want = append(want, Reject{Source: "-", Record: 1, SizeBytes: 1 << 40, Code: schemas.CodeTooLarge, Value: []byte("{")})
	for i := range want {
		require.NoError(t, j.Add(&want[i]))
	}
	require.NoError(t, j.Close())
	d := json.NewDecoder(&out)
	d.DisallowUnknownFields()
	for _, w := range want {
		var line Reject
		require.NoError(t, d.Decode(&line))
		require.Equal(t, w, line)
	}
	require.False(t, d.More())
	require.EqualValues(t, len(want), j.Total)
	counts := map[schemas.Code]int64{schemas.CodeMalformedJSON: int64(len(want)) - 1, schemas.CodeTooLarge: 1}
	require.Equal(t, counts, j.Counts)
}

func TestAFullDiskIsReportedForRejects(t *testing.T) {
	j := NewRejects(&fullDisk{1000})
	require.ErrorIs(t, j.Add(&Reject{Value: make([]byte, 2*textBufferBytes)}), errFull)
	require.ErrorIs(t, j.Close(), errFull)
}
