// How a game stands: inning, outs, count, batter and pitcher, and the pitches of the at-bat.

import { after, countOf } from "./count.js";
import { attr, flash, h, list, panel, text } from "./dom.js";
import { measured, missing, outcome, player, spaced } from "./format.js";
import { zonePlot } from "./zone.js";

/** atBat returns the newest rows, newest first, as far as they are of one at-bat. Rows name the count before their pitch. */
export function atBat(rows) {
  const of = rows.slice(0, 1);
  for (const r of rows.slice(1)) {
    const next = of.at(-1), differs = (a, b) => a != null && b != null && a !== b;
    // guard: dashboard: an at-bat ends | if (after(r).over || -> if (
    if (after(r).over || ["inning", "outs", "batter_id", "pitcher_id"].some(k => differs(r[k], next[k]))) break;
    if (r.balls > next.balls || r.strikes > next.strikes) break;
    of.push(r);
  }
  return of;
}

const parts = [
  ["inning", "Inning", r => r.inning ?? missing], ["outs", "Outs", r => r.outs ?? missing], ["count", "Count", countOf],
  ["batter", "At bat", r => player(r.batter_name, r.batter_id), r => r.batter_id != null && `#/batters/${r.batter_id}`],
  ["pitcher", "Pitching", r => player(r.pitcher_name, r.pitcher_id, "unknown pitcher"), r => r.pitcher_id != null && `#/pitchers/${r.pitcher_id}`],
];

/** situation is the panel of the present at-bat. pick(row) is called for a pitch that is chosen; without it, nothing is a link. */
export function situation(pick) {
  const places = parts.map(([key, label, value, link]) => {
    const words = link && pick ? h("a", {}, missing) : null, out = h("dd", {}, words ?? missing);
    return { key, value, label, out, words: words ?? out, link: words && link };
  });
  const facts = h("dl", { class: "state" }, ...places.map(p => h("div", { "data-part": p.key }, h("dt", {}, p.label), p.out)));
  const plot = zonePlot({ numbered: true, pick }), pitches = h("ol", { class: "at-bat", "aria-label": "Pitches of the at-bat" });
  const node = panel("At-bat", { class: "now" }, h("div", { class: "inner" }, facts, plot.node, pitches));
  let before = "";
  return {
    node,
    show(rows, current) {
      if (!rows.length) return;
      const [last] = rows, of = atBat(rows);
      for (const p of places) {
        if (p.link) attr(p.words, "href", p.link(last));
        if (text(p.words, String(p.value(last))) && before) flash(p.out);
      }
      before = last.pitch_id;
      plot.show(of, current);
      list(pitches, [...of].reverse(), r => r.pitch_id, () => h("li", {}, h("span", { class: "what" }), h("span", { class: "how" })), (li, r) => {
        text(li.firstChild, outcome(r));
        text(li.lastChild, [spaced(r.pitch_type), measured(r.pitch_speed_mph)].filter(x => x !== missing).join(" ") || "\u00a0");
        attr(li, "data-pitch", r.pitch_id);
      });
    },
  };
}
