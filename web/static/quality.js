// The quality of a day's data: the figures beyond their limits first, then all figures.

import { attr, h, note, panel, text } from "./dom.js";
import { counted, date, missing, number, time } from "./format.js";
import { poll } from "./net.js";
import { table } from "./table.js";

/** quality is the view of "#/quality" and of "#/quality/DAY". */
export function quality(root, [day], signal) {
  const head = h("h1", {}, "Quality"), said = h("p", { class: "said" }), place = h("div", {}, note("loading", "Loading the figures"));
  root.append(head, said, place);
  const wrong = figures("What is beyond its limits", true), all = figures("All figures of the day", false);
  const bad = panel("Beyond its limits", {}, wrong.node), rest = panel("All figures", {}, all.node);
  poll(`v1/quality${day ? `?day=${encodeURIComponent(day)}` : ""}`, 15_000, {
    state: body => {
      const beyond = body.findings.filter(f => f.abnormal);
      text(said, words(body));
      if (!rest.isConnected) place.replaceChildren(bad, rest);
      attr(bad, "hidden", beyond.length === 0);
      wrong.show(beyond);
      all.show(body.findings.filter(f => f.venue === "all" || f.check === "drift"));
    },
    lost: problem => {
      if (rest.isConnected) return; // the status line above says that the data is old
      place.replaceChildren(problem.status === 404 ? note("empty", "No figures yet.", "A processor computes them within a minute of a game's first pitch.")
        : note("error", "The figures cannot be read now.", `${problem.message}. Trying again.`));
    },
  }, signal);
}

function words(body) {
  const days = body.baseline_days.length;
  const held = days ? `held against the ${counted(days, "game day")} before` : "no day before it to hold it against";
  const verdict = body.abnormal ? `${counted(body.abnormal, "figure")} beyond ${body.abnormal === 1 ? "its" : "their"} limits` : "nothing is beyond its limits";
  return `${date(body.day)}: ${counted(body.games, "game")}, ${counted(body.pitches, "pitch", "pitches")}, ${held}; ${verdict}. As of ${time(body.as_of)}.`;
}

/** figures is a table of findings; with beyond, of those beyond their limits, with what to do. */
function figures(caption, beyond) {
  const plain = words => words.replaceAll("_", " ");
  const name = f => plain(f.item ? `${f.check}: ${f.item}` : f.check) + (f.venue === "all" ? "" : `, ${f.venue}`);
  return table([
    { key: "what", label: "Figure", words: true, head: true, rising: true, value: name, show: (cell, f) => { text(cell, name(f)); attr(cell, "title", `${f.what}. Limit: ${f.limit}`); } },
    { key: "value", label: "Day", value: f => f.value, show: (cell, f) => text(cell, figure(f, f.value)) },
    { key: "baseline", label: "Before", wide: 1, value: f => f.baseline, show: (cell, f) => text(cell, figure(f, f.baseline)) },
    { key: "of", label: "Of", wide: 2, value: f => f.of },
    { key: "games", label: "Games", wide: 1, value: f => f.games_affected },
    beyond ? { key: "do", label: "What to do", words: true, rising: true, value: f => f.do }
      : { key: "abnormal", label: "State", words: true, value: f => (f.abnormal ? 1 : 0), show: (cell, f) => text(cell, f.abnormal ? "beyond its limit" : f.of ? "within limits" : "nothing to judge") },
    { key: "limit", label: "Limit", words: true, wide: 2, rising: true, value: f => f.limit },
    { key: "meaning", label: "Meaning", words: true, wide: 3, rising: true, value: f => f.what },
  ], {
    caption, key: f => `${f.check}/${f.venue}/${f.item}`, sort: beyond ? { key: "what", up: true } : { key: "abnormal", up: false },
    row: (tr, f) => { attr(tr, "data-figure", `${f.check}/${f.venue}/${f.item}`); attr(tr, "data-abnormal", f.abnormal || null); },
  });
}

/** figure formats a value of a finding with its unit. A share of nothing has no figure. */
function figure({ unit, of }, value) {
  // guard: dashboard: a figure of nothing is no zero | value == null || of === 0 -> value == null
  if (value == null || of === 0) return missing;
  if (unit === "share") return `${number(100 * value, 1)} %`;
  return unit === "games" || unit === "pitches" ? number(value) : `${number(value, 1)} ${unit === "degree" ? "°" : unit}`;
}
