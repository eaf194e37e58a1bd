package schemaregistry

import (
	"encoding/hex"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"github.com/pitchstream/pitchstream/features"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// exchanged are a line for each row as Confluent's own client reads it, and a line for each raw value as it
// writes it.
type exchanged struct {
	Rows map[Format][]map[string]any `json:"rows"`
	Raw  map[Format][]string         `json:"raw"` // hex
}

// confluent hands rows and records to testdata/confluent.py, which reads and writes them with Confluent's
// client.
func confluent(
	t *testing.T, url string, rows map[Format][]string, records []schemas.Record, avroText string,
) exchanged {
	t.Helper()
	python := testkit.Python(t, "confluent_kafka.schema_registry, fastavro, grpc_tools")
	proto := filepath.Join(testkit.Root(), "schemas", "registry")
	in, err := json.Marshal(map[string]any{
		"url": url, "rows": rows, "proto": proto, "avro": avroText, "scratch": t.TempDir(),
		"records": schemas.Map(records, func(r schemas.Record) json.RawMessage {
			b, err := json.Marshal(decoded(t, r.Value))
			require.NoError(t, err)
			return b
		}),
	})
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), python, "testdata/confluent.py")
	cmd.Stdin = strings.NewReader(string(in))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	require.NoError(t, err, stderr.String())
	var got exchanged
	require.NoError(t, json.Unmarshal(out, &got))
	return got
}

// Rows of each format are read back by Confluent's client from a real registry, and raw values that it writes
// become the rows of their JSON.
func TestARoundTripThroughARealRegistry(t *testing.T) {
	url := testkit.SchemaRegistry(t)
	c, err := Open(Options{URLs: []string{url}})
	require.NoError(t, err)
	require.NoError(t, c.Ping(t.Context()))
	setCompatibility(t, c, sr.CompatFull)

	published := published(t, 40)
	rows := map[Format][]string{}
	for _, format := range RowFormats[1:] {
		topic := string(format) + ".rows"
		status, err := c.Rows(t.Context(), topic, format, false)
		require.NoError(t, err)
		require.True(t, status.IsNew)
		_, err = c.RowWriter(t.Context(), topic, format, true)
		require.ErrorContains(t, err, "does not have the schema of this build")
		first, err := c.RowWriter(t.Context(), topic, format, false)
		require.NoError(t, err)
		again, err := c.RowWriter(t.Context(), topic, format, true)
		require.NoError(t, err)
		for i := range published {
			value := first(nil, &published[i])
			require.Equal(t, value, again(nil, &published[i]))
			rows[format] = append(rows[format], hex.EncodeToString(value))
		}
		status, err = c.Rows(t.Context(), topic, format, false)
		require.NoError(t, err)
		require.True(t, status.IsRegistered)
		require.Equal(t, 1, status.Version)
	}

	records := pitches(t, 20)
	avroText, _ := asAvro(t, records)
	got := confluent(t, url, rows, records, avroText)
	for i := range published {
		var want map[string]any
		require.NoError(t, json.Unmarshal(published[i].AppendJSON(nil), &want))
		for _, format := range RowFormats[1:] {
			row := got.Rows[format][i]
			if format != JSONSchema {
				withoutMissing(want)
				withoutMissing(row)
			}
			require.Equal(t, want, row, format)
		}
	}
	for format, values := range got.Raw {
		require.Len(t, values, len(records), format)
		for i, text := range values {
			value, err := hex.DecodeString(text)
			require.NoError(t, err)
			written := records[i]
			written.Value = value
			sameChange(t, c, records[i], written)
		}
	}
	require.Len(t, got.Raw, 2)

	_, rejection, err := c.Transform(t.Context(), framed(schemas.Record{}, 1<<20, nil), features.Limits{})
	require.NoError(t, err)
	require.ErrorContains(t, rejection, "the registry has no schema 1048576")
	refusesWhatDoesNotFit(t, c)
}

// refusesWhatDoesNotFit requires that a subject with another schema refuses that of this build, by name.
func refusesWhatDoesNotFit(t *testing.T, c *Client) {
	t.Helper()
	for format, other := range map[Format]sr.Schema{
		Avro: {Type: sr.TypeAvro, Schema: `{"type":"record","name":"Row","namespace":"pitchstream.v1","fields":[{"name":"pitch_id","type":"long"}]}`},
		JSONSchema: {Type: sr.TypeJSON, Schema: `{"$schema":"http://json-schema.org/draft-07/schema#","type":"object",
			"properties":{"pitch_id":{"type":"integer"}}}`},
		Protobuf: {Type: sr.TypeProtobuf, Schema: "syntax = \"proto3\"; package pitchstream.v1; message Row { int64 pitch_id = 1; }"},
	} {
		topic := string(format) + ".other"
		_, err := c.api.RegisterSchema(t.Context(), Subject(topic), other, -1, -1)
		require.NoError(t, err)
		_, err = c.RowWriter(t.Context(), topic, format, false)
		require.ErrorAs(t, err, new(*RefusedError), format)
		require.ErrorContains(t, err, "schema registry: subject "+topic+"-value: ")
		status, err := c.Rows(t.Context(), topic, format, true)
		require.NoError(t, err)
		require.False(t, status.IsCompatible)
	}
}

func setCompatibility(t *testing.T, c *Client, level sr.CompatibilityLevel) {
	t.Helper()
	for _, r := range c.api.SetCompatibility(t.Context(), sr.SetCompatibility{Level: level}) {
		require.NoError(t, r.Err)
	}
}

// withoutMissing drops what is missing: null, and lists and objects without anything.
func withoutMissing(m map[string]any) {
	for k, v := range m {
		switch x := v.(type) {
		case nil:
			delete(m, k)
		case []any:
			if len(x) == 0 {
				delete(m, k)
			}
		case map[string]any:
			if withoutMissing(x); len(x) == 0 {
				delete(m, k)
			}
		}
	}
}
