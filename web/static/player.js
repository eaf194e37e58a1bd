// Parts that the pages of batters and of pitchers share: single numbers, links, and the list of the pitches.

import { attr, flash, h, list, panel, text } from "./dom.js";
import { measured, missing, number, outcome, player, time, typeName, version } from "./format.js";
import { get } from "./net.js";

/** playerLink is the name of a batter or of a pitcher in a cell, with a link to the page. kind: "batters" or "pitchers". */
export function playerLink(cell, kind, id, name) {
  const a = cell.firstChild ?? cell.appendChild(h("a"));
  attr(a, "href", id == null ? null : `#/${kind}/${id}`);
  text(a, player(name, id, `unknown ${kind.slice(0, -1)}`));
}

const drifting = { release_speed_mph: ["Release speed", "mph"], contact_bat_speed_mph: ["Bat speed at contact", "mph"], contact_attack_angle_deg: ["Attack angle at contact", "deg"] };

/** mechanics says beside a player's name what changed in how he moves, with both numbers. Returns {node, read()}. */
export function mechanics(path, signal) {
  const node = h("p", { class: "sub", role: "status", "data-part": "mechanics" });
  let busy = false;
  const read = async () => {
    if (busy) return;
    busy = true;
    try {
      text(node, (await get(path, signal)).changes.map(changed).join(" · "));
    } catch (problem) {
      if (problem.status === 404) text(node, "");
    } finally { busy = false; }
  };
  return { node, read };
}

function changed(c) {
  const [words, unit] = drifting[c.measure] ?? [c.measure, ""], type = c.pitch_type ? ` of the ${typeName(c.pitch_type)}` : "";
  return `${words}${type} ${number(c.before, 1)} → ${number(c.after, 1)} ${unit} ${c.scope === "game" ? `over his last ${c.n} pitches` : "over the last days"}`;
}

/**
 * archetypes says beside a batter's name to which groups his swings belong. It is read again when a swing has been scored by
 * such a model. Returns {node, read(scores)}.
 */
export function archetypes(id, signal) {
  const node = h("p", { class: "sub", "data-part": "archetypes" });
  let busy = false;
  const read = async scores => {
    const model = scores.find(s => s.kind === "archetypes")?.model;
    // guard: dashboard: groups are asked for where a model of them is live | busy || !model -> busy
    if (busy || !model) return;
    busy = true;
    try {
      text(node, grouped(await get(`v1/batters/${id}/archetypes?model=${model}`, signal)));
    } catch (problem) {
      if (problem.status === 404) text(node, "");
    } finally { busy = false; }
  };
  return { node, read };
}

function grouped({ archetypes: groups, labelled, of_other_versions: others, model, version: by }) {
  const shares = groups.map(g => `${g.label} ${number(g.share_pct, 0)} %`);
  return `Swings: ${shares.join(" · ") || missing} · ${number(labelled)} labelled by ${model} ${by}${others ? `, ${number(others)} by versions before` : ""}`;
}

/** gameLink is the number of a game in a cell, with a link to the game. */
export function gameLink(cell, gamePK) {
  const a = cell.firstChild ?? cell.appendChild(h("a"));
  attr(a, "href", gamePK == null ? null : `#/games/${encodeURIComponent(gamePK)}`);
  text(a, gamePK ?? missing);
}

/** readingsOf is a panel of single numbers, [key, label, unit, decimals or format]; a changed one is tinted for a moment. */
export function readingsOf(title, area, figures) {
  const places = figures.map(([key, label, unit, format]) => ({ key, format, value: h("span", { class: "value" }, missing), label, unit }));
  const node = panel(title, { class: area }, h("dl", { class: "readings" }, ...places.map(p =>
    h("div", { "data-figure": p.key }, h("dt", {}, p.label), h("dd", {}, p.value, p.unit ? h("span", { class: "unit" }, ` ${p.unit}`) : null)))));
  let before = null;
  return {
    node,
    show(b) {
      for (const p of places) if (text(p.value, typeof p.format === "function" ? p.format(b[p.key]) : number(b[p.key], p.format)) && before) flash(p.value);
      before = b;
    },
  };
}

/** result describes the outcome of a pitch, and whether a later revision has replaced its first numbers. */
export const result = r => r.revision > 0 ? `${outcome(r)} (corrected)` : outcome(r);

/** doubtful marks a value that cannot be trusted with a sign, which screen readers read too. */
export function doubtful(words, is) {
  return is ? `${words} ?` : words;
}

/** batSpeed and attackAngle are those of a swing, with a sign where they count in no mean. */
export const batSpeed = r => doubtful(number(r.bat_speed_mph, 1), r.bat_speed_mph != null && r.speed_confidence === "questionable");
export const attackAngle = r => doubtful(number(r.attack_angle_deg, 1), r.attack_angle_deg != null && r.swing_confidence === "suspected");

/** kinds are the columns that a list of pitches can have: [label, unit, kind, value(row) or show(cell, row)]. */
export const kinds = {
  result: ["Result", "", "", result], batSpeed: ["Bat speed", "mph", "num", batSpeed], attackAngle: ["Attack angle", "deg", "num", attackAngle],
  exit: ["Exit velocity", "mph", "num", r => measured(r.exit_velocity_mph)], launch: ["Launch angle", "deg", "num", r => number(r.launch_angle_deg, 1)],
  speed: ["Pitch speed", "mph", "num", r => measured(r.pitch_speed_mph)], spin: ["Spin", "rpm", "num", r => number(r.spin_rate_rpm)],
  rise: ["Induced vertical break", "in", "num", r => number(r.induced_vertical_break_in, 1)], side: ["Horizontal break", "in", "num", r => number(r.horizontal_break_in, 1)],
};

/**
 * history is the list of the pitches at a path: the first page is live, a button adds the others. columns are [label, unit,
 * kind, value(row), show(cell, row)] behind the time; pick(row) is called for a pitch that is chosen, and mayPick says which
 * can be. Returns {node, read()}; changed(rows) is called with all that are listed.
 */
export function history(path, columns, signal, changed, pick, mayPick = () => true) {
  const body = h("tbody"), more = h("button", { type: "button", onclick: () => older() }, "Older pitches");
  const head = [["Time", ""], ...columns].map(([label, unit, kind]) =>
    h("th", { scope: "col", class: kind || null }, h("span", { class: "label" }, label), unit ? h("span", { class: "unit" }, ` ${unit}`) : null));
  const node = panel("Pitches", { class: "history" }, h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "His pitches, the newest first" },
    h("table", {}, h("caption", { class: "sr" }, "His pitches, the newest first"), h("thead", {}, h("tr", {}, ...head)), body)), more);
  let rows = [], cursor = null, busy = false, again = false;
  const make = () => h("tr", {}, h("th", { scope: "row" }, h("button", { type: "button", class: "pick" })), ...columns.map(([, , kind]) => h("td", { class: kind || null })));
  const draw = () => {
    attr(more, "hidden", !cursor);
    list(body, rows, r => r.pitch_id, make, (tr, r) => line(tr, r, columns, pick, mayPick));
    changed(rows);
  };
  const read = async () => {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const page = await get(`${path}?limit=50`, signal), oldest = page.pitches.at(-1)?.event_time ?? "", ids = new Set(page.pitches.map(r => r.pitch_id));
      const kept = rows.filter(r => !ids.has(r.pitch_id) && r.event_time < oldest);
      if (!kept.length) cursor = page.next_cursor ?? null;
      rows = [...page.pitches, ...kept];
      draw();
    } catch { /* keep the listed pitches; the next state reads again */ } finally { busy = false; }
    if (again && !signal.aborted) { again = false; read(); }
  };
  const older = async () => {
    attr(more, "disabled", true);
    try {
      const page = await get(`${path}?limit=50&cursor=${encodeURIComponent(cursor)}`, signal), ids = new Set(rows.map(r => r.pitch_id));
      rows = [...rows, ...page.pitches.filter(r => !ids.has(r.pitch_id))];
      cursor = page.next_cursor ?? null;
      draw();
    } catch { /* the button remains, for another try */ } finally { attr(more, "disabled", null); }
  };
  return { node, read };
}

function line(tr, r, columns, pick, mayPick) {
  const corrected = tr.version && tr.version !== version(r), button = tr.cells[0].firstChild;
  tr.version = version(r);
  attr(tr, "data-pitch", r.pitch_id);
  attr(button, "disabled", !mayPick(r));
  button.onclick = () => pick(r.pitch_id);
  text(button, time(r.event_time));
  columns.forEach(([, , , value, show], i) => {
    const cell = tr.cells[i + 1];
    if (show) return show(cell, r);
    const words = value(r);
    if (text(cell, words) && corrected) flash(cell);
    attr(cell, "data-missing", words === missing);
  });
}
