package redissink

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// The last pointer counts, whatever its generation, because Postgres may have come back older.
func TestPointerIsReadAsItWasWrittenLast(t *testing.T) {
	addr, live := testkit.Redis(t), testkit.Name(t)+":live:"
	sink, err := Open(t.Context(), Config{URL: addr, Prefix: live + "better:"})
	require.NoError(t, err)
	defer sink.Close()
	reader, err := OpenReader(Config{URL: addr, Prefix: live})
	require.NoError(t, err)
	defer reader.Close()
	_, err = reader.Pointer(t.Context())
	require.ErrorIs(t, err, ErrNoPointer)
	better := schemas.Target{Name: "better", Schema: "pitchstream_better", Prefix: live + "better:", Group: "g.better", Rows: "r", Dead: "d"}
	for _, p := range []schemas.Pointer{
		{Target: better, Previous: "live", Generation: 3, MovedAt: time.Unix(1_700_000_000, 0).UTC()},
		{Target: schemas.Target{Name: "live"}, Generation: 2},
	} {
		require.NoError(t, sink.WritePointer(t.Context(), live, p))
		got, err := reader.Pointer(t.Context())
		require.NoError(t, err)
		require.Equal(t, p, got)
	}
	for _, wrong := range []string{"", "{}", "better"} {
		require.NoError(t, sink.reader.client.Set(t.Context(), keys(live).pointer(), wrong, 0).Err())
		_, err = reader.Pointer(t.Context())
		require.Error(t, err, wrong)
	}
}
