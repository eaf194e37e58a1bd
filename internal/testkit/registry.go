package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// apicurio is the release of Apicurio Registry that the tests run. It needs Java 17 at most, and keeps
// its schemas in memory.
const apicurio = "2.6.13.Final"

var registryListens = regexp.MustCompile(`Listening on: (http://127\.0\.0\.1:\d+)`)

// SchemaRegistry starts a schema registry, empty, and returns the URL of its API in Confluent's form. It
// comes from Maven Central the first time, 140 MB. Without mvn or java the test is skipped, or fails under
// CI.
func SchemaRegistry(t testing.TB) string {
	t.Helper()
	for _, program := range []string{"mvn", "java"} {
		if _, err := exec.LookPath(program); err != nil {
			Unavailable(t, "a schema registry needs "+program)
		}
	}
	dir, err := registryFolder(t.Context())
	require.NoError(t, err)
	cmd := exec.CommandContext(context.Background(), "java", "-Xmx512m", "-jar",
		filepath.Join(dir, "apicurio-registry-app-"+apicurio+"-runner.jar"))
	cmd.Env = append(os.Environ(), "QUARKUS_HTTP_HOST=127.0.0.1", "QUARKUS_HTTP_PORT=0")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	return startServer(t, cmd, out, registryListens) + "/apis/ccompat/v7"
}

// registryFolder returns the folder of the unpacked registry in the user's cache, and fills it the first
// time. A folder that was not filled to its end is not kept.
func registryFolder(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "pitchstream-test", "apicurio-"+apicurio)
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(filepath.Dir(dir), ".apicurio-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	err = ended(exec.CommandContext(ctx, "mvn", "-q", "-B",
		"org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy", "-Dmdep.stripVersion",
		"-DoutputDirectory="+temporary, "-Dartifact=io.apicurio:apicurio-registry-app:"+apicurio+":tar.gz:all"))
	if err != nil {
		return "", err
	}
	archive := filepath.Join(temporary, "apicurio-registry-app-all.tar.gz")
	if err := ended(exec.CommandContext(ctx, "tar", "-xzf", archive, "-C", temporary)); err != nil {
		return "", err
	}
	if err := os.Remove(archive); err != nil {
		return "", err
	}
	return dir, os.Rename(temporary, dir)
}

// ended runs a command. Its error has what the command has printed.
func ended(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return err
}
