package e2e

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/testkit"
)

// The image is for both architectures of servers: its binary is built for each, as the Dockerfile builds it,
// and needs nothing that an empty image lacks.
func TestTheBinaryOfTheImage(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(testkit.Root(), "deploy", "Dockerfile"))
	require.NoError(t, err)
	dockerfile := string(b)
	for _, want := range []string{"FROM --platform=$BUILDPLATFORM ", "ARG TARGETOS TARGETARCH", "GOOS=$TARGETOS GOARCH=$TARGETARCH VERSION=$VERSION OUT=/pitchstream deploy/build.sh",
		"FROM scratch", "USER 65532:65532", `ENTRYPOINT ["/pitchstream"]`} {
		require.Contains(t, dockerfile, want)
	}
	require.Greater(t, strings.Index(dockerfile, "USER "), strings.Index(dockerfile, "FROM scratch"))
	for arch, machine := range map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64} {
		t.Run(arch, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "pitchstream")
			build := exec.CommandContext(t.Context(), "deploy/build.sh")
			build.Dir, build.Env = testkit.Root(), append(os.Environ(), "OUT="+file, "GOOS=linux", "GOARCH="+arch)
			out, err := build.CombinedOutput()
			require.NoError(t, err, string(out))
			f, err := elf.Open(file)
			require.NoError(t, err)
			defer f.Close()
			require.Equal(t, machine, f.Machine)
			libraries, err := f.ImportedLibraries()
			require.NoError(t, err)
			require.Empty(t, libraries)
			for _, p := range f.Progs {
				require.NotEqual(t, elf.PT_INTERP, p.Type, "it wants a loader")
			}
			info, err := os.Stat(file)
			require.NoError(t, err)
			t.Logf("%s: %.1f MB", arch, float64(info.Size())/1e6)
			require.Less(t, info.Size(), int64(45e6))
		})
	}
}
