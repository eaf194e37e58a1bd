// One game for a screen on the wall: large type, nothing to click. Unless a game is named it is the newest, for as long as that has pitches.

import { onTheWall } from "./choose.js";
import { attr, flash, h, list, loading, note, panel, text } from "./dom.js";
import { measured, missing, number, outcome, player, timeOfDay } from "./format.js";
import { merge } from "./game.js";
import { title } from "./games.js";
import { follow, poll } from "./net.js";
import { situation } from "./situation.js";
import { swingPanel } from "./swing.js";

/** wall is the view of "#/wall" and of "#/wall/GAME". */
export function wall(root, [gamePK], signal) {
  document.documentElement.classList.add("on-wall");
  signal.addEventListener("abort", () => document.documentElement.classList.remove("on-wall"));
  const place = h("div", {}, loading("Loading the game"));
  root.append(h("h1", { class: "sr" }, "Wall"), place);
  if (gamePK) return show(place, gamePK, signal);
  let shown = null, leave = null;
  poll("v1/games?limit=100", 10_000, {
    state({ games: newest, source }) {
      const was = shown?.game_pk;
      shown = onTheWall(shown, newest, Date.now(), source === "memory");
      if (!shown) return place.replaceChildren(note("empty", "No game yet.", "The first appears here with its first pitch."));
      if (shown.game_pk === was) return;
      leave?.abort();
      leave = new AbortController();
      show(place, shown.game_pk, AbortSignal.any([signal, leave.signal]));
    },
    lost: problem => { if (!shown) place.replaceChildren(note("error", "The games cannot be read now.", `${problem.message}. Trying again.`)); },
  }, signal);
}

function show(place, gamePK, signal) {
  const name = h("p", { class: "game-name" }), desk = h("a", { class: "sub", href: `#/games/${encodeURIComponent(gamePK)}` }, "Desk view");
  const now = situation(), swing = swingPanel("Last swing", signal, { short: true }), pitches = lastPitches(), hitters = hardestHit(), pitching = onTheMound();
  const body = h("div", { class: "wall-grid" }, h("div", { class: "wall-head" }, name, desk), now.node, swing.node, h("div", { class: "wall-lists" }, pitches.node, hitters.node, pitching.node));
  let rows = [];
  follow(`v1/games/${encodeURIComponent(gamePK)}/stream`, {
    state(g) {
      if (!body.isConnected) place.replaceChildren(body);
      rows = merge(rows, g.last_pitches);
      const last = rows.find(r => r.is_swing);
      text(name, `${title(g)} · ${number(g.pitches)} pitches · last ${timeOfDay(g.last_pitch_at)}`);
      now.show(rows, last?.pitch_id);
      swing.show(last ?? null);
      pitches.show(rows);
      hitters.show(g.batters);
      pitching.show(rows, g.pitchers ?? []);
    },
    absent: () => { rows = []; place.replaceChildren(note("empty", `There is no game ${gamePK}.`, "It appears here with its first pitch.")); },
    lost: problem => { if (!body.isConnected) place.replaceChildren(note("error", "The game cannot be read now.", `${problem.message}. Trying again.`)); },
  }, signal);
}

/** lines is a table of few rows without sorting: columns are [label, kind, value(row)]. */
function lines(heading, columns, key, most) {
  const body = h("tbody");
  const node = panel(heading, {}, h("table", {}, h("thead", {}, h("tr", {}, ...columns.map(([label, kind]) => h("th", { scope: "col", class: kind }, label)))), body));
  return {
    node,
    show(rows) {
      list(body, rows.slice(0, most), key, () => {
        const tr = h("tr", {}, ...columns.map(([, kind], i) => h(i ? "td" : "th", { class: kind, scope: i ? null : "row" })));
        if (body.kept?.size) flash(tr, "new");
        return tr;
      }, (tr, row) => columns.forEach(([, , value], i) => {
        text(tr.cells[i], value(row));
        attr(tr.cells[i], "data-missing", value(row) === missing);
      }));
    },
  };
}

function lastPitches() {
  return lines("Last pitches, mph", [
    ["Batter", null, r => player(r.batter_name, r.batter_id)], ["Result", null, outcome], ["Bat", "num", r => number(r.bat_speed_mph)], ["Exit", "num", r => measured(r.exit_velocity_mph)],
  ], r => r.pitch_id, 6);
}

function hardestHit() {
  const grid = lines("Hardest hit, mph", [
    ["Batter", null, b => player(b.name, b.batter_id)], ["Max exit", "num", b => measured(b.max_exit_velocity_mph)], ["Mean bat", "num", b => number(b.avg_bat_speed_mph, 1)],
  ], b => b.batter_id, 4);
  return { node: grid.node, show: batters => grid.show(batters.filter(b => b.max_exit_velocity_mph != null).sort((a, b) => b.max_exit_velocity_mph - a.max_exit_velocity_mph)) };
}

/** onTheMound are the two pitchers of the newest pitches. */
function onTheMound() {
  const grid = lines("Pitching", [
    ["Pitcher", null, p => player(p.name, p.pitcher_id)], ["Pitches", "num", p => number(p.pitches)], ["Mean mph", "num", p => number(p.avg_pitch_speed_mph, 1)],
  ], p => p.pitcher_id, 2);
  return {
    node: grid.node,
    show(rows, pitchers) {
      const newest = [...new Set(rows.map(r => r.pitcher_id))];
      grid.show(newest.map(id => pitchers.find(p => p.pitcher_id === id)).filter(Boolean));
    },
  };
}
