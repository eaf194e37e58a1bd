package server

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/api"
)

func appsFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "apps.yaml")
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func TestReadAppsReadsTokensAndDigests(t *testing.T) {
	digest := sha256.Sum256([]byte("b-token"))
	apps, err := ReadApps(appsFile(t, "- app: scoreboard\n  token: a-token\n  requests_per_second: 2.5\n  streams: 3\n"+
		"- app: coach\n  token_sha256: "+hex.EncodeToString(digest[:])+"\n"))
	require.NoError(t, err)
	require.Equal(t, []api.App{{Name: "scoreboard", Token: "a-token", Rate: 2.5, Streams: 3}, {Name: "coach", Digest: digest}}, apps)
}

func TestReadAppsNamesWhatIsWrongAndNoToken(t *testing.T) {
	for text, want := range map[string]string{
		"":           "no app in it",
		"- app: a\n": "want either token or token_sha256",
		"- app: a\n  token: hush\n  token_sha256: ab\n": "want either token or token_sha256",
		"- app: a\n  token_sha256: hush\n":              "want 64 hexadecimal digits",
		"- app: a\n  tokn: hush\n":                      "line 2 is none of it",
		"- app: a\n  token: [hush\n":                    "want a list of app",
		"hush\n":                                        "want a list of app",
		"- app: a\n  streams: hush\n":                   "line 2 is none of it",
		"- app: a\n  token: x\n---\n- app: b\n":         "want one list",
		strings.Repeat("#", maxAppsFile+1):              "larger than 1 MiB",
	} {
		path := appsFile(t, text)
		_, err := ReadApps(path)
		require.ErrorContains(t, err, want, text)
		require.ErrorContains(t, err, path)
		require.NotContains(t, err.Error(), "hush", text)
	}
}
