// Package browser tests the dashboard in Chromium, which the machine must have, driven by Playwright. The
// real binary runs with real Postgres and Redis while simulated games are played. PITCHSTREAM_SCREENSHOTS
// names a folder for pictures of all views; PITCHSTREAM_BROWSER_SOAK=5m is how long a page watches a game.
package browser
