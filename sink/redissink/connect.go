package redissink

import (
	"cmp"
	"errors"
	"net"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

const dialTimeout = time.Second

// errURL quotes nothing of the URL, because a password that was not percent-encoded may be anywhere in it,
// and in a parser's error.
var errURL = errors.New("redis url: want redis://user:password@host:6379/0 (rediss:// for TLS), " +
	"unix:///path, the nodes of a cluster as host:6379,host:6380, " +
	"or Sentinels as redis+sentinel://user:password@host:26379,host:26379/master-name; " +
	"special characters in the password percent-encoded")

// connect returns the client of one server, of a cluster, or of the master that Sentinels name.
func connect(cfg Config) (redis.UniversalClient, error) {
	o, err := parseURL(cfg.URL)
	if err != nil {
		return nil, errURL
	}
	logging.Disable() // the driver's lines on stderr only repeat the errors that it returns
	if o.TLSConfig != nil {
		if len(o.Addrs) > 1 || o.IsClusterMode || o.MasterName != "" {
			o.TLSConfig.ServerName = "" // so that each node is verified by its own name
		}
		if cfg.TLS != nil { // what a URL cannot hold
			o.TLSConfig.RootCAs, o.TLSConfig.Certificates = cfg.TLS.RootCAs, cfg.TLS.Certificates
		}
	}
	if !o.IsClusterMode {
		o.MaxRetries = cmp.Or(o.MaxRetries, 1) // for a connection that died unnoticed; Keeper retries the rest
	}
	o.DialTimeout = cmp.Or(o.DialTimeout, dialTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, cfg.IOTimeout)
	o.ContextTimeoutEnabled = true // because the stream must not wait for Redis
	o.DialerRetries = 1
	o.PipelinePoolSize = -1 // because nearly every command is in a pipeline
	o.Dialer = cfg.Dialer
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewUniversalClient(o), nil
}

// parseURL reads the addresses of the URL, and leaves what it says else to the driver's parsers. These know
// no scheme of Sentinels, and only one address.
func parseURL(text string) (*redis.UniversalOptions, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "redis", text
	}
	scheme, sentinel := strings.CutSuffix(scheme, "+sentinel")
	if scheme == "unix" {
		o, err := redis.ParseURL(text)
		return universal(o, err)
	}
	end := strings.IndexAny(rest+"/", "/?")
	authority, tail := rest[:end], rest[end:]
	at := strings.LastIndexByte(authority, '@') + 1
	user, hosts := authority[:at], authority[at:]
	head, _, severalHosts := strings.Cut(hosts, ",")
	if sentinel {
		return parseSentinels(scheme+"://"+user+head, hosts, tail)
	}
	if first := scheme + "://" + user + head + tail; !severalHosts && hosts != "" {
		one, err := redis.ParseURL(first)
		return universal(one, err)
	} else if cluster, err := redis.ParseClusterURL(first); err == nil {
		o, _ := universal(cluster, nil)
		path, _, _ := strings.Cut(tail, "?")
		if db := strings.Trim(path, "/"); db == "" || db == "0" { // because a cluster has database 0 only
			o.IsClusterMode = true
			o.Addrs, err = splitHosts(hosts, "6379")
			return o, err
		}
	}
	return nil, errURL
}

// parseSentinels reads hosts and /master-name/database?parameters. User and password of the URL are those of
// Redis; the parameters sentinel_username and sentinel_password are those of the Sentinels.
func parseSentinels(server, hosts, tail string) (*redis.UniversalOptions, error) {
	path, query, _ := strings.Cut(tail, "?")
	name, db, _ := strings.Cut(strings.Trim(path, "/"), "/")
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	username, password := parameters.Get("sentinel_username"), parameters.Get("sentinel_password")
	parameters.Del("sentinel_username")
	parameters.Del("sentinel_password")
	one, err := redis.ParseURL(server + "/" + db + "?" + parameters.Encode())
	o, err := universal(one, err)
	if err != nil {
		return nil, err
	}
	o.SentinelUsername, o.SentinelPassword = username, password
	if o.MasterName, err = url.PathUnescape(name); err != nil || name == "" {
		return nil, errURL
	}
	o.Addrs, err = splitHosts(hosts, "26379")
	return o, err
}

// universal copies the fields that two kinds of options share.
func universal(from any, err error) (*redis.UniversalOptions, error) {
	if err != nil {
		return nil, err
	}
	o := &redis.UniversalOptions{}
	source, target := reflect.ValueOf(from).Elem(), reflect.ValueOf(o).Elem()
	for i := range target.NumField() {
		name := target.Type().Field(i).Name
		if value := source.FieldByName(name); value.IsValid() && value.Type() == target.Field(i).Type() {
			target.Field(i).Set(value)
		}
	}
	if one, ok := from.(*redis.Options); ok {
		o.Addrs = []string{one.Addr}
	}
	return o, nil
}

// splitHosts returns the addresses, each with a port. It skips the empty one after a comma at the end, which
// marks a cluster known by one address.
func splitHosts(hosts, port string) (addrs []string, err error) {
	for addr := range strings.SplitSeq(hosts, ",") {
		if addr == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(strings.Trim(addr, "[]"), port)
		}
		addrs = append(addrs, addr)
	}
	if len(addrs) == 0 {
		return nil, errURL
	}
	return addrs, nil
}

// Connect returns the driver's client for these settings, for diagnosis. It does not connect yet.
func Connect(cfg Config) (redis.UniversalClient, error) { return connect(cfg) }
