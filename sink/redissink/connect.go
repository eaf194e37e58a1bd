package redissink

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// errURL quotes nothing of the URL: a password that was not percent-encoded may be anywhere in it, and in what a parser
// says about it.
var errURL = errors.New("redis url: want redis://user:password@host:6379/0 (rediss:// for TLS), unix:///path, " +
	"or the nodes of a cluster as host:6379,host:6380; special characters in the password percent-encoded")

// connect makes the client: of one server, or of a cluster where there is a comma between addresses.
func connect(cfg Config) (redis.UniversalClient, error) {
	first, addrs, err := splitURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	logging.Disable() // the driver's own lines on stderr: all that they say comes back as errors
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
	o.DialTimeout = cmp.Or(o.DialTimeout, cfg.DialTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, cfg.IOTimeout)
	o.ContextTimeoutEnabled = true         // the stream does not wait for Redis
	o.MaxRetries = cmp.Or(o.MaxRetries, 1) // for a connection that died unnoticed; Keeper tries the rest
	o.DialerRetries = 1
	o.PipelinePoolSize = -1 // nearly all that is sent is a pipeline
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
		o.TLSConfig.ServerName = "" // each node's own
	}
	trust(o.TLSConfig, cfg.TLS)
	o.DialTimeout = cmp.Or(o.DialTimeout, cfg.DialTimeout)
	o.ReadTimeout = cmp.Or(o.ReadTimeout, cfg.IOTimeout)
	o.ContextTimeoutEnabled = true
	o.DialerRetries = 1
	o.PipelinePoolSize = -1
	o.Dialer = cfg.Dialer
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(o), nil
}

// trust takes over what a URL cannot say.
func trust(conf, with *tls.Config) {
	if conf == nil || with == nil {
		return
	}
	conf.RootCAs, conf.Certificates = with.RootCAs, with.Certificates
}

// splitURL gives the URL with its first address alone, and all addresses where it names a cluster.
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
			continue // a comma after one address: a cluster that is found through it
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(strings.Trim(addr, "[]"), "6379")
		}
		addrs = append(addrs, addr)
	}
	path, _, _ := strings.Cut(tail, "?")
	if db := strings.Trim(path, "/"); len(addrs) == 0 || db != "" && db != "0" {
		return "", nil, errURL // a cluster has no other database than 0
	}
	return first, addrs, nil
}
