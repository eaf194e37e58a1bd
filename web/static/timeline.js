// Values over time, drawn by uPlot (MIT). The server makes the module uplot.js from uplot-min.js, which is as npm has it.

import { attr, h } from "./dom.js";
import uPlot from "./uplot.js";

/**
 * timeline draws lines over time. lines: {label, format(value), value(point)}; points have at, in ms. day: the axis has days.
 * least: the top of the scale where all values are smaller, because noise about zero is no event. Returns {node, show(points, words)}.
 */
export function timeline(lines, signal, { height = 150, day = false, least } = {}) {
  const place = h("div", { class: "timeline", role: "img" });
  let plot = null, data = [[]], width = 0;
  const draw = () => {
    if (!place.clientWidth) return;
    width = place.clientWidth;
    plot?.destroy();
    plot = new uPlot(options(lines, place, { width, height, day, least }), data, place);
  };
  const size = new ResizeObserver(() => { if (Math.abs(place.clientWidth - width) > 2) draw(); });
  size.observe(place);
  addEventListener("themechange", draw, { signal });
  signal.addEventListener("abort", () => { size.disconnect(); plot?.destroy(); });
  return {
    node: place,
    show(points, words) {
      data = [points.map(p => p.at / 1000), ...lines.map(l => points.map(p => l.value(p) ?? null))];
      attr(place, "aria-label", words);
      if (plot) plot.setData(data);
      else draw();
    },
  };
}

function options(lines, place, { width, height, day, least }) {
  const ink = colour(place, "--muted"), faint = colour(place, "--line"), colours = ["--accent", "--warn", "--good"].map(name => colour(place, name));
  const font = `12px ${getComputedStyle(place).fontFamily}`;
  const axis = { stroke: ink, font, grid: { stroke: faint, width: 1 }, ticks: { stroke: faint, width: 1 } };
  const dates = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
  return {
    width, height, padding: [8, 24, 0, 0], cursor: { points: { size: 6 } },
    legend: { live: true },
    scales: { x: { time: true }, y: { range: (_, min, max) => least ? [0, Math.max(least, (max ?? 0) * 1.08)] : range(min, max) } },
    axes: [
      { ...axis, ...(day ? { values: (_, splits) => splits.map(s => dates.format(new Date(s * 1000))), incrs: [86_400] } : { values: "{HH}:{mm}:{ss}", space: 90 }) },
      { ...axis, size: 64, values: (_, splits) => splits.map(v => lines[0].format(v)) },
    ],
    series: [
      { label: day ? "Day" : "At", value: (_, v) => v == null ? "–" : day ? dates.format(new Date(v * 1000)) : new Date(v * 1000).toLocaleTimeString("en-GB") },
      ...lines.map((l, i) => ({ label: l.label, stroke: colours[i], width: 1.6, points: { show: day, size: 7, fill: colours[i] }, value: (_, v) => v == null ? "–" : l.format(v) })),
    ],
  };
}

/** range keeps zero at the bottom of what is never negative, and a height for a line that does not move. */
function range(min, max) {
  if (min == null) return [0, 1];
  const low = min < 0 ? min * 1.1 : min > 0 && min > max * 0.6 ? min - (max - min || max * 0.1) * 0.3 : 0;
  return [low, max > low ? max + (max - low) * 0.08 : low + 1];
}

function colour(node, name) {
  const probe = h("span");
  probe.style.color = `var(${name})`;
  node.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
