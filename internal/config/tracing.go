package config

import "net/url"

// Tracing says where spans are sent to.
type Tracing struct {
	OTLPEndpoint SecretURL `name:"otlp-endpoint" placeholder:"URL" help:"Where spans of batches are sent to, OTLP over HTTP: http://host:4318. None by default; without it OTEL_EXPORTER_OTLP_ENDPOINT says, and the other OTEL_ variables hold too."`
}

// Validate says what is wrong and what would be right.
func (t Tracing) Validate() error {
	if text := t.OTLPEndpoint.Reveal(); text != "" {
		if u, err := url.Parse(text); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return invalid("otlp-endpoint", t.OTLPEndpoint.String(), "http://host:4318 or https://host")
		}
	}
	return nil
}
