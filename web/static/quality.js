// Whether a day's data is what it should be: what is beyond its limits first, then every figure.

import { attr, h, note, panel, text } from "./dom.js";
import { counted, date, missing, number, time } from "./format.js";
import { poll } from "./net.js";
import { table } from "./table.js";

/** quality is the view of "#/quality" and of "#/quality/DAY". */
export function quality(root, [day], signal) {
  const head = h("h1", {}, "Quality"), said = h("p", { class: "said" }), place = h("div", {}, note("loading", "Loading the figures"));
  root.append(head, said, place);
  const wrong = figures("What is beyond its limits"), all = figures("All figures of the day");
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
      if (rest.isConnected) return; // the strip above says that it is old
      place.replaceChildren(problem.status === 404 ? note("empty", "No figures yet.", "A processor computes them within a minute of a game's first pitch.")
        : note("error", "The figures cannot be read now.", `${problem.message}. Trying again.`));
    },
  }, signal);
}

function words(body) {
  const days = body.baseline_days.length;
  const held = days ? `held against the ${counted(days, "game day")} before` : "no day before it to hold it against";
  const verdict = body.abnormal ? `${counted(body.abnormal, "figure")} beyond their limits` : "nothing is beyond its limits";
  return `${date(body.day)}: ${counted(body.games, "game")}, ${counted(body.pitches, "pitch", "pitches")}, ${held}; ${verdict}. As of ${time(body.as_of)}.`;
}

function figures(caption) {
  const name = f => `${f.check.replaceAll("_", " ")}${f.item ? ` ${f.item}` : ""}`;
  return table([
    { key: "what", label: "Figure", words: true, head: true, rising: true, value: name, show: (cell, f) => { text(cell, name(f)); attr(cell, "title", `${f.what}. Limit: ${f.limit}`); } },
    { key: "venue", label: "Ballpark", words: true, rising: true, value: f => f.venue },
    { key: "value", label: "Day", value: f => f.value, show: (cell, f) => text(cell, figure(f.value, f.unit)) },
    { key: "baseline", label: "Before", value: f => f.baseline, show: (cell, f) => text(cell, figure(f.baseline, f.unit)) },
    { key: "of", label: "Of", wide: 1, value: f => f.of },
    { key: "games", label: "Games", wide: 1, value: f => f.games_affected },
    { key: "abnormal", label: "State", words: true, value: f => (f.abnormal ? 1 : 0), show: (cell, f) => text(cell, f.abnormal ? f.do : "within limits") },
  ], { caption, key: f => `${f.check}/${f.venue}/${f.item}`, sort: { key: "abnormal", up: false }, row: (tr, f) => attr(tr, "data-abnormal", f.abnormal || null) });
}

function figure(value, unit) {
  if (value == null) return missing;
  if (unit === "share") return `${number(100 * value, 1)} %`;
  return unit === "games" || unit === "pitches" ? number(value) : `${number(value, 1)} ${unit === "degree" ? "°" : unit}`;
}
