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
			// A broker that listens may still be fenced by the controller, and then no topic can be made on it.
			brokers, err := kadm.NewClient(c).ListBrokers(ctx)
			if err == nil && len(brokers) == 0 {
				err = errors.New("no broker is registered yet")
			}
			return err
		},
	}
}

// kafkaEnv is all that one broker needs: the image takes none of its defaults once one variable is set.
func kafkaEnv(addr string) map[string]string {
	return map[string]string{
		"KAFKA_NODE_ID":                                  "1",
		"KAFKA_PROCESS_ROLES":                            "broker,controller",
		"KAFKA_CONTROLLER_QUORUM_VOTERS":                 "1@localhost:9093",
		"KAFKA_CONTROLLER_LISTENER_NAMES":                "CONTROLLER",
		"KAFKA_LISTENERS":                                "PLAINTEXT://:9092,CONTROLLER://localhost:9093,BROKER://localhost:9094",
		"KAFKA_ADVERTISED_LISTENERS":                     "PLAINTEXT://" + addr + ",BROKER://localhost:9094",
		"KAFKA_LISTENER_SECURITY_PROTOCOL_MAP":           "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,BROKER:PLAINTEXT",
		"KAFKA_INTER_BROKER_LISTENER_NAME":               "BROKER",
		"KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR":         "1",
		"KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
		"KAFKA_TRANSACTION_STATE_LOG_MIN_ISR":            "1",
		"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS":         "0",
		"KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS":             "1", // not 50: the first group and the first
		"KAFKA_TRANSACTION_STATE_LOG_NUM_PARTITIONS":     "1", // transaction come sooner
		"KAFKA_TRANSACTION_MAX_TIMEOUT_MS":               "900000",
		// How often the broker looks for transactions past their time-out; its default is 10 s.
		"KAFKA_TRANSACTION_ABORT_TIMED_OUT_TRANSACTION_CLEANUP_INTERVAL_MS": "1000",
		// A broker that was killed is let in again when its old session is over; the default is 9 s.
		"KAFKA_BROKER_SESSION_TIMEOUT_MS":    "3000",
		"KAFKA_BROKER_HEARTBEAT_INTERVAL_MS": "500",
		"KAFKA_AUTO_CREATE_TOPICS_ENABLE":    "false", // a mistyped topic is an error
		"KAFKA_MESSAGE_MAX_BYTES":            "35651584",
		"KAFKA_REPLICA_FETCH_MAX_BYTES":      "35651584",
	}
}
