package testkit

import (
	"context"
	"errors"

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
