//go:build core1

package features

// version is that of the first core, without flight and contact. Only the test of the upgrade builds it: its
// binary writes the rows that a processor of 0.1.0 wrote.
const version int32 = 1
