// Package load measures what a second processor is worth where the stores are far away: the real binary on real servers,
// each answer of the stores later than it was; and how soon, and to how many, the API answers. PITCHSTREAM_LOAD=1 runs it; it
// takes some minutes.
package load
