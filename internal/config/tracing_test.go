package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTracesNeedAnHTTPAddress(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "http://h:4318": "", "https://h/otlp": "",
		"h:4318":           "--otlp-endpoint=h:4318: want http://host:4318 or https://host",
		"grpc://h":         "--otlp-endpoint=grpc://h: want http",
		"ftp://u:secret@h": "--otlp-endpoint=ftp://u:xxxxx@h: want http",
	} {
		err := Tracing{OTLPEndpoint: SecretURL{text}}.Validate()
		if want == "" {
			require.NoError(t, err, text)
			continue
		}
		require.ErrorContains(t, err, want)
	}
}
