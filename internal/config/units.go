package config

import (
	"fmt"
	"math"
	"net"
	"strconv"
	"strings"
	"time"
)

// Bytes is a size of at least 0, written as 16MiB (1,024² bytes), 16MB (1,000² bytes) or 16777216. Its text
// reads back as the same size.
type Bytes int64

// byteUnits are tried in this order. B is the last, because it is a suffix of all others. The first three are
// those that String writes.
var byteUnits = []struct {
	name string
	size Bytes
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}, {"KB", 1e3}, {"B", 1},
}

// UnmarshalText reads a size.
func (b *Bytes) UnmarshalText(text []byte) error {
	number, size := string(text), Bytes(1)
	for _, u := range byteUnits {
		if rest, ok := strings.CutSuffix(number, u.name); ok {
			number, size = strings.TrimSpace(rest), u.size
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/int64(size) {
		return fmt.Errorf("want bytes as 16MiB, 512KiB or 1048576, not %q", text)
	}
	*b = Bytes(n) * size
	return nil
}

// MarshalText returns String.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// String returns the size in the largest of the units GiB, MiB and KiB that divides it, else in bytes.
func (b Bytes) String() string {
	for _, u := range byteUnits[:3] {
		if b != 0 && b%u.size == 0 {
			return fmt.Sprintf("%d%s", b/u.size, u.name)
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// Duration is a time span of at least 0, written with its unit: 250ms, 10s, 1m30s.
type Duration time.Duration

// UnmarshalText reads a span. It refuses a number without a unit, except 0.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("want a time span with its unit as 250ms, 10s or 1m30s, not %q", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText returns String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string { return time.Duration(d).String() }

// Addr is the address at which a server listens: ":8080" for all of the machine's addresses, "127.0.0.1:8080"
// for one, port 0 for any free port, or Off.
type Addr string

// Off is the address of a server that does not run.
const Off Addr = "off"

// Listen returns the address, "" for Off.
func (a Addr) Listen() string {
	if a == Off {
		return ""
	}
	return string(a)
}

// UnmarshalText reads an address.
func (a *Addr) UnmarshalText(text []byte) error {
	if *a = Addr(text); *a == Off {
		return nil
	}
	_, port, err := net.SplitHostPort(string(text))
	_, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil {
		return fmt.Errorf("want an address as :8080, 127.0.0.1:8080 or [::1]:8080, or off, not %q", text)
	}
	return nil
}
