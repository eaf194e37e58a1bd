// One game, live: its pitches as they arrive, the last swing, its batters.

import { attr, flash, h, list, loading, note, panel, share, text } from "./dom.js";
import { counted, measured, missing, number, player, spaced, timeOfDay, version } from "./format.js";
import { title } from "./games.js";
import { follow, get } from "./net.js";
import { attackAngle, batSpeed, playerLink, result } from "./player.js";
import { situation } from "./situation.js";
import { said, swingPanel } from "./swing.js";
import { table } from "./table.js";

const listed = 40; // pitches
const between = 1000; // ms between two reads of the list

/** game is the view of "#/games/GAME". */
export function game(root, [gamePK], signal) {
  const name = h("h1", {}, `Game ${gamePK}`), facts = h("p", { class: "sub" }, "\u00a0");
  const place = h("div", {}, loading("Loading the game"));
  const heading = h("div", { class: "heading" }, name, facts);
  root.append(heading, place);

  let pinned = null, rows = [], newest = null;
  const pick = row => { if (row.is_swing) { pinned = pinned === row.pitch_id ? null : row.pitch_id; choose(); } };
  const followButton = h("button", { type: "button", hidden: true, onclick: () => { pinned = null; choose(); } }, "Follow the last swing");
  const wall = h("a", { href: `#/wall/${encodeURIComponent(gamePK)}` }, "For the wall");
  const now = situation(pick), swing = swingPanel("Swing", signal, { actions: [followButton] }), pitches = pitchList(pick), batters = batterTable(), pitchers = pitcherTable();
  const body = h("div", { class: "game-grid" }, swing.node, now.node, pitches.node, batters.node, pitchers.node);

  const choose = () => {
    if (pinned && !rows.some(r => r.pitch_id === pinned)) pinned = null;
    const row = pinned ? rows.find(r => r.pitch_id === pinned) : rows.find(r => r.is_swing);
    attr(followButton, "hidden", !pinned);
    swing.show(row ?? null);
    now.show(rows, row?.pitch_id);
    pitches.show(rows, row?.pitch_id);
  };
  const more = earlier(gamePK, signal, older => {
    rows = merge(rows, older.pitches);
    if (older.processed_at < newest.processed_at) rows = merge(rows, newest.last_pitches); // a newer state has arrived in the meantime
    choose();
  });
  follow(`v1/games/${encodeURIComponent(gamePK)}/stream`, {
    state: g => {
      if (!body.isConnected) { place.replaceChildren(body); heading.append(wall); }
      newest = g;
      text(name, title(g));
      text(facts, `Game ${g.game_pk} · ${counted(g.pitches, "pitch", "pitches")} · ${counted(g.batters.length, "batter")} · last pitch ${[timeOfDay(g.last_pitch_at), ...labels(g)].join(" · ")}`);
      document.title = `${title(g)} · pitchstream`;
      rows = merge(rows, g.last_pitches);
      choose();
      batters.show(g.batters, g.more_batters);
      pitchers.show(g.pitchers ?? [], g.more_pitchers);
      more(g);
    },
    absent: () => {
      rows = [];
      wall.remove();
      text(name, `No game ${gamePK}`);
      text(facts, "");
      place.replaceChildren(note("empty", "There is no game of this number.", "Is it about to begin? It appears here with its first pitch.", h("p", {}, h("a", { href: "#/games" }, "All games"))));
    },
    lost: problem => { if (!body.isConnected) place.replaceChildren(note("error", "The game cannot be read now.", `${problem.message}. Trying again.`)); },
  }, signal);
}

/** labels says what live models say about the last pitch of a game's state: Redis has it with the last pitch of each batter. */
export function labels(g) {
  const id = g.last_pitches[0]?.pitch_id, of = g.batters.find(b => b.last_pitch?.pitch_id === id);
  return Object.entries(of?.last_pitch.scores ?? {}).map(([model, score]) => said({ model, ...score })).filter(Boolean);
}

/** merge joins the newest pitches, in their newest state, with the known ones before them. */
export function merge(known, newest) {
  const oldest = newest.at(-1)?.event_time ?? "", ids = new Set(newest.map(r => r.pitch_id));
  // guard: dashboard: the newest state of a pitch is shown | return [...newest, ...known -> return [...(known.length ? known.slice(0, 10) : newest), ...known
  return [...newest, ...known.filter(r => !ids.has(r.pitch_id) && r.event_time < oldest)].slice(0, listed);
}

/** earlier reads more of the list than a state has, at most once for each state. */
function earlier(gamePK, signal, found) {
  let due = 0, timer;
  const read = async () => {
    timer = null;
    due = performance.now() + between;
    try {
      found(await get(`v1/games/${encodeURIComponent(gamePK)}/pitches?limit=${listed}`, signal));
    } catch { /* show the ten pitches of the state; the next state reads again */ }
  };
  signal.addEventListener("abort", () => clearTimeout(timer));
  return g => { if (g.pitches > g.last_pitches.length) timer ??= setTimeout(read, Math.max(0, due - performance.now())); };
}

const cells = [
  ["Batter", ""], ["Result", ""], ["Bat speed", "mph", "num"], ["Attack angle", "deg", "num"], ["Exit velocity", "mph", "num"], ["Launch angle", "deg", "num"],
  ["Pitch", ""], ["Pitch speed", "mph", "num"], ["Inning", "", "num"], ["Count", "", "num"], ["Time", "", "num"],
];

/** pitchList is the list of pitches, newest first. Each swing can be selected. */
function pitchList(chosen) {
  const body = h("tbody"), head = h("tr", {}, ...cells.map(([label, unit, kind]) =>
    h("th", { scope: "col", class: kind }, h("span", { class: "label" }, label), unit ? h("span", { class: "unit" }, ` ${unit}`) : null)));
  const more = h("button", { type: "button", hidden: true, onclick: () => { body.classList.toggle("all"); label(); } });
  const label = () => text(more, body.classList.contains("all") ? "Fewer pitches" : `All ${body.rows.length} pitches`);
  const node = panel("Pitches", { class: "pitches" }, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Pitches, the newest first" },
    h("table", {}, h("caption", { class: "sr" }, "Pitches, the newest first; choose a swing to see it"), h("thead", {}, head), body)), more);
  const make = first => {
    const state = { row: first };
    const pick = h("button", { type: "button", class: "pick", onclick: e => { e.stopPropagation(); chosen(state.row); } });
    const tr = h("tr", { onclick: () => chosen(state.row) }, h("th", { scope: "row" }, pick), ...cells.slice(1).map(([, , kind]) => h("td", { class: kind })));
    if (body.kept?.size) flash(tr, "new");
    return Object.assign(tr, { state, pick });
  };
  return {
    node,
    show(rows, current) {
      list(body, rows, r => r.pitch_id, make, (tr, r) => {
        const corrected = version(tr.state.row) !== version(r);
        tr.state.row = r;
        attr(tr, "data-pitch", r.pitch_id);
        attr(tr, "aria-current", r.pitch_id === current ? "true" : null);
        attr(tr.pick, "disabled", !r.is_swing);
        attr(tr.pick, "title", r.is_swing ? "Show this swing" : null);
        tr.classList.toggle("swung", r.is_swing);
        text(tr.pick, player(r.batter_name, r.batter_id));
        [result(r), batSpeed(r), attackAngle(r), measured(r.exit_velocity_mph), number(r.launch_angle_deg, 1), spaced(r.pitch_type), measured(r.pitch_speed_mph),
          r.inning ?? missing, r.balls == null || r.strikes == null ? missing : `${r.balls}-${r.strikes}`, timeOfDay(r.event_time)].forEach((value, i) => {
          const cell = tr.cells[i + 1];
          if (text(cell, String(value)) && corrected) flash(cell);
          attr(cell, "data-missing", value === missing);
        });
        attr(tr.cells[1], "data-result", r.pitch_result === "HitIntoPlay" ? "play" : null);
        attr(tr.cells[2], "data-trust", r.bat_speed_mph != null && r.speed_confidence === "questionable" ? "unsure" : null);
        attr(tr.cells[3], "data-trust", r.attack_angle_deg != null && r.swing_confidence === "suspected" ? "unsure" : null);
      });
      attr(more, "hidden", rows.length <= 14);
      label();
    },
  };
}

function batterTable() {
  const list = table([
    { key: "name", label: "Batter", words: true, head: true, rising: true, value: b => player(b.name, b.batter_id), show: (cell, b) => playerLink(cell, "batters", b.batter_id, b.name) },
    { key: "pitches", label: "Pitches", value: b => b.pitches },
    { key: "swing_count", label: "Swings", value: b => b.swing_count },
    { key: "whiff_rate_pct", label: "Whiff", unit: "%", value: b => b.whiff_rate_pct, show: (cell, b) => share(cell, b.whiff_rate_pct, b.swing_count) },
    { key: "max_exit_velocity_mph", label: "Max exit velocity", unit: "mph", format: measured, value: b => b.max_exit_velocity_mph },
    { key: "avg_bat_speed_mph", label: "Mean bat speed", unit: "mph", decimals: 1, value: b => b.avg_bat_speed_mph },
    { key: "avg_attack_angle_deg", label: "Mean attack angle", unit: "deg", decimals: 1, value: b => b.avg_attack_angle_deg },
  ], { caption: "Batters of this game, by their numbers", key: b => b.batter_id, sort: { key: "max_exit_velocity_mph", up: false } });
  return players("Batters in this game", "batters", list);
}

function pitcherTable() {
  const list = table([
    { key: "name", label: "Pitcher", words: true, head: true, rising: true, value: p => player(p.name, p.pitcher_id), show: (cell, p) => playerLink(cell, "pitchers", p.pitcher_id, p.name) },
    { key: "pitches", label: "Pitches", value: p => p.pitches },
    { key: "avg_pitch_speed_mph", label: "Mean speed", unit: "mph", decimals: 1, value: p => p.avg_pitch_speed_mph },
    { key: "max_pitch_speed_mph", label: "Max speed", unit: "mph", format: measured, value: p => p.max_pitch_speed_mph },
    { key: "zone_rate_pct", label: "Zone", unit: "%", decimals: 1, value: p => p.zone_rate_pct },
    { key: "whiff_rate_pct", label: "Whiff", unit: "%", value: p => p.whiff_rate_pct, show: (cell, p) => share(cell, p.whiff_rate_pct, p.swing_count) },
    { key: "csw_rate_pct", label: "Called strikes + whiffs", unit: "%", decimals: 1, value: p => p.csw_rate_pct },
    { key: "hard_hit_count", label: "Hard hits", value: p => p.hard_hit_count },
  ], { caption: "Pitchers of this game, by their numbers", key: p => p.pitcher_id, sort: { key: "pitches", up: false } });
  return players("Pitchers in this game", "pitchers", list);
}

/** players is a panel of a table of players, with words where the answer does not have all of them. */
function players(title, kind, list) {
  const more = h("p", { class: "fine", hidden: true });
  return {
    node: panel(title, { class: kind }, list.node, more),
    show(rows, isMore) {
      list.show(rows);
      text(more, `The first ${rows.length} by number; the game has more.`);
      attr(more, "hidden", !isMore);
    },
  };
}
