package schemaregistry

import (
	"encoding/binary"
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
)

// everything is a schema with every type of Avro, names in two namespaces and a type that contains itself.
const everything = `{"type":"record","name":"All","namespace":"a.b","fields":[
	{"name":"n","type":"null"},{"name":"b","type":"boolean"},{"name":"i","type":"int"},{"name":"l","type":"long"},
	{"name":"f","type":"float"},{"name":"d","type":"double"},{"name":"y","type":"bytes"},{"name":"s","type":"string"},
	{"name":"e","type":{"type":"enum","name":"E","symbols":["X","Y"]}},
	{"name":"x","type":{"type":"fixed","name":"F","namespace":"c","size":2}},
	{"name":"a","type":{"type":"array","items":"long"}},{"name":"m","type":{"type":"map","values":"E"}},
	{"name":"u","type":["null","string","c.F"]},
	{"name":"t","type":["null",{"type":"record","name":"Tree","fields":[
		{"name":"v","type":"int"},{"name":"below","type":{"type":"array","items":"Tree"}}]}]},
	{"name":"again","type":["null","a.b.Tree"]}
]}`

func TestAvroIsTheJSONOfItsLibrary(t *testing.T) {
	s, err := avro.Parse(everything)
	require.NoError(t, err)
	of, err := parseAvro(nil, everything)
	require.NoError(t, err)
	leaf := map[string]any{"v": 3, "below": []any{}}
	for _, u := range []any{nil, "text \" \\ \x01 ü"} {
		value, err := s.Encode(map[string]any{
			"n": nil, "b": true, "i": -5, "l": int64(1) << 60, "f": float32(0.1), "d": 1234567.5, "y": []byte("\x00\"\xff"),
			"s": "<&>", "e": "Y", "x": [2]byte{'a', '\\'}, "a": []any{int64(1), int64(-2)}, "m": map[string]any{"k": "X"},
			"u": u, "t": map[string]any{"v": 1, "below": []any{leaf, leaf}}, "again": leaf,
		})
		require.NoError(t, err)
		var v any
		_, err = s.Decode(value, &v)
		require.NoError(t, err)
		want, err := s.EncodeJSON(v)
		require.NoError(t, err)
		got, err := of.appendJSON(nil, value, 1<<20)
		require.NoError(t, err)
		require.True(t, json.Valid(got))
		require.JSONEq(t, string(want), string(got))
		for n := range value {
			_, err := of.appendJSON(nil, value[:n], 1<<20)
			require.Error(t, err, "cut after %d bytes", n)
		}
	}
}

func TestASchemaThatIsNoneSaysWhy(t *testing.T) {
	for text, want := range map[string]string{
		`{`:                           "unexpected end of JSON input",
		`1`:                           "1 is no type",
		`{"type":"array"}`:            "<nil> is no type",
		`"Speed"`:                     `the type "Speed" is not defined`,
		`{"type":"record"}`:           "a record has no name of its own",
		`{"type":"fixed","name":"F"}`: "the fixed F has no size",
		`[{"type":"enum","name":"E"},{"type":"enum","name":"E"}]`:                           `a enum has no name of its own: "E"`,
		`{"type":"record","name":"R","namespace":"n","fields":[{"name":"a","type":"b.C"}]}`: `field a of n.R: the type "b.C" is not defined`,
	} {
		_, err := parseAvro(nil, text)
		require.ErrorContains(t, err, want, text)
	}
}

// A short name is of the namespace around it, also where another type has it without one.
func TestANameIsOfTheNamespaceAroundIt(t *testing.T) {
	of, err := parseAvro([]string{`{"type":"fixed","name":"X","size":1}`},
		`{"type":"record","name":"R","namespace":"n","fields":[
			{"name":"a","type":{"type":"enum","name":"X","symbols":["S"]}},{"name":"b","type":"X"},
			{"name":"c","type":{"type":"record","name":"m.Q","fields":[{"name":"d","type":"n.X"}]}}]}`)
	require.NoError(t, err)
	got, err := of.appendJSON(nil, []byte{0, 0, 0}, 1000)
	require.NoError(t, err)
	require.Equal(t, `{"a":"S","b":"S","c":{"d":"S"}}`, string(got))
}

func TestSchemasThatReferToOthersAreRead(t *testing.T) {
	f, c := newFake(t)
	register(t, f, "speed", sr.Schema{Type: sr.TypeAvro, Schema: `{"type":"record","name":"Speed","namespace":"x","fields":[{"name":"mph","type":"double"}]}`})
	register(t, f, "pitch", sr.Schema{
		Type: sr.TypeAvro, Schema: `{"type":"record","name":"P","namespace":"x","fields":[{"name":"speed","type":"Speed"},{"name":"b","type":"x.Speed"}]}`,
		References: []sr.SchemaReference{{Name: "x.Speed", Subject: "speed", Version: 1}},
	})
	id := register(t, f, "main", sr.Schema{
		Type: sr.TypeAvro, Schema: `{"type":"array","items":"x.P"}`,
		References: []sr.SchemaReference{{Name: "x.P", Subject: "pitch", Version: 1}},
	})
	s, err := c.schema(t.Context(), id)
	require.NoError(t, err)
	require.Empty(t, s.fault)
	got, err := s.avro.appendJSON(nil, []byte("\x02"+strings.Repeat("\x00", 16)+"\x00"), 1000)
	require.NoError(t, err)
	require.Equal(t, `[{"speed":{"mph":0},"b":{"mph":0}}]`, string(got))
}

// guard: registry: the JSON of a small Avro value is bounded
// guard: registry: Avro that nests deep ends
func TestAvroIsBounded(t *testing.T) {
	nulls, err := parseAvro(nil, `{"type":"array","items":"null"}`)
	require.NoError(t, err)
	many := append(binary.AppendVarint(nil, 1000), 0)
	_, err = nulls.appendJSON(nil, many, 10_000)
	require.NoError(t, err)
	_, err = nulls.appendJSON(nil, many, 1000)
	require.ErrorIs(t, err, errAvroLong)

	tree, err := parseAvro(nil, `{"type":"record","name":"T","fields":[{"name":"t","type":["null","T"]}]}`)
	require.NoError(t, err)
	_, err = tree.appendJSON(nil, []byte(strings.Repeat("\x02", 20)+"\x00"), 10_000)
	require.NoError(t, err)
	_, err = tree.appendJSON(nil, []byte(strings.Repeat("\x02", 100)+"\x00"), 10_000)
	require.ErrorIs(t, err, errAvroDeep)
}

func TestHostileAvroEnds(t *testing.T) {
	for name, test := range map[string]struct{ schema, value string }{
		"a block of nothing":  {`{"type":"array","items":"null"}`, "\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01"},
		"long names":          {`{"type":"array","items":{"type":"record","name":"R","fields":[{"name":"` + long(10_000) + `","type":"null"}]}}`, "\xfe\xff\x03"},
		"a negative text":     {`"string"`, "\x01"},
		"a text without end":  {`"string"`, "\xfe\xff\xff\xff\x0f"},
		"a branch too many":   {`["null"]`, "\x02"},
		"a symbol too many":   {`{"type":"enum","name":"E","symbols":["A"]}`, "\x02"},
		"the smallest block":  {`{"type":"array","items":"null"}`, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x00"},
		"a tree without end":  {`{"type":"record","name":"T","fields":[{"name":"t","type":["null","T"]}]}`, strings.Repeat("\x02", 10_000)},
		"a number too long":   {`"long"`, strings.Repeat("\xff", 11)},
		"a type in itself":    {`{"type":"record","name":"T","fields":[{"name":"t","type":"T"}]}`, ""},
		"a block with a size": {`{"type":"array","items":"null"}`, "\x01"},
	} {
		of, err := parseAvro(nil, test.schema)
		if err != nil {
			continue // refused with the schema
		}
		out, err := of.appendJSON(nil, []byte(test.value), 100_000)
		require.Error(t, err, name)
		require.Nil(t, out, name)
	}
}

func FuzzAvro(f *testing.F) {
	of, err := parseAvro(nil, everything)
	require.NoError(f, err)
	f.Add([]byte("\x01\x02"))
	f.Fuzz(func(t *testing.T, value []byte) {
		out, err := of.appendJSON(nil, value, 10_000)
		if err == nil && !json.Valid([]byte(strings.ToValidUTF8(string(out), "?"))) {
			t.Errorf("%x is no JSON: %s", value, out)
		}
	})
}
