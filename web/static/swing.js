// One swing: the drawing, the numbers, and how far they can be trusted.

import { attr, flash, h, list, panel, s, text } from "./dom.js";
import { measured, missing, number, outcome, player, spaced, timeOfDay, version } from "./format.js";
import { get, pause } from "./net.js";
import { legend } from "./ramp.js";
import { middleOf, scene } from "./scene.js";

const least = 900; // ms between two drawings: faster ones could not be followed

/**
 * swingPanel shows the swing of a row. actions are buttons beside its title; short is for a wall, where long labels have no
 * place; scored(scores) is called with what models say about a swing. Returns {node, show(row)}. A row without a swing, or null, gives an empty drawing.
 * The numbers of the row are shown at once; the drawing follows when the samples have arrived.
 */
export function swingPanel(title, signal, { actions = [], short = false, scored = () => {} } = {}) {
  const canvas = h("canvas", { tabindex: "0", role: "img", "aria-describedby": "turn-hint" });
  const over = h("span"), cover = h("div", { class: "over", "aria-hidden": "true" }, over);
  const who = h("p", { class: "who" }, "\u00a0"), numbers = readings(short), flight = flightChart(), samples = sampleTable();
  const labels = labelLine(signal, scored);
  const drawing = scene(canvas, signal);
  const node = panel(title, { class: "swing" }, who, short ? null : labels.node,
    h("div", { class: "stage" }, canvas, cover, h("span", { id: "turn-hint", class: "hint" }, "Drag or arrow keys: turn · + −: zoom · 0: reset"), legend(), flight.node),
    h("div", { class: "tools" }, ...buttons(drawing)),
    numbers.node, samples.node);
  node.head.append(...actions);

  const state = { row: null, drawn: "", wanted: 0 };
  const draw = async () => {
    const mine = ++state.wanted;
    await pause(Math.max(0, (state.next ?? 0) - performance.now()), signal);
    if (!short && mine === state.wanted && !signal.aborted) labels.read(state.row);
    while (mine === state.wanted && !signal.aborted) {
      const { row } = state;
      try {
        const swing = await get(`v1/pitches/${row.pitch_id}/swing`, signal);
        if (mine !== state.wanted) return;
        state.next = performance.now() + least;
        state.drawn = version(row);
        text(over, "");
        attr(node, "data-drawn", version(swing));
        drawing.show(swing);
        flight.show(swing);
        samples.show(swing);
        attr(canvas, "aria-label", inWords(row, swing));
        return;
      } catch (problem) {
        if (mine !== state.wanted || signal.aborted) return;
        clear(problem.status === 404 ? `No samples: ${problem.message}` : `The samples cannot be read now: ${problem.message}. Trying again.`);
        if (problem.status === 404) return;
        await pause(3000, signal);
      }
    }
  };
  const clear = words => {
    state.drawn = "";
    drawing.show(null);
    flight.show(null);
    samples.show(null);
    if (!state.row) labels.read(null);
    text(over, words);
    attr(canvas, "aria-label", words);
  };
  return {
    node,
    show(row) {
      const old = state.row;
      state.row = row;
      numbers.show(row, old && row && old.pitch_id === row.pitch_id);
      text(who, row ? heading(row) : "\u00a0");
      attr(node, "data-pitch", row?.pitch_id);
      if (!row) { state.wanted++; clear("No swing yet."); }
      // guard: dashboard: a corrected swing is drawn again | version(old) !== version(row) -> old.pitch_id !== row.pitch_id
      else if (!old || version(old) !== version(row)) draw();
    },
  };
}

/** labelLine says what each live model says about a swing, and which version said it. Returns {node, read(row)}. */
function labelLine(signal, scored) {
  const node = h("p", { class: "fine", "data-part": "labels" }, "\u00a0");
  let wanted = 0;
  return {
    node,
    async read(row) {
      const mine = ++wanted;
      let scores = [];
      try {
        if (row) ({ scores } = await get(`v1/pitches/${row.pitch_id}/scores`, signal));
      } catch { /* the line is empty where models cannot be asked */ }
      if (mine !== wanted || signal.aborted) return;
      text(node, scores.map(said).filter(Boolean).join(" · ") || "\u00a0");
      scored(scores);
    },
  };
}

/** said is one score in words, "" if the model says nothing: label or value, p-value, and the version that said it. */
export function said(score) {
  const says = score.label ?? (score.value == null ? null : number(score.value, 2));
  return says == null ? "" : `${says}${score.p_value == null ? "" : `, p ${number(score.p_value, 3)}`} (${score.model} ${score.version})`;
}

function heading(row) {
  const type = spaced(row.pitch_type);
  return [player(row.batter_name, row.batter_id), outcome(row) + (type === missing ? "" : ` on a ${type.toLowerCase()}`), timeOfDay(row.event_time)].join(" · ");
}

function buttons(drawing) {
  const view = name => h("button", { type: "button", onclick: () => drawing.view(name) }, name);
  let on = !matchMedia("(prefers-reduced-motion: reduce)").matches;
  const orbit = h("button", { type: "button", "aria-pressed": String(on), onclick: () => { on = !on; attr(orbit, "aria-pressed", String(on)); drawing.orbit(on); } }, "Orbit");
  drawing.orbit(on);
  return [orbit, h("button", { type: "button", onclick: () => drawing.replay() }, "Replay"), view("Catcher"), view("Side"), view("Above")];
}

const trust = {
  reliable: ["sure", "reliable"], questionable: ["unsure", "questionable", "unsure"],
  confirmed: ["sure", "confirmed swing", "confirmed"], suspected: ["unsure", "suspected swing", "suspected"],
};

const figures = [
  { key: "bat_speed_mph", label: "Bat speed", unit: "mph", decimals: 1, trust: r => r.bat_speed_mph == null ? "" : r.speed_confidence },
  { key: "attack_angle_deg", label: "Attack angle", unit: "deg", decimals: 1, trust: r => r.swing_confidence },
  { key: "exit_velocity_mph", label: "Exit velocity", unit: "mph", format: measured, words: r => r.is_whiff && r.swing_confidence === "confirmed" && r.pitch_result !== "HitIntoPlay" ? "whiff" : "" },
  { key: "launch_angle_deg", label: "Launch angle", unit: "deg", decimals: 1 },
  { key: "pitch_speed_mph", label: "Pitch speed", unit: "mph", format: measured },
  { key: "spin_rate_rpm", label: "Spin rate", unit: "rpm", decimals: 0 },
  { key: "contact_bat_speed_mph", label: "Bat speed at contact", short: "At contact", unit: "mph", decimals: 1, trust: r => r.contact_bat_speed_mph == null ? "" : r.contact_confidence, bar: true },
  { key: "miss_distance_in", label: "Miss distance", unit: "in", decimals: 1, long: true, words: r => r.miss_distance_in == null ? "" : `ball to axis; ≤ ${number(touching, 1)} touches` },
  { key: "squared_up_pct", label: "Squared up", unit: "%", decimals: 0, words: r => r.is_barrel ? "barrel" : r.is_blast ? "blast" : "" },
];

const touching = 2.6; // inches between the ball's centre and the bat's axis where they touch

/** readings are the numbers of a row, each in a place of its own, even if it is missing. */
function readings(short) {
  const places = figures.map(f => ({ f, value: h("span", { class: "value" }, missing), under: h("span", { class: "under" }, "\u00a0"), unit: h("span", { class: "unit" }, ` ${f.unit}`), bar: f.bar ? errorBar() : null }));
  const node = h("dl", { class: "readings" }, ...places.map(({ f, value, unit, under, bar }) =>
    h("div", { "data-figure": f.key }, h("dt", {}, short && f.short ? f.short : f.label), h("dd", {}, value, unit, bar?.node, under))));
  return {
    node,
    show(row, corrected) {
      for (const { f, value, unit, under, bar } of places) {
        const shown = f.format ? f.format(row?.[f.key]) : number(row?.[f.key], f.decimals);
        if (text(value, shown) && corrected) flash(value);
        if (bar) {
          text(unit, row?.contact_bat_speed_error_mph == null ? " mph" : ` ± ${errorOf(row)} mph`);
          bar.show(row);
        }
        const [kind, words, fewer = words] = trust[row && f.trust?.(row)] ?? ["", (row && !(short && f.long) && f.words?.(row)) || "\u00a0"];
        text(under, short ? fewer : words);
        attr(under, "data-trust", kind || null);
      }
    },
  };
}

/** errorOf is the standard error of the speed at contact, with a second decimal where the first is 0. */
const errorOf = ({ contact_bat_speed_error_mph: error }) => number(error, error < 0.05 ? 2 : 1);

/** errorBar shows how sure the speed at contact is: thick its standard error, thin the spread of three estimates. */
function errorBar() {
  const width = 120, perMPH = 12, middle = width / 2;
  const line = kind => s("line", { class: kind, y1: 6, y2: 6 }), [axis, spread, error] = ["axis", "spread", "error"].map(line);
  attr(axis, "x1", 0);
  attr(axis, "x2", width);
  const node = s("svg", { class: "error-bar", viewBox: `0 0 ${width} 12`, role: "img" }, axis, spread, error, s("circle", { class: "middle", cx: middle, cy: 6, r: 2.5 }));
  const wide = (bar, mph) => {
    const half = Math.min((mph ?? 0) * perMPH, middle);
    attr(bar, "x1", (middle - half).toFixed(1));
    attr(bar, "x2", (middle + half).toFixed(1));
  };
  return {
    node,
    show(row) {
      const known = row?.contact_bat_speed_error_mph != null;
      attr(node, "visibility", known ? null : "hidden");
      wide(error, row?.contact_bat_speed_error_mph);
      wide(spread, (row?.contact_bat_speed_spread_mph ?? 0) / 2);
      const words = known ? `± ${errorOf(row)} mph standard error, three estimates differ by ${number(row.contact_bat_speed_spread_mph, 1)} mph` : "No error known";
      attr(node, "aria-label", words);
    },
  };
}

/** inWords describes the drawing for screen readers. */
function inWords(row, swing) {
  const met = swing.contact, parts = [`Swing of ${player(row.batter_name, row.batter_id)}: ${outcome(row).toLowerCase()}.`];
  if (row.bat_speed_mph != null) parts.push(`Bat speed ${number(row.bat_speed_mph, 1)} mph, ${row.speed_confidence}.`);
  if (row.attack_angle_deg != null) parts.push(`Attack angle ${number(row.attack_angle_deg, 1)} degrees.`);
  if (met) {
    const z = swing.strike_zone, [x, , up] = met.pos;
    const side = x < z.left ? "left of the zone" : x > z.right ? "right of the zone" : "over the plate";
    parts.push(`${met.kind === "hit" ? "Contact" : "Nearest to the ball"} ${number(Math.max(up, 0), 1)} ft high, ${side}${up > z.top ? ", above the zone" : up < z.bottom ? ", below the zone" : ""}.`);
  }
  if (row.exit_velocity_mph != null) parts.push(`Exit velocity ${number(row.exit_velocity_mph, 1)} mph${row.launch_angle_deg != null ? `, launch angle ${number(row.launch_angle_deg, 1)} degrees` : ""}.`);
  return parts.join(" ");
}

/** flightChart shows the batted ball from the side: distance from the plate against height. */
function flightChart() {
  const line = s("path", { class: "line" }), earth = s("path", { class: "earth", d: "M0 46H160" }), words = h("span", {}, "");
  const svg = s("svg", { viewBox: "0 0 160 48", "aria-hidden": "true" }, earth, line);
  const node = h("div", { class: "flight", hidden: true }, words, svg);
  return {
    node,
    show(swing) {
      const track = swing?.hit?.map(b => [Math.hypot(b.pos[0], b.pos[1]), b.pos[2]]) ?? [];
      attr(node, "hidden", track.length < 2);
      if (track.length < 2) return;
      const farthest = Math.max(...track.map(p => p[0])), highest = Math.max(...track.map(p => p[1]));
      const scale = Math.min(156 / Math.max(farthest, 30), 42 / Math.max(highest, 8));
      attr(line, "d", track.map(([d, z], i) => `${i ? "L" : "M"}${(2 + d * scale).toFixed(1)} ${(46 - Math.max(z, 0) * scale).toFixed(1)}`).join(""));
      text(words, `Tracked ${number(farthest)} ft, ${number(highest)} ft high`);
    },
  };
}

/** sampleTable shows the drawn samples as numbers. */
function sampleTable() {
  const body = h("tbody"), sum = h("summary", {}, "The bat's samples as a table");
  const node = h("details", { class: "samples" }, sum, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "The bat's samples" },
    h("table", {}, h("caption", { class: "sr" }, "Samples of the bat around contact"), h("thead", {}, h("tr", {},
      ...["From contact, ms", "Bat speed, mph", "Across, ft", "Toward the pitcher, ft", "High, ft"].map(t => h("th", { scope: "col", class: "num" }, t)))), body)));
  let swing = null;
  const draw = () => {
    if (!node.open) return;
    const middle = swing ? middleOf(swing) : 0;
    const near = (swing?.bat ?? []).filter(b => b.head && Math.abs(b.t - middle) < 0.12).filter((_, i) => i % 3 === 0);
    list(body, near, b => b.t, () => h("tr", {}, ...Array.from({ length: 5 }, () => h("td", { class: "num" }))), (tr, b) => {
      [number((b.t - middle) * 1000), number(b.speed_mph, 1), ...b.head.map(v => number(v, 2))].forEach((v, i) => text(tr.cells[i], v));
    });
  };
  node.addEventListener("toggle", draw);
  return { node, show(next) { swing = next; draw(); } };
}
