// How the pages read: JSON by GET, and streams of whole states that reconnect after a break.

/** Problem is an answer that is no success. status is 0 if the server did not answer. */
export class Problem extends Error {
  constructor(status, type, detail, after = 0) {
    super(detail);
    this.status = status;
    this.after = after; // ms before which the server asks not to come back
    this.type = type.replace("urn:pitchstream:problem:", "");
  }
}

/** get returns the body of a path like "v1/games", or throws a Problem. The browser caches answers by their ETag. */
export async function get(path, signal) {
  const answer = await ask(path, { signal: within(patience, signal) });
  try {
    return exact(await answer.text());
  } catch (err) {
    throw signal?.aborted ? err : new Problem(0, "unreadable", "the answer broke off");
  }
}

const tokens = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g; // texts, so that digits in them are passed over, and numbers

/**
 * exact parses JSON as JSON.parse does, but a whole number beyond 2^53 becomes a text of the same digits. Identifiers
 * have 64 bits, and a number of JavaScript would name another batter.
 */
export function exact(json) {
  const isLost = token => /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token));
  // guard: dashboard: identifiers keep their digits | isLost(token) -> false
  return JSON.parse(/\d{16}/.test(json) ? json.replace(tokens, token => isLost(token) ? `"${token}"` : token) : json);
}

const patience = 10_000; // ms for an answer to begin: the server may wait for a store that hangs

/**
 * follow reads a stream until signal ends. It calls on.state(body) at once and for each new state, on.absent() if there
 * is none, on.heard() for each message and comment, on.lost(problem) while there is no connection. It pauses while the page is hidden, because a browser has few
 * connections to one server. silence is the time in ms without any data after which the connection counts as dead.
 */
export async function follow(path, on, signal, silence = 20_000) {
  let last = "", wait = 0, least = 0;
  while (!signal.aborted) {
    await shown(signal);
    const link = new AbortController(), hidden = restWhenHidden(link);
    const unanswered = setTimeout(() => link.abort(), patience);
    try {
      least = 0;
      const answer = await ask(path, {
        signal: AbortSignal.any([signal, link.signal]), cache: "no-store",
        headers: last ? { "Last-Event-ID": last } : {},
      });
      clearTimeout(unanswered);
      for await (const event of events(answer.body, link, silence)) {
        wait = 0;
        on.heard?.();
        if (event.id) last = event.id;
        if (event.data) on[event.name]?.(exact(event.data));
      }
      throw new Problem(0, "ended", "the stream ended");
    } catch (err) {
      if (signal.aborted) return;
      least = err.after ?? 0;
      if (!hidden.is()) on.lost?.(err instanceof Problem ? err : new Problem(0, "unreachable", "the server does not answer"));
    } finally {
      clearTimeout(unanswered);
      hidden.stop();
      link.abort();
    }
    wait = Math.min(Math.max(wait * 2, 500), 4000);
    // guard: dashboard: a stream comes back | await pause(Math.max(least, wait) * (0.75 + Math.random() / 2) + least / 4, signal); -> return;
    await pause(Math.max(least, wait) * (0.75 + Math.random() / 2) + least / 4, signal);
  }
}

/** poll reads a path repeatedly: on.state(body), on.lost(problem). It pauses while the page is hidden. */
export function poll(path, every, on, signal) {
  let asked = 0;
  const nudge = { wake: () => {} };
  (async () => {
    while (!signal.aborted) {
      await shown(signal);
      const turn = ++asked;
      try {
        const body = await get(typeof path === "function" ? path() : path, signal);
        if (turn === asked && !signal.aborted) on.state(body);
      } catch (err) {
        if (!signal.aborted) on.lost?.(err instanceof Problem ? err : new Problem(0, "unreachable", "the server does not answer"));
      }
      if (turn !== asked) continue; // another question by now
      await new Promise(done => { nudge.wake = done; pause(every, signal).then(done); });
    }
  })();
  // guard: dashboard: an answer to an earlier question is not shown | asked++; ->
  return { now: () => { asked++; nudge.wake(); } };
}

async function ask(path, options) {
  const headers = { ...options.headers };
  const token = remembered();
  if (token) headers.Authorization = `Bearer ${token}`;
  let answer;
  try {
    answer = await fetch(new URL(path, document.baseURI), { ...options, headers });
  } catch (err) {
    throw options.signal?.aborted && err.name === "AbortError" ? err : new Problem(0, "unreachable", "the server does not answer");
  }
  if (answer.ok) return answer;
  const body = await answer.json().catch(() => ({}));
  if (answer.status === 401) dispatchEvent(new Event("tokenwanted"));
  const after = Math.min(Number(answer.headers.get("Retry-After")) || 0, 60) * 1000;
  throw new Problem(answer.status, body.type ?? "", body.detail ?? answer.statusText, after);
}

/** events parses server-sent events: {name, id, data}. A comment is an event without data. */
async function* events(body, link, silence) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "", timer;
  try {
    for (;;) {
      timer = setTimeout(() => link.abort(), silence);
      const { value, done } = await reader.read();
      clearTimeout(timer);
      if (done) return;
      text += value;
      for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) yield parse(text.slice(0, end));
    }
  } finally {
    clearTimeout(timer);
    reader.cancel().catch(() => {});
  }
}

function parse(block) {
  const event = { name: "message", id: "", data: "" };
  for (const line of block.split("\n")) {
    const at = line.indexOf(":"), field = line.slice(0, at), value = line.slice(at + 1).replace(/^ /, "");
    if (field === "event") event.name = value;
    if (field === "id") event.id = value;
    if (field === "data") event.data += value;
  }
  return event;
}

const restAfter = 30_000; // ms hidden before a pause: a short visit to another tab interrupts nothing

function restWhenHidden(link) {
  let timer, rests = false;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(() => { rests = true; link.abort(); }, restAfter);
  };
  document.addEventListener("visibilitychange", look);
  look();
  return { is: () => rests, stop: () => { clearTimeout(timer); document.removeEventListener("visibilitychange", look); } };
}

function shown(signal) {
  if (!document.hidden) return Promise.resolve();
  return new Promise(done => {
    const look = () => { if (!document.hidden || signal.aborted) { document.removeEventListener("visibilitychange", look); done(); } };
    document.addEventListener("visibilitychange", look);
    signal.addEventListener("abort", look, { once: true });
  });
}

/** pause resolves after that many milliseconds, or when signal ends. */
export function pause(ms, signal) {
  if (signal.aborted) return Promise.resolve();
  return new Promise(done => {
    const end = () => { clearTimeout(timer); signal.removeEventListener("abort", end); done(); };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

function within(ms, signal) {
  return signal ? AbortSignal.any([signal, AbortSignal.timeout(ms)]) : AbortSignal.timeout(ms);
}

const tokenKey = "pitchstream.token"; // for this tab only

function remembered() {
  try { return sessionStorage.getItem(tokenKey); } catch { return null; }
}

/** useToken keeps the API's token for this tab. */
export function useToken(token) {
  try { sessionStorage.setItem(tokenKey, token); } catch { /* without storage, the page asks again */ }
}
