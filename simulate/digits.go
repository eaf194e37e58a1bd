package simulate

import "strconv"

// appendFloat writes the shortest digits that read back as f, with a point or an exponent, as the real
// records do.
func appendFloat(b []byte, f float64) []byte {
	start := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	for _, c := range b[start:] {
		if c == '.' || c == 'e' {
			return b
		}
	}
	return append(b, ".0"...)
}

// appendMeasure writes a measure to 16 significant digits, as many as in the real records. The shortest exact
// digits would take three times as long and be two thirds of all work (measured with Go 1.26).
func appendMeasure(b []byte, f float64) []byte {
	if f < 0 {
		b, f = append(b, '-'), -f
	}
	for _, s := range measureScales {
		if s.from <= f && f < s.from*10 {
			return appendDecimal(b, uint64(f*s.scale+0.5), s.decimals)
		}
	}
	return appendFloat(b, f) // 0, and what is tiny or huge
}

// measureScales are ordered by frequency, the most frequent magnitude first.
var measureScales = []struct {
	from, scale float64
	decimals    int
}{{1, 1e15, 15}, {10, 1e14, 14}, {0.1, 1e16, 16}, {100, 1e13, 13}, {0.01, 1e17, 17}}

// appendDecimal writes n·10^−decimals without zeros at the end, except one after the point.
func appendDecimal(b []byte, n uint64, decimals int) []byte {
	start := len(b)
	b = strconv.AppendUint(b, n, 10)
	if missing := decimals + 1 - (len(b) - start); missing > 0 { // zeros in front
		b = append(b, "000000000000000000"[:missing]...)
		copy(b[start+missing:], b[start:len(b)-missing])
		copy(b[start:], "000000000000000000"[:missing])
	}
	point := len(b) - decimals
	b = append(b, 0)
	copy(b[point+1:], b[point:len(b)-1])
	b[point] = '.'
	for b[len(b)-1] == '0' && len(b)-2 > point {
		b = b[:len(b)-1]
	}
	return b
}
