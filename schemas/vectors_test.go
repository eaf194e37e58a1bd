package schemas_test

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
)

// featureVector is a record of the specification's, adversarial on purpose.
type featureVector struct {
	id     string
	record schemas.Record
}

// featureVectors reads every features*.jsonl of the vectors; without them the test is skipped (fails under
// CI).
func featureVectors(t *testing.T) (all []featureVector) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(testkit.Vectors(t), "features*.jsonl"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		f, err := os.Open(file)
		require.NoError(t, err)
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 64<<20)
		for lines.Scan() {
			all = append(all, vectorOf(t, lines.Bytes()))
		}
		require.NoError(t, lines.Err())
		require.NoError(t, f.Close())
	}
	return all
}

func vectorOf(t *testing.T, line []byte) featureVector {
	t.Helper()
	var v struct {
		ID      string            `json:"id"`
		Key     *string           `json:"key"`
		Headers map[string]string `json:"headers"`
		Value   *string           `json:"value"`
		Base64  string            `json:"value_base64"`
	}
	require.NoError(t, json.Unmarshal(line, &v))
	out := featureVector{id: v.ID, record: schemas.Record{Coordinates: schemas.Coordinates{Topic: "pitches.raw"}}}
	if v.Key != nil {
		out.record.Key = []byte(*v.Key)
	}
	for key, value := range v.Headers {
		out.record.Headers = append(out.record.Headers, schemas.Header{Key: key, Value: []byte(value)})
	}
	if v.Value != nil {
		out.record.Value = []byte(*v.Value)
	} else {
		var err error
		out.record.Value, err = base64.StdEncoding.DecodeString(v.Base64)
		require.NoError(t, err)
	}
	return out
}
