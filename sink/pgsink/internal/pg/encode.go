package pg

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/jackc/pgx/v5/pgtype"
)

// arrayCodec encodes arrays of a column's values, nil for NULL, which are nearly all that a batch sends. The
// codec of pgx looks up how an element is encoded at each element, which took ten times as long. All other
// values, and the text format, are left to the codec of pgx.
type arrayCodec[T any] struct {
	*pgtype.ArrayCodec
	append func(buf []byte, value T) []byte
}

// registerArrays replaces the codecs of the arrays in m.
func registerArrays(m *pgtype.Map) {
	registerArray(m, pgtype.UUIDArrayOID, func(b []byte, v [16]byte) []byte { return append(b, v[:]...) })
	registerArray(m, pgtype.TextArrayOID, func(b []byte, v string) []byte { return append(b, v...) })
	registerArray(m, pgtype.Int2ArrayOID, func(b []byte, v int16) []byte {
		return binary.BigEndian.AppendUint16(b, uint16(v))
	})
	registerArray(m, pgtype.Int4ArrayOID, func(b []byte, v int32) []byte {
		return binary.BigEndian.AppendUint32(b, uint32(v))
	})
	registerArray(m, pgtype.Int8ArrayOID, func(b []byte, v int64) []byte {
		return binary.BigEndian.AppendUint64(b, uint64(v))
	})
	registerArray(m, pgtype.Float8ArrayOID, func(b []byte, v float64) []byte {
		return binary.BigEndian.AppendUint64(b, math.Float64bits(v))
	})
	registerArray(m, pgtype.BoolArrayOID, func(b []byte, v bool) []byte {
		if v {
			return append(b, 1)
		}
		return append(b, 0)
	})
}

func registerArray[T any](m *pgtype.Map, oid uint32, value func([]byte, T) []byte) {
	t, _ := m.TypeForOID(oid)
	if codec, ok := t.Codec.(*pgtype.ArrayCodec); ok {
		m.RegisterType(&pgtype.Type{Name: t.Name, OID: oid, Codec: &arrayCodec[T]{codec, value}})
	}
}

// PlanEncode implements pgtype.Codec.
func (c *arrayCodec[T]) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.([]*T); ok && format == pgtype.BinaryFormatCode {
		return c
	}
	return c.ArrayCodec.PlanEncode(m, oid, format, value)
}

// Encode implements pgtype.EncodePlan.
func (c *arrayCodec[T]) Encode(value any, buf []byte) ([]byte, error) {
	values := value.([]*T)
	if values == nil {
		return nil, nil
	}
	// The buffer has all arguments of a statement, up to a megabyte. Doubling it copies less than append does.
	if need := 20 + 12*len(values); cap(buf)-len(buf) < need {
		buf = slices.Grow(buf, max(need, 2*cap(buf)))
	}
	nulls := uint32(0)
	for _, v := range values {
		if v == nil {
			nulls = 1
			break
		}
	}
	buf = appendUint32s(buf, 1, nulls, c.ElementType.OID, uint32(len(values)), 1)
	for _, v := range values {
		at := len(buf)
		buf = append(buf, 0xff, 0xff, 0xff, 0xff) // the length −1
		if v != nil {
			buf = c.append(buf, *v)
			binary.BigEndian.PutUint32(buf[at:], uint32(len(buf)-at-4))
		}
	}
	return buf, nil
}

func appendUint32s(buf []byte, values ...uint32) []byte {
	for _, v := range values {
		buf = binary.BigEndian.AppendUint32(buf, v)
	}
	return buf
}
