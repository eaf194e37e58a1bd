// Package load measures on real servers, with the real binary: what a second processor is worth where the stores are far
// away, how soon, and to how many, the API answers, and what a live pitch waits for while everything is replayed beside it.
// PITCHSTREAM_LOAD=1 runs it; it takes some minutes.
package load
