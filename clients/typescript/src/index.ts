// A typed client of pitchstream's HTTP API, for browsers and for Node. schema.ts is generated from the API's document.
import { createParser, type EventSourceMessage } from "eventsource-parser";
import createClient, { type ClientOptions, type Middleware } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type { components, paths } from "./schema.js";

/**
 * The identifier of a batter, pitcher or team: a number, or the same digits as a text where it is beyond 2^53.
 * Identifiers have 64 bits, and a larger number of JavaScript would name somebody else. Compare them as texts:
 * `String(a) === String(b)`.
 */
export type Id = number | string;

type IdName = "id" | "ids" | "batter_id" | "pitcher_id" | "team_id" | "missing";

/** Exact is a type of the document in which identifiers are Ids. */
export type Exact<T> = {
  [K in keyof T]: K extends IdName ? Ids<T[K]> : T[K] extends object | null | undefined ? Exact<T[K]> : T[K];
};
type Ids<T> = T extends number ? Id : T extends number[] ? Id[] : T extends readonly unknown[] | string | boolean | null | undefined ? T : Exact<T>;

type Schemas = components["schemas"];
export type Batter = Exact<Schemas["Batter"]>;
export type Game = Exact<Schemas["Game"]>;
export type Pitch = Exact<Schemas["Pitch"]>;
export type Swing = Exact<Schemas["Swing"]>;
export type Stream = Exact<Schemas["Stream"]>;
export type BatterDrift = Exact<Schemas["BatterDrift"]>;
export type PitcherDrift = Exact<Schemas["PitcherDrift"]>;
/** A change of a pitch, with the row before and after. Keep its id with your rows. */
export type Change = Exact<Schemas["Change"]>;

type ById = "batters" | "leaders" | "last_pitches";

/** The compact form of a state, which deltas are about: nothing is null, and some lists are objects by id. */
export type Compact<T> = T extends readonly unknown[]
  ? T
  : T extends object
    ? { readonly [K in keyof T]?: K extends ById ? (T[K] extends readonly (infer U)[] ? Readonly<Record<string, Compact<U>>> : never) : Compact<NonNullable<T[K]>> }
    : T;
/** An error, as RFC 9457 has it. Its type does not change. Without an answer it is "urn:pitchstream:problem:unreachable". */
export type Problem = Schemas["ErrorModel"];

export interface Options extends ClientOptions {
  /** The server, as https://pitches.example.org. */
  baseUrl: string;
  /** One of those in --api-token-file; none: the server asks for none. */
  token?: string;
}

/** A state of a stream; null: there is no pitch. */
export interface Event<State> {
  id: string;
  state: State | null;
}

/** How a stream is connected. A view shows "reconnecting" when it says so, with what is wrong. */
export type Connection =
  | { state: "connecting" | "open" }
  | { state: "reconnecting"; attempt: number; inMs: number; reason: string };

/** How a stream is followed, until the signal ends it. */
export interface Following {
  signal?: AbortSignal;
  onConnection?: (connection: Connection) => void;
}

export interface Client extends ReturnType<typeof createClient<Exact<paths>>> {
  /** The states of a batter, the present one first. It comes back by itself after a break, until the signal ends it. */
  batterStates(id: Id, how?: AbortSignal | Following): AsyncGenerator<Event<Batter>>;
  gameStates(game: string, how?: AbortSignal | Following): AsyncGenerator<Event<Game>>;
  streamStates(how?: AbortSignal | Following): AsyncGenerator<Event<Stream>>;
  /** What changed in how a player moves, with both numbers, as his rows change. */
  batterDrifts(id: Id, how?: AbortSignal | Following): AsyncGenerator<Event<BatterDrift>>;
  pitcherDrifts(id: Id, how?: AbortSignal | Following): AsyncGenerator<Event<PitcherDrift>>;
  /** As batterStates, over a thin connection: only what has changed is sent. Do not change the states. */
  batterDeltas(id: Id, how?: AbortSignal | Following): AsyncGenerator<Event<Compact<Batter>>>;
  gameDeltas(game: string, how?: AbortSignal | Following): AsyncGenerator<Event<Compact<Game>>>;
  /**
   * Each change of a pitch behind since, in order: the id of a change, "now" or "start". StreamRefused with the status 410
   * means that the feed does not go on from there: load the rows again.
   */
  changes(since: string, how?: AbortSignal | Following): AsyncGenerator<Change>;
}

/**
 * A client: GET answers { data } or { error }, both typed, also if the server cannot be reached.
 *
 *     const api = connect({ baseUrl: "http://localhost:8080" });
 *     const { data, error } = await api.GET("/v1/batters/{id}", { params: { path: { id: 660271 } } });
 *     for await (const { state } of api.batterStates(660271)) show(state);
 */
export function connect(options: Options): Client {
  const { token, ...rest } = options;
  const headers = headersOf(options.headers);
  if (token && !headers.Authorization && !headers.authorization) headers.Authorization = `Bearer ${token}`;
  // ids=1,2 as the API's document has it
  const client = createClient<Exact<paths>>({ querySerializer: { array: { style: "form", explode: false } }, ...rest, headers });
  client.use(answers);
  const base = options.baseUrl.replace(/\/$/, "");
  const follow = <S>(path: string, how: AbortSignal | Following = {}, decode: Decode<S> = whole) =>
    states<S>(options.fetch ?? fetch, base + path, headers, how instanceof AbortSignal ? { signal: how } : how, decode);
  return Object.assign(client, {
    batterStates: (id: Id, how?: AbortSignal | Following) => follow<Batter>(`/v1/batters/${id}/stream`, how),
    gameStates: (game: string, how?: AbortSignal | Following) => follow<Game>(`/v1/games/${encodeURIComponent(game)}/stream`, how),
    batterDrifts: (id: Id, how?: AbortSignal | Following) => follow<BatterDrift>(`/v1/batters/${id}/drift/stream`, how),
    pitcherDrifts: (id: Id, how?: AbortSignal | Following) => follow<PitcherDrift>(`/v1/pitchers/${id}/drift/stream`, how),
    streamStates: (how?: AbortSignal | Following) => follow<Stream>("/v1/stream/events", how),
    batterDeltas: (id: Id, how?: AbortSignal | Following) => follow<Compact<Batter>>(`/v1/batters/${id}/stream?deltas=true`, how, delta),
    gameDeltas: (game: string, how?: AbortSignal | Following) => follow<Compact<Game>>(`/v1/games/${encodeURIComponent(game)}/stream?deltas=true`, how, delta),
    async *changes(since: string, how?: AbortSignal | Following) {
      for await (const { state } of follow<Change>(`/v1/changes?since=${encodeURIComponent(since)}`, how, whole)) if (state && state.kind !== "position") yield state;
    },
  });
}

/** headersOf returns the headers of each request, of streams too, in whichever form fetch takes them. */
function headersOf(given: Options["headers"]): Record<string, string> {
  if (given instanceof Headers || Array.isArray(given)) return Object.fromEntries(new Headers(given as HeadersInit));
  const known = Object.entries((given ?? {}) as Record<string, unknown>).filter(([, value]) => value != null);
  return Object.fromEntries(known.map(([name, value]) => [name, String(value)]));
}

const tokens = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g; // texts, so that digits in them are passed over, and numbers

/** exactJSON returns the same JSON with whole numbers beyond 2^53 as texts. */
function exactJSON(json: string): string {
  const isLost = (token: string) => /^-?\d{16,}$/.test(token) && !Number.isSafeInteger(Number(token));
  return /\d{16}/.test(json) ? json.replace(tokens, (token) => (isLost(token) ? `"${token}"` : token)) : json;
}

function problem(status: number, type: string, detail: string): Response {
  const body = { type: `urn:pitchstream:problem:${type}`, title: type, status, detail };
  return new Response(JSON.stringify(body), { status, headers: { "Content-Type": "application/problem+json" } });
}

const lines = 'changes come as lines: read them by changes(), or with parseAs "text" or "stream"';

/** answers keeps identifiers exact, and makes an error of what is no answer of the API. */
const answers: Middleware = {
  async onResponse({ request, response, options }) {
    if (response.status === 204 || response.status === 304) return undefined;
    if (response.ok && options.parseAs && options.parseAs !== "json") return undefined; // as it is
    const areLines = response.headers.get("Content-Type")?.startsWith("application/x-ndjson") ?? false;
    if (areLines && /[?&]follow=true/.test(request.url)) { // it would never end
      await response.body?.cancel();
      return problem(502, "unreadable", lines);
    }
    const text = exactJSON(await response.text());
    try {
      if (text) JSON.parse(text);
    } catch {
      return problem(response.ok ? 502 : response.status, "unreadable", areLines ? lines : `the answer is no JSON: ${text.slice(0, 80)}`);
    }
    const { status, statusText, headers } = response;
    return new Response(text, { status, statusText, headers });
  },
  onError({ error }) {
    if (error instanceof Error && error.name === "AbortError") return error;
    return problem(503, "unreachable", `the server does not answer: ${reasonOf(error)}`);
  },
};

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error && error.cause.message ? error.cause.message : error.message;
}

/** decode returns the state after an event. before is the state of the event before, also over a break. */
type Decode<S> = (event: string, data: unknown, before: S | null) => S | null;

const whole = <S>(event: string, data: unknown): S | null => (event === "absent" ? null : (data as S));

const delta = <S>(event: string, data: unknown, before: S | null): S | null =>
  event === "patch" ? (mergePatch(before, data) as S) : whole<S>(event, data);

const listKeys: Record<string, string[]> = { batters: ["batter_id"], leaders: ["batter_id", "pitcher_id"], last_pitches: ["pitch_id"] };

/** compact returns the form of a whole state to which the patches of ?since= apply. */
export function compact<T>(state: T): Compact<T> {
  return compactValue("", state) as Compact<T>;
}

function compactValue(name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (!Array.isArray(value)) {
    const members = Object.entries(value).filter(([, member]) => member !== null);
    return Object.fromEntries(members.map(([member, inner]) => [member, compactValue(member, inner)]));
  }
  const keys = listKeys[name];
  if (!keys) return value;
  return Object.fromEntries(value.map((item) => [String(item[keys.find((key) => key in item) ?? ""]), compactValue("", item)]));
}

/** mergePatch applies a JSON Merge Patch (RFC 7396). It changes neither of both. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const isObject = typeof target === "object" && target !== null && !Array.isArray(target);
  const merged: Record<string, unknown> = isObject ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else set(merged, name, mergePatch(Object.hasOwn(merged, name) ? merged[name] : undefined, value));
  }
  return merged;
}

/** set sets a member of any name: a plain assignment to __proto__, which a pitch type may be called, sets no member. */
function set(object: Record<string, unknown>, name: string, value: unknown): void {
  Object.defineProperty(object, name, { value, configurable: true, enumerable: true, writable: true });
}

type Fetch = (request: Request) => Promise<Response>;

const firstPauseMs = 1000;
const longestPauseMs = 30_000;
const silenceMs = 60_000; // the server sends a comment more often: a longer silence is a dead connection

/** Server-sent events with a header, which EventSource cannot send. */
async function* states<S>(ask: Fetch, url: string, headers: Record<string, string>, how: Following, decode: Decode<S>): AsyncGenerator<Event<S>> {
  let state: S | null = null;
  const { signal, onConnection } = how;
  let last = "";
  let base = firstPauseMs;
  let attempt = 0;
  while (!signal?.aborted) {
    let reason = "the stream ended";
    let least = 0;
    onConnection?.({ state: "connecting" });
    const link = new AbortController();
    const end = () => link.abort();
    signal?.addEventListener("abort", end, { once: true });
    try {
      const more: Record<string, string> = { ...headers, Accept: "text/event-stream" };
      if (last) more["Last-Event-ID"] = last;
      const response = await inTime(link, ask(new Request(url, { headers: more, signal: link.signal })));
      if (isRefusal(response.status)) throw new StreamRefused(response.status, await response.text());
      if (response.ok) {
        if (!response.body) throw new StreamUnreadable();
        onConnection?.({ state: "open" });
        for await (const message of messages(response.body, link, (ms) => (base = ms))) {
          attempt = 0;
          if (!message.event) continue;
          state = decode(message.event, JSON.parse(exactJSON(message.data)), state);
          last = message.id ?? last; // of the state that the next patch is about
          yield { id: last, state };
        }
      } else {
        reason = `the server answers ${response.status}`;
        least = retryAfterMs(response.headers.get("Retry-After"));
      }
    } catch (error) {
      if (error instanceof StreamRefused || error instanceof StreamUnreadable) throw error;
      reason = reasonOf(error);
    } finally {
      signal?.removeEventListener("abort", end);
      link.abort();
    }
    if (signal?.aborted) return;
    // Clients that lost the same server must not come back all at once.
    const inMs = Math.max(least, Math.min(base * 2 ** Math.min(attempt, 10), longestPauseMs)) * (1 + Math.random() / 4);
    onConnection?.({ state: "reconnecting", attempt: ++attempt, inMs, reason });
    await wait(inMs, signal);
  }
}

/** isRefusal says whether asking again would not help. */
function isRefusal(status: number): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429;
}

/** retryAfterMs reads the header in both of its forms, seconds and a date. */
function retryAfterMs(value: string | null): number {
  if (!value) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}

/** The server does not give this stream: asking again would not help. */
export class StreamRefused extends Error {
  override readonly name = "StreamRefused";
  constructor(readonly status: number, readonly body: string) {
    super(`the stream is refused: ${status}`);
  }
}

/** The fetch of this runtime gives no body that can be read while it comes, so that no stream can be followed. */
export class StreamUnreadable extends Error {
  override readonly name = "StreamUnreadable";
  constructor() {
    super("the answers of this fetch have no body to read as it comes: give connect a fetch that streams, or GET the state every few seconds");
  }
}

/** inTime aborts the link if the server says nothing for too long: also before an answer begins. */
function inTime<T>(link: AbortController, work: Promise<T>): Promise<T> {
  const timer = setTimeout(() => link.abort(new Error("the server is silent")), silenceMs);
  return work.finally(() => clearTimeout(timer));
}

async function* messages(body: ReadableStream<Uint8Array>, link: AbortController, onRetry: (ms: number) => void): AsyncGenerator<EventSourceMessage> {
  const came: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (message) => came.push(message), onRetry });
  const reader = body.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await inTime(link, reader.read());
      if (done) return;
      parser.feed(decoder.decode(value, { stream: true }));
      yield* came.splice(0);
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve(); // it says so only once
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal?.addEventListener("abort", end, { once: true });
  });
}
