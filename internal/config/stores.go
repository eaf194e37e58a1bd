package config

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/pitchstream/pitchstream/internal/redisurl"
)

// Postgres holds the address of the database, which has the truth about every pitch, and the schema in it.
type Postgres struct {
	URL     SecretURL `name:"postgres-url" placeholder:"URL" help:"Postgres to write to and read from: postgres://user:password@host:5432/database, with ?sslmode=verify-full&sslrootcert=FILE to encrypt and check, pool_max_conns=N for the size of the pool (4 or more; 4 by default, 8 of serve). No default. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	URLFile string    `name:"postgres-url-file" placeholder:"FILE" help:"File with the URL."`

	Password     Secret `name:"postgres-password" placeholder:"SECRET" help:"Password to log in with, where the URL has none, written as it is. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	PasswordFile string `name:"postgres-password-file" placeholder:"FILE" help:"File with the password, as a secret that is mounted."`

	Schema string `name:"postgres-schema" default:"pitchstream" placeholder:"NAME" help:"Schema of the tables, a target of its own. Default: pitchstream. DANGER: two processors of different consumer groups must not write to one schema."`
}

var schemaPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Validate checks URL and schema. It does not quote the driver's error, because that may show a part of the
// password.
func (p Postgres) Validate() error {
	const want = "postgres://user:password@host:5432/database (with the password percent-encoded)"
	c, err := pgx.ParseConfig(p.Address())
	// guard: config: an @ in a password is not taken for the end of it
	if err == nil && strings.Contains(c.Host, "@") {
		err = errors.New("the host has a part of the password")
	}
	// pg_dump leaves out the schemas of the system, so that a backup would lack every table.
	// guard: config: the schemas of the system are refused | "information_schema" -> ""
	isSystem := strings.HasPrefix(p.Schema, "pg_") || p.Schema == "information_schema"
	goodSchema := schemaPattern.MatchString(p.Schema) && !isSystem
	return cmp.Or(
		present(p.URL.Reveal() != "", "postgres-url", want),
		allowed(err == nil, "postgres-url", p.URL, want),
		onePassword(p.hasTwoPasswords(), "postgres"),
		allowed(goodSchema, "postgres-schema", p.Schema,
			"1 to 63 small letters, digits and underscores, not starting with a digit or pg_, "+
				"and not information_schema"),
	)
}

// Address returns the URL with its passwords, also with the one that was given apart from it.
func (p Postgres) Address() string {
	text, password := p.URL.Reveal(), p.Password.Reveal()
	isURL := strings.HasPrefix(text, "postgres://") || strings.HasPrefix(text, "postgresql://")
	switch {
	case text == "" || password == "":
		return text
	case !isURL: // words of KEY=VALUE
		return text + " password='" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(password) + "'"
	case strings.Contains(text, "?"):
		text += "&password="
	default:
		text += "?password="
	}
	// guard: config: a password apart from the URL is logged in with | strings.ReplaceAll(url.QueryEscape(password), "+", "%20") -> ""
	return text + strings.ReplaceAll(url.QueryEscape(password), "+", "%20") // pgx reads a + as it is
}

var ownPassword = regexp.MustCompile(`(?i)(^|[?&\s])password\s*=`)

func (p Postgres) hasTwoPasswords() bool {
	text := p.URL.Reveal()
	if p.Password.Reveal() == "" {
		return false
	}
	hasOwn := hideUser(text) != text
	// An @ behind the host, as in ?user=me@corp, is that of no password.
	// guard: config: an @ in the parameters is no password | u.Host != "" -> u.Host == ""
	if u, err := url.Parse(text); err == nil && u.Host != "" {
		_, hasOwn = u.User.Password()
	}
	return hasOwn || ownPassword.MatchString(text)
}

// onePassword refuses a password that is given in the URL and apart from it.
func onePassword(hasTwo bool, server string) error {
	if !hasTwo {
		return nil
	}
	return fmt.Errorf("give the password in --%[1]s-url or as --%[1]s-password, not both", server)
}

// Redis holds the address of the server with the live values, and the prefix of their keys.
type Redis struct {
	URL     SecretURL `name:"redis-url" placeholder:"URL" help:"Redis to keep the live values in: redis://[user:password@]host:6379[/database], rediss:// to encrypt. A cluster: several addresses of it, redis://[user:password@]host:port,host:port,…, or one and a comma. Sentinels: redis+sentinel://[user:password@]host:26379,host:26379,…/master-name[/database], with ?sentinel_username=…&sentinel_password=… for their own login; rediss+sentinel:// to encrypt both. No default. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	URLFile string    `name:"redis-url-file" placeholder:"FILE" help:"File with the URL."`

	Password     Secret `name:"redis-password" placeholder:"SECRET" help:"Password to log in with, where the URL has none, written as it is; of the data servers, not of Sentinels. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	PasswordFile string `name:"redis-password-file" placeholder:"FILE" help:"File with the password, as a secret that is mounted."`

	TLSCA   string `name:"redis-tls-ca" placeholder:"FILE" help:"PEM file of the authorities to trust instead of the system's. Needs a rediss:// URL."`
	TLSCert string `name:"redis-tls-cert" placeholder:"FILE" help:"PEM file of our certificate, for servers that ask for one. Needs a rediss:// URL and --redis-tls-key."`
	TLSKey  string `name:"redis-tls-key" placeholder:"FILE" help:"PEM file of our certificate's private key."`
	Prefix  string `name:"redis-prefix" default:"ps:live:" placeholder:"PREFIX" help:"Start of all keys, a target of its own. Default: ps:live:. DANGER: what is below it belongs to pitchstream, and a rebuild deletes there."`
}

var prefixPattern = regexp.MustCompile(`^[A-Za-z0-9._:-]{1,100}$`)

// Validate checks URL, certificate files and prefix.
func (r Redis) Validate() error {
	want := strings.TrimPrefix(redisurl.ErrURL.Error(), "want ")
	_, err := redisurl.Parse(r.Address())
	in, errIn := redisurl.Parse(r.URL.Reveal())
	hasTwo := r.Password.Reveal() != "" && errIn == nil && in.Password != ""
	return cmp.Or(
		present(r.URL.Reveal() != "", "redis-url", want),
		allowed(err == nil, "redis-url", r.URL, want),
		onePassword(hasTwo, "redis"),
		r.certificates().check(r.encrypted(), "a rediss:// URL in --redis-url"),
		allowed(prefixPattern.MatchString(r.Prefix), "redis-prefix", r.Prefix,
			"1 to 100 letters, digits, dots, colons, underscores and hyphens"),
	)
}

// Address returns the URL with its passwords, also with the one that was given apart from it.
func (r Redis) Address() string {
	text, password := r.URL.Reveal(), r.Password.Reveal()
	if text == "" || password == "" {
		return text
	}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "redis", text
	}
	end := strings.IndexAny(rest+"/", "/?")
	user, hosts := "", rest
	if at := strings.LastIndexByte(rest[:end], '@'); at >= 0 {
		user, hosts = strings.TrimSuffix(rest[:at], ":"), rest[at+1:]
	}
	return scheme + "://" + user + url.UserPassword("", password).String() + "@" + hosts
}

func (r Redis) encrypted() bool {
	scheme, _, _ := strings.Cut(r.URL.Reveal(), "://")
	return scheme == "rediss" || scheme == "rediss+sentinel"
}

func (r Redis) certificates() certificates {
	return certificates{"redis", r.TLSCA, r.TLSCert, r.TLSKey}
}

// TLSConfig returns the authorities to trust and our certificate; nil when the URL is not rediss://. An error
// names the certificate file that cannot be read.
func (r Redis) TLSConfig() (*tls.Config, error) {
	if !r.encrypted() {
		return nil, nil
	}
	return r.certificates().config()
}
