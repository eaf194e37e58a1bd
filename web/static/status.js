// The status line: how fresh the page is. It is always there, so that nothing moves when its text changes.

import { announce, attr, h, list, text } from "./dom.js";
import { ago, duration, number, time } from "./format.js";
import { follow } from "./net.js";

const silence = 4000; // ms without a word from the server, which sends one every 2 s at least
const listeners = new Set();
let body = null, came = 0, heard = 0, problem = null; // came: when body arrived; heard: the last word of the server

/** stream is the newest body of /v1/stream, null before the first. problem is set while there is no connection. */
export function stream() {
  return { body, problem };
}

/** onStream calls f at once and at each change, until signal ends. */
export function onStream(f, signal) {
  listeners.add(f);
  signal.addEventListener("abort", () => listeners.delete(f));
  f(stream());
}

const remembered = 3600; // states, which is about an hour

/** past has the values of the charts, {at, rate, lag}, the oldest first. It begins with the page, before the view of the stream is opened. */
export const past = [];

/** remember keeps the values of the charts from the start of the page. */
export function remember(signal) {
  onStream(({ body }) => {
    const at = body && Date.parse(body.at);
    if (!body || past.at(-1)?.at >= at) return;
    past.push({ at, rate: body.records_per_s, lag: body.lag_ms });
    if (past.length > remembered) past.shift();
  }, signal);
}

/** start follows the state of the stream as long as the page is open. */
export function start(signal) {
  follow("v1/stream/events", {
    state: state => { body = state; came = performance.now(); problem = null; tell(); },
    heard: () => { heard = performance.now(); },
    // guard: dashboard: it says that the connection is lost | problem = err; tell(); ->
    lost: err => { problem = err; tell(); },
    // guard: dashboard: a server that hangs is lost | signal, silence); -> signal, 20_000);
  }, signal, silence);
  setInterval(tell, 1000); // ages grow
}

function tell() {
  draw();
  for (const f of listeners) f(stream());
}

function draw() {
  const { level, word, why } = verdict(), strip = document.getElementById("status");
  attr(strip, "data-level", level);
  text(strip.querySelector(".word"), word);
  text(strip.querySelector(".why"), why);
  list(strip.querySelector(".facts"), facts(), f => f.kind, f => h("span", { class: f.kind }), (span, f) => text(span, f.words));
  attr(document.body, "data-stale", level === "bad" || body?.stale ? "true" : null);
  if (level !== "wait") announce(`Stream: ${word}.`);
}

const sources = { redis: "Redis", postgres: "Postgres", memory: "memory" };

/** verdict returns the state in a word, its severity, and the reason. */
export function verdict() {
  if (problem) {
    if (problem.status === 401) return { level: "bad", word: "Token wanted", why: "this server answers only with its API token" };
    if (problem.type === "away") return { level: "bad", word: "Nothing to show", why: "neither Redis nor Postgres can be read" };
    if (body && age() < 2500) return judged(); // a stream that reconnects at once is not worth a message
    // guard: dashboard: the age counts from the last message | ${ago(age())} -> ${ago(0)}
    return { level: "bad", word: "No connection", why: body ? `${problem.message}; the numbers are of ${ago(age())}` : `${problem.message}; trying again` };
  }
  return body ? judged() : { level: "wait", word: "Connecting", why: "" };
}

/** age returns how long ago the newest state arrived, in ms. */
function age() {
  return performance.now() - came;
}

/** source returns where numbers are read now: redis, postgres or memory. A Redis that is incomplete answers nothing. */
function source() {
  const redis = body.stores?.find(s => s.name === "redis");
  return body.source === "redis" && redis?.detail ? "postgres" : body.source;
}

function judged() {
  const reasons = body.reasons?.join("; ") ?? "";
  // guard: dashboard: it shows that both stores are unavailable | if (body.source === "memory") -> if (false)
  // guard: dashboard: the age of what is remembered grows | body.age_ms + performance.now() - came -> body.age_ms
  if (body.source === "memory") return { level: "bad", word: "Stores unavailable", why: `last known numbers, ${duration(body.age_ms + performance.now() - came)} old` };
  if (heard - came > 6000) return { level: "warn", word: "Slow", why: `the server answers, but a store does not; the numbers are of ${ago(age())}` };
  if (body.state === "down") return { level: "bad", word: "Down", why: reasons || "no processor is alive" };
  if (body.state === "held") return { level: "bad", word: "Held", why: body.breaker?.reason || reasons };
  if (body.state === "behind") return { level: "warn", word: "Behind", why: reasons };
  // guard: dashboard: it shows that Redis is unavailable | if (body.source === "postgres") -> if (false)
  if (body.source === "postgres") return { level: "warn", word: "Redis unavailable", why: "numbers come from Postgres" };
  if (body.state === "degraded") return { level: "warn", word: "Degraded", why: reasons };
  if (body.stale) return { level: "warn", word: "Stale", why: reasons || `a record has waited for ${duration(body.lag_ms)}` };
  return { level: "ok", word: "Live", why: "" };
}

function facts() {
  if (!body) return [];
  if (problem) return [{ kind: "as-of", words: `as of ${time(body.as_of)}` }];
  const lag = body.lag_ms == null ? "lag unknown" : body.lag_ms === 0 ? "caught up" : `lag ${duration(body.lag_ms)}`;
  const asOf = verdict().level === "ok" ? [] : [{ kind: "as-of", words: `as of ${time(body.as_of)}` }];
  return [
    { kind: "source", words: `from ${sources[source()] ?? source()}` }, { kind: "lag", words: lag },
    ...(body.processors?.some(p => p.alive) ? [{ kind: "rate", words: `${number(body.records_per_s, 1)} records/s` }] : []), ...asOf,
  ];
}
