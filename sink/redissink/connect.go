package redissink

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/pitchstream/pitchstream/internal/redisurl"
)

const dialTimeout = time.Second

// connect returns the client of one server, of a cluster, or of the master that Sentinels name.
func connect(cfg Config) (redis.UniversalClient, addresses, error) {
	o, err := redisurl.Parse(cfg.URL)
	if err != nil {
		return nil, addresses{}, fmt.Errorf("redis url: %w", err)
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
	return redis.NewUniversalClient(o), addresses{o}, nil
}

// addresses are those of the URL, with all that it says else.
type addresses struct{ *redis.UniversalOptions }

// misfit returns what is wrong with a URL whose address leads to a server of this mode; "" for nothing.
func (a addresses) misfit(mode string) string {
	switch {
	case mode == "sentinel" && a.MasterName == "":
		return "it is a Sentinel: use redis+sentinel://host:26379/master-name (rediss+sentinel:// for TLS)"
	case mode != "sentinel" && mode != "" && a.MasterName != "":
		return "it is no Sentinel: use redis://host:6379, or the addresses of the Sentinels"
	case mode == "cluster" && !a.IsClusterMode:
		return "it is a node of a Redis Cluster: write the address with a comma after it, or those of several nodes"
	case mode == "standalone" && a.IsClusterMode:
		return "it is no node of a Redis Cluster: write its address alone, without a comma"
	}
	return ""
}

// wrongServer matches the errors that a server gives who was asked as if it were of another mode.
var wrongServer = regexp.MustCompile(`unknown command|cluster support disabled|^MOVED |: MOVED |all sentinels`)

// explain replaces an error by a *RefusedError if an address of the URL leads to a server of another mode, or
// to a Sentinel that does not know the master.
func (a addresses) explain(ctx context.Context, err error) error {
	if err == nil || !wrongServer.MatchString(err.Error()) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), dialTimeout)
	defer cancel()
	for _, addr := range a.Addrs {
		if why := a.probe(ctx, addr); why != "" {
			return &RefusedError{addr, why}
		}
	}
	return err
}

// probe asks a server for its mode; "" if it does not say, or if nothing is wrong.
func (a addresses) probe(ctx context.Context, addr string) string {
	o := *a.Simple()
	o.Addr, o.DB, o.MaxRetries = addr, 0, -1
	if a.MasterName != "" {
		o.Username, o.Password = a.SentinelUsername, a.SentinelPassword
	}
	c := redis.NewClient(&o)
	defer c.Close()
	info, err := c.Info(ctx, "server").Result()
	if why := a.misfit(infoField(info, "redis_mode")); why != "" || err != nil || a.MasterName == "" {
		return why
	}
	// guard: a master that the Sentinels do not know is named
	if err := c.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", a.MasterName).Err(); errors.Is(err, redis.Nil) {
		return fmt.Sprintf("it knows no master of the name %q that --redis-url has", a.MasterName)
	}
	return ""
}

// Connect returns the driver's client for these settings, for diagnosis. It does not connect yet.
func Connect(cfg Config) (redis.UniversalClient, error) {
	client, _, err := connect(cfg)
	return client, err
}
