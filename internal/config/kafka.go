package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Kafka holds the addresses of the brokers, the login, and the name of the consumer group.
type Kafka struct {
	// Optional is set, before flags are parsed, by a command that may run without brokers. Without brokers,
	// Validate checks nothing else.
	Optional bool `kong:"-"`

	Brokers []string `name:"kafka-brokers" placeholder:"HOST:PORT" help:"Addresses of some brokers, from which all others are learned. Without a port: 9092. No default."`
	Group   string   `name:"kafka-group" default:"pitchstream" help:"Consumer group: processors of one group share the partitions, and its offsets say what was processed. DANGER: a new name starts from the position in Postgres, else from the earliest record."`

	TLS     bool   `name:"kafka-tls" help:"Encrypt the connections, and trust brokers whose certificate the system trusts (or --kafka-tls-ca). Off by default."`
	TLSCA   string `name:"kafka-tls-ca" placeholder:"FILE" help:"PEM file of the authorities to trust instead of the system's. Needs --kafka-tls."`
	TLSCert string `name:"kafka-tls-cert" placeholder:"FILE" help:"PEM file of our certificate, for brokers that ask for one. Needs --kafka-tls and --kafka-tls-key."`
	TLSKey  string `name:"kafka-tls-key" placeholder:"FILE" help:"PEM file of our certificate's private key."`

	SASLMechanism    string `name:"kafka-sasl-mechanism" default:"none" enum:"none,PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER,AWS_MSK_IAM" help:"How to log in: ${enum}. AWS_MSK_IAM takes the credentials of AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN. DANGER: PLAIN and OAUTHBEARER without --kafka-tls send the password or token as it is."`
	SASLUser         string `name:"kafka-sasl-user" placeholder:"NAME" help:"User to log in as. No default."`
	SASLPassword     Secret `name:"kafka-sasl-password" placeholder:"SECRET" help:"Password to log in with. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	SASLPasswordFile string `name:"kafka-sasl-password-file" placeholder:"FILE" help:"File with the password."`
	OAuth            OAuth  `embed:""`
}

// Validate returns the first error in the brokers' addresses, group, certificates and login. All checks run,
// also the one that looks up the credentials of AWS.
func (k Kafka) Validate() error {
	if len(k.Brokers) == 0 && k.Optional {
		return nil
	}
	const wantBrokers = "host:port,host:port,…"
	good := !slices.ContainsFunc(k.Brokers, func(b string) bool { return !isHostPort(b) })
	// SecretURL hides all before an @, which HideIn might not see as a login without a scheme.
	list := any(strings.Join(k.Brokers, ","))
	if text := fmt.Sprint(list); strings.Contains(text, "@") { // a login, which belongs into other settings
		list = SecretURL{text}
	}
	return cmp.Or(
		present(len(k.Brokers) > 0, "kafka-brokers", wantBrokers),
		allowed(good, "kafka-brokers", list, wantBrokers),
		present(k.Group != "", "kafka-group", "a consumer group's name"),
		k.certificates().check(k.TLS, "--kafka-tls"),
		k.checkLogin(),
	)
}

// Options returns the options with which a client reaches the brokers, without the consumer group. An error
// names the certificate file that cannot be read.
func (k Kafka) Options() ([]kgo.Opt, error) {
	options := []kgo.Opt{kgo.SeedBrokers(k.Brokers...), kgo.ClientID("pitchstream")}
	if k.TLS {
		c, err := k.certificates().config()
		if err != nil {
			return nil, err
		}
		options = append(options, kgo.DialTLSConfig(c))
	}
	if m := k.mechanism(); m != nil {
		options = append(options, kgo.SASL(m))
	}
	return options, nil
}

func (k Kafka) certificates() certificates {
	return certificates{"kafka", k.TLSCA, k.TLSCert, k.TLSKey}
}

// Topics holds the names of the three topics, which must differ.
type Topics struct {
	TopicRaw  string `name:"topic-raw" default:"pitches.raw" placeholder:"TOPIC" help:"Topic of the pitches to process. Default: pitches.raw."`
	TopicRows string `name:"topic-rows" default:"pitches.rows" placeholder:"TOPIC" help:"Topic of the rows that won, keyed by pitch. Default: pitches.rows."`
	TopicDead string `name:"topic-dead" default:"pitches.dead" placeholder:"TOPIC" help:"Topic of the records that could not become a row (dead letters). Default: pitches.dead."`
}

var topicPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// Validate checks the names.
func (t Topics) Validate() error {
	flags := map[string]string{} // topic → flag
	for _, s := range []struct{ flag, topic string }{
		{"topic-raw", t.TopicRaw}, {"topic-rows", t.TopicRows}, {"topic-dead", t.TopicDead},
	} {
		good := topicPattern.MatchString(s.topic) && s.topic != "." && s.topic != ".."
		other, taken := flags[s.topic]
		if err := cmp.Or(
			allowed(good, s.flag, s.topic, "1 to 249 letters, digits, dots, underscores and hyphens"),
			allowed(!taken, s.flag, s.topic, "another topic than --"+other),
		); err != nil {
			return err
		}
		flags[s.topic] = s.flag
	}
	return nil
}

// isHostPort reports whether a text is host, host:port or [v6]:port.
func isHostPort(s string) bool {
	if s == "" || strings.ContainsAny(s, " \t/@,") {
		return false
	}
	if !strings.Contains(s, ":") {
		return true
	}
	host, port, err := net.SplitHostPort(s)
	n, portErr := strconv.ParseUint(port, 10, 16)
	return err == nil && portErr == nil && host != "" && n > 0
}

// allowed returns nil if a value is allowed, else an error with the values that are. A secret prints hidden,
// also one that was given to the wrong setting.
func allowed(ok bool, flag string, value any, want string) error {
	if ok {
		return nil
	}
	if text, isText := value.(string); isText {
		value = HideIn(text)
	}
	return fmt.Errorf("--%s=%v: want %s", flag, value, want)
}

// present returns nil if a setting is given, else an error that says what to give.
func present(ok bool, flag, want string) error {
	if ok {
		return nil
	}
	return fmt.Errorf("--%s is missing: want %s", flag, want)
}

// certificates holds the paths of the PEM files for one server. flags is the start of their settings' names
// ("kafka").
type certificates struct{ flags, ca, cert, key string }

// check refuses files for a connection that is not encrypted, and a certificate without its key. need names
// the setting that turns encryption on.
func (c certificates) check(on bool, need string) error {
	if !on && c.ca+c.cert+c.key != "" {
		return fmt.Errorf("--%[1]s-tls-ca, --%[1]s-tls-cert and --%[1]s-tls-key need %s", c.flags, need)
	}
	if (c.cert == "") != (c.key == "") {
		return fmt.Errorf("--%[1]s-tls-cert and --%[1]s-tls-key need each other", c.flags)
	}
	return nil
}

// config reads the files, once, when the options are made: after a certificate was renewed, the process must
// be restarted.
func (c certificates) config() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if c.ca != "" {
		pem, err := os.ReadFile(c.ca)
		if err != nil {
			return nil, fmt.Errorf("--%s-tls-ca: %w", c.flags, err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("--%s-tls-ca=%s: there is no PEM certificate in it", c.flags, c.ca)
		}
	}
	if c.cert != "" {
		cert, err := tls.LoadX509KeyPair(c.cert, c.key)
		if err != nil {
			return nil, fmt.Errorf("--%[1]s-tls-cert, --%[1]s-tls-key: %w", c.flags, err)
		}
		conf.Certificates = []tls.Certificate{cert}
	}
	return conf, nil
}
