// The count after a pitch. It is apart from the panel that shows it, because the list of games needs it alone.

import { missing } from "./format.js";

/** after returns the count after a pitch, and whether the at-bat is over. */
export function after(r) {
  let { balls, strikes } = r;
  const strike = r.pitch_result === "Strike" && !(r.pitch_action === "Foul" && strikes >= 2);
  if (r.pitch_result === "Ball") balls++;
  if (strike) strikes++;
  return { balls, strikes, known: r.balls != null && r.strikes != null, over: r.pitch_result === "HitIntoPlay" || balls >= 4 || strikes >= 3 || r.pitch_action === "HitByPitch" };
}

/** countOf names the count after a pitch, or how the at-bat ended. */
export function countOf(r) {
  const { balls, strikes, known, over } = after(r);
  if (!known) return missing;
  if (!over) return `${balls}-${strikes}`;
  if (r.pitch_result === "HitIntoPlay") return "In play";
  return r.pitch_action === "HitByPitch" ? "Hit by pitch" : balls >= 4 ? "Walk" : "Strikeout";
}
