package lineage_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/config"
	"github.com/pitchstream/pitchstream/internal/lineage"
)

// guard: lineage: no error quotes the URL
// Neither a server that is down nor one that quotes the request has a secret come into the warning.
func TestAWarningHasNoSecret(t *testing.T) {
	down := httptest.NewServer(nil)
	down.Close()
	quotes := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			w.Header().Set("Location", "http://elsewhere.invalid:x/?"+r.URL.RawQuery)
			w.WriteHeader(http.StatusTemporaryRedirect)
		} else {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = w.Write([]byte("no key is " + r.Header.Get("Authorization") + r.URL.RawQuery))
	}))
	defer quotes.Close()
	for _, server := range []string{down.URL, quotes.URL} {
		host := strings.TrimPrefix(server, "http://")
		for _, address := range []string{
			"http://" + host + "?code=SECRET", "http://u:SECRET@" + host, "http://" + host + "/SECRET", "http://" + host,
		} {
			c := config.Lineage{Endpoint: "api", Timeout: config.Duration(10 * time.Second)}
			require.NoError(t, c.URL.UnmarshalText([]byte(address)))
			if !strings.Contains(address, "SECRET@") {
				require.NoError(t, c.APIKey.UnmarshalText([]byte("SECRET")))
			}
			require.NoError(t, c.Validate())
			e := c.Open("v1")
			e.Begin(lineage.Job{Name: "export"})
			err := e.Close()
			require.ErrorContains(t, err, "not delivered to http://"+host+": ")
			require.NotContains(t, err.Error(), "SECRET", address)
			require.NotContains(t, err.Error(), "U0VDUkV", "in base64")
		}
	}
}
