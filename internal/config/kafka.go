package config

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// Kafka says how to reach the brokers, and as which consumer group.
type Kafka struct {
	Optional bool `kong:"-"` // a command that can do without, where no broker is named; set before the parse

	Brokers []string `name:"kafka-brokers" placeholder:"HOST:PORT" help:"Addresses of some brokers, from which all others are learned. Without a port: 9092. No default."`
	Group   string   `name:"kafka-group" default:"pitchstream" help:"Consumer group: processors of one group share the partitions, and its offsets say what was processed. DANGER: a new name starts from the position in Postgres, else from the earliest record."`

	TLS     bool   `name:"kafka-tls" help:"Encrypt the connections, and trust brokers whose certificate the system trusts (or --kafka-tls-ca). Off by default."`
	TLSCA   string `name:"kafka-tls-ca" placeholder:"FILE" help:"PEM file of the authorities to trust instead of the system's. Needs --kafka-tls."`
	TLSCert string `name:"kafka-tls-cert" placeholder:"FILE" help:"PEM file of our certificate, for brokers that ask for one. Needs --kafka-tls and --kafka-tls-key."`
	TLSKey  string `name:"kafka-tls-key" placeholder:"FILE" help:"PEM file of our certificate's private key."`

	SASLMechanism    string `name:"kafka-sasl-mechanism" default:"none" enum:"none,PLAIN,SCRAM-SHA-256,SCRAM-SHA-512" help:"How to log in: ${enum}. DANGER: PLAIN without --kafka-tls sends the password as it is."`
	SASLUser         string `name:"kafka-sasl-user" placeholder:"NAME" help:"User to log in as. No default."`
	SASLPassword     Secret `name:"kafka-sasl-password" placeholder:"SECRET" help:"Password to log in with. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	SASLPasswordFile string `name:"kafka-sasl-password-file" placeholder:"FILE" help:"File with the password."`
}

// Validate says what is wrong and what would be right.
func (k Kafka) Validate() error {
	if len(k.Brokers) == 0 && k.Optional {
		return nil
	}
	if len(k.Brokers) == 0 {
		return missing("kafka-brokers", "host:port,host:port,…")
	}
	for _, b := range k.Brokers {
		if !isHostPort(b) {
			return invalid("kafka-brokers", strings.Join(k.Brokers, ","), "host:port,host:port,…")
		}
	}
	if k.Group == "" {
		return missing("kafka-group", "a consumer group's name")
	}
	if err := k.certificates().check(k.TLS, "--kafka-tls"); err != nil {
		return err
	}
	return k.validateSASL()
}

func (k Kafka) validateSASL() error {
	switch haveUser, havePassword := k.SASLUser != "", k.SASLPassword.Reveal() != ""; {
	case k.mechanism() == nil && (haveUser || havePassword):
		return missing("kafka-sasl-mechanism", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512 to log in with the user and password")
	case k.mechanism() != nil && !haveUser:
		return missing("kafka-sasl-user", "the user to log in as by "+k.SASLMechanism)
	case k.mechanism() != nil && !havePassword:
		return missing("kafka-sasl-password", "the password to log in with by "+k.SASLMechanism)
	}
	return nil
}

// Options makes a client reach the brokers; the consumer group is not in them. An error is a certificate file's.
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

// mechanism is how to log in; nil: not at all.
func (k Kafka) mechanism() sasl.Mechanism {
	user, password := k.SASLUser, k.SASLPassword.Reveal()
	switch k.SASLMechanism {
	case "PLAIN":
		return plain.Auth{User: user, Pass: password}.AsMechanism()
	case "SCRAM-SHA-256":
		return scram.Auth{User: user, Pass: password}.AsSha256Mechanism()
	case "SCRAM-SHA-512":
		return scram.Auth{User: user, Pass: password}.AsSha512Mechanism()
	}
	return nil
}

func (k Kafka) certificates() certificates {
	return certificates{"kafka", k.TLSCA, k.TLSCert, k.TLSKey}
}

// Topics are the names of the topics. The three must differ.
type Topics struct {
	TopicRaw  string `name:"topic-raw" default:"pitches.raw" placeholder:"TOPIC" help:"Topic of the pitches to process. Default: pitches.raw."`
	TopicRows string `name:"topic-rows" default:"pitches.rows" placeholder:"TOPIC" help:"Topic of the rows that won, keyed by pitch. Default: pitches.rows."`
	TopicDead string `name:"topic-dead" default:"pitches.dead" placeholder:"TOPIC" help:"Topic of the records that could not become a row (dead letters). Default: pitches.dead."`
}

var topicPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,249}$`)

// Validate says what is wrong and what would be right.
func (t Topics) Validate() error {
	seen := map[string]string{}
	for _, s := range []struct{ flag, topic string }{
		{"topic-raw", t.TopicRaw}, {"topic-rows", t.TopicRows}, {"topic-dead", t.TopicDead},
	} {
		if !topicPattern.MatchString(s.topic) || s.topic == "." || s.topic == ".." {
			return invalid(s.flag, s.topic, "1 to 249 letters, digits, dots, underscores and hyphens")
		}
		if other, taken := seen[s.topic]; taken {
			return invalid(s.flag, s.topic, "another topic than --"+other)
		}
		seen[s.topic] = s.flag
	}
	return nil
}

// isHostPort accepts host, host:port and [v6]:port.
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

// invalid is the message for a value that is not allowed.
func invalid(flag, value, want string) error {
	return fmt.Errorf("--%s=%s: want %s", flag, value, want)
}

// missing is the message for a setting without which nothing works.
func missing(flag, want string) error {
	return fmt.Errorf("--%s is missing: want %s", flag, want)
}
