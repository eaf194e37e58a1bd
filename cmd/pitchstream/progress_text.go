package main

import (
	"fmt"
	"math"
	"time"
)

// meter is the rate of a count that is looked at now and then, smoothed: what is older than half a minute fades.
type meter struct {
	at        time.Time
	count     int64
	perSecond float64
	begun     bool // perSecond holds something
}

const meterMemory = 15 * time.Second

func (m *meter) begin(now time.Time) { m.at = now }

// rate notes the count at that time and returns its growth per second.
func (m *meter) rate(now time.Time, count int64) float64 {
	span := now.Sub(m.at)
	if span <= 0 {
		return m.perSecond
	}
	current := float64(count-m.count) / span.Seconds()
	weight := 1 - math.Exp(-span.Seconds()/meterMemory.Seconds())
	if !m.begun {
		weight = 1
	}
	m.perSecond += weight * (current - m.perSecond)
	m.at, m.count, m.begun = now, count, m.begun || count > 0
	return m.perSecond
}

// countText is a count with its thousands apart: 12,000.
func countText(n int64) string {
	if n < 0 {
		return "-" + countText(-n)
	}
	if n < 1000 {
		return fmt.Sprint(n)
	}
	return countText(n/1000) + fmt.Sprintf(",%03d", n%1000)
}

// bytesText is a size in units of 1,000: 1.1 GB.
func bytesText(n int64) string {
	value, units := float64(n), []string{"B", "kB", "MB", "GB", "TB"}
	for value >= 999.95 && len(units) > 1 {
		value, units = value/1000, units[1:]
	}
	if units[0] == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}

// durationText is seconds as 38s, 4m10s, 3h05m.
func durationText(seconds float64) string {
	s := int64(math.Min(math.Ceil(seconds), 1e9))
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm", s/3600, s%3600/60)
}
