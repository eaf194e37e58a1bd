// All batters: a table, the last swings of each, and bat speed against attack angle.

import { command, h, loading, note, panel, share, text } from "./dom.js";
import { meanAxes, scatter, spark } from "./chart.js";
import { leading, measured, number, player } from "./format.js";
import { get, poll } from "./net.js";
import { playerLink } from "./player.js";
import { table } from "./table.js";

const most = 100; // batters in one answer
const stats = ["pitches", "swing_count", "whiff_rate_pct", "max_exit_velocity_mph", "avg_exit_velocity_mph", "hard_hit_count", "max_bat_speed_mph", "avg_bat_speed_mph", "avg_attack_angle_deg",
  "chase_rate_pct", "avg_contact_bat_speed_mph", "squared_up_rate_pct", "barrel_rate_pct"];

/** batters is the view of "#/batters". */
export function batters(root, _, signal) {
  const state = { stat: "pitches", least: 0, rows: [], wanted: "" };
  const place = h("div", {}, loading("Loading the batters")), said = h("p", { class: "sub" }, "\u00a0");
  const swings = lastSwings(signal, () => state.rows, () => grid.show(filtered()));
  const grid = table([
    { key: "name", label: "Batter", words: true, head: true, rising: true, value: b => player(b.name, b.batter_id), show: named },
    { key: "swings", label: "Bat speed of the last swings", unit: "20–100 mph", words: true, fixed: true, value: () => null, show: swings.cell },
    { key: "pitches", label: "Pitches", value: b => b.pitches },
    { key: "swing_count", label: "Swings", value: b => b.swing_count },
    { key: "whiff_rate_pct", label: "Whiff", unit: "%", value: b => b.whiff_rate_pct, show: (cell, b) => share(cell, b.whiff_rate_pct, b.swing_count) },
    { key: "max_exit_velocity_mph", label: "Max exit velocity", unit: "mph", format: measured, value: b => b.max_exit_velocity_mph },
    { key: "avg_exit_velocity_mph", label: "Mean exit velocity", unit: "mph", decimals: 1, value: b => b.avg_exit_velocity_mph },
    { key: "hard_hit_count", label: "Hard hit", value: b => b.hard_hit_count },
    { key: "max_bat_speed_mph", label: "Max bat speed", unit: "mph", decimals: 1, value: b => b.max_bat_speed_mph },
    { key: "avg_bat_speed_mph", label: "Mean bat speed", unit: "mph", decimals: 1, value: b => b.avg_bat_speed_mph },
    { key: "avg_attack_angle_deg", label: "Mean attack angle", unit: "deg", decimals: 1, value: b => b.avg_attack_angle_deg },
    { key: "chase_rate_pct", label: "Chase", unit: "%", decimals: 1, value: b => b.chase_rate_pct },
    { key: "avg_contact_bat_speed_mph", label: "Mean speed at contact", unit: "mph", decimals: 1, value: b => b.avg_contact_bat_speed_mph },
    { key: "squared_up_rate_pct", label: "Squared up", unit: "%", decimals: 1, value: b => b.squared_up_rate_pct },
    { key: "barrel_rate_pct", label: "Barrel", unit: "%", decimals: 1, value: b => b.barrel_rate_pct },
  ], {
    caption: "Batters over all games", key: b => b.batter_id, sort: { key: "pitches", up: false },
    onsort: sort => { if (stats.includes(sort.key)) { state.stat = sort.key; asking.now(); } },
  });
  const cloud = scatter(...meanAxes, { named: true, pick: p => { location.hash = `#/batters/${p.key}`; } });
  const filter = filters(state, () => asking.now(), () => grid.show(filtered()));
  const filtered = () => state.rows.filter(b => !state.wanted || `${player(b.name, b.batter_id)} ${b.team ?? ""} ${b.batter_id}`.toLowerCase().includes(state.wanted));
  const body = h("div", { class: "batters-grid" },
    h("section", { class: "panel", "aria-label": "Batters" }, filter, grid.node),
    panel("Bat speed and attack angle", {}, cloud.node, h("p", { class: "fine" }, "Means of each batter: reliable bat speeds, confirmed swings. Hollow: fewer than 5 swings. Point at one for his name, click for his page; the table has the numbers.")));
  root.append(h("div", { class: "heading" }, h("h1", {}, "Batters"), said), place);

  const asking = poll(() => `v1/leaders?stat=${state.stat}&min_swings=${state.least}&limit=${most}`, 1500, {
    state: answer => {
      state.rows = answer.leaders;
      if (!answer.leaders.length && !state.least && answer.stat === "pitches") return place.replaceChildren(note("empty", "No batter yet.", "The first appears here with the first pitch that names one. Bare tracking records name few: the game feed does.", command("pitchstream load games/ --ids ids.csv")));
      if (!body.isConnected) place.replaceChildren(body);
      text(said, leading(answer, most, "batter", `${number(answer.min_swings)} swings`));
      grid.show(filtered());
      showCloud(cloud, answer.leaders);
      swings.read();
    },
    lost: problem => { if (!body.isConnected) place.replaceChildren(note("error", "The batters cannot be read now.", `${problem.message}. Trying again.`)); },
  }, signal);
}

function showCloud(cloud, rows) {
  const points = rows.filter(b => b.avg_bat_speed_mph != null && b.avg_attack_angle_deg != null)
    .map(b => ({ key: b.batter_id, x: b.avg_bat_speed_mph, y: b.avg_attack_angle_deg, label: player(b.name, b.batter_id), faint: b.swing_count < 5 }));
  const mean = pick => points.length ? points.reduce((sum, p) => sum + pick(p), 0) / points.length : null;
  cloud.show(points, `Bat speed against attack angle of ${points.length} batters. Mean bat speed ${number(mean(p => p.x), 1)} mph, mean attack angle ${number(mean(p => p.y), 1)} degrees.`);
}

function named(cell, b) {
  playerLink(cell, "batters", b.batter_id, b.name);
  if (cell.childNodes.length < 2) cell.append(h("span", { class: "team" }));
  text(cell.lastChild, b.team ?? "");
}

function filters(state, ask, show) {
  const name = h("input", { type: "search", placeholder: "Name, team or id", "aria-label": "Filter batters by name, team or id", oninput: () => { state.wanted = name.value.trim().toLowerCase(); show(); } });
  const least = h("select", { "aria-label": "Least swings", onchange: () => { state.least = Number(least.value); ask(); } },
    ...[0, 5, 10, 25, 50, 100].map(n => h("option", { value: n }, n ? `${n} swings and more` : "Any number of swings")));
  return h("div", { class: "filters" }, name, least);
}

/** lastSwings reads the last swings of all listed batters, in one request. */
function lastSwings(signal, rows, changed) {
  const known = new Map();
  let busy = false, read = "";
  return {
    cell(cell, b) {
      cell.spark ??= spark({ min: 20, max: 100 });
      if (!cell.firstChild) cell.append(cell.spark.node);
      const swings = known.get(b.batter_id) ?? [], speeds = swings.map(x => x.bat_speed_mph).reverse();
      const last = speeds.findLast(v => v != null);
      cell.spark.show(speeds, last == null ? "No bat speed yet" : `Bat speed of the last ${speeds.length} swings, the newest ${number(last, 1)} mph`);
    },
    async read() {
      const ids = rows().map(b => b.batter_id), state = rows().map(b => b.seq).join();
      if (busy || !ids.length || state === read) return;
      busy = true;
      try {
        const answer = await get(`v1/swings?ids=${ids.join()}&limit=20`, signal);
        for (const b of answer.batters) known.set(b.batter_id, b.swings);
        read = state;
        changed();
      } catch { /* show the table without swings; the next turn reads again */ } finally { busy = false; }
    },
  };
}
