package config

import (
	"cmp"
	"crypto/tls"
	"net/url"
	"strings"

	"github.com/pitchstream/pitchstream/internal/schemaregistry"
)

// SchemaRegistry holds the address of a registry that speaks Confluent's API. Without one, values are read
// and written as they are.
type SchemaRegistry struct {
	URL     SecretURL `name:"schema-registry-url" placeholder:"URL" help:"Schema registry with Confluent's API (Confluent, Karapace, Apicurio's /apis/ccompat/v7, Redpanda): http[s]://[user:password@]host:8081, or several of one cluster with commas. Raw values with its prefix are read as their schema says, JSON Schema or Avro; those without are read as before. None by default. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	URLFile string    `name:"schema-registry-url-file" placeholder:"FILE" help:"File with the URL."`

	Password     Secret `name:"schema-registry-password" placeholder:"SECRET" help:"Password to log in with, where the URL has none, written as it is. Seen by all who may list processes when given as a flag: prefer the variable or the file."`
	PasswordFile string `name:"schema-registry-password-file" placeholder:"FILE" help:"File with the password, as a secret that is mounted."`

	TLSCA   string `name:"schema-registry-tls-ca" placeholder:"FILE" help:"PEM file of the authorities to trust instead of the system's. Needs an https:// URL."`
	TLSCert string `name:"schema-registry-tls-cert" placeholder:"FILE" help:"PEM file of our certificate, for registries that ask for one. Needs an https:// URL and --schema-registry-tls-key."`
	TLSKey  string `name:"schema-registry-tls-key" placeholder:"FILE" help:"PEM file of our certificate's private key."`
}

const wantRegistry = "http[s]://[user:password@]host:8081, or several with commas"

// Validate checks the addresses and the certificate files.
func (r SchemaRegistry) Validate() error {
	urls, err := r.urls()
	hasTwo := false
	isEncrypted := len(urls) > 0
	for _, u := range urls {
		_, inURL := u.User.Password()
		hasTwo = hasTwo || inURL && r.Password.Reveal() != ""
		isEncrypted = isEncrypted && u.Scheme == "https"
	}
	return cmp.Or(
		allowed(err == nil, "schema-registry-url", r.URL, wantRegistry),
		onePassword(hasTwo, "schema-registry"),
		present(len(urls) > 0 || r.Password.Reveal() == "", "schema-registry-url", wantRegistry),
		r.certificates().check(isEncrypted, "an https:// URL in --schema-registry-url"),
	)
}

// urls returns the addresses; none without a registry.
func (r SchemaRegistry) urls() (out []*url.URL, err error) {
	if r.URL.Reveal() == "" {
		return nil, nil
	}
	for _, text := range strings.Split(r.URL.Reveal(), ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		if err == nil && (u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "") {
			err = url.InvalidHostError(text)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, nil
}

func (r SchemaRegistry) certificates() certificates {
	return certificates{"schema-registry", r.TLSCA, r.TLSCert, r.TLSKey}
}

// Open returns a client of the registry, or nil if none is given. It does not connect yet. An error names the
// certificate file that cannot be read.
func (r SchemaRegistry) Open() (*schemaregistry.Client, error) {
	urls, err := r.urls()
	if err != nil || len(urls) == 0 {
		return nil, err
	}
	o := schemaregistry.Options{Password: r.Password.Reveal()}
	for _, u := range urls {
		if u.User != nil {
			o.User = cmp.Or(o.User, u.User.Username())
			password, _ := u.User.Password()
			o.Password = cmp.Or(o.Password, password)
		}
		own := *u
		own.User = nil
		o.URLs = append(o.URLs, own.String())
	}
	if r.TLSCA+r.TLSCert != "" {
		var conf *tls.Config
		if conf, err = r.certificates().config(); err != nil {
			return nil, err
		}
		o.TLS = conf
	}
	return schemaregistry.Open(o)
}

// Rows says how rows are written to their topic.
type Rows struct {
	Format       string `name:"rows-format" default:"json" enum:"json,json-schema,avro,protobuf" help:"How rows are written: ${enum}. json is plain, without a registry; the others have the registry's prefix, and their schema is the subject TOPIC-value. Default: json."`
	AutoRegister bool   `name:"schema-registry-auto-register" default:"true" negatable:"" help:"Register the schema of the rows at the start, if the subject does not have it; else it must be there. Either way it must be compatible with what is there. On by default."`
}

// Check refuses a format that needs a registry where there is none.
func (r Rows) Check(registry SchemaRegistry) error {
	ok := r.Format == string(schemaregistry.JSON) || registry.URL.Reveal() != ""
	return present(ok, "schema-registry-url", wantRegistry+", for --rows-format="+r.Format)
}
