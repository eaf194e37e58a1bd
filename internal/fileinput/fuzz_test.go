package fileinput

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// seeds are beginnings for the fuzzers.
var seeds = []string{
	"", "{\"a\":1}\n{\"a\":2}\n", "[{\"a\":1},{\"a\":2}]", "{\n\"a\":1\n}\n{\n\"a\":2\n}", "nope\n\n{\"a\"", "[1,\"]\",{\"a\":[",
	"\ufeff[{}]", "\ufeff{}", "[[1],[2]]\n[3]", "{}{}\n{}", "{\"a\":\"\\\"}\"}\r\n\r\n", "]}", "[}]", "\x1f\x8b\x08", "\x28\xb5\x2f\xfd", "[x]\n[y]", "{\"a\":\n{\"a\":1}\n",
}

type placed struct {
	Item
	value []byte
}

// readPieces reads a stream to its end.
func readPieces(t require.TestingT, ctx context.Context, r io.Reader, limit int) (
	items []placed, layout layout,
) {
	reader, err := Open(ctx, Options{Paths: []string{Stdin}, Stdin: r, MaxRecordBytes: limit})
	require.NoError(t, err)
	defer reader.Close()
	for {
		item, err := reader.Next()
		if err == io.EOF {
			return items, reader.split.layout
		}
		require.NoError(t, err)
		items = append(items, placed{item, bytes.Clone(item.Value)})
	}
}

// No input causes a panic. Every byte is in exactly one record, in order, or is white space, punctuation of
// an array or a mark before one. In lines, the records are the lines that are not blank. Reading byte by
// byte, or with a low limit, returns the same records.
func FuzzNothingIsLost(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, input []byte) {
		if !isPlain(input) {
			readPieces(t, t.Context(), bytes.NewReader(input), 0) // no panic is all that can be said
			return
		}
		items, layout := readPieces(t, t.Context(), bytes.NewReader(input), 0)
		checkNothingLost(t, input, items, layout)
		bytewise, same := readPieces(t, t.Context(), iotest.OneByteReader(bytes.NewReader(input)), 0)
		require.Equal(t, layout, same)
		requireSame(t, items, bytewise)
		tight, tightLayout := readPieces(t, t.Context(), iotest.HalfReader(bytes.NewReader(input)), 8)
		if tightLayout == layout {
			requireSame(t, items, tight)
		}
	})
}

// isPlain is whether input is neither compressed nor refused, has no marks but at its beginning, and holds
// records that stand by themselves.
func isPlain(input []byte) bool {
	var s stream
	if s.unpack(&rawReader{}, bytes.NewReader(input)) != nil {
		return false
	}
	defer s.close()
	inInput := func(name string) bool { return bytes.Contains(bytes.ToLower(input), []byte(name)) }
	isEnvelope := slices.ContainsFunc([]string{`"value`, `"payload`, `"offset`}, inInput)
	w := window{limit: len(input) + 1}
	w.reset(bytes.NewReader(input[s.marks:]))
	isWrapper := w.wrapped() != ""
	return s.layers == 0 && !s.isTar() && !s.isZip() && s.foreign("") == nil && !isEnvelope && !isWrapper &&
		!bytes.Contains(input[s.marks:], byteOrderMark)
}

func requireSame(t require.TestingT, want, have []placed) {
	require.Len(t, have, len(want))
	for i := range want {
		require.Equal(t, want[i].ByteOffset, have[i].ByteOffset)
		if !have[i].TooLarge { // of one that is, the space behind it counts in, and a torn line is not told
			require.Equal(t, string(want[i].value), string(have[i].value))
			require.Equal(t, want[i].SizeBytes, have[i].SizeBytes)
			require.Equal(t, want[i].Torn, have[i].Torn)
		}
	}
}

func checkNothingLost(t require.TestingT, input []byte, items []placed, l layout) {
	at := int64(0)
	between := func(until int64) {
		gap := strings.Trim(string(input[at:until]), whiteSpace)
		for strings.HasPrefix(gap, string(byteOrderMark)) {
			gap = strings.TrimPrefix(gap, string(byteOrderMark))
		}
		if gap = strings.Trim(gap, whiteSpace); l == arrays {
			gap = strings.Trim(gap, whiteSpace+"[],")
		}
		require.Empty(t, gap, "bytes %d to %d are in no record", at, until)
	}
	for i, item := range items {
		require.Equal(t, int64(i+1), item.Record)
		between(item.ByteOffset)
		at = item.ByteOffset + item.SizeBytes
		require.Equal(t, string(input[item.ByteOffset:at]), string(item.value))
		require.NotEmpty(t, strings.Trim(string(item.value), whiteSpace))
	}
	between(int64(len(input)))
	if l == lines {
		require.Equal(t, plainLines(input), valuesOf(items))
	}
}

// plainLines is JSON Lines the plain way.
func plainLines(input []byte) (lines []string) {
	for bytes.HasPrefix(input, byteOrderMark) {
		input = bytes.TrimPrefix(input, byteOrderMark)
	}
	for line := range strings.SplitSeq(string(input), "\n") {
		if strings.Trim(line, whiteSpace) != "" {
			lines = append(lines, strings.TrimSuffix(line, "\r"))
		}
	}
	return lines
}

func valuesOf(items []placed) (vs []string) {
	for _, item := range items {
		vs = append(vs, string(item.value))
	}
	return vs
}

// jsonValue draws a JSON value, compact or indented.
func jsonValue(depth int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		v := plainValue(depth).Draw(t, "value")
		text, err := json.Marshal(v)
		require.NoError(t, err)
		if rapid.Bool().Draw(t, "pretty") {
			text, err = json.MarshalIndent(v, "", rapid.SampledFrom([]string{"", "  ", "\t"}).Draw(t, "indent"))
			require.NoError(t, err)
		}
		return string(text)
	})
}

func plainValue(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Float64Range(-1e9, 1e9).AsAny(),
		rapid.SampledFrom([]string{"", "a", `"`, `\`, `\"`, "{", "]", "[{", ",", "é\n", "\u2028"}).AsAny(),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	inner := plainValue(depth - 1)
	return rapid.OneOf(append(scalars,
		rapid.SliceOfN(inner, 0, 3).AsAny(), rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", `c"`, "{"}), inner, 0, 3).AsAny())...)
}

// An array of n valid values gives n records, equal byte for byte, whatever stands in them.
func TestArrayGivesItsElements(t *testing.T) {
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		elements := rapid.SliceOfN(jsonValue(3), 0, 8).Draw(t, "elements")
		space := rapid.SampledFrom([]string{"", " ", "\n", "\r\n  "})
		var b strings.Builder
		b.WriteString(space.Draw(t, "s") + "[" + space.Draw(t, "s"))
		for i, e := range elements {
			if i > 0 {
				b.WriteString(space.Draw(t, "s") + "," + space.Draw(t, "s"))
			}
			b.WriteString(e)
		}
		b.WriteString(space.Draw(t, "s") + "]" + space.Draw(t, "s"))
		items, _ := readPieces(t, ctx, strings.NewReader(b.String()), 0)
		require.Equal(t, append([]string(nil), elements...), valuesOf(items))
	})
}

// Objects give themselves whether they stand on lines or are pretty-printed one behind the other.
func TestObjectsGiveThemselves(t *testing.T) {
	ctx := t.Context()
	object := rapid.Custom(func(t *rapid.T) string { return `{"k": ` + jsonValue(3).Draw(t, "v") + `}` })
	rapid.Check(t, func(t *rapid.T) {
		objects := rapid.SliceOfN(object, 1, 8).Draw(t, "objects")
		between := rapid.SampledFrom([]string{"\n", "\n\n", "\r\n"}).Draw(t, "between")
		items, layout := readPieces(t, ctx, strings.NewReader(strings.Join(objects, between)), 0)
		if layout == lines && strings.Contains(strings.Join(objects, ""), "\n") {
			return // compact first, pretty-printed later: told by the first, the others are broken lines
		}
		require.Equal(t, objects, valuesOf(items))
	})
}

// Records beyond one buffer: windows move, pieces do not.
func TestLongStreamsInPieces(t *testing.T) {
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(1, 5000), rapid.IntRange(100_000, 700_000)), 1, 12).Draw(t, "sizes")
		var objects []string
		for i, n := range sizes {
			objects = append(objects, `{"n":`+string(rune('0'+i%10))+`,"x":"`+strings.Repeat("y", n)+`"}`)
		}
		open, comma, end := "", "\n", "\n"
		if rapid.Bool().Draw(t, "array") {
			open, comma, end = "[", ",", "]"
		}
		input := open + strings.Join(objects, comma) + end
		var r io.Reader = strings.NewReader(input)
		if rapid.Bool().Draw(t, "halves") {
			r = iotest.HalfReader(r)
		}
		items, layout := readPieces(t, ctx, r, 0)
		require.Equal(t, objects, valuesOf(items))
		checkNothingLost(t, []byte(input), items, layout)
	})
}
