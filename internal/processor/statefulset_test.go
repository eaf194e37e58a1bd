package processor

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// guard: deploy: only a pod beyond the number leaves
func TestScaledInPodLeavesTheGroup(t *testing.T) {
	answer, status := "", 0
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/apis/apps/v1/namespaces/league/statefulsets/ps" || r.Header.Get("Authorization") != "Bearer me" {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(answer))
	}))
	defer server.Close()
	k := kubernetes{base: server.URL, account: t.TempDir()}
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, text := range map[string]string{"token": "me\n", "namespace": "league", "ca.crt": string(authority)} {
		require.NoError(t, os.WriteFile(filepath.Join(k.account, name), []byte(text), 0o600))
	}
	for name, c := range map[string]struct {
		pod, answer string
		status      int
		leaves      bool
		fails       string
	}{
		"restarted":         {"ps-2", `{"spec":{"replicas":3}}`, 200, false, ""},
		"scaled in":         {"ps-3", `{"spec":{"replicas":3}}`, 200, true, ""},
		"scaled to nothing": {"ps-0", `{"spec":{"replicas":0}}`, 200, true, ""},
		"other numbers":     {"ps-5", `{"spec":{"replicas":3,"ordinals":{"start":4}}}`, 200, false, ""},
		"deleted":           {"ps-0", `{"metadata":{"deletionTimestamp":"2026-01-01T00:00:00Z"},"spec":{"replicas":3}}`, 200, true, ""},
		"gone":              {"ps-0", `{}`, 404, true, ""},
		"forbidden":         {"ps-3", `{}`, 403, false, "status 403"},
		"something else":    {"ps-3", `{}`, 200, false, "status 200"},
		"no JSON":           {"ps-3", `<html>`, 200, false, "invalid character"},
		"another set":       {"other-3", `{"spec":{"replicas":3}}`, 200, false, `instance "other-3" is no pod of the StatefulSet "ps"`},
		"no number":         {"ps-x", `{"spec":{"replicas":3}}`, 200, false, "is no pod"},
	} {
		t.Run(name, func(t *testing.T) {
			answer, status = c.answer, c.status
			leaves, err := k.scaledIn(t.Context(), "ps", c.pod)
			require.Equal(t, c.leaves, leaves)
			if c.fails == "" {
				require.NoError(t, err)
			} else {
				require.ErrorContains(t, err, c.fails)
			}
		})
	}
	k.account = t.TempDir()
	_, err := k.scaledIn(t.Context(), "ps", "ps-0")
	require.ErrorContains(t, err, "token")
}
