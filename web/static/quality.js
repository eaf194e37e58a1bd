// The quality of a day's data: the figures beyond their limits first, then the others, each once, and how one went over the days.

import { attr, h, loading, note, panel, text } from "./dom.js";
import { counted, date, missing, number, seconds, time } from "./format.js";
import { get, poll } from "./net.js";
import { table } from "./table.js";
import { timeline } from "./timeline.js";

const pages = "https://github.com/pitchstream/pitchstream/blob/main/docs/QUALITY.md";

/** anchors are the headings of docs/QUALITY.md that are about several checks. */
const anchors = {
  duplicate_samples: "duplicate_samples-and-sample_conflicts", sample_conflicts: "duplicate_samples-and-sample_conflicts",
  repeated_records: "repeated_records-and-conflicting_records", conflicting_records: "repeated_records-and-conflicting_records",
  questionable_speeds: "questionable_speeds-and-short_tracks", short_tracks: "questionable_speeds-and-short_tracks",
  missing_pitch_speed: "missing_pitch_speed-missing_exit_velocity-missing_bat_speed",
  missing_exit_velocity: "missing_pitch_speed-missing_exit_velocity-missing_bat_speed",
  missing_bat_speed: "missing_pitch_speed-missing_exit_velocity-missing_bat_speed",
};

/** quality is the view of "#/quality" and of "#/quality/DAY". */
export function quality(root, [day], signal) {
  const said = h("p", { class: "said" }), place = h("div", {}, loading("Loading the figures")), days = dayPicker();
  root.append(h("div", { class: "heading" }, h("h1", {}, "Quality"), days.node), said, place);
  const course = courseOf(signal), choose = f => course.show(f);
  const wrong = figures("What is beyond its limits", true, choose), fine = figures("What is within its limits", false, choose);
  const rest = h("details", { class: "panel" }, h("summary", {}, h("h2", {}, "Within limits")), fine.node), bad = panel("Beyond its limits", {}, wrong.node);
  poll(`v1/quality${day ? `?day=${encodeURIComponent(day)}` : ""}`, 15_000, {
    state: body => {
      const shown = body.findings.filter(f => f.abnormal || f.venue === "all" || f.check === "drift"), beyond = shown.filter(f => f.abnormal);
      text(said, words(body));
      days.show(body);
      if (!rest.isConnected) {
        place.replaceChildren(bad, course.node, rest);
        rest.open = beyond.length === 0;
      }
      attr(bad, "hidden", beyond.length === 0);
      wrong.show(beyond);
      fine.show(shown.filter(f => !f.abnormal));
      course.read(body, beyond.find(f => f.baseline != null) ?? beyond[0] ?? shown.find(f => f.baseline && f.value) ?? shown[0]);
    },
    lost: problem => {
      if (rest.isConnected) return; // the status line above says that the data is old
      const newest = h("p", {}, h("a", { href: "#/quality" }, "The newest day"));
      place.replaceChildren(problem.status === 404
        ? note("empty", day ? `No figures of ${date(day)}.` : "No figures yet.", day ? "No game was played, or its figures are not computed yet." : "A processor computes them within a minute of a game's first pitch.", day ? newest : null)
        : note("error", "The figures cannot be read now.", `${problem.message}. Trying again.`));
    },
  }, signal);
}

function words(body) {
  const days = body.baseline_days.length;
  const compared = days ? `compared with the ${counted(days, "game day")} before` : "no earlier day to compare with";
  const verdict = body.abnormal ? `${counted(body.abnormal, "figure")} beyond ${body.abnormal === 1 ? "its limit" : "their limits"}` : "all within limits";
  return `${date(body.day)}: ${counted(body.games, "game")}, ${counted(body.pitches, "pitch", "pitches")}, ${compared}; ${verdict}. As of ${time(body.as_of)}.`;
}

/** dayPicker leads to another day: those of the baseline, or any. */
function dayPicker() {
  const input = h("input", { type: "date", "aria-label": "Another day", onchange: () => { if (input.value) location.hash = `#/quality/${input.value}`; } });
  const before = h("a", { class: "sub", hidden: true }, "← the game day before");
  return {
    node: h("div", { class: "days" }, before, input),
    show(body) {
      if (document.activeElement !== input) input.value = body.day;
      const last = body.baseline_days.toSorted().at(-1);
      attr(before, "hidden", !last);
      if (last) attr(before, "href", `#/quality/${last}`);
    },
  };
}

/** plain is a name in words: attack_angle_deg is "attack angle". */
const plain = name => name.replace(/_(mph|deg|rpm|in|ft|pct)(?=$|:)/, "").replaceAll("_", " ").replace(":", ", ");

const name = f => plain(f.item ? `${f.check}: ${f.item}` : f.check) + (f.venue === "all" ? "" : `, ${f.venue}`);

const keyOf = f => `${f.check}/${f.venue}/${f.item}`;

/** figures is a table of findings; with beyond, of those beyond their limits, with what to do. */
function figures(caption, beyond, choose) {
  return table([
    { key: "what", label: "Figure", words: true, head: true, rising: true, value: name, show: (cell, f) => lead(cell, f, choose) },
    { key: "value", label: "Day", value: f => f.value, show: (cell, f) => text(cell, figure(f, f.value)) },
    { key: "baseline", label: "Before", value: f => f.baseline, show: (cell, f) => text(cell, figure(f, f.baseline)) },
    { key: "of", label: "Of", value: f => f.of },
    { key: "games", label: "Games", value: f => f.games_affected },
    ...(beyond ? [{ key: "do", label: "What to do", words: true, rising: true, value: f => f.do, show: remedy }] : []),
    { key: "meaning", label: "Meaning", words: true, rising: true, value: f => f.what },
    { key: "limit", label: "Limit", words: true, rising: true, value: f => f.limit },
  ], {
    caption, key: keyOf, sort: { key: "what", up: true },
    row: (tr, f) => { attr(tr, "data-figure", keyOf(f)); attr(tr, "data-abnormal", f.abnormal || null); },
  });
}

/** lead is the name of a figure, a button that shows its course, and a link to its explanation. */
function lead(cell, f, choose) {
  if (!cell.firstChild) {
    const help = h("a", { class: "help", target: "_blank", rel: "noreferrer" }, "?");
    cell.append(h("button", { type: "button", class: "plain", onclick: () => choose(cell.finding) }), help);
  }
  cell.finding = f;
  text(cell.firstChild, name(f));
  attr(cell.firstChild, "title", "Show how it went over the days");
  attr(cell.lastChild, "href", `${pages}#${anchors[f.check] ?? f.check}`);
  attr(cell.lastChild, "aria-label", `What ${plain(f.check)} means`);
}

/** remedy is what to do, with a link to the game that it is about. */
function remedy(cell, f) {
  if (!cell.firstChild) cell.append(h("span"), h("a"));
  const game = f.check === "incomplete_games" && f.item;
  text(cell.firstChild, f.do);
  attr(cell.lastChild, "hidden", !game);
  text(cell.lastChild, game ? ` Game ${game}` : "");
  if (game) attr(cell.lastChild, "href", `#/games/${encodeURIComponent(game)}`);
}

/** courseOf is the chart of one figure over the days of the baseline and the day itself. */
function courseOf(signal) {
  let reports = [], shown = null, asked = "";
  const plot = timeline([{ label: "Value", value: p => p.value, format: v => shown ? figure({ ...shown, of: 1 }, v) : number(v, 1) }], signal, { day: true });
  const title = h("p", { class: "sub" }, "\u00a0"), node = panel("Over the days", {}, title, plot.node);
  const draw = () => {
    if (!shown) return;
    const points = reports.map(r => ({ at: Date.parse(`${r.day}T00:00:00`), f: r.findings.find(f => keyOf(f) === keyOf(shown)) }))
      .map(({ at, f }) => ({ at, value: f && f.of ? f.value : null }));
    attr(node, "hidden", points.filter(p => p.value != null).length < 2);
    text(title, `${name(shown)}: ${shown.what}`);
    plot.show(points, `${name(shown)} over ${points.length} days: ${points.map(p => p.value == null ? missing : figure({ ...shown, of: 1 }, p.value)).join(", ")}`);
  };
  return {
    node,
    show(f) { shown = f; draw(); },
    async read(body, first) {
      shown ??= first ?? null;
      const days = body.baseline_days.toSorted(), key = `${body.day} ${days} ${body.as_of}`;
      if (key === asked) return;
      asked = key;
      const earlier = await Promise.all(days.map(d => get(`v1/quality?day=${d}`, signal).catch(() => null)));
      reports = [...earlier.filter(Boolean), body];
      draw();
    },
  };
}

/** figure formats a value of a finding with its unit. A share of nothing has no figure. */
function figure({ unit, of }, value) {
  // guard: dashboard: a figure of nothing is no zero | value == null || of === 0 -> value == null
  if (value == null || of === 0) return missing;
  if (unit === "share") return `${number(100 * value, 1)} %`;
  if (unit === "s") return seconds(value);
  return unit === "games" || unit === "pitches" ? number(value) : `${number(value, 1)}${unit === "degree" ? "°" : ` ${unit}`}`;
}
