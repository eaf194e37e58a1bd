//go:build !linux

package replay

// lowerPriority does nothing, because only Linux has a priority that needs no rights.
func lowerPriority() {}
