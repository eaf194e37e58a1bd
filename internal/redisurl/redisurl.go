// Package redisurl reads the URL of a Redis: of one server, of a cluster, or of Sentinels.
package redisurl

import (
	"errors"
	"net"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrURL says how to write a URL. It quotes nothing of one, because a password that was not percent-encoded
// may be anywhere in it, and in a parser's error.
var ErrURL = errors.New("want redis://[user:password@]host:6379[/database], rediss:// to encrypt, " +
	"several host:port with commas of a cluster, " +
	"or redis+sentinel://[user:password@]host:26379,host:26379/master-name[/database]; " +
	"special characters in the password percent-encoded")

// Parse reads a URL. Several addresses, or one and a comma, are a cluster; the scheme redis+sentinel, or
// rediss+sentinel to encrypt, has the addresses of Sentinels and the name of their master. The driver's
// parsers, which know neither, read the rest. The error is always ErrURL.
func Parse(text string) (*redis.UniversalOptions, error) {
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		scheme, rest = "redis", text
	}
	scheme, isSentinel := strings.CutSuffix(scheme, "+sentinel")
	if scheme == "unix" {
		return universal(redis.ParseURL(text))
	}
	end := strings.IndexAny(rest+"/", "/?")
	authority, tail := rest[:end], rest[end:]
	at := strings.LastIndexByte(authority, '@') + 1
	user, hosts := authority[:at], authority[at:]
	head, _, isCluster := strings.Cut(hosts, ",")
	first := scheme + "://" + user + head
	var o *redis.UniversalOptions
	var err error
	switch {
	case isSentinel:
		o, err = parseSentinels(first, tail)
	case isCluster:
		if o, err = universal(redis.ParseClusterURL(first + tail)); err == nil {
			o.IsClusterMode = true
			path, _, _ := strings.Cut(tail, "?")
			if db := strings.Trim(path, "/"); db != "" && db != "0" {
				return nil, ErrURL // because a cluster has database 0 only
			}
		}
	default:
		o, err = universal(redis.ParseURL(first + tail))
	}
	if err != nil {
		return nil, ErrURL
	}
	port := "6379"
	if isSentinel {
		port = "26379"
	}
	o.Addrs, err = splitHosts(hosts, port)
	return o, err
}

// parseSentinels reads /master-name/database?parameters. User and password of the URL are those of Redis; the
// parameters sentinel_username and sentinel_password are those of the Sentinels.
func parseSentinels(server, tail string) (*redis.UniversalOptions, error) {
	path, query, _ := strings.Cut(tail, "?")
	name, db, _ := strings.Cut(strings.Trim(path, "/"), "/")
	parameters, err := url.ParseQuery(query)
	if err != nil {
		return nil, err
	}
	username, password := parameters.Get("sentinel_username"), parameters.Get("sentinel_password")
	parameters.Del("sentinel_username")
	parameters.Del("sentinel_password")
	o, err := universal(redis.ParseURL(server + "/" + db + "?" + parameters.Encode()))
	if err != nil {
		return nil, err
	}
	o.SentinelUsername, o.SentinelPassword = username, password
	if o.MasterName, err = url.PathUnescape(name); o.MasterName == "" {
		return nil, ErrURL
	}
	return o, err
}

// universal copies the fields that a parser's options and universal ones share.
func universal[T any](from *T, err error) (*redis.UniversalOptions, error) {
	if err != nil {
		return nil, ErrURL
	}
	o := &redis.UniversalOptions{}
	source, target := reflect.ValueOf(from).Elem(), reflect.ValueOf(o).Elem()
	for i := range target.NumField() {
		name := target.Type().Field(i).Name
		if value := source.FieldByName(name); value.IsValid() && value.Type() == target.Field(i).Type() {
			target.Field(i).Set(value)
		}
	}
	if addr := source.FieldByName("Addr"); addr.IsValid() {
		o.Addrs = []string{addr.String()}
	}
	return o, nil
}

// splitHosts returns the addresses, each with a port. A comma at the end marks a cluster known by one
// address.
func splitHosts(hosts, port string) (addrs []string, err error) {
	for addr := range strings.SplitSeq(strings.TrimSuffix(hosts, ","), ",") {
		host, ownPort, err := net.SplitHostPort(addr)
		if err != nil {
			host, ownPort = strings.Trim(addr, "[]"), port
		}
		if n, err := strconv.ParseUint(ownPort, 10, 16); err != nil || n == 0 || host == "" {
			return nil, ErrURL
		}
		addrs = append(addrs, net.JoinHostPort(host, ownPort))
	}
	return addrs, nil
}
