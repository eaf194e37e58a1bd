package doctor

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/redissink"
)

// oldestRedis is the oldest major version that is tested.
const oldestRedis = 7

// memorySeen is the memory of one node, in bytes.
type memorySeen struct {
	node             string
	used, most, here int64 // most: 0 is no bound; here: the machine's memory
	keys             int64
}

const rewrite = ", then CONFIG REWRITE"

// redisRules are about the answers to CONFIG GET.
var redisRules = []rule{
	{"maxmemory-policy", isNot("noeviction"), Error,
		"values of a batter can vanish: run writes nothing to such a server",
		"CONFIG SET maxmemory-policy noeviction" + rewrite},
	{"timeout", within(1, 30), Warning, "quiet connections are closed, and the next read waits for a new one",
		"CONFIG SET timeout 0" + rewrite},
	{"maxclients", within(0, 63), Warning, "the next processor or reader is refused",
		"CONFIG SET maxclients 10000" + rewrite},
	{"proto-max-bulk-len", within(0, 1<<20-1), Warning, "a batter's hash or script may be refused",
		"CONFIG SET proto-max-bulk-len 512mb" + rewrite},
	{"replica-serve-stale-data", is("no"), Note, "a replica that lost its master answers with errors",
		"CONFIG SET replica-serve-stale-data yes" + rewrite},
}

// needs are the commands that a user must be allowed, on keys with the prefix (docs/REDIS.md).
var needs = map[Command][]string{
	ForRun:   {"set", "get", "del", "type", "hget", "hset", "hdel", "hmget", "hgetall", "hkeys", "pexpire"},
	ForServe: {"get", "hget", "hmget", "hgetall", "hexists"},
}

// redisExam checks the nodes.
type redisExam struct {
	*exam
	l *list
}

func examineRedis(ctx context.Context, x *exam) error {
	if x.o.Redis == nil {
		return nil
	}
	client, err := redissink.Connect(*x.o.Redis)
	if err != nil {
		return err
	}
	defer client.Close()
	r := &redisExam{x, &x.redis}
	const why = "the API answers from Postgres, more slowly"
	err = client.Ping(ctx).Err()
	switch {
	case err == nil:
	// guard: doctor: a login that Redis refuses is named | isLogin(err) -> false
	case isLogin(err):
		fix := cmp.Or(x.o.Hint(fmt.Errorf("redis: %w", err)), "look at user and password in the settings")
		r.l.check(true, Finding{"redis.login", Error, "it refuses this login: " + err.Error(), why, fix})
		return nil
	case !isReply(err):
		x.unreachable(r.l, Redis, err, why)
		return nil
	}
	isServer := false
	if cluster, ok := client.(*redis.ClusterClient); ok {
		r.cluster(ctx, cluster)
		isServer = true
		err = cluster.ForEachMaster(ctx, func(ctx context.Context, c *redis.Client) error {
			x.seen.mu.Lock()
			defer x.seen.mu.Unlock()
			r.node(ctx, c)
			return nil
		})
	} else {
		isServer, err = r.node(ctx, client), nil
	}
	if isServer {
		r.rights(ctx, client) // the node of a slot answers, so that a cluster is asked as a whole
	}
	return err
}

// isLogin reports whether the server refuses user or password.
func isLogin(err error) bool {
	return slices.ContainsFunc([]string{"NOAUTH", "WRONGPASS", "ERR AUTH", "ERR invalid password"},
		func(sign string) bool { return strings.HasPrefix(err.Error(), sign) })
}

// isReply reports whether the server answered, with an error.
func isReply(err error) bool {
	_, ok := err.(redis.Error)
	return ok
}

// cluster checks that every slot has a node.
func (r *redisExam) cluster(ctx context.Context, c *redis.ClusterClient) {
	text, err := c.ClusterInfo(ctx).Result()
	if err != nil {
		r.l.skip("redis.cluster", err)
		return
	}
	info := fields(text)
	r.l.check(info["cluster_state"] != "ok", Finding{
		"redis.cluster_state", Error, fmt.Sprintf("cluster_state = %s, and %s of 16384 slots have a node",
			info["cluster_state"], info["cluster_slots_ok"]),
		"keys of the other slots can be neither read nor written", "redis-cli --cluster fix HOST:PORT",
	})
}

// node checks one server. It returns false for a Sentinel.
func (r *redisExam) node(ctx context.Context, c redis.UniversalClient) (isServer bool) {
	text, err := c.Info(ctx, "everything").Result()
	if err != nil {
		r.l.skip("redis.info", err)
	}
	info := fields(text)
	r.l.check(info["redis_mode"] == "sentinel", Finding{
		"redis.mode", Error, "the address is that of a Sentinel, not of a server",
		"it holds no values", "give it as redis+sentinel://HOST:PORT/MASTER-NAME",
	})
	if info["redis_mode"] == "sentinel" {
		return false
	}
	if err := r.measure("redis", func() (time.Time, error) { return c.Time(ctx).Result() }, r.l); err != nil {
		r.l.skip("redis.clock", err)
	}
	settings, err := c.ConfigGet(ctx, "*").Result()
	if err != nil {
		r.l.skip("redis.settings", err)
		if policy := info["maxmemory_policy"]; policy != "" { // INFO has this one, too
			settings = map[string]string{"maxmemory-policy": policy}
			r.l.apply("redis.", "", settings, redisRules[:1])
		}
	} else {
		r.l.apply("redis.", "", settings, redisRules)
		r.persistence(settings)
	}
	if text != "" {
		r.info(info, settings)
	}
	return true
}

// persistence checks whether the server keeps its data over a restart.
func (r *redisExam) persistence(settings map[string]string) {
	r.l.check(settings["appendonly"] == "no" && settings["save"] == "", Finding{
		"redis.persistence", Note, "appendonly = no, and save is empty: nothing is kept on disk",
		"after a restart every batter is written again from Postgres, which takes seconds to minutes",
		"CONFIG SET appendonly yes" + rewrite,
	})
}

// info checks the answers to INFO.
func (r *redisExam) info(info, settings map[string]string) {
	number := func(name string) int64 {
		n, _ := strconv.ParseInt(info[name], 10, 64)
		return n
	}
	major, _ := strconv.Atoi(strings.SplitN(info["redis_version"], ".", 2)[0])
	r.l.check(info["role"] == "slave" && r.o.For != ForServe, Finding{
		"redis.role", Error, "the server is a replica of " + info["master_host"] + ":" + info["master_port"],
		"every write is refused (READONLY)", "give the address of the master, of the Sentinels, or of a cluster",
	})
	r.l.check(info["role"] == "slave" && info["master_link_status"] == "down", Finding{
		"redis.replication", Warning, "the replica has no connection to its master", "its values get old",
		"look at the network, and at masterauth",
	})
	r.l.check(major < oldestRedis, Finding{
		"redis.version", Warning, "the server is Redis " + info["redis_version"],
		fmt.Sprintf("Redis %d and newer, and Valkey, are tested", oldestRedis), "upgrade the server",
	})
	r.l.check(info["loading"] == "1", Finding{
		"redis.loading", Warning, "the server is still reading its file", "it refuses commands until then",
		"wait for it",
	})
	failed := info["rdb_last_bgsave_status"] == "err" && settings["stop-writes-on-bgsave-error"] != "no" ||
		info["aof_last_write_status"] == "err"
	r.l.check(failed, Finding{
		"redis.disk", Error, "the server could not write its file", "it refuses every write (MISCONF)",
		"make room on its disk, then BGSAVE",
	})
	replicas, _ := strconv.ParseInt(settings["min-replicas-to-write"], 10, 64)
	r.l.check(replicas > number("connected_slaves") && info["role"] != "slave", Finding{
		"redis.min-replicas-to-write", Error,
		fmt.Sprintf("min-replicas-to-write = %d, and %d replicas are connected", replicas,
			number("connected_slaves")),
		"every write is refused (NOREPLICAS)", "start the replicas, or CONFIG SET min-replicas-to-write 0" +
			rewrite,
	})
	r.l.check(number("maxclients") > 0 && number("connected_clients")*10 > number("maxclients")*8, Finding{
		"redis.connected_clients", Warning,
		fmt.Sprintf("%d of %d connections are in use", number("connected_clients"), number("maxclients")),
		"the next processor or reader is refused", "CONFIG SET maxclients 10000" + rewrite,
	})
	var keys int64
	for name, value := range info {
		if rest, ok := strings.CutPrefix(value, "keys="); ok && strings.HasPrefix(name, "db") {
			count, _, _ := strings.Cut(rest, ",")
			n, _ := strconv.ParseInt(count, 10, 64)
			keys += n
		}
	}
	r.seen.memory = append(r.seen.memory, memorySeen{
		node: info["tcp_port"], used: number("used_memory"), most: number("maxmemory"),
		here: number("total_system_memory"), keys: keys,
	})
}

// rights asks the server which commands this user is allowed, without running them.
func (r *redisExam) rights(ctx context.Context, c redis.UniversalClient) {
	commands := needs[r.o.For]
	if len(commands) == 0 {
		return
	}
	key := r.o.Redis.Prefix + "batter:{0}"
	const ask = `if not redis.acl_check_cmd then return redis.error_reply('this server cannot be asked which commands are allowed') end
		local refused = {}
		for _, command in ipairs(ARGV) do
			if not redis.acl_check_cmd(command, KEYS[1], 'f', 'v') and not redis.acl_check_cmd(command, KEYS[1], 'f')
				and not redis.acl_check_cmd(command, KEYS[1]) then refused[#refused + 1] = command end
		end
		return refused`
	arguments := schemas.Map(commands, func(command string) any { return command })
	refused, err := c.Eval(ctx, ask, []string{key}, arguments...).StringSlice()
	const fix = "ACL SETUSER NAME with the rights that docs/REDIS.md lists"
	switch {
	case err != nil && strings.HasPrefix(err.Error(), "NOPERM") && r.o.For == ForRun:
		r.l.check(true, Finding{
			"redis.rights", Error, "this user may not run EVAL on keys below " + r.o.Redis.Prefix,
			"no value can be written", fix,
		})
	case err != nil:
		r.l.skip("redis.rights", err)
	default:
		slices.Sort(refused)
		r.l.check(len(refused) > 0, Finding{
			"redis.rights", Error, fmt.Sprintf("this user may not run %s on keys below %s",
				strings.ToUpper(strings.Join(refused, ", ")), r.o.Redis.Prefix),
			fmt.Sprintf("pitchstream %s cannot work without it", r.o.For), fix,
		})
	}
}

// fields reads the lines NAME:VALUE of INFO and CLUSTER INFO.
func fields(text string) map[string]string {
	found := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			found[name] = value
		}
	}
	return found
}
