// Which games are shown while several are live: each pitch makes another one the newest.

import assert from "node:assert/strict";
import { keepPlaces, onTheWall } from "./choose.js";

const game = (game_pk, pitches = 1) => ({ game_pk, pitches });
const names = games => games.map(g => g.game_pk).join("");

let cards = keepPlaces([], [game("c"), game("a"), game("b"), game("d")], 3);
assert.equal(names(cards), "cab");
cards = keepPlaces(cards, [game("d"), game("b", 2), game("c"), game("a")], 3);
assert.equal(names(cards), "cab", "cards keep their places");
assert.equal(cards[2].pitches, 2, "with what is new of their games");
assert.equal(names(keepPlaces(cards, [game("d"), game("b")], 3)), "bd", "a game that is over makes room");
assert.equal(names(keepPlaces(cards, [], 3)), "");

let wall = onTheWall(null, [game("a"), game("b")], 0);
assert.equal(wall.game_pk, "a");
wall = onTheWall(wall, [game("b", 2), game("a")], 100_000);
assert.equal(wall.game_pk, "a", "another game's pitch moves nothing");
wall = onTheWall(wall, [game("a", 2), game("b", 2)], 150_000);
assert.equal(onTheWall(wall, [game("b", 3), game("a", 2)], 300_000).game_pk, "a", "its last pitch was not long ago");
assert.equal(onTheWall(wall, [game("b", 3), game("a", 2)], 740_000).game_pk, "a", "a break between innings is no end");
assert.equal(onTheWall(wall, [game("b", 3), game("a", 2)], 750_000).game_pk, "b", "it rests");
assert.equal(onTheWall(wall, [game("a", 2), game("b", 3)], 750_000).game_pk, "a", "it rests, and so do all others");
assert.equal(onTheWall(wall, [game("b", 3)], 160_000).game_pk, "b", "it has no pitch any more");
assert.equal(onTheWall(wall, [], 160_000), null);

const kept = onTheWall(wall, [game("b", 2), game("a", 2)], 1_800_000, true);
assert.equal(kept.game_pk, "a", "a list from memory says nothing about its pitches");
assert.equal(onTheWall(kept, [game("b", 9), game("a", 2)], 1_810_000).game_pk, "a", "that time does not count");
assert.equal(onTheWall(null, [game("b"), game("a")], 0, true).game_pk, "b", "a page that opens shows what there is");
