package pg

import (
	"math"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgtype"
	"github.com/stretchr/testify/require"
)

// The arrays of a batch have the bytes that the codec of pgx gives them.
func TestArraysAreEncodedAsByPGX(t *testing.T) {
	same(t, pgtype.UUIDArrayOID, [16]byte{}, [16]byte{15: 1, 0: 255})
	same(t, pgtype.TextArrayOID, "", "a", "札幌ドーム", `{"split", NULL}\`, strings.Repeat("x", 1<<17))
	same[int16](t, pgtype.Int2ArrayOID, 0, 1, -1, math.MinInt16, math.MaxInt16)
	same[int32](t, pgtype.Int4ArrayOID, 0, 1, -1, math.MinInt32, math.MaxInt32)
	same[int64](t, pgtype.Int8ArrayOID, 0, 1, -1, math.MinInt64, math.MaxInt64)
	same(t, pgtype.Float8ArrayOID, 0, math.Copysign(0, -1), 0.1, -1e300, math.Inf(1), math.NaN())
	same(t, pgtype.BoolArrayOID, true, false)
}

func same[T any](t *testing.T, oid uint32, values ...T) {
	t.Helper()
	all := []*T{}
	for i := range values {
		all = append(all, &values[i])
	}
	ours, theirs := pgtype.NewMap(), pgtype.NewMap()
	registerArrays(ours)
	for _, array := range [][]*T{nil, {}, {nil}, all, append([]*T{nil}, all...), append(all, nil, nil)} {
		for _, format := range []int16{pgtype.BinaryFormatCode, pgtype.TextFormatCode} {
			want, err := theirs.Encode(oid, format, array, []byte("before"))
			require.NoError(t, err)
			got, err := ours.Encode(oid, format, array, []byte("before"))
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
	_, isOurs := ours.PlanEncode(oid, pgtype.BinaryFormatCode, all).(*arrayCodec[T])
	require.True(t, isOurs)
}
