package features

// Bounds of the years 0001–9999 in UTC, in Unix milliseconds.
const (
	minTimeMS = -62135596800000
	maxTimeMS = 253402300799999
)

// parseRFC3339 reads an RFC 3339 time and returns Unix milliseconds, cut toward the past. T and Z may be
// lower case. A second of 60, a comma before the fraction, an hour of 24 and times outside of the years
// 0001–9999 are refused.
//
// It does not use time.Parse, because that accepts forms which the RFC does not have: an hour of one digit, a
// comma.
func parseRFC3339(b []byte) (ms int64, ok bool) {
	if len(b) < len("2006-01-02T15:04:05Z") || b[10]|0x20 != 't' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	days, ok1 := parseDate(b[:10])
	hour, ok2 := twoDigits(b[11:], 23)
	minute, ok3 := twoDigits(b[14:], 59)
	second, ok4 := twoDigits(b[17:], 59)
	fraction, rest, ok5 := parseFraction(b[19:])
	offset, ok6 := parseOffset(rest)
	ms = ((days*24+hour)*60+minute-offset)*60_000 + second*1000 + fraction
	return ms, ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && minTimeMS <= ms && ms <= maxTimeMS
}

// parseFraction reads the fraction of a second, if there is one, cut to milliseconds. It accepts any number
// of digits.
func parseFraction(b []byte) (ms int64, rest []byte, ok bool) {
	if len(b) == 0 || b[0] != '.' {
		return 0, b, true
	}
	n := 1
	for unit := int64(100); n < len(b) && '0' <= b[n] && b[n] <= '9'; n++ {
		ms += int64(b[n]-'0') * unit
		unit /= 10
	}
	return ms, b[n:], n > 1
}

// parseOffset reads Z or ±hh:mm and returns minutes east of UTC.
func parseOffset(b []byte) (minutes int64, ok bool) {
	if len(b) == 1 {
		return 0, b[0]|0x20 == 'z'
	}
	if len(b) != 6 || b[3] != ':' || b[0] != '+' && b[0] != '-' {
		return 0, false
	}
	hour, ok1 := twoDigits(b[1:], 23)
	minute, ok2 := twoDigits(b[4:], 59)
	minutes = hour*60 + minute
	if b[0] == '-' {
		minutes = -minutes
	}
	return minutes, ok1 && ok2
}

// parseDate reads YYYY-MM-DD, a day of the Gregorian calendar, and returns days since 1970-01-01. The
// calendar also counts for dates before its introduction, as in Postgres.
func parseDate(b []byte) (days int64, ok bool) {
	if len(b) != 10 || b[4] != '-' || b[7] != '-' {
		return 0, false
	}
	century, ok1 := twoDigits(b, 99)
	year, ok2 := twoDigits(b[2:], 99)
	month, ok3 := twoDigits(b[5:], 12)
	day, ok4 := twoDigits(b[8:], 31)
	year += century * 100
	if !ok1 || !ok2 || !ok3 || !ok4 || month == 0 || day == 0 || day > daysIn(year, month) {
		return 0, false
	}
	return daysSince1970(year, month, day), true
}

// daysIn returns the number of days in a month of a year.
func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSince1970 counts in years that begin on the first of March, so that the leap day is the last day of a
// year and months follow the formula (153·m + 2)/5.
func daysSince1970(year, month, day int64) int64 {
	if month <= 2 {
		// January and February belong to the year before.
		year--
		month += 12
	}
	// One cycle of 146097 days keeps the divisions above zero in the year 0000.
	year += 400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	return year*365 + year/4 - year/100 + year/400 + dayOfYear - 719468 - 146097
}

// twoDigits reads the first two bytes of b as a number of at most limit.
func twoDigits(b []byte, limit int64) (v int64, ok bool) {
	hi, lo := b[0]-'0', b[1]-'0'
	v = int64(hi)*10 + int64(lo)
	return v, hi <= 9 && lo <= 9 && v <= limit
}

// isGameDate reports whether b is a calendar date YYYY-MM-DD from 1800 on. Earlier ones are typing errors:
// nobody tracked them.
func isGameDate(b []byte) bool {
	_, ok := parseDate(b)
	return ok && string(b) >= "1800"
}
