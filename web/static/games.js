// The list of games, those with new pitches first.

import { attr, command, h, list, loading, note, text } from "./dom.js";
import { counted, date, measured, missing, outcome, player, time } from "./format.js";
import { get, pause, poll } from "./net.js";
import { countOf } from "./situation.js";
import { table } from "./table.js";

const movesFor = 20_000; // ms after a pitch arrived
const carded = 6, lookEvery = 2000; // live games with a card, and ms between two looks at each

/** games is the view of "#/games". */
export function games(root, _, signal) {
  const seen = new Map(), place = h("div", {}, loading("Loading the games"));
  root.append(h("h1", {}, "Games"), place);
  const cards = liveCards(signal);
  const all = table([
    { key: "game_pk", label: "Game", words: true, head: true, rising: true, value: g => g.game_pk, show: link },
    { key: "state", label: "State", words: true, rising: true, value: g => g.live || moves(seen, g) ? "0" : "1", show: (cell, g) => badge(cell, g.live || moves(seen, g)) },
    { key: "venue", label: "Ballpark", words: true, rising: true, value: g => g.venue },
    { key: "teams", label: "Teams", words: true, rising: true, value: teams },
    { key: "game_date", label: "Date", words: true, value: g => g.game_date, show: (cell, g) => text(cell, date(g.game_date)) },
    { key: "last_pitch_at", label: "Last pitch", words: true, value: g => g.last_pitch_at, show: (cell, g) => text(cell, time(g.last_pitch_at)) },
    { key: "pitches", label: "Pitches", value: g => g.pitches },
  ], { caption: "Games, by their last pitch", key: g => g.game_pk, sort: { key: "last_pitch_at", up: false }, row: (tr, g) => { attr(tr, "data-game", g.game_pk); tr.onclick = () => { location.hash = `#/games/${encodeURIComponent(g.game_pk)}`; }; } });
  poll("v1/games?limit=50", 1500, {
    state: body => {
      for (const g of body.games) watch(seen, g);
      if (!body.games.length) return place.replaceChildren(note("empty", "No game yet.", "The first appears here with its first pitch. To see one at once, simulate it:", command("pitchstream simulate --produce --games 2")));
      if (!all.node.isConnected) place.replaceChildren(cards.node, h("div", { class: "panel" }, all.node));
      cards.show(body.games.filter(g => g.live || moves(seen, g)).slice(0, carded));
      all.show(body.games);
    },
    lost: problem => { if (!all.node.isConnected) place.replaceChildren(note("error", "The games cannot be read now.", `${problem.message}. Trying again.`)); },
  }, signal);
}

/** liveCards shows how each live game stands. */
function liveCards(signal) {
  const node = h("ul", { class: "cards", "aria-label": "Live games" }), last = new Map();
  let games = [];
  const draw = () => list(node, games, g => g.game_pk, card, (li, g) => {
    const row = last.get(g.game_pk), [big, who, what] = li.words;
    text(li.name, `${g.venue ?? "Game"} · ${g.game_pk}`);
    text(big, row ? `Inning ${row.inning ?? missing} · ${row.outs == null ? "outs –" : counted(row.outs, "out")} · ${countOf(row).replace(" ", "\u00a0")}` : "\u00a0");
    text(who, row ? `${player(row.batter_name, row.batter_id)} against ${player(row.pitcher_name, row.pitcher_id, "unknown pitcher")}` : "\u00a0");
    text(what, row ? [outcome(row), row.is_contact && row.exit_velocity_mph != null ? `${measured(row.exit_velocity_mph)} mph` : ""].filter(Boolean).join(", ") : "\u00a0");
  });
  (async () => {
    while (!signal.aborted) {
      await Promise.all(games.map(async ({ game_pk: pk }) => {
        try {
          last.set(pk, (await get(`v1/games/${encodeURIComponent(pk)}/pitches?limit=1`, signal)).pitches[0]);
        } catch { /* the card stays as it was; the line at the top says why */ }
      }));
      draw();
      await pause(games.length ? lookEvery : 200, signal);
    }
  })();
  return { node, show(live) { games = live; attr(node, "hidden", !live.length); draw(); } };
}

function card(g) {
  const name = h("a", { href: `#/games/${encodeURIComponent(g.game_pk)}` }), words = [h("b"), h("span"), h("span", { class: "sub" })];
  return Object.assign(h("li", { class: "panel" }, name, ...words), { name, words });
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

const teams = g => g.away_team && g.home_team ? `${g.away_team} at ${g.home_team}` : g.home_team ?? g.away_team;

/** title names a game: its teams, ballpark and date. */
export function title(g) {
  return [teams(g), g.venue, date(g.game_date)].filter(x => x && x !== "–").join(", ") || `Game ${g.game_pk}`;
}
