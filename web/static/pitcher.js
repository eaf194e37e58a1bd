// One pitcher: his numbers by pitch type, how his pitches move, where they cross the plate, and whether he tires.

import { attr, h, loading, note, panel, share, text } from "./dom.js";
import { breakAxes, courseAxes, scatter } from "./chart.js";
import { change, counted, family, measured, missing, number, outcome, player, time, typeName } from "./format.js";
import { follow, get } from "./net.js";
import { gameLink, history, kinds, mechanics, playerLink, readingsOf } from "./player.js";
import { table } from "./table.js";
import { zonePlot } from "./zone.js";

const figures = [
  ["pitches", "Pitches", "", 0], ["avg_pitch_speed_mph", "Mean speed", "mph", 1], ["max_pitch_speed_mph", "Max speed", "mph", measured], ["avg_spin_rate_rpm", "Mean spin", "rpm", 0],
  ["zone_rate_pct", "In the zone", "%", 1], ["chase_rate_pct", "Chase", "%", 1], ["swing_count", "Swings", "", 0], ["whiff_rate_pct", "Whiff", "%", 1],
  ["called_strike_count", "Called strikes", "", 0], ["csw_rate_pct", "Called strikes + whiffs", "%", 1], ["hard_hit_count", "Hard hits, ≥ 95 mph", "", 0],
];

const compared = [15, 10]; // the first and the last pitches of a type in a game

/** typeCell names a pitch type beside its colour. */
function typeCell(cell, type) {
  const words = cell.firstChild ?? cell.appendChild(h("span", { class: "typed" }, h("span", { "aria-hidden": "true" }), h("span")));
  attr(words.firstChild, "class", `swatch ${family(type)}`);
  text(words.lastChild, typeName(type));
}

const columns = [
  ["Batter", "", "", r => player(r.batter_name, r.batter_id), (cell, r) => playerLink(cell, "batters", r.batter_id, r.batter_name)], kinds.result,
  ["Pitch", "", "", r => r.pitch_type, (cell, r) => typeCell(cell, r.pitch_type ?? "unknown")], kinds.speed, kinds.spin, kinds.rise, kinds.side, kinds.exit,
  ["Game", "", "", r => r.game_pk, (cell, r) => gameLink(cell, r.game_pk)],
];

/** pitcher is the view of "#/pitchers/ID". */
export function pitcher(root, [id], signal) {
  const name = h("h1", {}, `#${id}`), facts = h("p", { class: "sub" }, "\u00a0"), place = h("div", {}, loading("Loading the pitcher"));
  const drift = mechanics(`v1/pitchers/${id}/drift`, signal);
  root.append(h("div", { class: "heading" }, name, facts, drift.node), place);
  const totals = readingsOf("Over all games", "totals", figures), types = typeTable(), move = scatter(...breakAxes, { pick: p => pick(p.key) });
  const zone = zonePlot({ parts: true, pick: r => pick(r.pitch_id) }), of = h("p", { class: "fine" }, "\u00a0"), outings = gamesOf(id, signal);
  let rows = [], current = null;
  const pick = key => { current = current === key ? null : key; draw(); };
  const draw = () => {
    zone.show(rows, current);
    move.show(moves(rows), `Movement of ${counted(rows.length, "pitch", "pitches")}; the table by pitch type has the means.`, current);
    text(of, `${counted(rows.length, "pitch", "pitches")}, those listed on this page. In each ninth of the zone: whiffs/swings.`);
  };
  const past = history(`v1/pitchers/${id}/pitches`, columns, signal, found => { rows = found; draw(); }, pick);
  const body = h("div", { class: "pitcher-grid" }, totals.node, types.node,
    panel("Movement", { class: "moves" }, move.node, h("p", { class: "fine" }, "As the catcher sees it, without gravity. The large dots are the means of the pitches listed below.")),
    outings.course, panel("Strike zone", { class: "maps" }, zone.node, of), outings.games, past.node);
  follow(`v1/pitchers/${id}/stream`, {
    state: p => {
      if (!body.isConnected) place.replaceChildren(body);
      text(name, p.name || `Pitcher #${id}`);
      text(facts, [p.team, `#${id}`, p.last_pitch ? `last pitch ${time(p.last_pitch.event_time)}` : ""].filter(Boolean).join(" · "));
      document.title = `${name.textContent} · pitchstream`;
      totals.show(p);
      types.show(typesOf(p));
      past.read();
      drift.read();
      outings.read();
    },
    absent: () => {
      text(name, `No pitcher #${id}`);
      text(facts, "");
      place.replaceChildren(note("empty", "There is no pitch of this pitcher.", "He appears here with his first one.", h("p", {}, h("a", { href: "#/pitchers" }, "All pitchers"))));
    },
    lost: problem => { if (!body.isConnected) place.replaceChildren(note("error", "The pitcher cannot be read now.", `${problem.message}. Trying again.`)); },
  }, signal);
}

/** typesOf lists the aggregates by type. */
function typesOf(p) {
  return Object.entries(p.by_pitch_type ?? {}).map(([type, of]) => ({ type, of_all: 100 * of.pitches / p.pitches, ...of }));
}

/** moves are the points of the chart of movement: each pitch, and the mean of each type with at least three. */
function moves(rows) {
  const points = rows.filter(r => r.horizontal_break_in != null && r.induced_vertical_break_in != null).map(r => ({
    key: r.pitch_id, x: r.horizontal_break_in, y: r.induced_vertical_break_in, type: r.pitch_type ?? "unknown", kind: family(r.pitch_type),
    label: `${typeName(r.pitch_type ?? "unknown")}, ${measured(r.pitch_speed_mph)} mph, ${outcome(r).toLowerCase()}`,
  }));
  const means = [...Map.groupBy(points, p => p.type)].filter(([, of]) => of.length >= 3).map(([type, of]) => ({
    key: `mean of ${type}`, x: mean(of, p => p.x), y: mean(of, p => p.y), kind: family(type), label: typeName(type), big: true,
  }));
  return [...points, ...means];
}

const mean = (of, value) => of.reduce((sum, p) => sum + value(p), 0) / of.length;

function typeTable() {
  const grid = table([
    { key: "type", label: "Pitch", words: true, head: true, rising: true, value: t => typeName(t.type), show: (cell, t) => typeCell(cell, t.type) },
    { key: "pitches", label: "Pitches", value: t => t.pitches }, { key: "of_all", label: "Share", unit: "%", decimals: 1, value: t => t.of_all },
    { key: "avg_pitch_speed_mph", label: "Mean speed", unit: "mph", decimals: 1, value: t => t.avg_pitch_speed_mph },
    { key: "max_pitch_speed_mph", label: "Max speed", unit: "mph", format: measured, value: t => t.max_pitch_speed_mph },
    { key: "avg_spin_rate_rpm", label: "Mean spin", unit: "rpm", value: t => t.avg_spin_rate_rpm },
    { key: "max_spin_rate_rpm", label: "Max spin", unit: "rpm", value: t => t.max_spin_rate_rpm },
    { key: "avg_induced_vertical_break_in", label: "Mean vertical break", unit: "in", decimals: 1, value: t => t.avg_induced_vertical_break_in },
    { key: "avg_horizontal_break_in", label: "Mean horizontal break", unit: "in", decimals: 1, value: t => t.avg_horizontal_break_in },
    { key: "zone_rate_pct", label: "Zone", unit: "%", decimals: 1, value: t => t.zone_rate_pct }, { key: "chase_rate_pct", label: "Chase", unit: "%", decimals: 1, value: t => t.chase_rate_pct },
    { key: "whiff_rate_pct", label: "Whiff", unit: "%", value: t => t.whiff_rate_pct, show: (cell, t) => share(cell, t.whiff_rate_pct, t.swings) },
    { key: "csw_rate_pct", label: "Called strikes + whiffs", unit: "%", value: t => t.csw_rate_pct, show: (cell, t) => share(cell, t.csw_rate_pct, t.pitches) },
    { key: "hard_hits", label: "Hard hits", unit: "≥ 95 mph", value: t => t.hard_hits },
  ], { caption: "Numbers by pitch type", key: t => t.type, sort: { key: "pitches", up: false }, row: (tr, t) => attr(tr, "data-type", t.type) });
  return { node: panel("By pitch type", { class: "types" }, grid.node), show: grid.show };
}

/** gamesOf are the pitcher's games, and the speeds of the chosen one: the newest, until another is chosen. */
function gamesOf(id, signal) {
  let games = [], chosen = null, busy = false, again = false;
  const list = table([
    { key: "game", label: "Game", words: true, head: true, value: g => g.game_pk, show: (cell, g) => gameButton(cell, g, choose) },
    { key: "pitches", label: "Pitches", value: g => g.pitches },
    { key: "speed", label: "Mean speed", unit: "mph", decimals: 1, value: g => g.avg_pitch_speed_mph }, { key: "max", label: "Max speed", unit: "mph", format: measured, value: g => g.max_pitch_speed_mph },
    { key: "zone", label: "Zone", unit: "%", decimals: 1, value: g => g.zone_rate_pct },
    { key: "whiff", label: "Whiff", unit: "%", value: g => g.whiff_rate_pct, show: (cell, g) => share(cell, g.whiff_rate_pct, g.swing_count) },
    { key: "csw", label: "Called strikes + whiffs", unit: "%", value: g => g.csw_rate_pct, show: (cell, g) => share(cell, g.csw_rate_pct, g.pitches) },
    { key: "hard", label: "Hard hits", value: g => g.hard_hit_count },
    { key: "last", label: "Last pitch", words: true, value: g => g.last_pitch?.event_time, show: (cell, g) => text(cell, time(g.last_pitch?.event_time)) },
  ], { caption: "Games, by their last pitch", key: g => g.game_pk, sort: { key: "last", up: false }, row: (tr, g) => attr(tr, "aria-current", g.game_pk === now()?.game_pk ? "true" : null) });
  const course = courseOf();
  const now = () => games.find(g => g.game_pk === chosen) ?? games[0];
  const choose = pk => { chosen = pk; list.show(games); read(); };
  const read = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      games = (await get(`v1/pitchers/${id}/games?limit=50`, signal)).games;
      list.show(games);
      const g = now();
      course.show(g, await get(`v1/pitches?pitcher=${id}&game=${encodeURIComponent(g.game_pk)}&limit=200`, signal));
    } catch { /* what is shown stays; the next state reads again */ } finally { busy = false; }
    if (again && !signal.aborted) { again = false; read(); }
  };
  return { games: panel("Games", { class: "outings" }, list.node), course: course.node, read };
}

function gameButton(cell, g, choose) {
  const button = cell.firstChild ?? cell.appendChild(h("button", { type: "button", class: "pick", title: "Show the speeds of this game", onclick: () => choose(cell.game) }));
  cell.game = g.game_pk;
  text(button, g.game_pk);
}

/** courseOf shows how the speed went in a game, and the last pitches of a type against the first ones. */
function courseOf() {
  const title = h("p", { class: "sub" }, "\u00a0"), chart = scatter(...courseAxes), none = h("p", { class: "fine" }, "\u00a0"), [first, last] = compared;
  const grid = table([
    { key: "type", label: "Pitch", words: true, head: true, rising: true, value: t => typeName(t.type), show: (cell, t) => typeCell(cell, t.type) },
    { key: "pitches", label: "Pitches", value: t => t.pitches },
    { key: "first", label: `Mean of the first ${first}`, unit: "mph", decimals: 1, value: t => t.avg_first_release_speed_mph },
    { key: "last", label: `Mean of the last ${last}`, unit: "mph", decimals: 1, value: t => t.avg_last_release_speed_mph },
    { key: "change", label: "Change", unit: "mph", value: t => t.release_speed_change_mph, format: v => change(v, 1) },
  ], { caption: "Release speed of the first and the last pitches, by type", key: t => t.type, sort: { key: "pitches", up: false } });
  return {
    node: panel("Release speed in a game", { class: "course" }, title, chart.node, grid.node, none),
    show(g, found) {
      // guard: dashboard: a pitcher who tires is seen | all = typesOf(g) -> all = []
      const rows = found.pitches.toReversed(), all = typesOf(g), known = all.filter(t => t.release_speed_change_mph != null);
      const points = rows.map((r, i) => ({
        key: r.pitch_id, x: i + 1, y: r.release_speed_mph, kind: family(r.pitch_type),
        label: `Pitch ${i + 1}: ${typeName(r.pitch_type ?? "unknown")}, inning ${r.inning ?? missing}`,
      })).filter(p => p.y != null);
      text(title, `Game ${g.game_pk}: ${found.next_cursor ? `the last ${rows.length} of ${number(g.pitches)} pitches` : counted(rows.length, "pitch", "pitches")}, from the first to the last`);
      chart.show(points, `Release speeds of ${counted(points.length, "pitch", "pitches")} of game ${g.game_pk}, in their order.`);
      grid.show(all);
      text(none, known.length === all.length ? "" : `–: fewer than ${first + last} pitches of the type have a release speed.`);
    },
  };
}
