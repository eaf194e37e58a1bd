package config

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// cli has the settings of a program with all groups.
type cli struct {
	File `embed:""`
	Run  struct {
		Kafka    Kafka    `embed:"" group:"Kafka"`
		Topics   Topics   `embed:"" group:"Kafka"`
		Postgres Postgres `embed:"" group:"Postgres"`
		Redis    Redis    `embed:"" group:"Redis"`
		Serving  Serving  `embed:"" group:"Process"`
		Log      Log      `embed:"" group:"Process"`
		Limits   Limits   `embed:"" group:"Process"`
		Instance Instance `embed:"" group:"Process"`
		Patience Duration `default:"10s" help:"A time span."`
	} `cmd:""`
	Topics struct {
		Topics Topics `embed:""`
		Copies int    `default:"3" help:"A setting of another command."`
	} `cmd:""`
	Load struct {
		Lineage Lineage `embed:""`
	} `cmd:""`
}

const goodFlags = "run --kafka-brokers=b:1 --postgres-url=postgres://u:hush@h/d --redis-url=redis://h:6379"

// parse parses a command line, whose words have spaces between them.
func parse(t *testing.T, line string) (*cli, []Setting, error) {
	t.Helper()
	var c cli
	l := NewLoader()
	k, err := kong.New(&c, kong.Name("pitchstream"), l.Option(), kong.Exit(func(int) { t.Fatal("exit") }))
	require.NoError(t, err)
	ctx, err := k.Parse(strings.Fields(line))
	if err != nil {
		return nil, nil, err
	}
	return &c, l.Settings(ctx), nil
}

func mustParse(t *testing.T, line string) (*cli, []Setting) {
	t.Helper()
	c, settings, err := parse(t, line)
	require.NoError(t, err)
	return c, settings
}

// write writes a file and returns its path.
func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings")
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func TestFlagsWinOverTheEnvironmentWhichWinsOverTheFile(t *testing.T) {
	file := write(t, "kafka-group: by-file\n")
	const flag, variable, inFile = " --kafka-group=by-flag", "by-env", " --config="
	for _, c := range []struct{ flag, env, file, want, source string }{
		{flag, variable, inFile + file, "by-flag", "flag"},
		{flag, "", inFile + file, "by-flag", "flag"},
		{"", variable, inFile + file, "by-env", "env PITCHSTREAM_KAFKA_GROUP"},
		{"", variable, "", "by-env", "env PITCHSTREAM_KAFKA_GROUP"},
		{"", "", inFile + file, "by-file", "file " + file + ":1"},
		{"", "", "", "pitchstream", "default"},
	} {
		t.Setenv("PITCHSTREAM_KAFKA_GROUP", c.env) // an empty variable counts as none
		got, settings := mustParse(t, goodFlags+c.flag+c.file)
		require.Equal(t, c.want, got.Run.Kafka.Group, "%+v", c)
		require.Equal(t, Setting{"kafka-group", c.want, c.source}, setting(t, settings, "kafka-group"))
	}
}

func TestEmptyVariablesCountAsNotGiven(t *testing.T) {
	for _, name := range []string{"MAX_RECORD_BYTES", "PATIENCE", "KAFKA_TLS", "API_ADDR", "LOG_FORMAT",
		"CONFIG"} {
		t.Setenv("PITCHSTREAM_"+name, "")
	}
	c, _ := mustParse(t, goodFlags)
	require.Equal(t, Bytes(16<<20), c.Run.Limits.MaxRecordBytes)
	require.Equal(t, Addr(":8080"), c.Run.Serving.APIAddr)
}

func TestEnvironmentMayNameTheSettingsFile(t *testing.T) {
	t.Setenv("PITCHSTREAM_CONFIG", write(t, `
# Comments are allowed.
kafka-brokers: [one:9092, two:9092]
postgres-url: postgres://u@h/d
redis-url: h:6379
kafka-tls: true
max-record-bytes: 8MiB
patience: 1m30s
copies: 1 # of another command
`))
	c, settings := mustParse(t, "run")
	require.Equal(t, []string{"one:9092", "two:9092"}, c.Run.Kafka.Brokers)
	require.True(t, c.Run.Kafka.TLS)
	require.Equal(t, Bytes(8<<20), c.Run.Limits.MaxRecordBytes)
	require.Equal(t, "one:9092,two:9092", setting(t, settings, "kafka-brokers").Value)
	t.Setenv("PITCHSTREAM_KAFKA_BROKERS", "three:9092,four:9092")
	c, _ = mustParse(t, "run")
	require.Equal(t, []string{"three:9092", "four:9092"}, c.Run.Kafka.Brokers)
}

// guard: config: a list of pairs has each of them
func TestAListOfPairsHasEachOfThem(t *testing.T) {
	want := map[string]string{"logicalCluster": "lkc-1", "identityPoolId": "pool-1,a"}
	const login = " --kafka-sasl-mechanism=OAUTHBEARER --kafka-oauth-token-file=t"
	c, _ := mustParse(t, goodFlags+login+" --config="+
		write(t, "kafka-oauth-extensions: [logicalCluster=lkc-1, 'identityPoolId=pool-1,a']\n"))
	require.Equal(t, want, c.Run.Kafka.OAuth.Extensions)
	c, _ = mustParse(t, goodFlags+login+" --kafka-oauth-extensions=logicalCluster=lkc-1;identityPoolId=pool-1,a")
	require.Equal(t, want, c.Run.Kafka.OAuth.Extensions)
}

// Editors of Windows write a byte order mark and \r\n. A file in UTF-16 is no secret that anybody knows.
// guard: config: a byte order mark is no part of a secret
// guard: config: a secret in UTF-16 is refused
func TestSecretOfAnotherEditor(t *testing.T) {
	const rest = "run --kafka-brokers=b:1 --redis-url=h:1 --postgres-url=postgres://u@h/d --postgres-password-file="
	c, _ := mustParse(t, rest+write(t, "\ufeffhush\r\n"))
	require.Equal(t, "hush", c.Run.Postgres.Password.Reveal())
	_, _, err := parse(t, rest+write(t, "\xff\xfeh\x00u\x00s\x00h\x00"))
	require.ErrorContains(t, err, "save it as UTF-8")
}

// A command that prints a token may have the secret for it among its words.
// guard: config: the words of a command are hidden
func TestTheWordsOfACommandAreHidden(t *testing.T) {
	for command, want := range map[string]string{
		"/bin/token": "/bin/token", "curl -u app:hush https://id": "curl xxxxx", "TOKEN=hush print": "xxxxx",
	} {
		t.Setenv("PITCHSTREAM_KAFKA_OAUTH_TOKEN_COMMAND", command)
		c, settings := mustParse(t, goodFlags+" --kafka-sasl-mechanism=OAUTHBEARER")
		require.Equal(t, command, string(c.Run.Kafka.OAuth.TokenCommand))
		require.Equal(t, want, setting(t, settings, "kafka-oauth-token-command").Value)
	}
}

func TestErrorNamesTheLineOfTheSettingsFile(t *testing.T) {
	for content, want := range map[string]string{
		"log-level: info\nkafka-broker: b:1\n": ":2: unknown setting kafka-broker, did you mean kafka-brokers?",
		"topic_raw: x\n":                       ":1: unknown setting topic_raw, did you mean topic-raw?",
		"entirely-else: x\n":                   ":1: unknown setting entirely-else",
		"config: x\n":                          ":1: unknown setting config",
		"kafka-group: a\nkafka-group: b\n":     ":2: kafka-group is given twice, first on line 1",
		"kafka-group:\n":                       ":1: kafka-group: want a value, or a list of values",
		"kafka: {brokers: b}\n":                ":1: kafka: want a value, or a list of values",
		"- kafka-group\n":                      ":1: want lines of KEY: VALUE",
		"a: [\n":                               "yaml: line 1: did not find expected node content",
	} {
		file := write(t, content)
		_, _, err := parse(t, goodFlags+" --config="+file)
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, file)
	}
	_, _, err := parse(t, goodFlags+" --config=/nowhere.yaml")
	require.EqualError(t, err, "--config: open /nowhere.yaml: no such file or directory")
	mustParse(t, goodFlags+" --config="+write(t, "")) // an empty file is allowed
}

func TestSecretMayBeInItsOwnFile(t *testing.T) {
	secret := write(t, "postgres://u:from-secret@h/d\r\n")
	const rest = "run --kafka-brokers=b:1 --redis-url=h:1"
	url := func(line string) (string, string) {
		c, settings := mustParse(t, line)
		return c.Run.Postgres.URL.Reveal(), setting(t, settings, "postgres-url").Source
	}
	got, source := url(rest + " --postgres-url-file=" + secret)
	require.Equal(t, "postgres://u:from-secret@h/d", got)
	require.Equal(t, "flag: "+secret, source)

	t.Setenv("PITCHSTREAM_POSTGRES_URL", "postgres://by-env")
	got, _ = url(rest + " --postgres-url-file=" + secret)
	require.Equal(t, "postgres://u:from-secret@h/d", got, "a flag wins over a variable")
	got, _ = url(rest + " --config=" + write(t, "postgres-url-file: "+secret))
	require.Equal(t, "postgres://by-env", got, "a variable wins over the file of settings")

	t.Setenv("PITCHSTREAM_POSTGRES_URL", "")
	t.Setenv("PITCHSTREAM_POSTGRES_URL_FILE", secret)
	got, source = url(rest)
	require.Equal(t, "postgres://u:from-secret@h/d", got)
	require.Equal(t, "env PITCHSTREAM_POSTGRES_URL_FILE: "+secret, source)
	got, _ = url(rest + " --postgres-url=postgres://by-flag")
	require.Equal(t, "postgres://by-flag", got)
}

func TestTwoPlacesForOneSecretAreRefused(t *testing.T) {
	secret := write(t, "s")
	_, _, err := parse(t, goodFlags+" --postgres-url-file="+secret)
	require.ErrorContains(t, err, "give --postgres-url-file or --postgres-url, not both")

	_, _, err = parse(t, "run --config="+write(t, "redis-url: h:1\nredis-url-file: "+secret))
	require.ErrorContains(t, err, "give redis-url-file or redis-url, not both")

	t.Setenv("PITCHSTREAM_KAFKA_SASL_PASSWORD", "hush")
	t.Setenv("PITCHSTREAM_KAFKA_SASL_PASSWORD_FILE", secret)
	_, _, err = parse(t, goodFlags)
	require.ErrorContains(t, err,
		"give PITCHSTREAM_KAFKA_SASL_PASSWORD_FILE or PITCHSTREAM_KAFKA_SASL_PASSWORD, not both")
	require.NotContains(t, err.Error(), "hush")
}

func TestEmptySecretFileIsRefused(t *testing.T) {
	empty := write(t, "\n")
	_, _, err := parse(t, "run --postgres-url-file="+empty)
	require.ErrorContains(t, err, empty+" is empty")
	_, _, err = parse(t, "run --postgres-url-file=/nowhere")
	require.ErrorContains(t, err, "open /nowhere: no such file or directory")
}

func TestPrintedSettingsHideSecrets(t *testing.T) {
	t.Setenv("PITCHSTREAM_KAFKA_SASL_PASSWORD", "hush")
	t.Setenv("PITCHSTREAM_KAFKA_SASL_USER", "me")
	t.Setenv("PITCHSTREAM_KAFKA_SASL_MECHANISM", "SCRAM-SHA-512")
	_, settings := mustParse(t, goodFlags)
	var out bytes.Buffer
	require.NoError(t, Print(&out, settings...))
	require.Regexp(t, `(?m)^postgres-url +postgres://u:xxxxx@h/d +flag$`, out.String())
	require.Regexp(t, `(?m)^kafka-sasl-password +xxxxx +env PITCHSTREAM_KAFKA_SASL_PASSWORD$`, out.String())
	require.Regexp(t, `(?m)^max-record-bytes +16MiB +default$`, out.String())
	require.Equal(t, len(settings), strings.Count(out.String(), "\n"), "a line each")

	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("start", LogAttr(settings...))
	var line struct{ Settings map[string]string }
	require.NoError(t, json.Unmarshal(log.Bytes(), &line))
	require.Equal(t, "postgres://u:xxxxx@h/d (flag)", line.Settings["postgres-url"])
	require.NotContains(t, line.Settings, "max-record-bytes", "a default is left out")
	require.NotContains(t, out.String()+log.String(), "hush")
}

func warningsOf(t *testing.T, line string) []string {
	t.Helper()
	l := NewLoader()
	k := kong.Must(&cli{}, kong.Name("pitchstream"), l.Option())
	ctx, err := k.Parse(strings.Fields(line))
	require.NoError(t, err)
	return l.Warnings(ctx)
}

// guard: config: a mistyped variable is named
// guard: config: a prefix makes no two variables alike
func TestMistypedVariableIsNamed(t *testing.T) {
	require.Empty(t, warningsOf(t, goodFlags))
	t.Setenv("PITCHSTREAM_KAFKA_BROKER", "b:1")
	t.Setenv("PITCHSTREAM_TEST_KAFKA_BROKERS", "b:1")
	t.Setenv("PITCHSTREAM_API_SERVICE_HOST", "10.0.0.1")
	t.Setenv("PITCHSTREAM_API_PORT_8080_TCP_ADDR", "10.0.0.1")
	t.Setenv("PITCHSTREAM_KAFKA_GRUOP", "") // not given
	t.Setenv("PITCHSTREAM_SEED", "7")       // like no other but for the prefix
	require.Equal(t, []string{
		"no command has a setting PITCHSTREAM_KAFKA_BROKER, did you mean PITCHSTREAM_KAFKA_BROKERS?",
		"no command has a setting PITCHSTREAM_SEED",
	}, warningsOf(t, goodFlags))
}

// guard: config: an inherited variable of no use is ignored
// guard: config: lineage that is disabled is not checked
// A command runs, whatever it inherits of other tools, and says once what it ignores.
func TestAnInheritedVariableFailsNoCommand(t *testing.T) {
	t.Setenv("OPENLINEAGE_URL", "me:hush@marquez:5000")
	t.Setenv("OPENLINEAGE_PARENT_ID", "task 7")
	t.Setenv("OPENLINEAGE_ROOT_PARENT_ID", "dag")
	said := warningsOf(t, "load")
	require.Len(t, said, 3)
	require.Contains(t, said[0], "OPENLINEAGE_URL=")
	require.Contains(t, said[0], "is ignored: want http[s]://[user:password@]host:port")
	require.Contains(t, said[1], "OPENLINEAGE_PARENT_ID=task 7 is ignored: want NAMESPACE/JOB/RUN")
	require.NotContains(t, strings.Join(said, "\n"), "hush")
	c, _ := mustParse(t, "load")
	require.Nil(t, c.Load.Lineage.Open("v1"))
	require.Empty(t, warningsOf(t, goodFlags), "it has no lineage")
	require.Len(t, warningsOf(t, "load --lineage-url=http://marquez:5000"), 2)

	_, _, err := parse(t, "load --lineage-url=marquez:5000")
	require.ErrorContains(t, err, "--lineage-url=marquez:")
	t.Setenv("PITCHSTREAM_LINEAGE_PARENT_ID", "task 7")
	_, _, err = parse(t, "load")
	require.ErrorContains(t, err, "--lineage-parent-id=task 7: want NAMESPACE/JOB/RUN")

	t.Setenv("OPENLINEAGE_DISABLED", "True")
	require.Empty(t, warningsOf(t, "load"))
	mustParse(t, "load --lineage-url=marquez:5000")
	t.Setenv("OPENLINEAGE_DISABLED", "never")
	t.Setenv("PITCHSTREAM_LINEAGE_PARENT_ID", "")
	require.Contains(t, warningsOf(t, "load"), "OPENLINEAGE_DISABLED=never is ignored: want true or false")
}

// guard: config: a file that our variable names wins over another tool's variable
func TestOurVariablesWinOverThoseOfOtherTools(t *testing.T) {
	t.Setenv("OPENLINEAGE_URL", "http://theirs:5000")
	url := func(line string) string {
		c, _ := mustParse(t, line)
		return c.Load.Lineage.URL.Reveal()
	}
	require.Equal(t, "http://theirs:5000", url("load --config="+write(t, "lineage-url: http://file:5000")))
	t.Setenv("PITCHSTREAM_LINEAGE_URL_FILE", write(t, "http://ours:5000"))
	require.Equal(t, "http://ours:5000", url("load"))
	t.Setenv("PITCHSTREAM_LINEAGE_URL", "http://ours:6000")
	_, _, err := parse(t, "load")
	require.ErrorContains(t, err, "give PITCHSTREAM_LINEAGE_URL_FILE or PITCHSTREAM_LINEAGE_URL, not both")
	t.Setenv("PITCHSTREAM_LINEAGE_URL_FILE", "")
	require.Equal(t, "http://ours:6000", url("load"))
}

// guard: config: a secret that others can read is named
// Kubernetes mounts secrets as files of root, which the group of the pod may read.
// guard: config: a secret that is mounted for our group is not open
func TestSecretThatIsMountedForOurGroupIsNotOpen(t *testing.T) {
	self := os.Getuid()
	for _, c := range []struct {
		mode  os.FileMode
		owner int
		want  bool
	}{
		{0o600, self, false}, {0o400, self, false}, {0o440, self, true}, {0o644, self, true},
		{0o440, self + 1, false}, {0o444, self + 1, true}, {0o644, self + 1, true},
	} {
		require.Equal(t, c.want, isOpen(c.mode, c.owner), "%o", c.mode)
	}
}

func TestSecretThatOthersCanReadIsNamed(t *testing.T) {
	secret := write(t, "postgres://u:hush@h/d")
	flags := "run --kafka-brokers=b:1 --redis-url=redis://h:6379 --postgres-url-file=" + secret
	require.Empty(t, warningsOf(t, flags))
	require.NoError(t, os.Chmod(secret, 0o640))
	require.Equal(t, []string{
		"others can read " + secret + " (mode 0640), which has a secret: chmod 600 " + secret,
	}, warningsOf(t, flags))
	settings := write(t, "redis-url: redis://:hush@h:6379")
	require.NoError(t, os.Chmod(settings, 0o644))
	flags = "run --kafka-brokers=b:1 --postgres-url=postgres://h/d --config=" + settings
	require.Len(t, warningsOf(t, flags), 1)
	require.NoError(t, os.WriteFile(settings, []byte("redis-url: redis://h:6379"), 0o644))
	require.Empty(t, warningsOf(t, flags), "it has no secret")
}

// Apps, manifests and dashboards rely on these names.
func TestNamesAndDefaultsOfSettingsStay(t *testing.T) {
	var c cli
	k := kong.Must(&c, NewLoader().Option())
	envs := map[string]string{}
	for _, f := range allFlags(k.Model.Node) {
		if f.Name != "help" {
			envs["--"+f.Name] = f.Envs[0]
			require.NotEmpty(t, f.Help, f.Name)
			require.True(t, strings.HasSuffix(f.Help, "."), f.Help)
		}
	}
	for _, name := range strings.Fields(`CONFIG KAFKA_BROKERS KAFKA_GROUP TOPIC_RAW TOPIC_ROWS TOPIC_DEAD POSTGRES_URL
		POSTGRES_SCHEMA REDIS_URL REDIS_PREFIX API_ADDR ADMIN_ADDR INSTANCE_ID MAX_RECORD_BYTES LOG_FORMAT`) {
		flag := "--" + strings.ToLower(strings.ReplaceAll(name, "_", "-"))
		require.Equal(t, "PITCHSTREAM_"+name, envs[flag])
	}
	_, settings := mustParse(t, goodFlags)
	for name, value := range map[string]string{
		"kafka-group": "pitchstream", "topic-raw": "pitches.raw", "topic-rows": "pitches.rows",
		"topic-dead":      "pitches.dead",
		"postgres-schema": "pitchstream", "redis-prefix": "ps:live:", "api-addr": ":8080", "admin-addr": ":9091",
		"max-record-bytes": "16MiB", "instance-id": "",
	} {
		require.Equal(t, Setting{name, value, "default"}, setting(t, settings, name))
	}
}

func setting(t *testing.T, settings []Setting, name string) Setting {
	t.Helper()
	for _, s := range settings {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("no setting %s", name)
	return Setting{}
}
