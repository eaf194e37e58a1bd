// Package browser tests the dashboard in a real browser: Chromium, which the machine must have, driven by Playwright,
// on the real binary with real Postgres and Redis while simulated games are played. PITCHSTREAM_SCREENSHOTS names a folder
// for pictures of all views; PITCHSTREAM_BROWSER_SOAK=5m lets a page watch a game for so long.
package browser
