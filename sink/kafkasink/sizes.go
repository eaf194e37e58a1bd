package kafkasink

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Limits that are not settings of the topics.
const (
	maxReadBytes = 64 << 20 // the largest answer to a read of a single record, see kafkaread.Reader
	maxRowBytes  = 64 << 10 // more than the largest row: a hundred columns, texts of 200 bytes
)

// Misfit is two limits on sizes that do not fit together.
type Misfit struct {
	Text   string `json:"text"`
	Repair string `json:"repair"` // the command or the change that repairs it
	// IsNote reports that nothing is refused or truncated for it.
	IsNote bool `json:"note,omitempty"`
}

// sizes are the limits that SizeMisfits compares, in bytes; 0: not known.
type sizes struct {
	names           TopicsConfig
	raw, rows, dead int64
	replicas        int
	maxRecordBytes  int64
	brokers         map[int32]map[string]string // settings by broker
}

// SizeMisfits compares the limits of the topics with each other, with the largest record that a processor
// takes, and with the limits of the brokers. Topics that are missing, and brokers whose settings may not be
// read, are left out.
func SizeMisfits(
	ctx context.Context, admin *kadm.Client, names TopicsConfig, maxRecordBytes int64,
) ([]Misfit, error) {
	s := sizes{names: names, maxRecordBytes: maxRecordBytes, brokers: map[int32]map[string]string{}}
	there, err := admin.ListTopics(ctx, names.Raw, names.Rows, names.Dead)
	if err != nil {
		return nil, fmt.Errorf("kafka: listing topics: %w", err)
	}
	for topic, size := range map[string]*int64{names.Raw: &s.raw, names.Rows: &s.rows, names.Dead: &s.dead} {
		if !there.Has(topic) {
			continue
		}
		s.replicas = max(s.replicas, there[topic].Partitions.NumReplicas())
		limit, err := MaxMessageBytes(ctx, admin, topic)
		if err != nil {
			return nil, err
		}
		*size = int64(limit)
	}
	s.readBrokers(ctx, admin)
	return append(s.ofTopics(), s.ofBrokers()...), nil
}

func (s *sizes) readBrokers(ctx context.Context, admin *kadm.Client) {
	brokers, err := admin.ListBrokers(ctx)
	if err != nil {
		return
	}
	for _, b := range brokers {
		configs, err := admin.DescribeBrokerConfigs(ctx, b.NodeID)
		if err != nil {
			continue
		}
		settings := map[string]string{}
		for _, of := range configs {
			for _, c := range of.Configs {
				settings[c.Key] = c.MaybeValue()
			}
		}
		s.brokers[b.NodeID] = settings
	}
}

// ofTopics returns the misfits of the topics.
func (s *sizes) ofTopics() (misfits []Misfit) {
	add := func(isMisfit bool, topic string, want int64, text string, args ...any) {
		if isMisfit {
			repair := alterCommand(topic, "max.message.bytes="+strconv.FormatInt(want, 10))
			misfits = append(misfits, Misfit{Text: fmt.Sprintf(text, args...), Repair: repair})
		}
	}
	raw, dead, rows := s.names.Raw, s.names.Dead, s.names.Rows
	largest := max(s.raw, s.maxRecordBytes)
	// guard: topics: limits that do not fit together are named | s.raw < s.maxRecordBytes -> false
	add(s.raw > 0 && s.raw < s.maxRecordBytes, raw, s.maxRecordBytes+headroom,
		"topic %s takes batches of %d bytes, and --max-record-bytes is %d: a record between them is refused at "+
			"the producer, unless it compresses (or lower --max-record-bytes)", raw, s.raw, s.maxRecordBytes)
	add(s.raw > maxReadBytes, raw, maxReadBytes,
		"topic %s takes batches of %d bytes, and single records are read in answers of %d: explain, dlq and the "+
			"API cannot show a larger one", raw, s.raw, maxReadBytes)
	add(s.dead > 0 && s.dead < largest+headroom, dead, largest+headroom,
		"topic %s takes %d bytes, and the largest record has %d: its dead letter is truncated, unless it "+
			"compresses", dead, s.dead, largest)
	add(s.rows > 0 && s.rows < maxRowBytes, rows, 1<<20,
		"topic %s takes %d bytes, and a row needs up to %d: a larger one stops its partition", rows, s.rows,
		maxRowBytes)
	return misfits
}

// ofBrokers returns the misfits of the brokers' settings with the topics, each once for all brokers.
func (s *sizes) ofBrokers() (misfits []Misfit) {
	largest := max(s.raw, s.rows, s.dead)
	add := func(setting string, isNote bool, repair, why string) {
		least, ids := largest, []string{}
		for _, id := range slices.Sorted(maps.Keys(s.brokers)) {
			n, err := strconv.ParseInt(s.brokers[id][setting], 10, 64)
			if err == nil && n < largest {
				least, ids = min(least, n), append(ids, strconv.Itoa(int(id)))
			}
		}
		if len(ids) > 0 {
			text := fmt.Sprintf("broker %s: %s is %d, and a topic takes batches of %d bytes: %s",
				strings.Join(ids, ", "), setting, least, largest, why)
			misfits = append(misfits, Misfit{Text: text, Repair: repair, IsNote: isNote})
		}
	}
	inFile := func(setting string, bytes int64) string {
		return fmt.Sprintf("set %s=%d in the brokers' files", setting, bytes)
	}
	add("socket.request.max.bytes", false, inFile("socket.request.max.bytes", largest+headroom),
		"the connection of a producer with such a batch is closed")
	dynamic := fmt.Sprintf("kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type brokers "+
		"--entity-default --add-config message.max.bytes=%d", largest)
	add("message.max.bytes", true, dynamic,
		"the topics' own max.message.bytes counts, but one that is created without it takes less")
	slow := []string{"fetch.max.bytes"}
	if s.replicas > 1 {
		slow = append(slow, "replica.fetch.max.bytes", "replica.fetch.response.max.bytes")
	}
	for _, setting := range slow {
		add(setting, true, inFile(setting, largest), "such a batch is sent alone, which is slow")
	}
	return misfits
}
