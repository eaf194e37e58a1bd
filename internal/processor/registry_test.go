package processor

import (
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/pitchstream/pitchstream/internal/schemaregistry"
)

// withRegistry returns the options of a processor that writes rows as Avro, with a registry in this process.
func withRegistry(t *testing.T) (*srfake.Registry, Options, *Observer) {
	t.Helper()
	f := srfake.New()
	t.Cleanup(f.Close)
	client, err := schemaregistry.Open(schemaregistry.Options{URLs: []string{f.URL()}})
	require.NoError(t, err)
	log := slog.New(slog.DiscardHandler)
	o := Options{RowsTopic: "pitches.rows", Registry: client, RowsFormat: schemaregistry.Avro, Log: log}
	return f, o, NewObserver(log, nil)
}

func TestTheStartWaitsForTheRegistryAndSaysSo(t *testing.T) {
	f, o, watch := withRegistry(t)
	var asked atomic.Int64
	f.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		if asked.Add(1) > 2 {
			return false
		}
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	})
	e, err := o.Encoder(t.Context(), watch)
	require.NoError(t, err)
	require.NotNil(t, e.AppendRow)
	require.True(t, f.SubjectExists("pitches.rows-value"))
}

// guard: registry: a refused schema stops the start
func TestARefusedSchemaStopsTheStart(t *testing.T) {
	f, o, watch := withRegistry(t)
	o.RowsMustExist = true
	_, err := o.Encoder(t.Context(), watch)
	require.ErrorContains(t, err, "schema registry: subject pitches.rows-value: it does not have the schema of this build")

	f.SeedSchema("pitches.rows-value", 1, 1, sr.Schema{Schema: `"long"`, Type: sr.TypeAvro})
	f.Intercept(func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, `{"error_code":401,"message":"who are you"}`, http.StatusUnauthorized)
		return true
	})
	_, err = o.Encoder(t.Context(), watch)
	require.ErrorContains(t, err, "schema registry: HTTP status 401: who are you")
}

func TestWithoutARegistryTheEncoderIsPlain(t *testing.T) {
	e, err := Options{RowsTopic: "r"}.Encoder(t.Context(), nil)
	require.NoError(t, err)
	require.Nil(t, e.AppendRow)
}
