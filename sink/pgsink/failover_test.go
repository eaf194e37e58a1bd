package pgsink

import (
	"cmp"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"github.com/pitchstream/pitchstream/internal/localpg"
	"github.com/pitchstream/pitchstream/internal/testkit"
	"github.com/pitchstream/pitchstream/schemas"
	"github.com/pitchstream/pitchstream/sink/pgsink/pgread"
	"github.com/pitchstream/pitchstream/sink/sinktest"
)

// name is one address that leads to one server after another, as a floating address does. Connections stay
// with the server that they were made to.
type name struct {
	addr   string
	server atomic.Value // host:port, a string
}

func newName(t *testing.T, server string) *name {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	n := &name{addr: l.Addr().String()}
	n.server.Store(server)
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", n.server.Load().(string))
				if err != nil {
					return
				}
				defer server.Close()
				go func() {
					_, _ = io.Copy(server, client)
					_ = server.Close()
				}()
				_, _ = io.Copy(client, server)
			}()
		}
	}()
	return n
}

// of returns the URL of the database under the name.
func (n *name) of(t *testing.T, database, more string) string {
	t.Helper()
	u, err := url.Parse(database + more)
	require.NoError(t, err)
	u.Host = n.addr
	return u.String()
}

// twoServers returns a standby and a primary, both with our tables and one password.
func twoServers(t *testing.T) (standby, primary *localpg.Server) {
	t.Helper()
	return testkit.StandbyAndPrimary(t, func(url string) { openAt(t, url, "pitchstream").Close() })
}

// guard: a writer and a server refuse a standby
// guard: a server reads from the standby that it is given
// guard: a server that ceased to be the primary loses all connections
func TestAWriterGoesOnWhenItsNameLeadsToThePrimaryAgain(t *testing.T) {
	standby, primary := twoServers(t)
	for _, c := range []struct{ more, refused string }{
		{"", "the server is a standby"},
		{"&target_session_attrs=any", "during recovery"},
	} {
		n := newName(t, standby.Addr)
		cfg := Config{URL: n.of(t, primary.URL, c.more), Schema: "pitchstream", Group: "g"}
		s, err := Open(cfg)
		require.NoError(t, err)
		w := sinktest.NewGenerator(7, 1)
		if c.more != "" { // several connections to the standby, of which the failure ends all
			var held [3]*pgxpool.Conn
			for i := range held {
				held[i], err = s.db.Pool.Acquire(t.Context())
				require.NoError(t, err)
			}
			for _, conn := range held {
				conn.Release()
			}
		}
		_, err = s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(0, 1)))
		require.ErrorContains(t, err, c.refused)
		reader, err := pgread.Open(cfg)
		require.NoError(t, err)
		require.NoError(t, reader.Ping(t.Context()), "a reader takes a standby")
		reader.Close()
		one, err := pgread.OpenPrimary(cfg)
		require.NoError(t, err)
		require.NoError(t, one.Ping(t.Context()), "so does a server that is given one")
		one.Close()
		several := cfg
		several.URL = strings.Replace(cfg.URL, "@"+n.addr, "@"+n.addr+","+newName(t, standby.Addr).addr, 1)
		server, err := pgread.OpenPrimary(several)
		require.NoError(t, err)
		if err := server.Ping(t.Context()); c.more == "" {
			require.ErrorContains(t, err, c.refused, "a server does not")
		} else {
			require.NoError(t, err)
		}
		n.server.Store(primary.Addr)
		_, err = s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(0, 1)))
		require.NoError(t, err, "the next attempt finds the primary")
		require.NoError(t, server.Ping(t.Context()))
		server.Close()
		s.Close()
	}
}

// guard: changes: a standby that lags has lost nothing
func TestAStandbyThatLagsHasLostNoChanges(t *testing.T) {
	standby, primary := twoServers(t)
	read := func(server *localpg.Server, after schemas.FeedID) error {
		reader, err := pgread.Open(Config{URL: server.URL, Schema: "pitchstream", Group: "g"})
		require.NoError(t, err)
		defer reader.Close()
		page, err := reader.Changes(t.Context(), nil, 1)
		require.NoError(t, err)
		after.Seq += page.Newest
		after.Feed = cmp.Or(after.Feed, page.Feed)
		_, err = reader.Changes(t.Context(), &after, 1)
		return err
	}
	for _, ahead := range []schemas.FeedID{{Seq: 1}, {Feed: "abc"}} {
		require.ErrorIs(t, read(primary, ahead), schemas.ErrFeedGone)
		require.ErrorIs(t, read(standby, ahead), schemas.ErrFeedBehind)
	}
	require.NoError(t, read(standby, schemas.FeedID{}))
}

// One attempt may fail with the connection that was ended. The next one has another.
func TestAWriterGoesOnWhenItsConnectionsAreEnded(t *testing.T) {
	s := open(t)
	w := sinktest.NewGenerator(7, 1)
	admin := raw(t, s)
	for i := range 3 {
		_, err := s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(2*i, 1)))
		require.NoError(t, err)
		_, err = admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		require.NoError(t, err)
		if _, err = s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(2*i+1, 1))); err != nil {
			_, err = s.Apply(t.Context(), sinktest.BatchOf(w.Upsert(2*i+1, 1)))
		}
		require.NoError(t, err)
	}
}
