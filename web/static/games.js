// The list of games, those with new pitches first.

import { attr, command, h, loading, note, text } from "./dom.js";
import { date, time } from "./format.js";
import { poll } from "./net.js";
import { table } from "./table.js";

const movesFor = 20_000; // ms after a pitch arrived

/** games is the view of "#/games". */
export function games(root, _, signal) {
  const seen = new Map(), place = h("div", {}, loading("Loading the games"));
  root.append(h("h1", {}, "Games"), place);
  const list = table([
    { key: "game_pk", label: "Game", words: true, head: true, rising: true, value: g => g.game_pk, show: link },
    { key: "state", label: "State", words: true, rising: true, value: g => g.live || moves(seen, g) ? "0" : "1", show: (cell, g) => badge(cell, g.live || moves(seen, g)) },
    { key: "venue", label: "Ballpark", words: true, rising: true, value: g => g.venue },
    { key: "game_date", label: "Date", words: true, value: g => g.game_date, show: (cell, g) => text(cell, date(g.game_date)) },
    { key: "last_pitch_at", label: "Last pitch", words: true, value: g => g.last_pitch_at, show: (cell, g) => text(cell, time(g.last_pitch_at)) },
    { key: "pitches", label: "Pitches", value: g => g.pitches },
  ], { caption: "Games, by their last pitch", key: g => g.game_pk, sort: { key: "last_pitch_at", up: false }, row: (tr, g) => { attr(tr, "data-game", g.game_pk); tr.onclick = () => { location.hash = `#/games/${encodeURIComponent(g.game_pk)}`; }; } });
  poll("v1/games?limit=50", 1500, {
    state: body => {
      for (const g of body.games) watch(seen, g);
      if (!body.games.length) return place.replaceChildren(note("empty", "No game yet.", "The first appears here with its first pitch. To see one at once, simulate it:", command("pitchstream simulate --produce --games 2")));
      if (!list.node.isConnected) place.replaceChildren(h("div", { class: "panel" }, list.node));
      list.show(body.games);
    },
    lost: problem => { if (!list.node.isConnected) place.replaceChildren(note("error", "The games cannot be read now.", `${problem.message}. Trying again.`)); },
  }, signal);
}

function link(cell, g) {
  const a = cell.firstChild ?? cell.appendChild(h("a"));
  attr(a, "href", `#/games/${encodeURIComponent(g.game_pk)}`);
  text(a, g.game_pk);
}

function badge(cell, live) {
  const b = cell.firstChild ?? cell.appendChild(h("span"));
  attr(b, "class", live ? "badge live" : "badge");
  text(b, live ? "live" : "over");
}

function watch(seen, g) {
  const old = seen.get(g.game_pk);
  if (old?.pitches !== g.pitches) seen.set(g.game_pk, { pitches: g.pitches, at: old ? Date.now() : 0 });
}

function moves(seen, g) {
  return Date.now() - (seen.get(g.game_pk)?.at ?? 0) < movesFor;
}

/** title names a game: its ballpark and date. */
export function title(g) {
  return [g.venue, date(g.game_date)].filter(x => x && x !== "–").join(", ") || `Game ${g.game_pk}`;
}
