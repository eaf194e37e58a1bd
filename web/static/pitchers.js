// All pitchers: a table, and how fast they throw against how often they are missed.

import { attr, command, h, loading, note, panel, share, text } from "./dom.js";
import { scatter } from "./chart.js";
import { counted, family, leading, measured, number, player, typeName } from "./format.js";
import { poll } from "./net.js";
import { playerLink } from "./player.js";
import { table } from "./table.js";

const most = 100; // pitchers in one answer
const sorted = ["pitches", "avg_pitch_speed_mph", "max_pitch_speed_mph", "avg_spin_rate_rpm", "zone_rate_pct", "chase_rate_pct", "swing_count", "whiff_rate_pct", "csw_rate_pct", "hard_hit_count"];
const axes = [{ label: "Mean pitch speed", unit: "mph", min: 80, max: 100, step: 5 }, { label: "Whiffs", unit: "% of swings", min: 0, max: 40, step: 10 }];
const few = 10; // swings, below which a whiff rate is drawn hollow

/** pitchers is the view of "#/pitchers". */
export function pitchers(root, _, signal) {
  const state = { stat: "pitches", least: 0, rows: [], wanted: "" };
  const place = h("div", {}, loading("Loading the pitchers")), said = h("p", { class: "sub" }, "\u00a0");
  const grid = table([
    { key: "name", label: "Pitcher", words: true, head: true, rising: true, value: p => player(p.name, p.pitcher_id), show: named },
    { key: "types", label: "Pitch types", words: true, fixed: true, value: () => null, show: arsenal },
    { key: "pitches", label: "Pitches", value: p => p.pitches },
    { key: "avg_pitch_speed_mph", label: "Mean speed", unit: "mph", decimals: 1, value: p => p.avg_pitch_speed_mph },
    { key: "max_pitch_speed_mph", label: "Max speed", unit: "mph", format: measured, value: p => p.max_pitch_speed_mph },
    { key: "avg_spin_rate_rpm", label: "Mean spin", unit: "rpm", value: p => p.avg_spin_rate_rpm },
    { key: "zone_rate_pct", label: "Zone", unit: "%", decimals: 1, value: p => p.zone_rate_pct },
    { key: "chase_rate_pct", label: "Chase", unit: "%", decimals: 1, value: p => p.chase_rate_pct },
    { key: "whiff_rate_pct", label: "Whiff", unit: "%", value: p => p.whiff_rate_pct, show: (cell, p) => share(cell, p.whiff_rate_pct, p.swing_count) },
    { key: "csw_rate_pct", label: "Called strikes + whiffs", unit: "%", value: p => p.csw_rate_pct, show: (cell, p) => share(cell, p.csw_rate_pct, p.pitches) },
    { key: "hard_hit_count", label: "Hard hits", unit: "≥ 95 mph", value: p => p.hard_hit_count },
  ], {
    caption: "Pitchers over all games", key: p => p.pitcher_id, sort: { key: "pitches", up: false },
    onsort: sort => { if (sorted.includes(sort.key)) { state.stat = sort.key; asking.now(); } },
  });
  const cloud = scatter(...axes, { named: true, pick: p => { location.hash = `#/pitchers/${p.key}`; } });
  const filtered = () => state.rows.filter(p => !state.wanted || `${player(p.name, p.pitcher_id)} ${p.team ?? ""} ${p.pitcher_id}`.toLowerCase().includes(state.wanted));
  const body = h("div", { class: "batters-grid" },
    h("section", { class: "panel", "aria-label": "Pitchers" }, filters(state, () => asking.now(), () => grid.show(filtered())), grid.node),
    panel("Speed and whiffs", {}, cloud.node, h("p", { class: "fine" }, `Each pitcher's mean speed of all types, and how many swings missed. Hollow: fewer than ${few} swings. Click for the page; the table has the numbers.`)));
  root.append(h("div", { class: "heading" }, h("h1", {}, "Pitchers"), said), place);

  const asking = poll(() => `v1/leaders/pitchers?stat=${state.stat}&min_pitches=${state.least}&limit=${most}`, 1500, {
    state: answer => {
      state.rows = answer.leaders;
      if (!answer.leaders.length && !state.least && answer.stat === "pitches") return place.replaceChildren(note("empty", "No pitcher yet.", "The first appears here with the first pitch that names one. Bare tracking records name few: the game feed does.", command("pitchstream load games/ --ids ids.csv")));
      if (!body.isConnected) place.replaceChildren(body);
      text(said, leading(answer, most, "pitcher", `${number(answer.min_pitches)} pitches`));
      grid.show(filtered());
      showCloud(cloud, answer.leaders);
    },
    lost: problem => { if (!body.isConnected) place.replaceChildren(note("error", "The pitchers cannot be read now.", `${problem.message}. Trying again.`)); },
  }, signal);
}

function showCloud(cloud, rows) {
  const points = rows.filter(p => p.avg_pitch_speed_mph != null && p.whiff_rate_pct != null)
    .map(p => ({ key: p.pitcher_id, x: p.avg_pitch_speed_mph, y: p.whiff_rate_pct, label: player(p.name, p.pitcher_id), faint: p.swing_count < few }));
  cloud.show(points, `Mean pitch speed against whiffs of ${counted(points.length, "pitcher")}; the table has the numbers.`);
}

function named(cell, p) {
  playerLink(cell, "pitchers", p.pitcher_id, p.name);
  if (cell.childNodes.length < 2) cell.append(h("span", { class: "team" }));
  text(cell.lastChild, p.team ?? "");
}

/** arsenal is a bar of the types that a pitcher throws, by how often. */
function arsenal(cell, p) {
  const types = Object.entries(p.by_pitch_type ?? {}).sort((a, b) => b[1].pitches - a[1].pitches);
  const key = types.map(([type, of]) => `${type} ${of.pitches}`).join();
  if (cell.shown === key) return;
  cell.shown = key;
  const words = types.map(([type, of]) => `${typeName(type)} ${number(100 * of.pitches / p.pitches)} %`).join(", ");
  const bar = h("span", { class: "arsenal", role: "img", "aria-label": words, title: words }, ...types.map(([type, of]) => {
    const part = h("span", { class: family(type) });
    part.style.flexGrow = String(of.pitches);
    return part;
  }));
  attr(cell, "data-missing", !types.length);
  cell.replaceChildren(bar);
}

function filters(state, ask, show) {
  const name = h("input", { type: "search", placeholder: "Name, team or id", "aria-label": "Filter pitchers by name, team or id", oninput: () => { state.wanted = name.value.trim().toLowerCase(); show(); } });
  const least = h("select", { "aria-label": "Least pitches", onchange: () => { state.least = Number(least.value); ask(); } },
    ...[0, 10, 25, 50, 100, 500].map(n => h("option", { value: n }, n ? `${n} pitches and more` : "Any number of pitches")));
  return h("div", { class: "filters" }, name, least);
}
