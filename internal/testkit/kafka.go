package testkit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

func kafkaSpec() spec {
	return spec{
		name:      "Kafka",
		container: containerSpec{image: image("KAFKA", "apache/kafka:4.1.1"), port: 9092, env: kafkaEnv},
		process:   kafkaProcess,
		answers: func(ctx context.Context, s *Server) error {
			c, err := kgo.NewClient(kgo.SeedBrokers(s.Addr))
			if err != nil {
				return err
			}
			defer c.Close()
			// A broker that listens may still be fenced by the controller, and then creating a topic fails.
			brokers, err := kadm.NewClient(c).ListBrokers(ctx)
			if err == nil && len(brokers) == 0 {
				err = errors.New("no broker is registered yet")
			}
			return err
		},
	}
}

// kafkaEnv returns the complete configuration of a broker, because the image uses no defaults once a variable
// is set.
func kafkaEnv(addr string) map[string]string {
	return map[string]string{
		"KAFKA_NODE_ID":                   "1",
		"KAFKA_PROCESS_ROLES":             "broker,controller",
		"KAFKA_CONTROLLER_QUORUM_VOTERS":  "1@localhost:9093",
		"KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
		"KAFKA_LISTENERS": "PLAINTEXT://:9092," +
			"CONTROLLER://localhost:9093,BROKER://localhost:9094",
		"KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://" + addr + ",BROKER://localhost:9094",
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT," +
			"CONTROLLER:PLAINTEXT,BROKER:PLAINTEXT",
		"KAFKA_INTER_BROKER_LISTENER_NAME":               "BROKER",
		"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
		"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
		"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
		"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
		"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":             "1", // instead of 50, so that the first group and
		"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":     "1", // the first transaction start sooner
		"KAFKA_TRANSACTION_MAX_TIMEOUT_MS":               "900000",
		// The interval at which the broker aborts transactions past their time-out. Its default is 10 s.
		"KAFKA_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS": "1000",
		// A killed broker can join again after its old session has ended. The default is 9 s.
		"KAFKA_BROKER_SESSION_TIMEOUT_MS":    "3000",
		"KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
		"KAFKA_AUTO_CREATE_TOPICS_ENABLE":    "false", // a mistyped topic is an error
		"KAFKA_MESSAGE_MAX_BYTES":            "35651584",
		"KAFKA_REPLICA_FETCH_MAX_BYTES":      "35651584",
	}
}

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
