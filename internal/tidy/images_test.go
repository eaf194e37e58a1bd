package tidy

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOurImagesDoNotRunAsRoot(t *testing.T) {
	broken, err := RootImages(root)
	require.NoError(t, err)
	require.Empty(t, broken)
}

func TestImagesThatRunAsRoot(t *testing.T) {
	for name, c := range map[string]struct{ content, who string }{
		"by number":               {"FROM scratch\nUSER 65532:65532\n", ""},
		"by a lower-case word":    {"FROM scratch\nuser 65532\n", ""},
		"nobody said":             {"FROM scratch\n", `runs as ""`},
		"root":                    {"FROM scratch\nUSER root\n", `runs as "root"`},
		"root's number":           {"FROM scratch\nUSER 0:0\n", `runs as "0:0"`},
		"root's group":            {"FROM scratch\nUSER 7:0\n", `runs as "7:0"`},
		"a name":                  {"FROM scratch\nUSER nobody\n", `runs as "nobody"`},
		"only the stage before":   {"FROM golang AS build\nUSER 7\nFROM scratch\n", `runs as ""`},
		"root again at the end":   {"FROM scratch\nUSER 7\nUSER 0\n", `runs as "0"`},
		"a comment is no command": {"FROM scratch\n# USER 7\n", `runs as ""`},
	} {
		broken, err := RootImages(house(t, map[string]string{"deploy/Dockerfile.x": c.content, "test/Dockerfile": "FROM scratch"}))
		require.NoError(t, err)
		if c.who == "" {
			require.Empty(t, broken, name)
			continue
		}
		require.Len(t, broken, 1, name)
		require.Contains(t, broken[0], c.who, name)
	}
}
