package redissink

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
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
	"unix:///path, or the nodes of a cluster as host:6379,host:6380; " +
	"special characters in the password percent-encoded")

// connect returns the client of one server, or of a cluster if the URL has a comma after an address.
func connect(cfg Config) (redis.UniversalClient, error) {
	first, addrs, err := splitURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	logging.Disable() // the driver's lines on stderr only repeat the errors that it returns
	if len(addrs) == 0 {
		return connectOne(cfg, first)
	}
	return connectCluster(cfg, first, addrs)
}

func connectOne(cfg Config, url string) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errURL
	}
	trust(o.TLSConfig, cfg.TLS)
	o.DialTimeout = cmp.Or(o.DialTimeout, dialTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, cfg.IOTimeout)
	o.ContextTimeoutEnabled = true         // because the stream must not wait for Redis
	o.MaxRetries = cmp.Or(o.MaxRetries, 1) // for a connection that died unnoticed; Keeper retries the rest
	o.DialerRetries = 1
	o.PipelinePoolSize = -1 // because nearly every command is in a pipeline
	o.Dialer = cfg.Dialer
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), nil
}

func connectCluster(cfg Config, url string, addrs []string) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(url)
	if err != nil {
		return nil, errURL
	}
	o.Addrs = addrs
	if o.TLSConfig != nil {
		o.TLSConfig.ServerName = "" // so that each node is verified by its own name
	}
	trust(o.TLSConfig, cfg.TLS)
	o.DialTimeout = cmp.Or(o.DialTimeout, dialTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, cfg.IOTimeout)
	o.ContextTimeoutEnabled = true
	o.DialerRetries = 1
	o.PipelinePoolSize = -1
	o.Dialer = cfg.Dialer
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(o), nil
}

// trust copies the authorities and the certificate, which a URL cannot hold.
func trust(conf, with *tls.Config) {
	if conf != nil && with != nil {
		conf.RootCAs, conf.Certificates = with.RootCAs, with.Certificates
	}
}

// splitURL returns the URL with its first address alone, and all addresses if it names a cluster.
func splitURL(url string) (first string, addrs []string, err error) {
	scheme, rest, ok := strings.Cut(url, "://")
	if !ok {
		scheme, rest = "redis", url
	}
	if scheme == "unix" {
		return url, nil, nil
	}
	end := strings.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	at := strings.LastIndexByte(authority, '@') + 1
	user, hosts := authority[:at], authority[at:]
	if hosts == "" {
		return "", nil, errURL
	}
	head, others, cluster := strings.Cut(hosts, ",")
	first = scheme + "://" + user + head + tail
	if !cluster {
		return first, nil, nil
	}
	for addr := range strings.SplitSeq(head+","+others, ",") {
		if addr == "" {
			continue // after a comma at the end, which marks a cluster known by one address
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(strings.Trim(addr, "[]"), "6379")
		}
		addrs = append(addrs, addr)
	}
	path, _, _ := strings.Cut(tail, "?")
	if db := strings.Trim(path, "/"); len(addrs) == 0 || db != "" && db != "0" {
		return "", nil, errURL // because a cluster has database 0 only
	}
	return first, addrs, nil
}
