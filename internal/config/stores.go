package config

import (
	"crypto/tls"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/redis/go-redis/v9"
)

// Postgres says where the record of truth is.
type Postgres struct {
	URL     SecretURL `name:"postgres-url" placeholder:"URL" help:"Postgres to write to and read from: postgres://user:password@host:5432/database, with ?sslmode=verify-full&sslrootcert=FILE to encrypt and check, pool_max_conns=N for the size of the pool. No default. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	URLFile string    `name:"postgres-url-file" placeholder:"FILE" help:"File with the URL."`
	Schema  string    `name:"postgres-schema" default:"pitchstream" placeholder:"NAME" help:"Schema of the tables, a target of its own. Default: pitchstream. DANGER: two processors of different consumer groups must not write to one schema."`
}

var schemaPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Validate says what is wrong and what would be right. It does not show what is behind the URL's faults: that might be
// a part of the password.
func (p Postgres) Validate() error {
	const want = "postgres://user:password@host:5432/database (special characters of the password percent-encoded)"
	if p.URL.Reveal() == "" {
		return missing("postgres-url", want)
	}
	if _, err := pgx.ParseConfig(p.URL.Reveal()); err != nil {
		return invalid("postgres-url", p.URL.String(), want)
	}
	if !schemaPattern.MatchString(p.Schema) || strings.HasPrefix(p.Schema, "pg_") {
		return invalid("postgres-schema", p.Schema, "1 to 63 small letters, digits and underscores, not starting with a digit or pg_")
	}
	return nil
}

// Redis says where the live projection is.
type Redis struct {
	URL     SecretURL `name:"redis-url" placeholder:"URL" help:"Redis to keep the live values in: redis://[user:password@]host:6379[/database], rediss:// to encrypt. A cluster: several addresses of it, redis://[user:password@]host:port,host:port,…, or one and a comma. No default. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	URLFile string    `name:"redis-url-file" placeholder:"FILE" help:"File with the URL."`
	TLSCA   string    `name:"redis-tls-ca" placeholder:"FILE" help:"PEM file of the authorities to trust instead of the system's. Needs a rediss:// URL."`
	TLSCert string    `name:"redis-tls-cert" placeholder:"FILE" help:"PEM file of our certificate, for servers that ask for one. Needs a rediss:// URL and --redis-tls-key."`
	TLSKey  string    `name:"redis-tls-key" placeholder:"FILE" help:"PEM file of our certificate's private key."`
	Prefix  string    `name:"redis-prefix" default:"ps:live:" placeholder:"PREFIX" help:"Start of all keys, a target of its own. Default: ps:live:. DANGER: what is below it belongs to pitchstream, and a rebuild deletes there."`
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,100}$`)

// Validate says what is wrong and what would be right.
func (r Redis) Validate() error {
	if r.URL.Reveal() == "" {
		return missing("redis-url", wantRedisURL)
	}
	if !r.plausible() {
		return invalid("redis-url", r.URL.String(), wantRedisURL)
	}
	if err := r.certificates().check(r.encrypted(), "a rediss:// URL in --redis-url"); err != nil {
		return err
	}
	if !prefixPattern.MatchString(r.Prefix) {
		return invalid("redis-prefix", r.Prefix, "1 to 100 letters, digits, dots, colons, underscores and hyphens")
	}
	return nil
}

const wantRedisURL = "redis://[user:password@]host:6379[/database], rediss:// to encrypt, or several host:port with commas of a cluster"

func (r Redis) encrypted() bool { return strings.HasPrefix(r.URL.Reveal(), "rediss://") }

func (r Redis) certificates() certificates {
	return certificates{"redis", r.TLSCA, r.TLSCert, r.TLSKey}
}

// TLSConfig is whom to trust and who we are; nil where the URL asks for no encryption. An error is a certificate file's.
func (r Redis) TLSConfig() (*tls.Config, error) {
	if !r.encrypted() {
		return nil, nil
	}
	return r.certificates().config()
}

// plausible tells whether the driver takes the URL, of one server or of a cluster. Go's URLs have one host: the others of
// a list are looked at by themselves.
func (r Redis) plausible() bool {
	text := r.URL.Reveal()
	if !strings.Contains(text, "://") {
		text = "redis://" + text
	}
	scheme, rest, _ := strings.Cut(text, "://")
	end := strings.LastIndex(rest, "@") + 1
	tail := len(rest)
	if i := strings.IndexAny(rest[end:], "/?"); i >= 0 {
		tail = end + i
	}
	hosts := strings.Split(rest[end:tail], ",")
	isCluster := len(hosts) > 1
	if isCluster && hosts[len(hosts)-1] == "" { // a comma after one address
		hosts = hosts[:len(hosts)-1]
	}
	for _, h := range hosts {
		if !isHostPort(h) {
			return false
		}
	}
	first := scheme + "://" + rest[:end] + hosts[0] + rest[tail:]
	if isCluster {
		_, err := redis.ParseClusterURL(first)
		return err == nil
	}
	_, err := redis.ParseURL(first)
	return err == nil
}
