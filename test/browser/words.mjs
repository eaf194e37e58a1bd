// Words of records that are names of JavaScript, what lists of leaders are called, and how pages ask.

import assert from "node:assert/strict";

globalThis.document = { hidden: false, baseURI: "http://server/", addEventListener() {}, removeEventListener() {} };
globalThis.dispatchEvent = () => {};
const { leading, outcome, spaced, storeState, typeName, unescaped, withoutCode } = await import("./format.js");
const { follow, pause, poll } = await import("./net.js");

for (const word of [...Object.getOwnPropertyNames(Object.prototype), "unknown type"]) {
  for (const said of [spaced(word), typeName(word), outcome({ pitch_result: "Ball", pitch_action: word })]) assert.equal(typeof said, "string", word);
  assert.ok(spaced(word).toLowerCase());
}
assert.deepEqual([spaced("FourSeamFastball"), spaced("Slider"), typeName("other"), typeName("unknown")], ["Four-seam", "Slider", "Other types", "Unknown type"]);
assert.deepEqual([unescaped("a%2Fb"), unescaped("%E0%A4")], ["a/b", "%E0%A4"]);

const shapes = [["not_a_pitch", "not_a_pitch: an array"], ["not_a_pitch", "not_a_pitch at op: missing"], ["not_a_pitch", "nothing"]];
assert.deepEqual(shapes.map(([code, shape]) => withoutCode({ code, shape })), ["an array", "at op: missing", "nothing"]);

const said = (n, stat, rest = {}) => leading({ leaders: Array(n), stat, ...rest }, 100, "batter", "50 swings");
assert.equal(said(1, "pitches"), "1 batter, over all games");
assert.equal(said(12, "barrel_rate_pct"), "12 batters with a value of barrel rate, over all games");
assert.equal(said(3, "pitches", { min_swings: 50 }), "3 batters, of at least 50 swings, over all games");
assert.equal(said(100, "avg_bat_speed_mph"), "The first 100 by avg bat speed, over all games");

const store = (name, ok, detail, unknown) => Object.values(storeState({ name, ok, detail, unknown }));
assert.deepEqual(store("redis", true, ""), ["up", "ok"]);
assert.deepEqual(store("postgres", true, "can be read, but takes no writes of a"), ["up, takes no writes", "warn"]);
assert.deepEqual(store("redis", true, "incomplete: it takes no writes"), ["up, incomplete", "warn"]);
assert.deepEqual(store("redis", false, "cannot be read"), ["unavailable", "bad"]);
assert.deepEqual(store("kafka", false, "", true), ["not known", null]);

// A question that is asked anew while its answer is on its way: the old answer is not shown.
const end = new AbortController(), asked = [], shown = [];
let stat = "pitches", release;
globalThis.fetch = url => new Promise(done => {
  asked.push(url.pathname);
  const answer = () => done(new Response(JSON.stringify(url.pathname)));
  if (asked.length === 1) release = answer; else answer();
});
const asking = poll(() => `v1/${stat}`, 3_600_000, { state: body => shown.push(body), lost: assert.fail }, end.signal);
while (!release) await null;
stat = "whiffs";
asking.now();
release();
while (!shown.length) await new Promise(done => setImmediate(done));
assert.deepEqual([asked, shown], [["/v1/pitches", "/v1/whiffs"], ["/v1/whiffs"]]);
end.abort();
await pause(3_600_000, end.signal);

// A stream does not come back before the server wants it to.
const link = new AbortController(), pauses = [], real = globalThis.setTimeout;
globalThis.fetch = async () => new Response("{}", { status: 429, headers: { "Retry-After": "7" } });
globalThis.setTimeout = (f, ms) => { pauses.push(ms); return real(f, 0); };
let lost = 0;
await follow("v1/stream/events", { lost: () => { if (++lost === 2) link.abort(); } }, link.signal);
assert.ok(pauses.some(ms => ms >= 7000 && ms <= 10_500), String(pauses));
process.exit(0);
