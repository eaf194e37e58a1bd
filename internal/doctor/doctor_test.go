package doctor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func names(l *list) (names []string) {
	for _, f := range l.found {
		names = append(names, f.Name)
	}
	return names
}

func TestInfoOfRedisNamesWhatIsWrong(t *testing.T) {
	const good = "redis_version:7.2.0\nrole:master\nloading:0\nrdb_last_bgsave_status:ok\naof_last_write_status:ok\n" +
		"connected_slaves:1\nconnected_clients:1\nmaxclients:10000\nused_memory:1000000\n"
	for _, c := range []struct {
		info     string
		settings map[string]string
		want     []string
	}{
		{good, nil, nil},
		{good, map[string]string{"min-replicas-to-write": "1"}, nil},
		{good, map[string]string{"min-replicas-to-write": "2"}, []string{"redis.min-replicas-to-write"}},
		{good + "redis_version:6.2.0\n", nil, []string{"redis.version"}},
		{good + "role:slave\nmaster_link_status:up\n", nil, []string{"redis.role"}},
		{good + "role:slave\nmaster_link_status:down\n", nil, []string{"redis.role", "redis.replication"}},
		{good + "loading:1\n", nil, []string{"redis.loading"}},
		{good + "rdb_last_bgsave_status:err\n", nil, []string{"redis.disk"}},
		{good + "rdb_last_bgsave_status:err\n", map[string]string{"stop-writes-on-bgsave-error": "no"}, nil},
		{good + "aof_last_write_status:err\n", nil, []string{"redis.disk"}},
		{good + "connected_clients:9000\n", nil, []string{"redis.connected_clients"}},
	} {
		x := &exam{o: Options{For: ForRun}}
		r := &redisExam{x, &x.redis}
		r.info(fields(c.info), c.settings)
		require.Equal(t, c.want, names(r.l), c.info)
	}
}

func TestPositionsAreComparedWithTheTopic(t *testing.T) {
	raw := topicSeen{
		name: "raw", id: [16]byte{1}, partitions: 2, starts: map[int32]int64{0: 10, 1: 0},
		ends: map[int32]int64{0: 20, 1: 5},
	}
	id := raw.describedID()
	require.Equal(t, "AQAAAAAAAAAAAAAAAAAAAA", id, "as kafka-topics.sh prints it")
	for _, c := range []struct {
		want string
		p    position
	}{
		{"", position{0, 10, id, ""}}, {"kafka.raw.gap", position{0, 9, id, ""}},
		{"kafka.raw.gap", position{0, 15, id, "it was deleted"}}, {"kafka.raw.position", position{1, 6, "", ""}},
		{"kafka.raw.id", position{0, 15, "Z" + id[1:], ""}}, {"kafka.raw.partitions", position{2, 0, "", ""}},
	} {
		want, p := c.want, c.p
		x, l := &exam{}, &list{}
		x.seen.positions = []position{p}
		x.comparePositions(l, raw)
		require.Equal(t, want, append(names(l), "")[0])
	}
}

func TestMemoryIsComparedWithTheNeedOfPostgres(t *testing.T) {
	for _, c := range []struct {
		m   memorySeen
		bad bool
	}{
		{memorySeen{used: 1e6, most: 1e9}, false},
		{memorySeen{used: 1e6, most: 100e6}, true}, // 100,000 batter-games need 160 MB
		{memorySeen{used: 950e6, most: 1e9}, true},
		{memorySeen{used: 1e6, here: 16e9}, false},
		{memorySeen{used: 1e6, here: 150e6}, true},
		{memorySeen{used: 1e6}, false}, // neither is known
	} {
		x := &exam{}
		x.seen.games, x.seen.memory = 100_000, []memorySeen{c.m}
		require.Equal(t, c.bad, len(x.compare().found) > 0, "%+v", c.m)
	}
}

// guard: doctor: a need that nobody asked Postgres for is not named
func TestANeedThatNobodyAskedForIsNotNamed(t *testing.T) {
	x := &exam{}
	x.seen.memory = []memorySeen{{used: 950e6, most: 1e9}}
	require.NotContains(t, x.compare().found[0].Seen, "need")
	x.seen.games = 1000
	require.Contains(t, x.compare().found[0].Seen, "the batters of Postgres need about")
}

func TestClocksMayDifferByTwoSeconds(t *testing.T) {
	now := time.Unix(1000, 0)
	for ahead, want := range map[time.Duration]Severity{
		time.Second: "", -time.Second: "", 3 * time.Second: Warning, -3 * time.Second: Warning,
		2 * time.Minute: Error,
	} {
		x, l := &exam{o: Options{Now: func() time.Time { return now }}}, &list{}
		require.NoError(t, x.measure("redis", func() (time.Time, error) { return now.Add(ahead), nil }, l))
		got := Severity("")
		for _, f := range l.found {
			got = f.Severity
		}
		require.Equal(t, want, got, ahead)
	}
}

func TestReplicasAndLeadersOfPartitions(t *testing.T) {
	topic := func(leader int32, replicas, inSync int) kmsg.MetadataResponseTopic {
		return kmsg.MetadataResponseTopic{Partitions: []kmsg.MetadataResponseTopicPartition{{
			Leader: leader, Replicas: make([]int32, replicas), ISR: make([]int32, inSync),
		}}}
	}
	for _, c := range []struct {
		brokers int
		topic   kmsg.MetadataResponseTopic
		want    string
		how     Severity
	}{
		{3, topic(1, 3, 3), "", ""}, {3, topic(1, 1, 1), "kafka.raw.replication.factor", Error},
		{1, topic(1, 1, 1), "kafka.raw.replication.factor", Note}, {3, topic(1, 3, 2), "kafka.raw.isr", Warning},
		{3, topic(-1, 3, 0), "kafka.raw.leader", Error},
	} {
		k := &kafkaExam{l: &list{}, brokers: c.brokers}
		k.replicas(role{"raw", "r"}, c.topic)
		if c.want == "" {
			require.Empty(t, k.l.found)
			continue
		}
		require.Len(t, k.l.found, 1)
		require.Equal(t, c.want, k.l.found[0].Name)
		require.Equal(t, c.how, k.l.found[0].Severity)
	}
}

// guard: doctor: a retention that old timestamps do not survive is noted
func TestRulesOfAClusterOfThree(t *testing.T) {
	k := &kafkaExam{exam: &exam{o: Options{Backfill: time.Hour, MaxRecordBytes: 1 << 20}}, l: &list{},
		brokers: 3}
	settings := map[string]string{
		"unclean.leader.election.enable": "false", "min.insync.replicas": "2", "cleanup.policy": "delete",
		"message.timestamp.type": "CreateTime", "retention.ms": "-1", "retention.bytes": "-1",
		"max.message.bytes": "20971520", "message.timestamp.before.max.ms": "9223372036854775807",
	}
	check := func(name, value string) []string {
		before := settings[name]
		settings[name] = value
		defer func() { settings[name] = before }()
		l := &list{}
		l.apply("", "", settings, k.topicRules(role{"raw", "r"}, 3))
		var found []string
		for _, f := range l.found {
			found = append(found, string(f.Severity)+": "+f.Name)
		}
		return found
	}
	require.Equal(t, []string{"note: retention.ms"}, check("retention.ms", "3600000"), "as long as the backfill")
	require.Equal(t, []string{"error: retention.ms"}, check("retention.ms", "3599999"))
	require.Empty(t, check("retention.ms", "-1"))
	require.Equal(t, []string{"error: min.insync.replicas"}, check("min.insync.replicas", "1"))
	require.Equal(t, []string{"warning: min.insync.replicas"}, check("min.insync.replicas", "3"))
}

// Services keep the pages of the database elsewhere, and switch off what guards those on a disk.
// guard: doctor: a service that keeps pages elsewhere needs no fsync
func TestAServiceThatKeepsPagesElsewhereNeedsNoFsync(t *testing.T) {
	for name, want := range map[string]Severity{"neon.timeline_id": Note, "aurora_x": Note, "rds.extensions": Error} {
		settings := map[string]string{"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", name: ""}
		l := &list{}
		l.apply("", "", settings, rulesFor(settings, postgresRules[:3]))
		require.Equal(t, []string{"fsync", "full_page_writes", "synchronous_commit"}, names(l))
		require.Equal(t, []Severity{want, want, Error},
			[]Severity{l.found[0].Severity, l.found[1].Severity, l.found[2].Severity}, name)
	}
}

// guard: doctor: rows that are compacted and deleted are not all there
func TestRowsThatAreDeletedByAgeAreNamed(t *testing.T) {
	k := &kafkaExam{exam: &exam{}, l: &list{}, brokers: 3}
	settings := map[string]string{
		"unclean.leader.election.enable": "false", "min.insync.replicas": "2", "cleanup.policy": "compact",
	}
	for policy, want := range map[string][]string{
		"compact": nil, "compact,delete": {"cleanup.policy"}, "delete": {"cleanup.policy"},
	} {
		settings["cleanup.policy"] = policy
		l := &list{}
		l.apply("", "", settings, k.topicRules(role{"rows", "r"}, 3))
		require.Equal(t, want, names(l), policy)
	}
}

// guard: doctor: run reads the size limits of what it writes
func TestRunNeedsTheSettingsOfWhatItWrites(t *testing.T) {
	bit := func(all ...kmsg.ACLOperation) (bits int32) {
		for _, o := range all {
			bits |= 1 << uint(o)
		}
		return bits
	}
	for _, c := range []struct {
		command Command
		topic   string
		allowed int32
		want    string
	}{
		{ForRun, "raw", bit(kmsg.ACLOperationRead), ""},
		{ForRun, "dead", bit(kmsg.ACLOperationWrite, kmsg.ACLOperationDescribeConfigs), ""},
		{ForRun, "dead", bit(kmsg.ACLOperationWrite), "lacks the right DescribeConfigs on topic dead"},
		{ForRun, "rows", bit(kmsg.ACLOperationDescribeConfigs), "lacks the right Write on topic rows"},
		{ForServe, "dead", bit(kmsg.ACLOperationRead), ""},
		{ForServe, "raw", 0, "lacks the right Read on topic raw"},
	} {
		k := &kafkaExam{exam: &exam{o: Options{For: c.command}}, l: &list{}}
		k.topicRights(role{c.topic, c.topic}, c.allowed)
		if c.want == "" {
			require.Empty(t, k.l.found)
			continue
		}
		require.Len(t, k.l.found, 1)
		require.Contains(t, k.l.found[0].Seen, c.want)
	}
}

func TestTopicThatWasCreatedAnewIsNamed(t *testing.T) {
	x := &exam{}
	dead := topicSeen{name: "d", id: [16]byte{7}}
	x.seen.topics = map[string]topicSeen{"dead": dead}
	x.seen.sent = map[string]string{"d": dead.describedID()}
	require.Empty(t, x.compare().found)
	x.seen.sent["d"] = "another"
	require.Equal(t, []string{"kafka.dead.id"}, names(x.compare()))
}
