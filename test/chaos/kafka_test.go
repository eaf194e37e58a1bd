package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/test/internal/servers"
)

// brokers is how many there are. Each one is a controller too.
const brokers = 3

// broker is one node of the cluster with its doors: for clients, for the other brokers, for the controllers.
type broker struct {
	name                          string
	server                        *testkit.Server
	disk                          *disk // of its logs; nil: an ordinary one
	clients, others, quorum       *door
	atClients, atOthers, atQuorum string // where it listens behind them
}

// startKafka starts the cluster. Its settings are Kafka's own, apart from what three replicas, small heaps
// and a quick first group need.
func (c *cluster) startKafka() {
	c.t.Helper()
	home, err := servers.KafkaHome(c.t.Context())
	if err != nil {
		testkit.Unavailable(c.t, fmt.Sprint("an unpacked Kafka in PITCHSTREAM_TEST_KAFKA_HOME, or Maven: ", err))
	}
	var voters []string
	for i := range brokers {
		b := &broker{
			name: fmt.Sprint("kafka-", i+1), clients: c.net.newDoor(c.t), others: c.net.newDoor(c.t),
			quorum: c.net.newDoor(c.t), atClients: testkit.FreeAddr(), atOthers: testkit.FreeAddr(),
			atQuorum: testkit.FreeAddr(),
		}
		b.clients.forKafka = true
		voters = append(voters, fmt.Sprintf("%d@%s", i+1, b.quorum.addr))
		c.brokers = append(c.brokers, b)
	}
	for i, b := range c.brokers {
		c.startBroker(home, i+1, b, strings.Join(voters, ","))
	}
	for _, b := range c.brokers {
		c.await(b.name+" answers", func() bool { return answersKafka(c.t.Context(), b.clients.addr) == nil })
	}
}

func (c *cluster) startBroker(home string, id int, b *broker, voters string) {
	c.t.Helper()
	heap := []string{"KAFKA_HEAP_OPTS=-Xms192m -Xmx320m", "LOG_DIR=" + c.t.TempDir(),
		"KAFKA_JVM_PERFORMANCE_OPTS=-XX:+UseSerialGC -XX:TieredStopAtLevel=1"}
	b.disk = c.diskFor(nil, brokerFull)
	b.server = testkit.RunProgram(c.t, testkit.Program{
		Name: b.name, Path: filepath.Join(home, "bin/kafka-server-start.sh"), Args: []string{"server.properties"},
		Env: append(c.clockOf(b.name, brokerClock), heap...), LogFile: c.logFile(b.name),
		Prepare: func(dir string) error {
			data := filepath.Join(dir, "data")
			if b.disk != nil {
				data = filepath.Join(b.disk.path, "data")
			}
			text := fmt.Sprintf(`process.roles=broker,controller
node.id=%[1]d
listeners=CLIENT://%[2]s,BROKER://%[3]s,CONTROLLER://%[4]s
advertised.listeners=CLIENT://%[5]s,BROKER://%[6]s,CONTROLLER://%[7]s
listener.security.protocol.map=CLIENT:PLAINTEXT,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.voters=%[8]s
log.dirs=%[9]s
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
offsets.topic.num.partitions=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
transaction.state.log.num.partitions=6
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
message.max.bytes=35651584
replica.fetch.max.bytes=35651584
num.network.threads=2
num.io.threads=4
log.cleaner.dedupe.buffer.size=4194304
`, id, b.atClients, b.atOthers, b.atQuorum, b.clients.addr, b.others.addr, b.quorum.addr, voters,
				data)
			file := filepath.Join(dir, "server.properties")
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				return err
			}
			format := exec.CommandContext(c.t.Context(), filepath.Join(home, "bin/kafka-storage.sh"), "format",
				"-t", "5L6g3nShT-eMCtK--X86sw", "-c", file)
			format.Env = append(os.Environ(), heap...)
			if out, err := format.CombinedOutput(); err != nil {
				return fmt.Errorf("%s: %w\n%s", format.Path, err, out)
			}
			return nil
		},
	})
	c.add(b.name, b.server)
	c.net.lead(c.t, b.clients, b.name, b.atClients)
	c.net.lead(c.t, b.others, b.name, b.atOthers)
	c.net.lead(c.t, b.quorum, b.name, b.atQuorum)
}

// answersKafka returns nil when the broker at an address says that all brokers are there.
func answersKafka(ctx context.Context, addr string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		return err
	}
	defer cl.Close()
	there, err := kadm.NewClient(cl).ListBrokers(ctx)
	if err == nil && len(there) < brokers {
		err = errors.New("not all brokers are registered yet")
	}
	return err
}

// bootstrap returns the addresses of all brokers for clients.
func (c *cluster) bootstrap() string {
	var addrs []string
	for _, b := range c.brokers {
		addrs = append(addrs, b.clients.addr)
	}
	return strings.Join(addrs, ",")
}

// leader returns the broker that leads a partition; coordinator the one that coordinates a group or, with
// kind 1, a transactional id. A request without an answer leads to the broker of fallback.
func (c *cluster) leader(topic string, partition int32, fallback int) *broker {
	ctx, cancel := context.WithTimeout(c.t.Context(), shortly)
	defer cancel()
	m, err := c.stack.Admin.Metadata(ctx, topic)
	if err != nil {
		return c.brokers[fallback]
	}
	return c.brokerOf(m.Topics[topic].Partitions[partition].Leader, fallback)
}

func (c *cluster) groupCoordinator(fallback int) *broker {
	ctx, cancel := context.WithTimeout(c.t.Context(), shortly)
	defer cancel()
	found := c.stack.Admin.FindGroupCoordinators(ctx, c.stack.Name)
	return c.brokerOf(found[c.stack.Name].NodeID, fallback)
}

// transactionCoordinator returns the coordinator of one of the transactions that are known.
func (c *cluster) transactionCoordinator(which int) *broker {
	ctx, cancel := context.WithTimeout(c.t.Context(), shortly)
	defer cancel()
	all, err := c.stack.Admin.ListTransactions(ctx, nil, nil)
	if err != nil || len(all) == 0 {
		return c.brokers[which%brokers]
	}
	ids := all.TransactionalIDs()
	return c.brokerOf(all[ids[which%len(ids)]].Coordinator, which%brokers)
}

func (c *cluster) brokerOf(id int32, fallback int) *broker {
	if id < 1 || id > brokers {
		return c.brokers[fallback]
	}
	return c.brokers[id-1]
}
