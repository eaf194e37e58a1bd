package config

import (
	"os"
	"runtime/debug"
)

// Memory bounds what a processor holds at a time.
type Memory struct {
	FetchMaxBytes Bytes `name:"fetch-max-bytes" default:"16MiB" placeholder:"SIZE" help:"Most that is fetched from Kafka at a time, as it is packed there; one record always is, however large. Unpacked (tracking data: three times its size) it is held about three times: fetched ahead, in hand, decoded; records that pack much better want a smaller one. Default: 16MiB."`
	MemoryLimit   Bytes `name:"memory-limit" default:"192MiB" placeholder:"SIZE" help:"The collector works harder the nearer memory comes to this (as GOMEMLIMIT, which wins when it is set): leave about a quarter of the container's limit above it. A single record that needs more gets more. Default: 192MiB."`
}

// Validate says what is wrong and what would be right.
func (m Memory) Validate() error {
	if m.FetchMaxBytes < 64<<10 || m.FetchMaxBytes > 256<<20 {
		return invalid("fetch-max-bytes", m.FetchMaxBytes.String(), "64KiB to 256MiB")
	}
	if m.MemoryLimit < 64<<20 {
		return invalid("memory-limit", m.MemoryLimit.String(), "64MiB or more")
	}
	return nil
}

// Apply sets the limit for this process, unless its environment has set one.
func (m Memory) Apply() {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(m.MemoryLimit))
	}
}
