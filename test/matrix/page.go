package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// page has a line of its table for each server that was tried, between two marks.
const (
	page  = "COMPATIBILITY.md"
	begin = "<!-- begin of the results -->\n"
	end   = "<!-- end of the results -->\n"
)

// record replaces the line of a server in the page, or adds it.
func record(r row, result, tests string, when time.Time) error {
	content, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	next, err := withResult(string(content), r, result, tests, when)
	if err != nil {
		return err
	}
	return os.WriteFile(page, []byte(next), 0o644)
}

func withResult(content string, r row, result, tests string, when time.Time) (string, error) {
	before, rest, found := strings.Cut(content, begin)
	lines, after, ended := strings.Cut(rest, end)
	if !found || !ended {
		return "", fmt.Errorf("%s has no lines %q and %q", page, strings.TrimSpace(begin), strings.TrimSpace(end))
	}
	all := slices.Collect(strings.Lines(lines))
	prefix := fmt.Sprintf("| %s | %s |", r.server, r.version)
	line := fmt.Sprintf("%s %s | %s | %s |\n", prefix, result, tests, when.Format(time.DateOnly))
	if i := slices.IndexFunc(all, func(l string) bool { return strings.HasPrefix(l, prefix) }); i >= 0 {
		all[i] = line
	} else {
		all = append(all, line)
	}
	return before + begin + strings.Join(all, "") + end + after, nil
}
