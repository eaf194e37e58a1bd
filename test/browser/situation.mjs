// Which pitches are of one at-bat, and the count after a pitch. Rows name the count before it; most name no batter.

import assert from "node:assert/strict";
import { countOf } from "./count.js";
import { atBat } from "./situation.js";

const pitch = (balls, strikes, pitch_result, pitch_action, rest = {}) => ({ balls, strikes, pitch_result, pitch_action, inning: 3, outs: 1, batter_id: null, pitcher_id: 7, ...rest });

for (const [row, want] of [
  [pitch(0, 0, "Strike", "Called"), "0-1"],
  [pitch(1, 2, "Ball", "Called"), "2-2"],
  [pitch(1, 1, "Strike", "Foul"), "1-2"],
  [pitch(1, 2, "Strike", "Foul"), "1-2"],
  [pitch(1, 2, "Strike", "FoulTip"), "Strikeout"],
  [pitch(3, 2, "Strike", "Swinging"), "Strikeout"],
  [pitch(3, 1, "Ball", "Called"), "Walk"],
  [pitch(1, 2, "Ball", "HitByPitch"), "Hit by pitch"],
  [pitch(0, 0, "HitIntoPlay", null), "In play"],
  [pitch(0, 1, "Pickoff", null), "0-1"],
  [pitch(null, 1, "Ball", null), "–"],
]) assert.equal(countOf(row), want, JSON.stringify(row));

const now = pitch(1, 1, "Strike", "Foul"), before = [pitch(0, 1, "Ball", "Called"), pitch(0, 0, "Strike", "Called")];
const kept = earlier => atBat([now, ...before, ...earlier]).length;
assert.equal(kept([]), 3);
assert.equal(kept([pitch(0, 0, "HitIntoPlay", null)]), 3, "a ball in play ends an at-bat, even where the next count is no smaller");
assert.equal(kept([pitch(0, 1, "Strike", "Called")]), 3, "a count never falls within an at-bat");
assert.equal(kept([pitch(0, 0, "Pickoff", null, { inning: 2 })]), 3, "another inning");
assert.equal(kept([pitch(0, 0, "Pickoff", null, { outs: 0 })]), 3, "an out between");
assert.equal(kept([pitch(0, 0, "Pickoff", null, { pitcher_id: 8 })]), 3, "another pitcher");
assert.equal(kept([pitch(0, 0, "Pickoff", null, { batter_id: 5 })]), 4, "a batter that only some rows name");
assert.equal(atBat([]).length, 0);
