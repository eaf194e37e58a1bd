package schemas

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// Whatever stands in a row, and whatever columns it comes to have, its JSON is that of encoding/json.
func TestARowsJSONIsThatOfEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var row StoredRow
		fill(t, reflect.ValueOf(&row).Elem())
		want, err := json.Marshal(&row)
		require.NoError(t, err)
		require.Equal(t, string(want), string(row.AppendJSON(nil)))
	})
}

// fill draws a value for each field; of Opt and TimeMS only such as they may hold.
func fill(t *rapid.T, v reflect.Value) {
	switch x := v.Addr().Interface().(type) {
	case *Opt[float64]:
		*x = draw(t, rapid.Float64())
	case *Opt[int64]:
		*x = draw(t, rapid.Int64())
	case *Opt[int16]:
		*x = draw(t, rapid.Int16())
	case *TimeMS:
		*x = TimeMS(rapid.Int64Range(0, MaxTimestampMS).Draw(t, "ms"))
	case *PitchID:
		copy(x[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "id"))
	case *[]string:
		*x = rapid.SliceOfN(rapid.String(), -1, 3).Draw(t, "issues")
		if rapid.Bool().Draw(t, "none") {
			*x = nil
		}
	default:
		fillPlain(t, v)
	}
}

func fillPlain(t *rapid.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i))
		}
	case reflect.String:
		v.SetString(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "Strike", `"<&>\`, "ä\u2028\xff", "a\x7fb"})).Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int32:
		v.SetInt(int64(rapid.Int32().Draw(t, "int32")))
	case reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int64"))
	default:
		t.Fatalf("no value for a column of type %v", v.Type())
	}
}

func draw[T comparable](t *rapid.T, of *rapid.Generator[T]) Opt[T] {
	if !rapid.Bool().Draw(t, "present") {
		return Opt[T]{}
	}
	return Some(of.Draw(t, "value"))
}

func BenchmarkRowJSON(b *testing.B) {
	row := StoredRow{Row: Row{GamePK: "746321", Venue: "Fenway Park", BatterID: Some[int64](605141), PitchType: "FF", PitchSpeedMPH: Some(94.12345678),
		SpinRateRPM: Some(2315.554321), AttackAngleDeg: Some(19.496312345), BatSpeedMPH: Some(71.0697),
		Issues: []string{}},
		Provenance: Provenance{EventTime: 1727561077926, SourceTopic: "pitches.raw", Build: "dev", ProcessedAt: 1727561077926}}
	b.Run("encoding-json", func(b *testing.B) {
		for b.Loop() {
			_, _ = json.Marshal(&row)
		}
	})
	b.Run("append", func(b *testing.B) {
		var buf []byte
		for b.Loop() {
			buf = row.AppendJSON(buf[:0])
		}
	})
}
