// Small drawings in SVG, changed in place: a line of values, and a scatter of two.

import { attr, h, list, s, text } from "./dom.js";
import { number, quantity } from "./format.js";

/** spark draws a line of values, the newest at the right; a missing one is a gap. Returns {node, show(values, words)}. */
export function spark({ min, max, points = 20, height = 24, width = 96 }) {
  const line = s("path", { class: "line" }), last = s("circle", { class: "last", r: 2.2 });
  const node = s("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, role: "img", preserveAspectRatio: "none" }, line, last);
  const x = (i, n) => width - 4 - (n - 1 - i) * (width - 8) / Math.max(points - 1, n - 1, 1);
  return {
    node,
    show(values, words) {
      const top = max ?? Math.max(...values.filter(v => v != null), min + 1);
      const y = v => height - 3 - (Math.min(Math.max(v, min), top) - min) / (top - min) * (height - 6);
      let path = "", gap = true, end = -1;
      values.forEach((v, i) => {
        if (v != null) { path += `${gap ? "M" : "L"}${x(i, values.length).toFixed(1)} ${y(v).toFixed(1)}`; end = i; }
        gap = v == null;
      });
      attr(line, "d", path || "M0 0");
      attr(last, "visibility", end < 0 ? "hidden" : null);
      if (end >= 0) { attr(last, "cx", x(end, values.length).toFixed(1)); attr(last, "cy", y(values[end]).toFixed(1)); }
      attr(node, "aria-label", words);
    },
  };
}

/**
 * scatter draws points {key, x, y, label, faint, kind (a class), big} over two axes {label, unit or none, min, max, step}. The label
 * of the point under the pointer is shown below the chart. Big ones have theirs beside them; with named, also those at the
 * edges of the cloud. Returns {node, show(points, words, current)}.
 */
export function scatter(xFirst, yFirst, { pick, named } = {}) {
  const xAxis = { ...xFirst }, yAxis = { ...yFirst };
  const grid = s("g", { class: "grid" }), dots = s("g", { class: "dots" }), names = s("g", { class: "names" });
  const svg = s("svg", { role: "img" }, grid, dots, names), said = h("p", { class: "said", "aria-hidden": "true" }, "\u00a0");
  const node = h("div", { class: "scatter" }, svg, said);
  const state = { points: [], words: "", width: 0, height: 0, near: null };
  const left = 46, bottom = 38, top = 10, right = 14;
  const px = v => left + (v - xAxis.min) / (xAxis.max - xAxis.min) * (state.width - left - right);
  const py = v => state.height - bottom - (v - yAxis.min) / (yAxis.max - yAxis.min) * (state.height - top - bottom);

  const draw = () => {
    if (!state.width) return;
    attr(svg, "aria-label", state.words);
    list(dots, state.points, p => p.key, p => s("circle", { r: p.big ? 8 : 4.5 }), (dot, p) => {
      attr(dot, "cx", px(p.x).toFixed(1));
      attr(dot, "cy", py(p.y).toFixed(1));
      attr(dot, "class", [p.kind, p.faint && "faint", p.big && "big", (p.key === state.near?.key || p.key === state.current) && "near"].filter(Boolean).join(" ") || null);
    });
    list(names, named ? outermost(state.points) : state.points.filter(p => p.big), p => p.key, () => s("text"), (word, p) => {
      const right = px(p.x) < state.width * 0.7;
      attr(word, "x", (px(p.x) + (right ? 1 : -1) * (p.big ? 12 : 8)).toFixed(1));
      attr(word, "y", (py(p.y) + 4).toFixed(1));
      attr(word, "text-anchor", right ? "start" : "end");
      text(word, p.label);
    });
  };
  const point = e => {
    const box = svg.getBoundingClientRect(), x = e.clientX - box.left, y = e.clientY - box.top;
    let best = 24 ** 2;
    state.near = null;
    for (const p of state.points) {
      const d = (px(p.x) - x) ** 2 + (py(p.y) - y) ** 2;
      if (d < best) { best = d; state.near = p; }
    }
    const p = state.near;
    text(said, p ? `${p.label}: ${[[p.x, xAxis], [p.y, yAxis]].filter(([, axis]) => axis.unit).map(([v, axis]) => quantity(v, 1, axis.unit)).join(", ")}` : "\u00a0");
    attr(svg, "class", p && pick ? "picks" : null);
    draw();
  };
  svg.addEventListener("pointermove", point);
  svg.addEventListener("pointerdown", point);
  svg.addEventListener("pointerleave", () => { state.near = null; text(said, "\u00a0"); draw(); });
  if (pick) svg.addEventListener("click", () => { if (state.near) pick(state.near); });
  new ResizeObserver(([{ contentRect: box }]) => {
    if (box.width === state.width && box.height === state.height) return;
    state.width = box.width;
    state.height = box.height;
    attr(svg, "viewBox", `0 0 ${box.width} ${box.height}`);
    axes(grid, xAxis, yAxis, px, py, state);
    draw();
  }).observe(svg);
  return {
    node,
    show(points, words, current = null) {
      Object.assign(state, { points, words, current });
      const wider = [widen(xAxis, points.map(p => p.x)), widen(yAxis, points.map(p => p.y))];
      if (wider.includes(true) && state.width) axes(grid, xAxis, yAxis, px, py, state);
      draw();
    },
  };
}

/** outermost are the points at the edges of the cloud, each once, without those of few swings. */
function outermost(points) {
  const sure = points.filter(p => !p.faint), by = (pick, sign) => sure.reduce((a, b) => !a || sign * pick(b) > sign * pick(a) ? b : a, null);
  return [...new Set([by(p => p.x, 1), by(p => p.x, -1), by(p => p.y, 1), by(p => p.y, -1)])].filter(Boolean);
}

/** widen extends an axis to hold the values. It never narrows one, so that points do not jump. */
function widen(axis, values) {
  const min = Math.min(axis.min, ...values.map(v => Math.floor(v / axis.step) * axis.step));
  const max = Math.max(axis.max, ...values.map(v => Math.ceil(v / axis.step) * axis.step));
  const wider = min < axis.min || max > axis.max;
  Object.assign(axis, { min, max });
  return wider;
}

function axes(grid, xAxis, yAxis, px, py, { width, height }) {
  const parts = [];
  for (const v of ticks(xAxis, 40 / (px(1) - px(0)))) {
    parts.push(s("line", { x1: px(v), x2: px(v), y1: py(yAxis.min), y2: py(yAxis.max), class: v === 0 ? "zero" : null }),
      s("text", { x: px(v), y: py(yAxis.min) + 15, "text-anchor": "middle" }, number(v)));
  }
  for (const v of ticks(yAxis, 24 / (py(0) - py(1)))) {
    parts.push(s("line", { x1: px(xAxis.min), x2: px(xAxis.max), y1: py(v), y2: py(v), class: v === 0 ? "zero" : null }),
      s("text", { x: px(xAxis.min) - 7, y: py(v) + 4, "text-anchor": "end" }, number(v)));
  }
  parts.push(s("text", { x: px(xAxis.max), y: height - 4, "text-anchor": "end", class: "axis" }, titleOf(xAxis)),
    s("text", { x: -py(yAxis.max), y: 12, "text-anchor": "end", transform: "rotate(-90)", class: "axis" }, titleOf(yAxis)));
  grid.replaceChildren(...parts);
}

const titleOf = axis => axis.unit ? `${axis.label}, ${axis.unit}` : axis.label;

/** ticks returns the values that get a line, at least that far apart. */
function* ticks({ min, max, step }, apart) {
  while (step < apart) step *= 2;
  for (let v = Math.ceil(min / step) * step; v <= max; v += step) yield v;
}

/** swingAxes are the initial axes of bat speed against attack angle: the same everywhere, so that charts compare. */
export const swingAxes = [
  { label: "Bat speed", unit: "mph", min: 40, max: 90, step: 10 },
  { label: "Attack angle", unit: "deg", min: -20, max: 30, step: 10 },
];

/** meanAxes are the initial axes for the means of batters, which lie closer together. */
export const meanAxes = [
  { label: "Mean bat speed", unit: "mph", min: 50, max: 80, step: 5 },
  { label: "Mean attack angle", unit: "deg", min: -5, max: 15, step: 5 },
];

/** breakAxes are the initial axes of the movement of pitches, as the catcher sees it. */
export const breakAxes = [
  { label: "Horizontal break, right positive", unit: "in", min: -25, max: 25, step: 5 },
  { label: "Induced vertical break", unit: "in", min: -20, max: 25, step: 5 },
];

/** courseAxes are the initial axes of speeds in the order of the pitches. */
export const courseAxes = [
  { label: "Pitch of the game", min: 0, max: 50, step: 10 },
  { label: "Release speed", unit: "mph", min: 70, max: 100, step: 5 },
];
