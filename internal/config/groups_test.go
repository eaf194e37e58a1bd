package config

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// guard: config: the schemas of the system are refused
func TestErrorNamesTheFlagAndItsAllowedValues(t *testing.T) {
	const sasl = " --kafka-sasl-mechanism=SCRAM-SHA-256"
	for flags, want := range map[string]string{
		" " +
			"--max-record-bytes=12x": `--max-record-bytes: want bytes as 16MiB, 512KiB or 1048576, not "12x"`,
		" --max-record-bytes=12":   "--max-record-bytes=12: want 1KiB to 256MiB",
		" --max-record-bytes=1GiB": "--max-record-bytes=1GiB: want 1KiB to 256MiB",
		" " +
			"--patience=10": `want a time span with its unit as 250ms, 10s or 1m30s, not "10"`,
		" " +
			"--api-addr=8080": `--api-addr: want an address as :8080, 127.0.0.1:8080 or [::1]:8080, or off, not "8080"`,
		" --api-addr=:99999":              `want an address`,
		" --api-addr=:9091":               "--api-addr=:9091: want another address than --admin-addr",
		" --kafka-brokers=kafka://b":      "--kafka-brokers=b:1,kafka://b: want host:port,host:port,…",
		" --kafka-brokers=b:0":            "want host:port",
		" --kafka-brokers=:9092":          "want host:port",
		" --kafka-group=":                 "--kafka-group is missing: want a consumer group's name",
		" --kafka-tls-ca=x":               "need --kafka-tls",
		" --kafka-tls --kafka-tls-cert=x": "--kafka-tls-cert and --kafka-tls-key need each other",
		" " +
			"--kafka-sasl-mechanism=MAGIC": `--kafka-sasl-mechanism must be one of "none","PLAIN","SCRAM-SHA-256","SCRAM-SHA-512","OAUTHBEARER","AWS_MSK_IAM" but got "MAGIC"`,
		" --kafka-sasl-user=me":        "--kafka-sasl-mechanism is missing: want PLAIN",
		sasl:                           "--kafka-sasl-user is missing",
		sasl + " --kafka-sasl-user=me": "--kafka-sasl-password is missing",
		" --topic-raw=pitches.dead": "--topic-dead=pitches.dead: want another topic than " +
			"--topic-raw",
		" --topic-rows=a/b":                     "--topic-rows=a/b: want 1 to 249 letters, digits, dots",
		" --postgres-schema=Upper":              "--postgres-schema=Upper: want 1 to 63 small letters",
		" --postgres-schema=information_schema": "want 1 to 63 small letters",
		" --postgres-schema=pg_toast":           "want 1 to 63 small letters",
		" --redis-tls-ca=x": "--redis-tls-ca, --redis-tls-cert and --redis-tls-key need " +
			"a rediss:// URL in --redis-url",
		" --redis-url=rediss://h --redis-tls-key=x": "--redis-tls-cert and --redis-tls-key need each other",
		" --redis-prefix={x}":                       "--redis-prefix={x}: want 1 to 100 letters",
		" --instance-id=a/b":                        "--instance-id=a/b: want up to 100 letters",
		" " +
			"--log-format=xml": `--log-format must be one of "auto","text","json" but got "xml"`,
		" " +
			"--log-level=loud": `--log-level must be one of "debug","info","warn","error" but got "loud"`,
		" --postgres-url=postgres://h:x/d": "--postgres-url=postgres://h:xxxxx: want " +
			"postgres://user:password@host:5432/database",
		" --redis-url=http://h": "--redis-url=http://h: want " +
			"redis://[user:password@]host:6379[/database]",
	} {
		_, _, err := parse(t, goodFlags+flags)
		require.ErrorContains(t, err, want, flags)
	}
	for missing, flags := range map[string]string{
		"--kafka-brokers is missing: want host:port":  "run --postgres-url=postgres://h/d --redis-url=h",
		"--postgres-url is missing: want postgres://": "run --kafka-brokers=b --redis-url=h",
		"--redis-url is missing: want redis://":       "run --kafka-brokers=b --postgres-url=postgres://h/d",
	} {
		_, _, err := parse(t, flags)
		require.ErrorContains(t, err, missing)
	}
}

func TestErrorNamesTheWrongVariable(t *testing.T) {
	t.Setenv("PITCHSTREAM_MAX_RECORD_BYTES", "12x")
	_, _, err := parse(t, goodFlags)
	require.ErrorContains(t, err, `not "12x" (from envar PITCHSTREAM_MAX_RECORD_BYTES="12x")`)
	mustParse(t, goodFlags+" --max-record-bytes=1MiB") // a flag wins over a wrong variable, too
	mustParse(t, "topics")                             // and another command does not read it
}

func TestPostgresAcceptsEveryFormOfURL(t *testing.T) {
	for _, url := range []string{
		"postgres://u:p@h:5432/d?sslmode=disable&pool_max_conns=7",
		"postgres://u:p@h:5432,i:5432/d?target_session_attrs=read-write",
		"host=h,i port=5432,5433 user=u password='p q' dbname=d",
		"postgresql://[::1]/d",
	} {
		require.NoError(t, Postgres{URL: SecretURL{url}, Schema: "pitchstream"}.Validate(), url)
	}
}

func TestErrorsNeverShowAPassword(t *testing.T) {
	for _, flags := range []string{
		" --postgres-url=postgres://u:hush@h:port/d",
		" --postgres-url=postgres://u:hu/hush@h/d",
		" --postgres-url=postgres://u:%zz-hush@h/d",
		" --postgres-url=postgres://u:hush@[h/d",
		" --redis-url=redis://u:hush@h:port",
		" --redis-url=redis://u:hu/hush@h",
		" --redis-url=http://u:hush@h",
		" --redis-url=redis://u:%zz-hush@h",
		" --redis-url=redis://u:hush@h?nonsense=1",
	} {
		_, _, err := parse(t, goodFlags+flags)
		require.Error(t, err, flags)
		require.NotContains(t, err.Error(), "hush", flags)
	}
}

func TestSecretsAreHiddenHoweverTheyArePrinted(t *testing.T) {
	for in, want := range map[string]string{
		"u:hush@h:6379":                                "u:xxxxx@h:6379",
		"redis:/u:hush@h:6379":                         "redis:xxxxx@h:6379",
		"host=h user=u@x":                              "host=h user=u@x",
		"postgres://u:hush@h:5432/d?a=b":               "postgres://u:xxxxx@h:5432/d?a=b",
		"postgres://u:hu@sh/1:2@h/d":                   "postgres://u:xxxxx@h/d",
		"postgres://u@h/d":                             "postgres://u@h/d",
		"postgres:u:hush@h/d":                          "postgres:xxxxx@h/d",
		"postgres:/u:hush@h/d":                         "postgres:xxxxx@h/d",
		"postgres//u:hush@h/d":                         "postgres//u:xxxxx@h/d",
		"u:hush@h/d":                                   "u:xxxxx@h/d",
		"u:hu://sh@h/d":                                "u:xxxxx@h/d",
		"hush@h:6379":                                  "xxxxx@h:6379",
		"redis://hush@h:6379":                          "redis://xxxxx@h:6379",
		"redis://:hush":                                "redis://:xxxxx",
		"redis://h:hush/0":                             "redis://h:xxxxx",
		"postgres://u:hush":                            "postgres://u:xxxxx",
		"postgres:u:hush":                              "postgres:xxxxx",
		"POSTGRES://u:hush@h":                          "POSTGRES://u:xxxxx@h",
		"jdbc:postgresql://h/d?user=u&password=hush":   "jdbc:xxxxx",
		"host=h password=hush hush user=u":             "host=h password=xxxxx user=u",
		"host=h password=hush@hush:hush dbname=d":      "host=h password=xxxxx dbname=d",
		"postgres://h/d?password=hush&hush&sslmode=no": "postgres://h/d?password=xxxxx&sslmode=no",
		"postgres://h/d?PASSWORD = hush":               "postgres://h/d?PASSWORD = xxxxx",
		"[::1]:6379":                                   "[::1]:6379",
		"a:1,b:2":                                      "a:1,b:2",
		"redis+sentinel://u:hush@a:1,b:2/m?sentinel_password=hush": "redis+sentinel://u:xxxxx@a:1,b:2/m?sentinel_password=xxxxx",
		"postgres://h/d?user=u&password=hush":                      "postgres://h/d?user=u&password=xxxxx",
		"postgres://h/d?sslpassword=hush&x=y":                      "postgres://h/d?sslpassword=xxxxx&x=y",
		"host=h password='hush, hush' user=u":                      "host=h password=xxxxx user=u",
		"host=h Password = hush user=u":                            "host=h Password = xxxxx user=u",
		"redis://:hush@a:1,b:2/0":                                  "redis://:xxxxx@a:1,b:2/0",
		"redis://hush-user:hush@a:1,b:2?c=d@e":                     "redis://hush-user:xxxxx@e",
		"":                                                         "",
	} {
		s := SecretURL{in}
		require.Equal(t, want, s.String())
		require.Equal(t, in, s.Reveal())
		for _, printed := range everyWay(t, s) {
			require.NotRegexp(t, "hush[^-]", printed) // hush-user is the user
		}
	}
	for _, printed := range everyWay(t, Secret{"hush"}) {
		require.NotContains(t, printed, "hush")
		require.Contains(t, printed, "xxxxx")
	}
	require.Empty(t, Secret{}.String(), "an empty secret shows that none is given")
}

// everyWay returns the texts that careless code could print of a value.
func everyWay(t *testing.T, v any) []string {
	t.Helper()
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("connect", "url", v)
	asJSON, err := json.Marshal(v)
	require.NoError(t, err)
	return []string{fmt.Sprintf("%v", v), fmt.Sprintf("%+v", v), fmt.Sprintf("%#v", v), string(asJSON),
		log.String()}
}

func TestSizesReadBackAsTheyPrint(t *testing.T) {
	for in, want := range map[string]Bytes{
		"0": 0, "1": 1, "12B": 12, "1KiB": 1 << 10, "16MiB": 16 << 20, "16 MiB": 16 << 20, "1GiB": 1 << 30,
		"1kB": 1000, "1KB": 1000, "16MB": 16_000_000, "2GB": 2_000_000_000, "1048576": 1 << 20,
		"9223372036854775807": 1<<63 - 1,
	} {
		var b, again Bytes
		require.NoError(t, b.UnmarshalText([]byte(in)))
		require.Equal(t, want, b, in)
		require.NoError(t, again.UnmarshalText([]byte(b.String())))
		require.Equal(t, b, again)
	}
	for _, in := range []string{"", "x", "-1", "1.5MiB", "MiB", "1TiB", "9223372036854775808", "8589934592GiB"} {
		require.ErrorContains(t, new(Bytes).UnmarshalText([]byte(in)), fmt.Sprintf("not %q", in))
	}
}

func TestDurationsNeedAUnit(t *testing.T) {
	var d Duration
	require.NoError(t, d.UnmarshalText([]byte("1m30s")))
	require.Equal(t, Duration(90*time.Second), d)
	require.Equal(t, "1m30s", d.String())
	for _, in := range []string{"", "10", "-1s", "soon"} {
		require.Error(t, d.UnmarshalText([]byte(in)), in)
	}
}

func TestAddressesMayBeOff(t *testing.T) {
	for _, in := range []string{":8080", "127.0.0.1:0", "[::1]:80", "localhost:65535", "off"} {
		var a Addr
		require.NoError(t, a.UnmarshalText([]byte(in)))
		require.EqualValues(t, in, a)
	}
	mustParse(t, goodFlags+" --api-addr=off --admin-addr=off")
	mustParse(t, goodFlags+" --api-addr=127.0.0.1:0 --admin-addr=127.0.0.1:0")
}

func TestRedisURLNamesAServerOrACluster(t *testing.T) {
	for url, good := range map[string]bool{
		"redis://h:6379/3": true, "rediss://u:p@h:6380": true, "h:6379": true, "h": true,
		"redis://[::1]:6379":    true,
		"redis://u:p%2C%40@h:1": true, "redis://h:1/2?read_timeout=1s": true,
		"h:1,i:2,j:3": true, "redis://:p@h:1,i:2": true, "rediss://h:1,i:2?dial_timeout=3s": true,
		"rediss://u:p@h:1,": true,
		"redis://h:1,i:2/0": true, "redis://h:1,/0": true,
		"redis+sentinel://h/m": true, "rediss+sentinel://u:p@h:1,i/m/2?sentinel_password=s": true,
		"redis+sentinel://h:1": false, "redis+sentinel://h/m/x": false, "redis+sentinel://:1/m": false, "sentinel://h/m": false,
		"redis://": false, "redis://h:1?unheard_of_parameter=1": false, "redis://h:1,i:2?unheard_of_parameter=1": false,
		"redis://h:1,:2": false, "redis://h:1,,i:2": false, "redis://h:99999": false, "http://h:1": false,
	} {
		require.Equal(t, good, Redis{URL: SecretURL{url}, Prefix: "p:"}.Validate() == nil, url)
	}
}

func TestKafkaOptionsHaveTLSAndLogin(t *testing.T) {
	cert, key := certificate(t)
	for _, mechanism := range []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"} {
		c, err := kgo.NewClient(options(t, Kafka{
			Brokers: []string{"b:1"}, Group: "g", TLS: true, TLSCA: cert, TLSCert: cert, TLSKey: key,
			SASLMechanism: mechanism, SASLUser: "me", SASLPassword: Secret{"hush"},
		})...)
		require.NoError(t, err)
		require.NotNil(t, c.OptValue(kgo.DialTLSConfig))
		c.Close()
	}
	require.Len(t, options(t, Kafka{Brokers: []string{"b:1"}, Group: "g", SASLMechanism: "none"}), 2)
}

func TestErrorNamesTheBadCertificateFile(t *testing.T) {
	cert, key := certificate(t)
	for want, k := range map[string]Kafka{
		"--kafka-tls-ca: open /nowhere":               {TLSCA: "/nowhere"},
		"--kafka-tls-ca=" + key + ": there is no PEM": {TLSCA: key},
		"--kafka-tls-cert, --kafka-tls-key: open /nowhere": {TLSCert: "/nowhere",
			TLSKey: key},
		"--kafka-tls-cert, --kafka-tls-key: tls: found a certificate rather than a key": {TLSCert: cert,
			TLSKey: cert},
	} {
		k.TLS, k.Brokers, k.Group = true, []string{"b"}, "g"
		require.NoError(t, k.Validate())
		_, err := k.Options()
		require.ErrorContains(t, err, want)
	}
}

func options(t *testing.T, k Kafka) []kgo.Opt {
	t.Helper()
	require.NoError(t, k.Validate())
	options, err := k.Options()
	require.NoError(t, err)
	return options
}

// certificate writes a self-signed certificate and its key as PEM files.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	keyDER, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	return write(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		write(t, string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
}

func TestContainerMemoryIsReadFromTheCgroup(t *testing.T) {
	require.EqualValues(t, 536870912, limitOf(write(t, "536870912\n")))
	require.EqualValues(t, math.MaxInt64, limitOf(write(t, "max\n")))
	require.EqualValues(t, math.MaxInt64, limitOf("/nowhere/memory.max"))
}

// guard: config: an @ in a password is not taken for the end of it
func TestAPasswordWithAnAtIsNeverPrinted(t *testing.T) {
	for _, url := range []string{
		"postgres://u:p@SECRET@h/d", "postgres://u:SECRET@SECRET@h:5432/d", "postgres://u:p@SECRET@h,h2/d", "postgresql://u:@SECRET@h/d",
	} {
		p := Postgres{URL: SecretURL{url}, Schema: "pitchstream"}
		err := p.Validate()
		require.ErrorContains(t, err, "percent-encoded", url)
		require.NotContains(t, err.Error(), "SECRET", url)
	}
	require.NoError(t, Postgres{URL: SecretURL{"postgres://u:p%40SECRET@h/d"}, Schema: "pitchstream"}.Validate())
}
