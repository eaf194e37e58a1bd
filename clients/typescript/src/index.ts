// A typed client of pitchstream's HTTP API, for browsers and for Node. schema.ts is generated from the API's document.
import createClient, { type ClientOptions } from "openapi-fetch";
import type { components, paths } from "./schema.js";

export type { components, paths } from "./schema.js";

type Schemas = components["schemas"];
export type Batter = Schemas["Batter"];
export type Game = Schemas["Game"];
export type Pitch = Schemas["Pitch"];
export type Swing = Schemas["Swing"];
export type Stream = Schemas["Stream"];
/** An error, as RFC 9457 has it. Its type does not change. */
export type Problem = Schemas["ErrorModel"];

export interface Options extends ClientOptions {
  /** The server, as https://pitches.example.org. */
  baseUrl: string;
  /** What --api-token-file says; none: the server asks for none. */
  token?: string;
}

/** A state of a stream; null: no pitch stands. */
export interface Event<State> {
  id: string;
  state: State | null;
}

export interface Client extends ReturnType<typeof createClient<paths>> {
  /** The states of a batter, the present one first. Comes back by itself after a break, until the signal ends it. */
  batterStates(id: number, signal?: AbortSignal): AsyncGenerator<Event<Batter>>;
  gameStates(game: string, signal?: AbortSignal): AsyncGenerator<Event<Game>>;
  streamStates(signal?: AbortSignal): AsyncGenerator<Event<Stream>>;
}

/**
 * A client: GET answers { data } or { error }, both typed.
 *
 *     const api = connect({ baseUrl: "http://localhost:8080" });
 *     const { data, error } = await api.GET("/v1/batters/{id}", { params: { path: { id: 660271 } } });
 *     for await (const { state } of api.batterStates(660271)) show(state);
 */
export function connect(options: Options): Client {
  const { token, ...rest } = options;
  const headers: Record<string, string> = token ? { Authorization: `Bearer ${token}` } : {};
  // ids=1,2 as the API's document has it
  const client = createClient<paths>({ querySerializer: { array: { style: "form", explode: false } }, ...rest, headers: { ...headers, ...(rest.headers as object) } });
  const base = options.baseUrl.replace(/\/$/, "");
  const follow = <S>(path: string, signal?: AbortSignal) => states<S>(options.fetch ?? fetch, base + path, headers, signal);
  return Object.assign(client, {
    batterStates: (id: number, signal?: AbortSignal) => follow<Batter>(`/v1/batters/${id}/stream`, signal),
    gameStates: (game: string, signal?: AbortSignal) => follow<Game>(`/v1/games/${encodeURIComponent(game)}/stream`, signal),
    streamStates: (signal?: AbortSignal) => follow<Stream>("/v1/stream/events", signal),
  });
}

type Fetch = (request: Request) => Promise<Response>;

/** Server-sent events with a header, which EventSource cannot send. */
async function* states<S>(ask: Fetch, url: string, headers: Record<string, string>, signal?: AbortSignal): AsyncGenerator<Event<S>> {
  let last = "";
  let pause = 2000;
  while (!signal?.aborted) {
    try {
      const more: Record<string, string> = { ...headers, Accept: "text/event-stream" };
      if (last) more["Last-Event-ID"] = last;
      const response = await ask(new Request(url, { headers: more, ...(signal ? { signal } : {}) }));
      if (response.status >= 400 && response.status < 500) throw new StreamRefused(response.status, await response.text());
      if (response.ok && response.body) {
        for await (const fields of frames(response.body)) {
          if (fields.retry) pause = Number(fields.retry);
          if (!fields.event || fields.data === undefined) continue;
          last = fields.id ?? last;
          yield { id: last, state: fields.event === "state" ? (JSON.parse(fields.data) as S) : null };
        }
      }
    } catch (e) {
      if (e instanceof StreamRefused) throw e;
    }
    await wait(pause, signal);
  }
}

/** The server does not give this stream: asking again would not help. */
export class StreamRefused extends Error {
  constructor(readonly status: number, readonly body: string) {
    super(`the stream is refused: ${status}`);
  }
}

async function* frames(body: ReadableStream<Uint8Array>): AsyncGenerator<Record<string, string>> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const parts = (text + decoder.decode(value, { stream: true })).split("\n\n");
      text = parts.pop() ?? "";
      for (const part of parts) {
        const fields: Record<string, string> = {};
        for (const line of part.split("\n")) {
          const at = line.indexOf(": ");
          if (at > 0) fields[line.slice(0, at)] = line.slice(at + 2);
        }
        yield fields;
      }
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function wait(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}
