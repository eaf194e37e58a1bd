// Run against a server of this test: what the client does when answers are large, late, broken or missing.
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect, StreamUnreadable, type Connection, type Id } from "../src/index.js";

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
