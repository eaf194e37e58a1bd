package fileinput

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestEventID(t *testing.T) {
	for text, want := range map[string]string{
		`{"summary_acts":{"pitch":{"eventId":"e1"}}}`: "e1",
		` { "units" : {"a":[1,{"b":"}"}]} , "summary_acts" : { "hit":{"eventId":"h"}, "pitch" : { "x":1, "eventId" : "e2" } } , "events": [{}]}`: "e2",
		`{"summary_acts":{"pitch":{"eventId":"old","eventId":"new"}}}`:                                                                           "new",
		`{"summary_acts":{"pitch":{"eventId":"old"}},"summary_acts":{"pitch":{}}}`:                                                               "",
		`{"summary_\u0061cts":{"pitch":{"event\u0049d":"\u0065\"3"}}}`:                                                                           `e"3`,
		`{"summary_acts":{"pitch":{"eventId":{}}}}`:                                                                                              "",
		`{"summary_acts":{"pitch":{"eventId":null}}}`:                                                                                            "",
		`{"summary_acts":{"pitch":{"eventId":""}}}`:                                                                                              "",
		`{"summary_acts":{"pitch":"eventId"}}`:                                                                                                   "",
		`{"Summary_acts":{"pitch":{"eventId":"e"}}}`:                                                                                             "",
		`[{"summary_acts":{"pitch":{"eventId":"e"}}}]`:                                                                                           "",
		``: "",
	} {
		id, ok := EventID([]byte(text))
		require.Equal(t, want, id, text)
		require.Equal(t, want != "", ok, text)
	}
}

// member of a valid object agrees with what encoding/json has under that name.
func TestMemberAgainstEncodingJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", `c"`, "{", "é"}), plainValue(3), 0, 4).Draw(t, "object")
		text, err := json.MarshalIndent(v, "", rapid.SampledFrom([]string{"", " "}).Draw(t, "indent"))
		require.NoError(t, err)
		for _, name := range []string{"a", `c"`, "{", "é", "zz"} {
			value := member(text, name)
			if _, ok := v[name]; !ok {
				require.Nil(t, value)
				continue
			}
			want, err := json.Marshal(v[name])
			require.NoError(t, err)
			require.JSONEq(t, string(want), string(value))
		}
	})
}

func FuzzEventID(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Add([]byte(`{"summary_acts":{"pitch":{"eventId":"e1"}}}`))
	f.Fuzz(func(t *testing.T, record []byte) {
		id, ok := EventID(record)
		if !ok || !json.Valid(record) {
			return
		}
		var r map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(record, &r))
		var acts, pitch map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(r["summary_acts"], &acts))
		require.NoError(t, json.Unmarshal(acts["pitch"], &pitch))
		var want string
		require.NoError(t, json.Unmarshal(pitch["eventId"], &want))
		require.Equal(t, want, id)
	})
}

func BenchmarkEventID(b *testing.B) {
	rec := sampleRecord("d6cb3f01-ccc2-4619-96a3-eb1f1bfaeaa3", 370)
	b.SetBytes(int64(len(rec)))
	for b.Loop() {
		EventID(rec)
	}
}
