// Bat speed as a colour, on the same scale for every swing, so that two drawings compare. The greatest speeds contrast
// most with the background, so light and dark pages have a ramp each.

import { attr, h, s } from "./dom.js";

/** slowest and fastest are the ends of the scale, in mph. */
export const slowest = 0, fastest = 90;

const onDark = ["#34406b", "#3f6fae", "#38a3a5", "#8fce5d", "#ffd84d"];
const onLight = ["#aebccb", "#6da5c9", "#2f79b5", "#6a3d9a", "#b0104e"];

let legends = 0;

/** ramp returns the colour of a bat speed in mph. */
export function ramp(mph, dark) {
  const stops = dark ? onDark : onLight;
  const place = Math.min(Math.max((mph - slowest) / (fastest - slowest), 0), 1) * (stops.length - 1);
  const at = Math.min(Math.floor(place), stops.length - 2), part = place - at;
  const [a, b] = [rgb(stops[at]), rgb(stops[at + 1])];
  return `rgb(${a.map((v, i) => Math.round(v + (b[i] - v) * part)).join(" ")})`;
}

function rgb(hex) {
  return [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));
}

/** legend draws the scale. */
export function legend() {
  const stops = onDark.map((dark, n) => s("stop", { offset: n / (onDark.length - 1) }));
  stops.forEach((stop, n) => { stop.style.stopColor = `light-dark(${onLight[n]}, ${onDark[n]})`; });
  const id = `ramp-${++legends}`;
  const bar = [s("defs", {}, s("linearGradient", { id }, ...stops)), s("rect", { x: 0, y: 0, width: 160, height: 8, rx: 2, fill: `url(#${id})` })];
  const ticks = [0, 30, 60, 90].map(v => s("text", { x: v / fastest * 160, y: 20, "text-anchor": v === 0 ? "start" : v === fastest ? "end" : "middle" }, v));
  const scale = s("svg", { viewBox: "0 0 160 24", role: "img", "aria-label": `Colours of the bat path: from ${slowest} to ${fastest} mph` }, ...bar, ...ticks);
  attr(scale, "class", "ramp");
  return h("div", { class: "legend" }, h("span", {}, "Bat speed, mph"), scale);
}
