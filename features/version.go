//go:build !core1

package features

// version is that of the core as released.
const version int32 = 2
