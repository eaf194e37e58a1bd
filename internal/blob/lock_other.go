//go:build !(linux || darwin || freebsd || netbsd || openbsd || dragonfly)

package blob

import "os"

// LockFile does nothing, because not all of these systems have a lock that ends with the process.
func LockFile(*os.File, bool) bool { return true }
