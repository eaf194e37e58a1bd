// The list of games, those with new pitches first.

import { keepPlaces } from "./choose.js";
import { countOf } from "./count.js";
import { attr, command, h, list, loading, note, text } from "./dom.js";
import { ago, counted, date, measured, missing, outcome, player, time } from "./format.js";
import { get, pause, poll } from "./net.js";
import { table } from "./table.js";

const movesFor = 20_000; // ms after a pitch arrived
const carded = 6, lookEvery = 2000; // live games with a card, and ms between two looks at each

/** games is the view of "#/games". */
export function games(root, _, signal) {
  const seen = new Map(), place = h("div", {}, loading("Loading the games"));
  let known = new Map(), newest = [], next = "", hasMore = false; // the games that were read, those of the first page, and where others begin
  const day = h("input", { type: "date", "aria-label": "Games of a date", onchange: choose });
  const every = h("button", { type: "button", hidden: true, onclick: () => { day.value = ""; choose(); } }, "All dates");
  const more = h("button", { type: "button", class: "more", onclick: readMore, hidden: true }, "Older games");
  let isOld = false, readAt = Infinity; // the list is the server's last known one, and when that was read, by performance.now()
  // The age is outside of the live region, because a screen reader would else speak each time that it grows.
  const warning = h("span", { role: "status" }), age = h("span"), cards = liveCards(signal);
  root.append(h("div", { class: "heading" }, h("h1", {}, "Games"), h("div", { class: "days" }, every, day)), h("p", { class: "sub" }, warning, age), place);
  const all = table([
    { key: "game_pk", label: "Game", words: true, head: true, rising: true, value: g => g.game_pk, show: link },
    { key: "state", label: "State", words: true, rising: true, value: g => g.live || moves(seen, g) ? "0" : "1", show: (cell, g) => badge(cell, g.live || moves(seen, g), isOld) },
    { key: "venue", label: "Ballpark", words: true, rising: true, value: g => g.venue },
    { key: "teams", label: "Teams", words: true, rising: true, value: teams },
    { key: "game_date", label: "Date", words: true, value: g => g.game_date, show: (cell, g) => text(cell, date(g.game_date)) },
    { key: "last_pitch_at", label: "Last pitch", words: true, value: g => g.last_pitch_at, show: (cell, g) => text(cell, time(g.last_pitch_at)) },
    { key: "pitches", label: "Pitches", value: g => g.pitches },
  ], { caption: "Games, by their last pitch", key: g => g.game_pk, sort: { key: "last_pitch_at", up: false }, row: (tr, g) => { attr(tr, "data-game", g.game_pk); tr.onclick = () => { location.hash = `#/games/${encodeURIComponent(g.game_pk)}`; }; } });
  const path = cursor => `v1/games?limit=50${day.value && `&date=${day.value}`}${cursor && `&cursor=${cursor}`}`;
  const polling = poll(() => path(""), 1500, {
    state: body => {
      forget(known, body);
      newest = body.games;
      // guard: dashboard: a list from memory is not taken for the present one | body.source === "memory" -> false
      isOld = body.source === "memory";
      // guard: dashboard: the age of a list from memory grows, although a browser may keep the answer | Math.min(readAt, performance.now() - body.age_ms) -> performance.now() - body.age_ms
      readAt = isOld ? Math.min(readAt, performance.now() - body.age_ms) : Infinity;
      showAge();
      for (const g of newest) { watch(seen, g); known.set(g.game_pk, g); }
      if (!hasMore) next = body.next_cursor ?? "";
      every.hidden = !day.value;
      if (!known.size) return place.replaceChildren(day.value ? note("empty", "No game of this date.", "Choose another date, or all of them.") : note("empty", "No game yet.", "The first appears here with its first pitch. To see one at once, simulate it:", command("pitchstream simulate --produce --games 2")));
      if (!all.node.isConnected) place.replaceChildren(cards.node, h("div", { class: "panel" }, all.node), more);
      show();
    },
    lost: problem => { showAge(); if (!all.node.isConnected) place.replaceChildren(note("error", "The games cannot be read now.", `${problem.message}. Trying again.`)); },
  }, signal);
  function showAge() {
    text(warning, isOld ? "Postgres cannot be read. These games may have gone on since." : "");
    text(age, isOld ? ` The list is of ${ago(performance.now() - readAt)}.` : "");
  }
  function show() {
    cards.show(newest.filter(g => g.live || moves(seen, g)), isOld);
    all.show([...known.values()]);
    more.hidden = !next;
  }
  function choose() {
    known = new Map();
    hasMore = false;
    readAt = Infinity; // another list, with an age of its own
    place.replaceChildren(loading("Loading the games"));
    polling.now();
  }
  async function readMore() {
    const of = known;
    more.disabled = true;
    try {
      const body = await get(path(next), signal);
      if (of !== known) return; // another date by now
      for (const g of body.games) if (!known.has(g.game_pk)) known.set(g.game_pk, g);
      next = body.next_cursor ?? "";
      hasMore = true;
      show();
    } catch { /* the button stays; the line at the top says why */ } finally { more.disabled = false; }
  }
}

/** forget removes the games that would be on this page, and are not: they have no pitch any more. Those behind it are over. */
function forget(known, body) {
  const there = new Set(body.games.map(g => g.game_pk)), oldest = body.games.at(-1)?.last_pitch_at;
  for (const [pk, g] of known) {
    if (there.has(pk)) continue;
    g.live = false;
    // guard: dashboard: a game without a pitch leaves the list | known.delete(pk) -> null
    if (!body.next_cursor || g.last_pitch_at > oldest) known.delete(pk);
  }
}

/** liveCards shows how each live game stands. */
function liveCards(signal) {
  const node = h("ul", { class: "cards", "aria-label": "Live games" }), last = new Map();
  let games = []; // those shown
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
  return { node, show(live, isOld) {
    games = keepPlaces(games, live, carded);
    attr(node, "hidden", !live.length);
    // guard: dashboard: games from memory are not called live | isOld ? "Games that were live" : "Live games" -> "Live games"
    attr(node, "aria-label", isOld ? "Games that were live" : "Live games");
    attr(node, "data-old", isOld);
    draw();
  } };
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

function badge(cell, live, isOld) {
  const b = cell.firstChild ?? cell.appendChild(h("span"));
  attr(b, "class", live && !isOld ? "badge live" : "badge");
  text(b, isOld ? "not known" : live ? "live" : "not live");
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
