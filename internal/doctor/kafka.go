package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

const (
	// deadHeadroom is how much larger a dead letter is than its record, because of its headers.
	deadHeadroom = 1 << 20
	// deadRetention is the shortest time in which a person looks at a dead letter.
	deadRetention = 14 * 24 * time.Hour
)

// topicSeen is what Kafka says about one topic.
type topicSeen struct {
	name       string
	id         kadm.TopicID
	partitions int
	starts     map[int32]int64 // the first offset of each partition
	ends       map[int32]int64
	maxBytes   int64 // max.message.bytes; 0: unknown
}

// kafkaExam checks the brokers and topics.
type kafkaExam struct {
	*exam
	l       *list
	client  *kgo.Client
	admin   *kadm.Client
	meta    *kmsg.MetadataResponse
	brokers int
}

// role is the job of a topic, as in the names of findings.
type role struct{ name, topic string }

func (o Options) roles() []role {
	return slices.DeleteFunc([]role{{"raw", o.RawTopic}, {"rows", o.RowsTopic}, {"dead", o.DeadTopic}},
		func(r role) bool { return r.topic == "" })
}

func examineKafka(ctx context.Context, x *exam) error {
	if x.o.Kafka == nil {
		return nil
	}
	options := append(slices.Clone(x.o.Kafka), kgo.RetryTimeout(x.o.Timeout/2), kgo.RequestRetries(2))
	client, err := kgo.NewClient(options...)
	if err != nil {
		return fmt.Errorf("kafka: %w", err)
	}
	defer client.Close()
	k := &kafkaExam{exam: x, l: &x.kafka, client: client, admin: kadm.NewClient(client)}
	request := kmsg.NewPtrMetadataRequest()
	request.IncludeTopicAuthorizedOperations = true
	for _, r := range x.o.roles() {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(r.topic)
		request.Topics = append(request.Topics, t)
	}
	if k.meta, err = request.RequestWith(ctx, client); err != nil {
		x.unreachable(k.l, Kafka, err, "nothing can be read or written")
		return nil
	}
	k.brokers = len(k.meta.Brokers)
	k.features(ctx)
	k.brokerSettings(ctx)
	k.group(ctx)
	k.transactions(ctx)
	x.seen.topics = map[string]topicSeen{}
	for _, r := range x.o.roles() {
		i := slices.IndexFunc(k.meta.Topics, func(t kmsg.MetadataResponseTopic) bool {
			return t.Topic != nil && *t.Topic == r.topic
		})
		if i >= 0 {
			k.topic(ctx, r, k.meta.Topics[i])
		}
	}
	k.sizes()
	return nil
}

// features checks the brokers' version, and the version of their transactions. Before version 2 (KIP-890) the
// end of a transaction that arrives late can end the next transaction of the same producer.
func (k *kafkaExam) features(ctx context.Context) {
	request := kmsg.NewPtrApiVersionsRequest()
	request.ClientSoftwareName, request.ClientSoftwareVersion = "pitchstream", "doctor"
	answer, err := request.RequestWith(ctx, k.client)
	if err != nil {
		k.l.skip("kafka.transaction.version", err)
		return
	}
	features := map[string]int16{}
	for _, f := range answer.FinalizedFeatures {
		features[f.Name] = f.MaxVersionLevel
	}
	k.l.check(features["transaction.version"] < 2, Finding{
		"kafka.transaction.version", Warning, fmt.Sprintf("transaction.version = %d",
			features["transaction.version"]),
		"before version 2 (KIP-890) a late end of one transaction can end the next: dead letters are lost " +
			"or torn",
		"kafka-features.sh --bootstrap-server HOST:PORT upgrade --feature transaction.version=2 (Kafka " +
			"4.0 or newer)",
	})
	newest := int16(0) // of Fetch: version 13, with topic IDs, came with Kafka 3.1
	for _, key := range answer.ApiKeys {
		if key.ApiKey == kmsg.NewPtrFetchRequest().Key() {
			newest = key.MaxVersion
		}
	}
	k.l.check(newest < 13, Finding{
		"kafka.version", Warning,
		fmt.Sprintf("the brokers know version %d of Fetch: they are older than Kafka 3.1", newest),
		"a topic that was deleted and created anew cannot be told from the old one",
		"upgrade the brokers; COMPATIBILITY.md has the versions that are tested",
	})
}

// brokerSettings checks the settings of one broker, because they are equal on all of a well-kept cluster.
func (k *kafkaExam) brokerSettings(ctx context.Context) {
	if k.brokers == 0 {
		return
	}
	settings, err := k.settings(k.admin.DescribeBrokerConfigs(ctx, k.meta.Brokers[0].NodeID))
	if err != nil {
		k.l.skip("kafka.brokers", err)
		return
	}
	alter := func(setting string) string {
		return "kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type brokers " +
			"--entity-default " +
			"--add-config " + setting
	}
	rules := []rule{
		{"transaction.max.timeout.ms", within(0, 14_999), Error,
			"a processor asks for transactions of 15 s, and is refused",
			"set transaction.max.timeout.ms=900000 in the brokers' files"},
		{"group.max.session.timeout.ms", within(0, 44_999), Warning,
			"a session timeout cannot be as long as a restart takes",
			"set group.max.session.timeout.ms=1800000 in the brokers' files"},
		{"offsets.retention.minutes", within(0, 7*24*60-1), Warning,
			"the offsets of a group that pauses for longer are forgotten",
			"set offsets.retention.minutes=10080 in the brokers' files"},
		{"transactional.id.expiration.ms", within(0, 24*3600*1000-1), Warning,
			"a processor that is quiet for longer loses its transactional id, and must start again",
			"set transactional.id.expiration.ms=604800000 in the brokers' files"},
		{"log.cleaner.enable", is("false"), Warning,
			"compacted topics grow for ever: rows, and the group's offsets",
			"set log.cleaner.enable=true in the brokers' files"},
		{"unclean.leader.election.enable", is("true"), Error,
			"a broker that lacks acknowledged records may become the leader: they are lost",
			alter("unclean.leader.election.enable=false")},
		{"auto.create.topics.enable", is("true"), Note,
			"a mistyped topic name makes a topic with the brokers' defaults",
			"set auto.create.topics.enable=false in the brokers' files"},
	}
	if k.brokers >= 3 {
		const few = "when one broker dies nobody can commit, and after two offsets and transactions are lost"
		rules = append(rules,
			rule{"transaction.state.log.replication.factor", within(0, 2), Error, few,
				"set it to 3 in the brokers' files, and reassign the replicas of __transaction_state"},
			rule{"transaction.state.log.min.isr", within(0, 1), Error,
				"the state of a transaction can be lost with one broker",
				"set it to 2 in the brokers' files"},
			rule{"offsets.topic.replication.factor", within(0, 2), Error, few,
				"set it to 3 in the brokers' files, and reassign the replicas of __consumer_offsets"})
	}
	k.l.apply("kafka.", "the brokers' ", settings, rules)
}

// settings returns the settings of the one topic or broker that was asked for.
func (k *kafkaExam) settings(configs kadm.ResourceConfigs, err error) (map[string]string, error) {
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for _, c := range configs {
		if c.Err != nil {
			return nil, c.Err
		}
		for _, s := range c.Configs {
			found[s.Key] = s.MaybeValue()
		}
	}
	return found, nil
}

// group checks the right to use the consumer group, and its size.
func (k *kafkaExam) group(ctx context.Context) {
	if k.o.For != ForRun || k.o.Group == "" {
		return
	}
	request := kmsg.NewPtrDescribeGroupsRequest()
	request.Groups, request.IncludeAuthorizedOperations = []string{k.o.Group}, true
	answer, err := ofCoordinator(ctx, k, func() (*kmsg.DescribeGroupsResponse, error) {
		return request.RequestWith(ctx, k.client)
	}, func(answer *kmsg.DescribeGroupsResponse) int16 {
		if len(answer.Groups) == 0 {
			return 0
		}
		return answer.Groups[0].ErrorCode
	})
	if err != nil || len(answer.Groups) == 0 {
		k.l.skip("kafka.rights.group", err)
		return
	}
	g := answer.Groups[0]
	err = kerr.ErrorForCode(g.ErrorCode)
	forbidden := errors.Is(err, kerr.GroupAuthorizationFailed)
	k.l.check(forbidden || err == nil && !allows(g.AuthorizedOperations, kmsg.ACLOperationRead), Finding{
		"kafka.rights.group", Error, "this user may not use the group " + k.o.Group,
		"run cannot join it, nor commit offsets", acl("Read", "--group "+k.o.Group),
	})
	members, partitions := len(g.Members), 0
	for _, t := range k.meta.Topics {
		if t.Topic != nil && *t.Topic == k.o.RawTopic {
			partitions = len(t.Partitions)
		}
	}
	k.l.check(partitions > 0 && members > partitions, Finding{
		"kafka.raw.partitions", Warning,
		fmt.Sprintf("the group has %d processors, and topic %s %d partitions", members, k.o.RawTopic, partitions),
		"the processors beyond that are idle",
		"run fewer processors; more partitions move games, so add them only before the first record",
	})
}

// ofCoordinator asks until the coordinator of a group or a transaction is ready. The first question about any
// makes a new cluster create and load its topic of them, which takes seconds. code returns the error code
// within an answer.
func ofCoordinator[T any](
	ctx context.Context, k *kafkaExam, ask func() (T, error), code func(T) int16,
) (T, error) {
	return backoff.Retry(ctx, func() (T, error) {
		answer, err := ask()
		if err == nil && isNotReady(kerr.ErrorForCode(code(answer))) {
			err = kerr.ErrorForCode(code(answer))
		}
		// guard: doctor: a coordinator that is not ready is asked again | && !isNotReady(err) ->
		if err != nil && !isNotReady(err) {
			err = backoff.Permanent(err)
		}
		return answer, err
	}, backoff.WithMaxElapsedTime(k.o.Timeout/2))
}

// isNotReady reports whether a coordinator is being made, loaded, or moved to another broker.
func isNotReady(err error) bool {
	return errors.Is(err, kerr.NotCoordinator) || errors.Is(err, kerr.CoordinatorLoadInProgress) ||
		errors.Is(err, kerr.CoordinatorNotAvailable)
}

// transactions checks the right to use the transactional ids of run. Who may write with one may describe it.
func (k *kafkaExam) transactions(ctx context.Context) {
	if k.o.For != ForRun || k.o.Group == "" {
		return
	}
	prefix := k.o.Group + "/"
	request := kmsg.NewPtrDescribeTransactionsRequest()
	request.TransactionalIDs = []string{prefix + "doctor"}
	code := func(answer *kmsg.DescribeTransactionsResponse) int16 {
		if len(answer.TransactionStates) == 0 {
			return 0
		}
		return answer.TransactionStates[0].ErrorCode
	}
	answer, err := ofCoordinator(ctx, k, func() (*kmsg.DescribeTransactionsResponse, error) {
		return request.RequestWith(ctx, k.client)
	}, code)
	if err == nil {
		err = kerr.ErrorForCode(code(answer))
	}
	isForbidden := errors.Is(err, kerr.TransactionalIDAuthorizationFailed)
	if err != nil && !isForbidden && !errors.Is(err, kerr.TransactionalIDNotFound) {
		k.l.skip("kafka.rights.transactions", err)
		return
	}
	// guard: doctor: the right to write dead letters in transactions is checked | isForbidden, -> false,
	k.l.check(isForbidden, Finding{
		"kafka.rights.transactions", Error, "this user may not use the transactional ids that begin with " + prefix,
		"run cannot write dead letters, nor commit offsets",
		acl("Write", "--transactional-id "+prefix+" --resource-pattern-type prefixed"),
	})
}

func acl(operation, resource string) string {
	return fmt.Sprintf("kafka-acls.sh --bootstrap-server HOST:PORT --add --allow-principal User:NAME "+
		"--operation %s %s",
		operation, resource)
}

// allows reports whether a bit field of operations has one. A broker that does not say allows all.
func allows(operations int32, o kmsg.ACLOperation) bool {
	return operations == math.MinInt32 || operations&(1<<uint(o)) != 0
}

// topic checks that a topic is there, its replicas, its settings and the rights on it.
func (k *kafkaExam) topic(ctx context.Context, r role, t kmsg.MetadataResponseTopic) {
	name := "kafka." + r.name
	err := kerr.ErrorForCode(t.ErrorCode)
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		k.l.check(true, Finding{
			"kafka.rights." + r.name, Error, "this user may not even see topic " + r.topic,
			"it can be neither read nor written", acl("Describe", "--topic "+r.topic),
		})
		return
	}
	k.l.check(err != nil, Finding{
		name + ".exists", Error, fmt.Sprintf("there is no topic %s (%v)", r.topic, err),
		"processors wait until it is there", "pitchstream topics",
	})
	if err != nil {
		return
	}
	k.topicRights(r, t.AuthorizedOperations)
	replicas := k.replicas(r, t)
	seen := topicSeen{name: r.topic, id: t.TopicID, partitions: len(t.Partitions)}
	settings, err := k.settings(k.admin.DescribeTopicConfigs(ctx, r.topic))
	if err != nil {
		k.l.skip(name+": its settings", err)
	} else {
		seen.maxBytes, _ = strconv.ParseInt(settings["max.message.bytes"], 10, 64)
		k.l.apply(name+".", "topic "+r.topic+": ", settings, k.topicRules(r, replicas))
	}
	seen.starts, seen.ends = k.bounds(ctx, r.topic)
	k.seen.topics[r.name] = seen
	if r.name == "raw" {
		k.newest(ctx, r.topic)
	}
}

// topicRights checks that this user may do with a topic what the command needs.
func (k *kafkaExam) topicRights(r role, operations int32) {
	// guard: doctor: run reads the size limits of what it writes | , kmsg.ACLOperationDescribeConfigs ->
	writes := []kmsg.ACLOperation{kmsg.ACLOperationWrite, kmsg.ACLOperationDescribeConfigs}
	reads := []kmsg.ACLOperation{kmsg.ACLOperationRead}
	needs := map[Command]map[string][]kmsg.ACLOperation{
		ForRun:   {"raw": reads, "rows": writes, "dead": writes},
		ForServe: {"raw": reads, "dead": reads},
	}
	for _, operation := range needs[k.o.For][r.name] {
		word := map[kmsg.ACLOperation]string{
			kmsg.ACLOperationRead: "Read", kmsg.ACLOperationWrite: "Write",
			kmsg.ACLOperationDescribeConfigs: "DescribeConfigs",
		}[operation]
		k.l.check(!allows(operations, operation), Finding{
			"kafka.rights." + r.name, Error, fmt.Sprintf("this user lacks the right %s on topic %s", word, r.topic),
			fmt.Sprintf("pitchstream %s cannot work without it", k.o.For), acl(word, "--topic "+r.topic),
		})
	}
}

// replicas checks the replicas of each partition, and returns the smallest number of them.
func (k *kafkaExam) replicas(r role, t kmsg.MetadataResponseTopic) int {
	least, behind, leaderless := math.MaxInt, []string{}, []string{}
	for _, p := range t.Partitions {
		least = min(least, len(p.Replicas))
		id := strconv.Itoa(int(p.Partition))
		if p.Leader < 0 {
			leaderless = append(leaderless, id)
		} else if len(p.ISR) < len(p.Replicas) {
			behind = append(behind, id)
		}
	}
	few := Finding{
		"kafka." + r.name + ".replication.factor", Error, fmt.Sprintf("topic %s has replication factor %d",
			r.topic, least),
		"a broker that dies takes acknowledged records with it",
		"kafka-reassign-partitions.sh --bootstrap-server HOST:PORT --execute, to 3 replicas",
	}
	if k.brokers < 3 {
		few.Severity = Note
		few.Fix = "run at least 3 brokers; then " + few.Fix
	}
	k.l.check(least < 3, few)
	k.l.check(len(leaderless) > 0, Finding{
		"kafka." + r.name + ".leader", Error,
		fmt.Sprintf("topic %s: partitions without a leader: %s", r.topic, strings.Join(leaderless, ", ")),
		"nothing can be read from or written to them", "start the brokers that are missing",
	})
	k.l.check(len(behind) > 0, Finding{
		"kafka." + r.name + ".isr", Warning,
		fmt.Sprintf("topic %s: partitions with replicas that are not in sync: %s", r.topic,
			strings.Join(behind, ", ")),
		"the next broker that dies may stop or lose them", "look at the brokers that are missing or slow",
	})
	return least
}

func (k *kafkaExam) topicRules(r role, replicas int) []rule {
	alter := func(setting string) string {
		return fmt.Sprintf("kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics "+
			"--entity-name %s --add-config %s", r.topic, setting)
	}
	shorter := func(least time.Duration) func(string) bool {
		return within(0, float64(least.Milliseconds()-1))
	}
	rules := []rule{{"unclean.leader.election.enable", is("true"), Error,
		"a replica that lacks acknowledged records may become the leader: they are lost",
		alter("unclean.leader.election.enable=false")}}
	if replicas >= 2 {
		rules = append(rules,
			rule{"min.insync.replicas", within(0, 1), Error,
				"a record is acknowledged by one broker alone, and lost with it",
				alter("min.insync.replicas=2")})
	}
	rules = append(rules, rule{"min.insync.replicas", within(float64(max(replicas, 2)), math.Inf(1)), Warning,
		"one broker that is down stops every write", alter(fmt.Sprintf("min.insync.replicas=%d",
			max(replicas-1, 1)))})
	switch r.name {
	case "rows":
		// guard: doctor: rows that are compacted and deleted are not all there
		return append(rules, rule{"cleanup.policy", isNot("compact"), Warning,
			"a reader of the whole topic does not find every pitch", alter("cleanup.policy=compact")})
	case "dead":
		return append(rules,
			rule{"cleanup.policy", isNot("delete"), Error,
				"compaction removes dead letters of an equal key before anybody saw them",
				alter("cleanup.policy=delete")},
			rule{"retention.ms", shorter(deadRetention), Warning,
				"dead letters are deleted before anybody saw them", alter("retention.ms=-1")},
			rule{"retention.bytes", within(0, math.Inf(1)), Warning,
				"dead letters are deleted by size, however young they are", alter("retention.bytes=-1")},
			rule{"message.timestamp.type", is("LogAppendTime"), Warning,
				"the time of a dead letter is not when its record failed",
				alter("message.timestamp.type=CreateTime")})
	}
	late := fmt.Sprintf("records older than %v are gone: a replay, or a Postgres restored from a backup, "+
		"needs them",
		k.o.Backfill)
	return append(rules,
		rule{"cleanup.policy", isNot("delete"), Error,
			"compaction removes records that a replay, or a Postgres restored from a backup, needs",
			alter("cleanup.policy=delete")},
		rule{"message.timestamp.type", is("LogAppendTime"), Error,
			"the broker replaces the records' times by those of arrival: an old version wins over a newer " +
				"one",
			alter("message.timestamp.type=CreateTime")},
		rule{"retention.ms", shorter(k.o.Backfill), Error, late, alter("retention.ms=-1")},
		// guard: doctor: a retention that old timestamps do not survive is noted
		rule{"retention.ms", within(float64(k.o.Backfill.Milliseconds()), math.Inf(1)), Note,
			"old games cannot be loaded with a timestamp beyond it, as load recommends: Kafka would delete them",
			alter("retention.ms=-1")},
		rule{"retention.bytes", within(0, math.Inf(1)), Warning,
			"records are deleted by size, however young they are", alter("retention.bytes=-1")},
		rule{"max.message.bytes", within(0, float64(k.o.MaxRecordBytes-1)), Warning,
			"the largest record that run takes is refused at the producer, unless it compresses",
			alter(fmt.Sprintf("max.message.bytes=%d", k.o.MaxRecordBytes+4<<20))},
		rule{"message.timestamp.before.max.ms", isNot(strconv.Itoa(math.MaxInt64)), Warning,
			"games of the past cannot be loaded with their own times",
			alter("message.timestamp.before.max.ms=9223372036854775807")})
}

// bounds returns the first and the end offsets of a topic's partitions; nil if they may not be asked for.
func (k *kafkaExam) bounds(ctx context.Context, topic string) (starts, ends map[int32]int64) {
	of := func(listed kadm.ListedOffsets, err error) map[int32]int64 {
		if err != nil || listed.Error() != nil {
			return nil
		}
		offsets := map[int32]int64{}
		listed.Each(func(o kadm.ListedOffset) { offsets[o.Partition] = o.Offset })
		return offsets
	}
	starts = of(k.admin.ListStartOffsets(ctx, topic))
	ends = of(k.admin.ListEndOffsets(ctx, topic))
	if starts == nil || ends == nil {
		k.l.skip("kafka.raw.offsets", "the offsets of "+topic+" may not be listed")
	}
	return starts, ends
}

// newest checks that no record of the raw topic is of the future, as the clock of a producer may make it.
func (k *kafkaExam) newest(ctx context.Context, topic string) {
	listed, err := k.admin.ListMaxTimestampOffsets(ctx, topic)
	if err = cmp.Or(err, listed.Error()); err != nil {
		k.l.skip("kafka.raw.clock", err)
		return
	}
	newest := int64(math.MinInt64)
	listed.Each(func(o kadm.ListedOffset) { newest = max(newest, o.Timestamp) })
	ahead := time.UnixMilli(newest).Sub(k.o.Now())
	k.l.check(newest > 0 && ahead > clockTolerance, Finding{
		"kafka.raw.clock", Warning,
		fmt.Sprintf("the newest record of %s is %v in the future", topic, ahead.Round(time.Second)),
		"until then no correction with a right time wins over it",
		"set the clock of the producer, or of this machine (chronyc tracking)",
	})
}

// sizes compares the limits of the topics with each other.
func (k *kafkaExam) sizes() {
	raw, dead := k.seen.topics["raw"], k.seen.topics["dead"]
	if raw.maxBytes == 0 || dead.maxBytes == 0 {
		return
	}
	want := raw.maxBytes + deadHeadroom
	k.l.check(dead.maxBytes < want, Finding{
		"kafka.dead.max.message.bytes", Error,
		fmt.Sprintf("topic %s takes %d bytes, and topic %s %d", dead.name, dead.maxBytes, raw.name, raw.maxBytes),
		"a record that the raw topic takes may not fit as a dead letter, with its headers",
		fmt.Sprintf("kafka-configs.sh --bootstrap-server HOST:PORT --alter --entity-type topics "+
			"--entity-name %s --add-config max.message.bytes=%d", dead.name, want),
	})
}
