// Run against a server of this test: what the client does when answers are large, late, broken or missing.
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { compact, connect, mergePatch, StreamRefused, StreamUnreadable, type Connection, type Id } from "../src/index.js";

const limit = { timeout: 20_000 };

async function serving(answer: RequestListener, run: (baseUrl: string) => Promise<void>): Promise<void> {
  const server = createServer(answer).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

const batter = `{"batter_id": 9007199254740993, "pitches": 3, "last_pitch": {"pitch_result": "9007199254740993 \\"x\\""}}`;

test("identifiers beyond 2^53 keep their digits", limit, () =>
  serving((request, response) => {
    if (request.url?.endsWith("/stream")) response.writeHead(200, { "Content-Type": "text/event-stream" }).end(`event: state\nid: 1\ndata: ${batter}\n\n`);
    else response.writeHead(200, { "Content-Type": "application/json" }).end(request.url === "/v1/batters/9007199254740993" ? batter : "{}");
  }, async (baseUrl) => {
    const { data } = await connect({ baseUrl }).GET("/v1/batters/{id}", { params: { path: { id: "9007199254740993" } } });
    const id: Id = data!.batter_id;
    assert.equal(id, "9007199254740993");
    const pitches: number = data!.pitches;
    assert.equal(pitches, 3);
    assert.equal(data!.last_pitch.pitch_result, '9007199254740993 "x"');
    for await (const { state } of connect({ baseUrl }).batterStates("9007199254740993")) {
      assert.equal(state!.batter_id, "9007199254740993");
      break;
    }
  }));

test("a dead server is an error, not an exception", limit, async () => {
  const { data, error } = await connect({ baseUrl: "http://127.0.0.1:1" }).GET("/v1/stream");
  assert.equal(data, undefined);
  assert.equal(error!.type, "urn:pitchstream:problem:unreachable");
});

test("an answer of something in between is an error", limit, () =>
  serving((_, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<html>"), async (baseUrl) => {
    const { error } = await connect({ baseUrl }).GET("/v1/stream");
    assert.equal(error!.type, "urn:pitchstream:problem:unreadable");
  }));

test("a stream says that it comes back, and waits as it is asked to", limit, async () => {
  let asked = 0;
  await serving((_, response) => {
    if (++asked === 1) response.writeHead(503, { "Retry-After": "1" }).end();
    // every line end of the format, no blank behind the colon, a comment, and data in two lines
    else response.writeHead(200, { "Content-Type": "text/event-stream" }).end(`:hello\r\nid:7\r\nevent:state\r\ndata:{"a":\r\ndata:1}\r\n\r\n`);
  }, async (baseUrl) => {
    const seen: Connection[] = [];
    for await (const { id, state } of connect({ baseUrl }).streamStates({ onConnection: (connection) => seen.push(connection) })) {
      assert.equal(id, "7");
      assert.deepEqual(state, { a: 1 });
      break;
    }
    assert.deepEqual(seen.map((connection) => connection.state), ["connecting", "reconnecting", "connecting", "open"]);
    const again = seen[1]!;
    assert.ok(again.state === "reconnecting" && again.reason === "the server answers 503" && again.inMs >= 1000 && again.inMs <= 1250);
  });
});

test("a wrong host is told, and the signal ends the waiting", limit, async () => {
  const end = new AbortController();
  const reasons: string[] = [];
  const onConnection = (connection: Connection) => {
    if (connection.state !== "reconnecting") return;
    reasons.push(connection.reason);
    end.abort();
  };
  for await (const _ of connect({ baseUrl: "http://127.0.0.1:1" }).gameStates("1", { signal: end.signal, onConnection })) assert.fail();
  assert.equal(reasons.length, 1);
});

test("a fetch without bodies is an error by name", limit, async () => {
  const bodiless = async () => ({ ok: true, status: 200, body: null, headers: new Headers() }) as Response;
  await assert.rejects(async () => {
    for await (const _ of connect({ baseUrl: "http://127.0.0.1:1", fetch: bodiless }).gameStates("1")) break;
  }, StreamUnreadable);
});

// The examples of RFC 7396, appendix A.
test("merge patches are applied as the RFC says", () => {
  const cases: [unknown, unknown, unknown][] = [
    [{ a: "b" }, { a: "c" }, { a: "c" }],
    [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
    [{ a: "b" }, { a: null }, {}],
    [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
    [{ a: ["b"] }, { a: "c" }, { a: "c" }],
    [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
    [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
    [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
    [["a", "b"], ["c", "d"], ["c", "d"]],
    [{ a: "b" }, ["c"], ["c"]],
    [{ a: "foo" }, null, null],
    [{ a: "foo" }, "bar", "bar"],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: "b", c: null }, { a: "b" }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, want] of cases) assert.deepEqual(mergePatch(target, patch), want);
});

test("the compact form has no null, and lists by id", () => {
  const state = { a: null, b: [null], leaders: [{ pitcher_id: "9007199254740993", rank: 1, c: null }], last_pitches: [{ pitch_id: "x", issues: [] }] };
  assert.deepEqual(compact(state), { b: [null], leaders: { "9007199254740993": { pitcher_id: "9007199254740993", rank: 1 } }, last_pitches: { x: { pitch_id: "x", issues: [] } } });
});

test("deltas lead to the state, over a break too", limit, async () => {
  let asked = 0;
  await serving((request, response) => {
    assert.equal(request.url, "/v1/games/1/stream?deltas=true");
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    if (++asked === 1) response.end(`retry: 1\n\nevent: whole\nid: a\ndata: {"pitches":1,"batters":{"9007199254740993":{"pitches":1}}}\n\n`);
    else {
      assert.equal(request.headers["last-event-id"], "a");
      response.end(`event: patch\nid: b\ndata: {"pitches":2,"batters":{"9007199254740993":{"pitches":2},"5":{"batter_id":9007199254740993}}}\n\n`);
    }
  }, async (baseUrl) => {
    const seen: unknown[] = [];
    for await (const { id, state } of connect({ baseUrl }).gameDeltas("1")) {
      seen.push([id, state]);
      if (id === "b") break;
    }
    const first = ["a", { pitches: 1, batters: { "9007199254740993": { pitches: 1 } } }];
    const second = ["b", { pitches: 2, batters: { "9007199254740993": { pitches: 2 }, "5": { batter_id: "9007199254740993" } } }];
    assert.deepEqual(seen, [first, second]);
  });
});

test("changes go on behind the last one, and a feed that does not is an error", limit, async () => {
  let asked = 0;
  await serving((request, response) => {
    const event = (kind: string, seq: number) => `id: f:${seq}\nevent: ${kind}\ndata: {"id":"f:${seq}","seq":${seq},"kind":"${kind}"}\n\n`;
    asked++;
    assert.equal(request.url, "/v1/changes?since=f%3A7");
    assert.equal(request.headers["last-event-id"], [undefined, "f:8", "f:9"][asked - 1]);
    if (asked === 3) response.writeHead(410).end("{}");
    else response.writeHead(200, { "Content-Type": "text/event-stream" }).end("retry: 1\n\n" + event("position", asked + 6) + event("inserted", asked + 7));
  }, async (baseUrl) => {
    const seen: number[] = [];
    await assert.rejects(async () => {
      for await (const change of connect({ baseUrl }).changes("f:7")) seen.push(change.seq);
    }, (error) => error instanceof StreamRefused && error.status === 410);
    assert.deepEqual(seen, [8, 9]);
  });
});

test("lines of changes are told from JSON, and read as they are", limit, () =>
  serving((request, response) => {
    response.writeHead(200, { "Content-Type": "application/x-ndjson" });
    response.write('{"id":"f:7","seq":7,"kind":"position"}\n');
    if (request.url?.includes("follow=true")) return; // goes on
    if (!request.url?.includes("since=now")) response.write('{"id":"f:8","seq":8,"kind":"position"}\n');
    response.end();
  }, async (baseUrl) => {
    const api = connect({ baseUrl });
    assert.equal((await api.GET("/v1/changes", { params: { query: { since: "now" } } })).data?.id, "f:7");
    for (const query of [{ since: "f:7" }, { since: "f:7", follow: true }]) {
      const { error } = await api.GET("/v1/changes", { params: { query } });
      assert.match(String(error!.detail), /changes\(\)/);
    }
    const { data } = await api.GET("/v1/changes", { params: { query: { since: "f:7" } }, parseAs: "text" });
    assert.equal(String(data).split("\n").length, 3);
  }));

test("headers go with requests and streams, in each form", limit, () =>
  serving((request, response) => {
    const ok = request.headers["x-app"] === "a" && request.headers.authorization === "Bearer t";
    if (request.url?.endsWith("/stream")) response.writeHead(ok ? 200 : 400, { "Content-Type": "text/event-stream" }).end("event: state\nid: 1\ndata: {}\n\n");
    else response.writeHead(ok ? 200 : 400, { "Content-Type": "application/json" }).end("{}");
  }, async (baseUrl) => {
    for (const headers of [{ "X-App": "a" }, new Headers({ "X-App": "a" }), [["X-App", "a"]] as [string, string][]]) {
      const api = connect({ baseUrl, token: "t", headers });
      assert.equal((await api.GET("/v1/games")).response.status, 200);
      for await (const { id } of api.batterStates(1)) {
        assert.equal(id, "1");
        break;
      }
    }
  }));

test("a member may have any name", () => {
  const merged = mergePatch({ types: { a: 1 } }, JSON.parse('{"types":{"__proto__":{"pitches":1},"constructor":{"pitches":2}}}')) as { types: object };
  assert.equal(JSON.stringify(merged), '{"types":{"a":1,"__proto__":{"pitches":1},"constructor":{"pitches":2}}}');
});

test("a server that takes the request and says nothing is left", limit, async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await serving(() => t.mock.timers.tick(60_000), async (baseUrl) => {
    const end = new AbortController();
    const reasons: string[] = [];
    const onConnection = (connection: Connection) => {
      if (connection.state !== "reconnecting") return;
      reasons.push(connection.reason);
      end.abort();
    };
    for await (const _ of connect({ baseUrl }).gameStates("1", { signal: end.signal, onConnection })) assert.fail();
    assert.deepEqual(reasons, ["the server is silent"]);
  });
});
