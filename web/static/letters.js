// Dead letters: grouped by fault, and one of them with the place of its fault. These pages change nothing; decisions
// are made with `pitchstream dlq`.

import { attr, h, list, note, panel, text } from "./dom.js";
import { counted, missing, number, time } from "./format.js";
import { poll } from "./net.js";
import { table } from "./table.js";

/** letters is the view of "#/letters". */
export function letters(root, _, signal) {
  const said = h("p", { class: "said" }), place = h("div", {}, note("loading", "Reading the dead letters"));
  root.append(h("h1", {}, "Dead letters"), said, place);
  const groups = table([
    { key: "code", label: "Code", words: true, head: true, rising: true, value: g => g.code, show: (cell, g) => link(cell, g) },
    { key: "shape", label: "What was wrong", words: true, rising: true, value: g => g.shape },
    { key: "letters", label: "Letters", value: g => g.letters },
    { key: "open", label: "Open", value: g => g.open },
    { key: "retried", label: "Retried", wide: 1, value: g => g.retried },
    { key: "discarded", label: "Discarded", wide: 1, value: g => g.discarded },
    { key: "share", label: "Share", unit: "%", decimals: 1, wide: 1, value: g => 100 * g.share },
    { key: "first", label: "First", words: true, wide: 1, value: g => g.first, show: (cell, g) => text(cell, time(g.first)) },
    { key: "last", label: "Last", words: true, value: g => g.last, show: (cell, g) => text(cell, time(g.last)) },
  ], { caption: "Dead letters by what is wrong", key: g => `${g.code} ${g.shape}`, sort: { key: "letters", up: false } });
  const body = panel("By what is wrong", {}, groups.node);
  poll("v1/letters", 10_000, {
    state: report => {
      text(said, report.letters ? `${counted(report.letters, "letter")}, ${number(report.open)} open. Read at ${time(report.read_at)}.` : `Read at ${time(report.read_at)}.`);
      const shown = report.groups.length ? body : empty;
      if (!shown.isConnected) place.replaceChildren(shown);
      groups.show(report.groups);
    },
    lost: problem => body.isConnected || place.replaceChildren(failed(problem)),
  }, signal);
}

const empty = note("empty", "No dead letters.", "Every record became a row, or changed one.");

/** link leads to one dead letter of the group. */
function link(cell, g) {
  const a = cell.firstElementChild ?? cell.appendChild(h("a"));
  attr(a, "href", `#/letters/${g.example.partition}/${g.example.offset}`);
  text(a, g.code);
}

function failed(problem) {
  if (problem.status === 404) return note("empty", "Not to be read here.", problem.message);
  return note("error", "The dead letters cannot be read now.", `${problem.message}. Trying again.`);
}

/** letter is the view of "#/letters/PARTITION/OFFSET". */
export function letter(root, [partition, offset], signal) {
  const facts = h("dl", { class: "letter-facts" }), excerpt = h("pre", { tabindex: "0", "aria-label": "The record around the fault" });
  const place = h("div", {}, note("loading", "Reading the letter"));
  root.append(h("h1", {}, `Letter ${partition}:${offset}`), h("p", {}, h("a", { href: "#/letters" }, "All dead letters")), place);
  const parts = [panel("What is known", {}, facts), panel("The record around the fault", {}, excerpt)];
  poll(`v1/letters/${partition}/${offset}`, 10_000, {
    state: l => {
      list(facts, known(l), f => f.join(" "), ([name]) => h("div", {}, h("dt", {}, name), h("dd")), (node, [, value]) => text(node.lastChild, value));
      mark(excerpt, l);
      if (!parts[0].isConnected) place.replaceChildren(...parts);
    },
    lost: problem => parts[0].isConnected || place.replaceChildren(failed(problem)),
  }, signal);
}

const outcome = { passes: "would pass", superseded: "would change nothing: what stands is as new or newer", fails: "would fail again", unknown: "not known" };

function known(l) {
  const at = p => (p ? `${p.topic}/${p.partition} at ${p.offset}, ${time(p.timestamp)}` : missing);
  return [
    ["Code", l.code], ["What was wrong", l.message], ["Status", l.status], ["Sent again now, it", `${outcome[l.today]}${l.why ? `: ${l.why}` : ""}`],
    ["Game", l.game_pk || missing], ["Rejected", `${counted(l.attempts, "time")}, last ${time(l.failed_at)} by ${l.build} of ${l.group}`],
    ["First stood at", at(l.origin)], ["Failed at", at(l.failed)], ["Size", `${number(l.bytes)} bytes`], ["SHA-256", l.sha256],
    ...(l.path ? [["Place", l.path]] : []), ...l.headers.map(({ key, value }) => [`Header ${key}`, value]),
  ];
}

/** mark shows the excerpt with the fault marked. Its positions count characters, not UTF-16 units. */
function mark(node, l) {
  const chars = Array.from(l.excerpt), key = JSON.stringify([l.excerpt, l.mark_from, l.mark_to]);
  if (node.shown === key) return;
  node.shown = key;
  if (l.mark_from < 0) return node.replaceChildren(l.excerpt || "The record has no value.");
  const part = (from, to) => chars.slice(from, to).join("");
  node.replaceChildren(part(0, l.mark_from), h("mark", {}, part(l.mark_from, Math.max(l.mark_to, l.mark_from + 1))), part(Math.max(l.mark_to, l.mark_from + 1)));
}
