// Package newcomer runs the README as a newcomer would: the blocks of commands as they are printed, in their
// order, in a fresh clone.
package newcomer
