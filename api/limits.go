package api

import (
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// clients bounds what one client may take from the others: requests a second, and open streams. A client is
// an address; of IPv6 it is the network of 64 bits that a provider gives to one customer.
type clients struct {
	rate       rate.Limit
	maxStreams int
	proxies    []netip.Prefix

	mu      sync.Mutex // guards both maps
	rates   *simplelru.LRU[netip.Prefix, *rate.Limiter]
	streams map[netip.Prefix]int // without those that have none
}

// knownClients is how many addresses are remembered. One that is forgotten begins anew.
const knownClients = 50_000

func newClients(cfg Config) (*clients, error) {
	rates, err := simplelru.NewLRU[netip.Prefix, *rate.Limiter](knownClients, nil)
	return &clients{
		rate: rate.Limit(cfg.ClientRate), maxStreams: cfg.ClientStreams, proxies: cfg.TrustedProxies,
		rates: rates, streams: map[netip.Prefix]int{},
	}, err
}

// allow counts a request of a client, and reports after how many seconds another one may come; 0: now.
func (c *clients) allow(client netip.Prefix) (retryAfter int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	l, ok := c.rates.Get(client)
	if !ok {
		l = rate.NewLimiter(c.rate, max(1, int(2*c.rate)))
		c.rates.Add(client, l)
	}
	// guard: api: a client's requests are limited
	if !l.Allow() {
		return secondsFor(c.rate)
	}
	return 0
}

// secondsFor returns after how many seconds, at most an hour, a request more is within a limit.
func secondsFor(limit rate.Limit) int {
	return max(1, int(math.Ceil(min(1/float64(limit), 3600))))
}

// open counts a stream of a client until close is called. It returns false if the client has too many.
func (c *clients) open(client netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	// guard: api: a client's streams are limited
	if c.streams[client] >= c.maxStreams {
		return false
	}
	c.streams[client]++
	return true
}

func (c *clients) close(client netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams[client]--; c.streams[client] == 0 {
		delete(c.streams, client)
	}
}

// of returns the client of a request: the address that it came from, or, through proxies that are trusted,
// the last one in X-Forwarded-For that no such proxy has. All before that one may be invented.
func (c *clients) of(r *http.Request) netip.Prefix {
	from, err := netip.ParseAddrPort(r.RemoteAddr)
	addr := from.Addr().Unmap()
	if err != nil {
		return netip.Prefix{}
	}
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(chain) - 1; i >= 0 && c.isTrusted(addr); i-- {
		next, err := netip.ParseAddr(strings.TrimSpace(chain[i]))
		if err != nil {
			break
		}
		addr = next.Unmap()
	}
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	client, _ := addr.WithZone("").Prefix(bits)
	return client
}

func (c *clients) isTrusted(addr netip.Addr) bool {
	return slices.ContainsFunc(c.proxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// fair refuses the requests of a client that asks for more than its share. With a rate of 0 there is no limit
// on requests.
func (c *clients) fair(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		client := c.of(r)
		if at, ok := r.Context().Value(matchedKey{}).(*matched); ok {
			at.client = client
		}
		if c.rate > 0 {
			if seconds := c.allow(client); seconds > 0 {
				refuseLater(w, seconds, "this client sends more requests than its share: "+
					strconv.FormatFloat(float64(c.rate), 'f', -1, 64)+" a second")
				return
			}
		}
		if isStream(r) {
			if !c.open(client) {
				refuseLater(w, 5, "this client has as many streams as it may have: "+strconv.Itoa(c.maxStreams))
				return
			}
			defer c.close(client)
		}
		next.ServeHTTP(w, r)
	})
}

func refuseLater(w http.ResponseWriter, seconds int, detail string) {
	w.Header().Set("Retry-After", strconv.Itoa(seconds))
	refuse(w, http.StatusTooManyRequests, problemTypes[http.StatusTooManyRequests], detail)
}
