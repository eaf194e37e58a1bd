// One batter: statistics over all games, swings, and pitches page by page.

import { h, loading, note, panel, share, text } from "./dom.js";
import { scatter, spark, swingAxes } from "./chart.js";
import { measured, number, outcome, player, spaced, time, typeName } from "./format.js";
import { follow, get } from "./net.js";
import { archetypes, gameLink, history, kinds, mechanics, playerLink, readingsOf } from "./player.js";
import { swingPanel } from "./swing.js";
import { table } from "./table.js";
import { sprayChart, zonePlot } from "./zone.js";

const figures = [
  ["pitches", "Pitches", "", 0], ["swing_count", "Swings", "", 0], ["whiff_rate_pct", "Whiff", "%", 1], ["contact_count", "Contact", "", 0],
  ["max_exit_velocity_mph", "Max exit velocity", "mph", measured], ["avg_exit_velocity_mph", "Mean exit velocity", "mph", 1], ["hard_hit_count", "Hard hit, ≥ 95 mph", "", 0],
  ["max_bat_speed_mph", "Max bat speed", "mph", 1], ["avg_bat_speed_mph", "Mean bat speed", "mph", 1], ["avg_attack_angle_deg", "Mean attack angle", "deg", 1],
];

const decisions = [
  ["chase_rate_pct", "Chase", "%", 1], ["zone_swing_rate_pct", "Zone swing", "%", 1], ["zone_contact_rate_pct", "Zone contact", "%", 1],
  ["competitive_swings", "Competitive swings", "", 0], ["avg_contact_bat_speed_mph", "Mean bat speed at contact", "mph", 1], ["fast_swing_rate_pct", "Fast swings, ≥ 75 mph", "%", 1],
  ["avg_swing_length_ft", "Mean swing length", "ft", 2], ["avg_contact_attack_angle_deg", "Mean attack angle at contact", "deg", 1], ["ideal_attack_angle_rate_pct", "Ideal angle, 5–20°", "%", 1],
  ["squared_up_rate_pct", "Squared up, of swings", "%", 1], ["squared_up_contact_rate_pct", "Squared up, of contact", "%", 1], ["blast_rate_pct", "Blasts", "%", 1],
  ["barrel_rate_pct", "Barrels, of batted balls", "%", 1], ["sweet_spot_rate_pct", "Sweet spot, 8–32°", "%", 1],
  ["p10_contact_bat_speed_mph", "Bat speed at contact, 10th percentile", "mph", 1], ["p90_contact_bat_speed_mph", "Bat speed at contact, 90th percentile", "mph", 1],
  ["p90_exit_velocity_mph", "Exit velocity, 90th percentile", "mph", 1], ["avg_ev50_mph", "EV50: hardest-hit half", "mph", 1],
];

const columns = [kinds.result, kinds.batSpeed, kinds.attackAngle, kinds.exit, kinds.launch, ["Pitch", "", "", r => spaced(r.pitch_type)], kinds.speed,
  ["Pitcher", "", "", r => player(r.pitcher_name, r.pitcher_id, "unknown pitcher"), (cell, r) => playerLink(cell, "pitchers", r.pitcher_id, r.pitcher_name)], ["Game", "", "", r => r.game_pk, (cell, r) => gameLink(cell, r.game_pk)]];

/** batter is the view of "#/batters/ID". */
export function batter(root, [id], signal) {
  const name = h("h1", {}, `#${id}`), facts = h("p", { class: "sub" }, "\u00a0"), place = h("div", {}, loading("Loading the batter"));
  const drift = mechanics(`v1/batters/${id}/drift`, signal), groups = archetypes(id, signal);
  root.append(h("div", { class: "heading" }, name, facts, groups.node, drift.node), place);
  const totals = readingsOf("Over all games", "totals", figures), choices = readingsOf("Decisions and contact", "choices", decisions), types = typeTable(), swing = swingPanel("Swing", signal, { scored: groups.read });
  let rows = [], pinned = null;
  const zone = zonePlot({ parts: true, pick: r => { if (r.is_swing) pick(r.pitch_id); } }), spray = sprayChart(), of = h("p", { class: "fine" }, "\u00a0");
  const choose = () => {
    const row = rows.find(r => r.pitch_id === pinned) ?? rows.find(r => r.is_swing) ?? null;
    swing.show(row);
    zone.show(rows, row?.pitch_id);
    spray.show(rows);
    text(of, `Of the ${rows.length} pitches listed on this page. In each ninth of the zone: whiffs/swings.`);
  };
  const pick = key => { pinned = key; choose(); };
  const cloud = scatter(...swingAxes, { pick: p => pick(p.key) }), trend = spark({ min: 20, max: 100, points: 20, width: 400, height: 64 });
  const range = h("p", { class: "fine" }, "\u00a0");
  const past = history(`v1/batters/${id}/pitches`, columns, signal, found => { rows = found; choose(); }, pick, r => r.is_swing);
  const body = h("div", { class: "batter-grid" }, totals.node, choices.node, swing.node,
    panel("Bat speed and attack angle", { class: "cloud" }, cloud.node, h("p", { class: "fine" }, "Each of his last swings. Hollow: a questionable speed, or a suspected swing."),
      h("h3", {}, "Bat speed of the last 50 swings"), trend.node, range),
    panel("Zone and field", { class: "maps" }, h("div", { class: "inner" }, zone.node, spray.node), of), types.node, past.node);

  const readSwings = async () => {
    try {
      show(cloud, trend, range, (await get(`v1/batters/${id}/swings?limit=100`, signal)).swings);
    } catch (problem) {
      if (problem.status === 404) show(cloud, trend, range, []);
    }
  };
  follow(`v1/batters/${id}/stream`, {
    state: b => {
      if (!body.isConnected) place.replaceChildren(body);
      text(name, b.name || `Batter #${id}`);
      text(facts, [b.team, `#${id}`, b.last_pitch ? `last pitch ${time(b.last_pitch.event_time)}` : ""].filter(Boolean).join(" · "));
      document.title = `${name.textContent} · pitchstream`;
      totals.show(b);
      choices.show(b);
      types.show(Object.entries(b.by_pitch_type ?? {}).map(([type, counts]) => ({ type, ...counts })));
      past.read();
      drift.read();
      readSwings();
    },
    absent: () => {
      text(name, `No batter #${id}`);
      text(facts, "");
      place.replaceChildren(note("empty", "There is no pitch of this batter.", "He appears here with his first one.", h("p", {}, h("a", { href: "#/batters" }, "All batters"))));
    },
    lost: problem => { if (!body.isConnected) place.replaceChildren(note("error", "The batter cannot be read now.", `${problem.message}. Trying again.`)); },
  }, signal);
}

function show(cloud, trend, range, swings) {
  const points = swings.filter(s => s.bat_speed_mph != null && s.attack_angle_deg != null).map(s => ({
    key: s.pitch_id, x: s.bat_speed_mph, y: s.attack_angle_deg, label: `${outcome(s)}, ${time(s.event_time)}`,
    faint: s.speed_confidence !== "reliable" || s.swing_confidence !== "confirmed",
  }));
  cloud.show(points, `Bat speed against attack angle of his last ${points.length} swings; the list of pitches has the numbers.`);
  const speeds = swings.slice(0, 50).map(s => s.bat_speed_mph).reverse(), known = speeds.filter(v => v != null);
  const words = known.length ? `From ${number(Math.min(...known), 1)} to ${number(Math.max(...known), 1)} mph, the newest ${number(known.at(-1), 1)} mph` : "No bat speed yet";
  text(range, words);
  trend.show(speeds, words);
}

function typeTable() {
  const grid = table([
    { key: "type", label: "Pitch", words: true, head: true, rising: true, value: t => typeName(t.type) },
    { key: "pitches", label: "Pitches", value: t => t.pitches }, { key: "swings", label: "Swings", value: t => t.swings },
    { key: "whiffs", label: "Whiffs", value: t => t.whiffs },
    { key: "rate", label: "Whiff", unit: "%", value: t => rateOf(t), show: (cell, t) => share(cell, rateOf(t), t.swings) },
  ], { caption: "Counts by pitch type", key: t => t.type, sort: { key: "pitches", up: false } });
  return { node: panel("By pitch type", { class: "types" }, grid.node), show: grid.show };
}

const rateOf = t => t.swings ? 100 * t.whiffs / t.swings : null;
