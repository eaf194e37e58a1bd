package terminal

import (
	"cmp"
	"os"
	"strconv"
)

// User returns who runs this program, as user@machine, for the audit of what was done.
func User() string {
	machine, err := os.Hostname()
	if err != nil {
		machine = "unknown"
	}
	return cmp.Or(os.Getenv("USER"), os.Getenv("LOGNAME"), "uid "+strconv.Itoa(os.Getuid())) + "@" + machine
}
