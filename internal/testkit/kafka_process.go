package testkit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// kafkaProcess returns a broker of an unpacked release of Kafka, with the configuration of the one in a
// container. Its data are in its folder and are removed with it.
func kafkaProcess(ctx context.Context) (*Server, error) {
	home := os.Getenv("PITCHSTREAM_TEST_KAFKA_HOME")
	if home == "" {
		return nil, &errUnavailable{"or an unpacked Kafka in the folder PITCHSTREAM_TEST_KAFKA_HOME"}
	}
	addr := FreeAddr()
	p, err := newProcess(filepath.Join(home, "bin/kafka-server-start.sh"))
	if err != nil {
		return nil, err
	}
	settings := filepath.Join(p.dir, "server.properties")
	p.args = []string{settings}
	p.env = []string{"LOG_DIR=" + p.dir}
	if os.Getenv("KAFKA_HEAP_OPTS") == "" {
		p.env = append(p.env, "KAFKA_HEAP_OPTS=-Xmx512m")
	}
	if err := os.WriteFile(settings, kafkaProperties(addr, filepath.Join(p.dir, "data")), 0o600); err != nil {
		return nil, err
	}
	format := exec.CommandContext(ctx, filepath.Join(home, "bin/kafka-storage.sh"), "format", "-t",
		"5L6g3nShT-eMCtK--X86sw", "-c", settings)
	format.Env = append(os.Environ(), "LOG_DIR="+p.dir)
	if out, err := format.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", format.Path, err, out)
	}
	return &Server{Addr: addr, host: p}, nil
}

// kafkaProperties returns the variables of the container as a file, with all listeners on the loopback
// interface.
func kafkaProperties(addr, data string) []byte {
	env := kafkaEnv(addr)
	controller := FreeAddr()
	env["KAFKA_LISTENERS"] = "PLAINTEXT://" + addr + ",CONTROLLER://" + controller
	env["KAFKA_ADVERTISED_LISTENERS"] = "PLAINTEXT://" + addr
	env["KAFKA_CONTROLLER_QUORUM_VOTERS"] = "1@" + controller
	env["KAFKA_INTER_BROKER_LISTENER_NAME"] = "PLAINTEXT"
	env["KAFKA_LOG_DIRS"] = data
	var lines []string
	for name, value := range env {
		name = strings.ToLower(strings.TrimPrefix(name, "KAFKA_"))
		lines = append(lines, strings.ReplaceAll(name, "_", ".")+"="+value+"\n")
	}
	slices.Sort(lines)
	return []byte(strings.Join(lines, ""))
}
