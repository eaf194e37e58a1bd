package schemas_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/simulate"
	"github.com/pitchstream/pitchstream/sink/kafkasink"
)

// lettersOf are the headers of the dead letters of records that no row can be made of, by code.
func lettersOf(t *testing.T) map[schemas.Code]map[string]any {
	t.Helper()
	encoder := kafkasink.Encoder{DeadTopic: "pitches.dead", Group: "pitchstream", Build: "test"}
	letters := map[schemas.Code]map[string]any{}
	for i, m := range simulated(t, simulate.Options{Seed: 9, Pitches: 60, Poison: 1}) {
		rec := recordOf(m, int64(i))
		if _, rej := features.Transform(rec, features.Limits{}); rej != nil {
			letter := schemas.DeadLetter{
				Record: rec, Origin: features.Origin(rec), Code: rej.Code, Message: rej.Error(),
			}
			headers := map[string]any{}
			for _, h := range encoder.DeadLetter(letter, time.Now()).Headers {
				headers[h.Key] = string(h.Value)
			}
			letters[rej.Code] = headers
		}
	}
	return letters
}

func TestLettersFitTheLetterSchema(t *testing.T) {
	schema := compiled(t, schemas.DeadLetterSchema, "")
	letters := lettersOf(t)
	require.Greater(t, len(letters), 4)
	for code, letter := range letters {
		require.NoError(t, schema.Validate(letter), code)
	}
}

func TestBrokenLetters(t *testing.T) {
	schema := compiled(t, schemas.DeadLetterSchema, "")
	good := lettersOf(t)[schemas.CodeMalformedJSON]
	require.NoError(t, schema.Validate(good))
	require.NoError(t, schema.Validate(with(good, "a header of the record", "x")))
	require.NoError(t, schema.Validate(with(good, schemas.HeaderDLQHeadersDropped, "3")))
	for _, header := range letterHeaders(t) {
		require.Error(t, schema.Validate(with(good, header, nil)), header)
		require.Error(t, schema.Validate(with(good, header, json.Number("1"))), header)
		if !slices.Contains(optionalHeaders, header) {
			require.Error(t, schema.Validate(without(good, header)), header)
		}
	}
	for header, value := range map[string]string{
		schemas.HeaderDLQCode: "unknown", schemas.HeaderDLQMessage: "two\nlines", schemas.HeaderDLQAttempts: "0",
		schemas.HeaderDLQPartition: "-1", schemas.HeaderDLQOriginOffset: "", schemas.HeaderDLQFailedAt: "yesterday",
		schemas.HeaderDLQOriginTimestamp: "2024-09-28T22:04:37Z", schemas.HeaderDLQHeadersDropped: "0", schemas.HeaderDLQTopic: "",
	} {
		require.Error(t, schema.Validate(with(good, header, value)), header)
	}
}

// The schema names the headers and the codes that the package names.
func TestLetterSchemaHasTheNames(t *testing.T) {
	b, err := schemas.JSONSchemas.ReadFile(schemas.DeadLetterSchema)
	require.NoError(t, err)
	var s struct {
		Properties map[string]any
		Required   []string
		Defs       struct {
			Code struct{ Enum []schemas.Code }
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(b, &s))
	var described []string
	for name := range s.Properties {
		described = append(described, name)
	}
	headers := letterHeaders(t)
	require.ElementsMatch(t, headers, described)
	always := slices.DeleteFunc(slices.Clone(headers), func(h string) bool {
		return slices.Contains(optionalHeaders, h)
	})
	require.ElementsMatch(t, always, s.Required)
	require.Equal(t, schemas.Codes, s.Defs.Code.Enum)
}

// optionalHeaders are not in every dead letter.
var optionalHeaders = []string{
	schemas.HeaderDLQHeadersDropped, schemas.HeaderDLQTruncated, schemas.HeaderDLQValueBytes,
	schemas.HeaderDLQValueSHA256, schemas.HeaderDLQKeyBytes,
}

// letterHeaders returns the names of a dead letter's headers, from the constants of letter.go.
func letterHeaders(t *testing.T) (headers []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), "deadletter.go", nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	ast.Inspect(f, func(n ast.Node) bool {
		l, ok := n.(*ast.BasicLit)
		if !ok || l.Kind != token.STRING {
			return true
		}
		s, err := strconv.Unquote(l.Value)
		if err == nil && s != schemas.HeaderDLQPrefix && (strings.HasPrefix(s, schemas.HeaderDLQPrefix) || strings.HasPrefix(s, "__connect.")) {
			headers = append(headers, s)
		}
		return true
	})
	require.NotEmpty(t, headers)
	return headers
}
