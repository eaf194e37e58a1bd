// Package load measures the real binary on real servers. It measures how much a second processor helps when
// the stores are slow to reach, and how soon and to how many clients the API answers. It also measures how
// long a live pitch waits during a replay. PITCHSTREAM_LOAD=1 runs it; it takes some minutes.
package load
