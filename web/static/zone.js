// Where pitches crossed the plate, as the catcher sees them, and where batted balls went.

import { attr, h, list, s, text } from "./dom.js";
import { number, outcome } from "./format.js";

const perFoot = 60, wide = 4, high = 4.4; // of the drawing, in feet
const zone = { side: 0.83, bottom: 1.5, top: 3.5 }; // feet: the common one; records seldom have the batter's own
const edge = 0.23; // feet: a dot farther out is drawn at the edge, whole

const px = x => (Math.min(Math.max(x, -wide / 2 + edge), wide / 2 - edge) + wide / 2) * perFoot;
const py = z => (high - Math.min(Math.max(z, edge), high - edge)) * perFoot;

/** kindOf returns how a pitch is drawn: ball, called, swing (met) or whiff. */
export function kindOf(r) {
  if (r.is_contact || r.pitch_result === "HitIntoPlay") return "swing";
  if (r.is_whiff && r.swing_confidence === "confirmed") return "whiff";
  return r.pitch_result === "Strike" ? (r.is_swing ? "whiff" : "called") : "ball";
}

/**
 * zonePlot draws the rows of pitches. options: numbered (each pitch has its number, the first row is the newest), parts
 * (whiffs of swings in each ninth of the zone), pick(row). Returns {node, show(rows, current)}.
 */
export function zonePlot({ numbered = false, parts = false, pick } = {}) {
  const balls = s("g"), met = s("circle", { class: "met", r: 10 }), ninths = s("g");
  const svg = s("svg", { viewBox: `0 0 ${wide * perFoot} ${high * perFoot}`, role: "img" }, ...field(), balls, ninths, met);
  const node = h("div", { class: parts ? "plate parts" : "plate" }, svg, keys());
  const make = row => {
    const circle = s("circle", { r: numbered ? 9 : 5 });
    return s("g", pick ? { onclick: () => pick(row) } : {}, circle, numbered ? s("text", { class: "number" }) : null);
  };
  return {
    node,
    show(rows, current) {
      const seen = rows.map((r, i) => ({ r, n: rows.length - i })).filter(p => p.r.plate_x_ft != null);
      list(balls, [...seen].reverse(), p => p.r.pitch_id, p => make(p.r), (g, { r, n }) => {
        const x = px(r.plate_x_ft).toFixed(1), y = py(r.plate_z_ft).toFixed(1);
        attr(g.firstChild, "cx", x);
        attr(g.firstChild, "cy", y);
        attr(g.firstChild, "class", `${kindOf(r) === "ball" ? "" : kindOf(r)} ball${r.pitch_id === current ? " here" : ""}`.trim());
        if (!numbered) return;
        attr(g.lastChild, "x", x);
        attr(g.lastChild, "y", (Number(y) + 4).toFixed(1));
        text(g.lastChild, String(n));
      });
      const at = rows.find(r => r.pitch_id === current && r.intercept_x_ft != null);
      attr(met, "visibility", at ? null : "hidden");
      if (at) { attr(met, "cx", px(at.intercept_x_ft)); attr(met, "cy", py(at.intercept_z_ft)); }
      if (parts) ninths.replaceChildren(...whiffs(seen.map(p => p.r)));
      attr(svg, "aria-label", inWords(seen));
    },
  };
}

function field() {
  const { side, bottom, top } = zone, third = (top - bottom) / 3, lines = [];
  for (const i of [1, 2]) {
    const x = px(-side + 2 * side * i / 3), y = py(bottom + third * i);
    lines.push(s("line", { class: "third", x1: x, x2: x, y1: py(top), y2: py(bottom) }), s("line", { class: "third", x1: px(-side), x2: px(side), y1: y, y2: y }));
  }
  const base = [[-0.708, 0.52], [0.708, 0.52], [0.708, 0.4], [0, 0.24], [-0.708, 0.4]].map(([x, z]) => `${px(x)},${py(z)}`).join(" ");
  return [s("polygon", { class: "base", points: base }), ...lines,
    s("rect", { class: "edge", x: px(-side), y: py(top), width: 2 * side * perFoot, height: (top - bottom) * perFoot })];
}

function keys() {
  const key = (kind, words) => h("li", {}, s("svg", { viewBox: "0 0 12 12", "aria-hidden": "true" }, s("circle", { class: `${kind} ball`.trim(), cx: 6, cy: 6, r: 4.6 })), words);
  return h("ul", { class: "keys" }, key("", "ball"), key("called", "called strike"), key("whiff", "whiff"), key("swing", "foul, in play"));
}

/** whiffs are the counts in each ninth of the zone: swings that missed, of all swings. */
function whiffs(rows) {
  const { side, bottom, top } = zone, counts = new Map();
  for (const r of rows) {
    const column = Math.floor((r.plate_x_ft + side) / (2 * side) * 3), line = Math.floor((r.plate_z_ft - bottom) / (top - bottom) * 3);
    if (!r.is_swing || column < 0 || column > 2 || line < 0 || line > 2) continue;
    const key = `${column} ${line}`, sum = counts.get(key) ?? { column, line, swings: 0, whiffs: 0 };
    counts.set(key, { ...sum, swings: sum.swings + 1, whiffs: sum.whiffs + (r.is_whiff ? 1 : 0) });
  }
  return [...counts.values()].map(c => s("text", {
    class: "part", x: px(-side + 2 * side * (c.column + 0.5) / 3), y: py(bottom + (top - bottom) * (c.line + 1) / 3) + 12,
  }, `${c.whiffs}/${c.swings}`));
}

function inWords(seen) {
  if (!seen.length) return "No pitch with a tracked flight.";
  const inside = seen.filter(p => p.r.in_zone).length;
  const newest = seen[0].r;
  return `${seen.length} pitches as the catcher sees them, ${inside} in the strike zone. The newest: ${outcome(newest).toLowerCase()}, ` +
    `${number(Math.abs(newest.plate_x_ft), 1)} ft ${newest.plate_x_ft < 0 ? "left" : "right"} of the middle, ${number(newest.plate_z_ft, 1)} ft high.`;
}

/** sprayChart draws batted balls by direction and exit velocity, because rows have no distance. Returns {node, show(rows)}. */
export function sprayChart() {
  const size = 290, home = [size / 2, 208], reach = 190, most = 115; // mph at the edge
  const at = (deg, mph) => {
    const turn = deg * Math.PI / 180, far = Math.min(mph, most) / most * reach;
    return [home[0] + Math.sin(turn) * far, home[1] - Math.cos(turn) * far];
  };
  const arc = mph => {
    const [a, b] = [at(-45, mph), at(45, mph)], r = mph / most * reach;
    return s("path", { class: "arc", d: `M${a.map(v => v.toFixed(1)).join(" ")}A${r} ${r} 0 0 1 ${b.map(v => v.toFixed(1)).join(" ")}` });
  };
  const foul = deg => s("line", { class: "foul", x1: home[0], y1: home[1], x2: at(deg, most)[0], y2: at(deg, most)[1] });
  const dots = s("g"), label = mph => s("text", { x: home[0], y: at(0, mph)[1] - 3 }, mph);
  const svg = s("svg", { viewBox: `0 0 ${size} 220`, role: "img" }, foul(-45), foul(45), arc(60), arc(80), arc(95), arc(110), label(60), label(80), label(95), label(110), dots);
  const fine = h("p", { class: "fine" }, "\u00a0");
  return {
    node: h("div", { class: "spray" }, svg, fine),
    show(rows) {
      const hit = rows.filter(r => r.spray_angle_deg != null && r.exit_velocity_mph != null);
      list(dots, hit, r => r.pitch_id, () => s("circle", { r: 4.5 }), (dot, r) => {
        const [x, y] = at(r.spray_angle_deg, r.exit_velocity_mph);
        attr(dot, "cx", x.toFixed(1));
        attr(dot, "cy", y.toFixed(1));
        attr(dot, "class", r.exit_velocity_mph >= 95 ? "hard" : null);
      });
      const third = [-15, 15].map(edge => hit.filter(r => r.spray_angle_deg < edge).length), n = hit.length;
      const words = n ? `${n} batted: ${third[0]} left, ${third[1] - third[0]} center, ${n - third[1]} right. From the plate: exit velocity in mph; red: 95 and more.` : "No batted ball yet.";
      text(fine, words);
      attr(svg, "aria-label", words);
    },
  };
}
