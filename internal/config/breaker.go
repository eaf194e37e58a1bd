package config

import (
	"strconv"
	"time"
)

// Breaker says how much may be rejected before a processor holds and asks.
type Breaker struct {
	InARow    int           `name:"breaker-in-a-row" default:"1000" placeholder:"N" help:"Rejected records in a row after which the processor holds: it commits nothing more, is not ready and says why, until POST /breaker/reset at the admin address or a restart. 0: no limit. Default: 1000."`
	Share     float64       `name:"breaker-share" default:"0.5" placeholder:"SHARE" help:"Share of rejected records within --breaker-window at which it holds too, up to 1. 0: no limit. Default: 0.5."`
	Window    time.Duration `name:"breaker-window" default:"5m" placeholder:"DURATION" help:"The time that --breaker-share looks back on, in whole minutes. Default: 5m."`
	WindowMin int           `name:"breaker-window-min" default:"200" placeholder:"N" help:"Records within --breaker-window from which on its share counts. Default: 200."`
}

// Validate says what is wrong and what would be right.
func (b Breaker) Validate() error {
	switch {
	case b.InARow < 0:
		return invalid("breaker-in-a-row", strconv.Itoa(b.InARow), "a number of records, or 0 for no limit")
	case b.Share < 0 || b.Share > 1:
		return invalid("breaker-share", strconv.FormatFloat(b.Share, 'g', -1, 64), "more than 0 up to 1, or 0 for no limit")
	case b.Window < time.Minute || b.Window > time.Hour || b.Window%time.Minute != 0:
		return invalid("breaker-window", b.Window.String(), "1m to 1h, in whole minutes")
	case b.WindowMin < 1:
		return invalid("breaker-window-min", strconv.Itoa(b.WindowMin), "1 or more")
	}
	return nil
}
