// Run against a served API with one batter, 660271, in the game 745804: PITCHSTREAM_API is its address.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, StreamRefused, type Batter } from "../src/index.js";

const baseUrl = process.env["PITCHSTREAM_API"] ?? "http://localhost:8080";
const token = process.env["PITCHSTREAM_API_TOKEN"] ?? "";
const api = connect({ baseUrl, token });
const limit = { timeout: 20_000 };

test("a batter, typed", limit, async () => {
  const { data, error, response } = await api.GET("/v1/batters/{id}", { params: { path: { id: 660271 } } });
  assert.equal(error, undefined);
  assert.equal(response.status, 200);
  const pitches: number = data!.pitches;
  const speed: number | null = data!.max_bat_speed_mph;
  const source: "redis" | "postgres" | "memory" = data!.source;
  assert.equal(pitches, 1);
  assert.equal(speed, null);
  assert.ok(["redis", "postgres"].includes(source));
  assert.equal(data!.last_pitch.exit_velocity_mph, 101.2);
});

test("several batters in one request", limit, async () => {
  const { data } = await api.GET("/v1/batters", { params: { query: { ids: [660271, 1] } } });
  assert.deepEqual(data!.missing, [1]);
  assert.equal(data!.batters[0]!.batter_id, 660271);
});

test("a problem, typed", limit, async () => {
  const { data, error } = await api.GET("/v1/batters/{id}", { params: { path: { id: 1 } } });
  assert.equal(data, undefined);
  assert.equal(error!.type, "urn:pitchstream:problem:not-found");
});

test("the wrong words do not compile", limit, async () => {
  // @ts-expect-error there is no such path
  await api.GET("/v1/batsmen/{id}", { params: { path: { id: 1 } } });
  const { error } = await api.GET("/v1/leaders", { params: { query: {
    // @ts-expect-error there is no such value
    stat: "name",
  } } });
  assert.equal(error!.status, 422);
});

test("a game, a pitch and the stream", limit, async () => {
  const game = await api.GET("/v1/games/{game}", { params: { path: { game: "745804" } } });
  const id = game.data!.last_pitches[0]!.pitch_id;
  const pitch = await api.GET("/v1/pitches/{id}", { params: { path: { id } } });
  assert.equal(pitch.data!.game_pk, "745804");
  const stream = await api.GET("/v1/stream");
  assert.ok(stream.data!.stores.length > 0);
});

test("states of a batter", limit, async () => {
  const end = new AbortController();
  const seen: Batter[] = [];
  for await (const { state } of api.batterStates(660271, end.signal)) {
    seen.push(state!);
    end.abort();
  }
  assert.equal(seen[0]!.batter_id, 660271);
});

test("a stream that is refused", { ...limit, skip: !token }, async () => {
  await assert.rejects(async () => {
    for await (const _ of connect({ baseUrl, token: "wrong" }).gameStates("745804")) break;
  }, StreamRefused);
});
