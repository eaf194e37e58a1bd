// Dead letters: grouped by fault, and one of them with the place of its fault. These pages change nothing; decisions
// are made with `pitchstream dlq`.

import { attr, command, h, list, loading, note, panel, text } from "./dom.js";
import { counted, dateTime, missing, number, withoutCode } from "./format.js";
import { poll } from "./net.js";
import { table } from "./table.js";

/** letters is the view of "#/letters". */
export function letters(root, _, signal) {
  const said = h("p", { class: "said" }), place = h("div", {}, loading("Reading the dead letters"));
  root.append(h("h1", {}, "Dead letters"), said, place);
  const groups = table([
    { key: "code", label: "Code", words: true, head: true, rising: true, value: g => g.code, show: (cell, g) => link(cell, g) },
    { key: "shape", label: "What was wrong", words: true, rising: true, value: g => withoutCode(g) },
    { key: "letters", label: "Dead letters", value: g => g.letters },
    { key: "open", label: "Open", value: g => g.open },
    { key: "retried", label: "Retried", value: g => g.retried },
    { key: "discarded", label: "Discarded", value: g => g.discarded },
    { key: "share", label: "Share", unit: "%", decimals: 1, value: g => 100 * g.share },
    { key: "first", label: "First", words: true, value: g => g.first, show: (cell, g) => text(cell, dateTime(g.first)) },
    { key: "last", label: "Last", words: true, value: g => g.last, show: (cell, g) => text(cell, dateTime(g.last)) },
  ], { caption: "Dead letters by what is wrong", key: g => `${g.code} ${g.shape}`, sort: { key: "letters", up: false } });
  const body = panel("By what is wrong", {}, groups.node);
  poll("v1/letters", 10_000, {
    state: report => {
      text(said, report.letters ? `${counted(report.letters, "dead letter")}, ${number(report.open)} open. Read ${dateTime(report.read_at)}.` : `Read ${dateTime(report.read_at)}.`);
      const shown = report.groups.length ? body : empty;
      if (!shown.isConnected) place.replaceChildren(shown);
      groups.show(report.groups);
    },
    lost: problem => body.isConnected || place.replaceChildren(failed(problem)),
  }, signal);
}

const empty = note("empty", "No dead letters in the topic.", "A record that cannot become a row appears here, with the place of its fault.");

/** link leads to one dead letter of the group. */
function link(cell, g) {
  const a = cell.firstElementChild ?? cell.appendChild(h("a"));
  attr(a, "href", `#/letters/${g.example.partition}/${g.example.offset}`);
  text(a, g.code);
}

function failed(problem) {
  if (problem.status === 404) return note("empty", "There is nothing to read here.", `${problem.message}.`, h("p", {}, h("a", { href: "#/letters" }, "All dead letters")));
  return note("error", "The dead letters cannot be read now.", `${problem.message}. Trying again.`);
}

/** letter is the view of "#/letters/PARTITION/OFFSET". */
export function letter(root, [partition, offset], signal) {
  const facts = h("dl", { class: "letter-facts" }), excerpt = h("pre", { tabindex: "0", "aria-label": "The record around the fault" });
  const place = h("div", {}, loading("Reading the dead letter"));
  const fault = h("p", { class: "fault" }), today = h("p"), id = `${partition}:${offset}`;
  root.append(h("div", { class: "heading" }, h("h1", {}, `Dead letter ${id}`), h("a", { href: "#/letters" }, "All dead letters")), place);
  const todo = panel("What to do", {}, today, h("div", { class: "commands" }, command(`pitchstream dlq show ${id}`), command(`pitchstream dlq retry ${id}`), command(`pitchstream dlq discard ${id} --reason "…"`)));
  const parts = [h("section", { class: "panel", "aria-label": "What was wrong" }, fault), panel("The record around the fault", {}, excerpt), todo, panel("What is known", {}, facts)];
  poll(`v1/letters/${partition}/${offset}`, 10_000, {
    state: l => {
      text(fault, l.message);
      text(today, `Status: ${l.status}. Sent again now, it ${outcome[l.today]}${l.why && l.why !== l.message ? `: ${l.why}` : ""}.`);
      list(facts, known(l), f => f.slice(0, 2).join(" "), ([name]) => h("div", {}, h("dt", {}, name), h("dd")), (node, [, value, href]) => {
        if (!href) return text(node.lastChild, value);
        const a = node.lastChild.firstChild ?? node.lastChild.appendChild(h("a", { href }));
        return text(a, value);
      });
      mark(excerpt, l);
      if (!parts[0].isConnected) place.replaceChildren(...parts);
    },
    lost: problem => parts[0].isConnected || place.replaceChildren(failed(problem)),
  }, signal);
}

const outcome = { passes: "would pass", superseded: "would change nothing, because the current version is as new or newer", fails: "would fail again", unknown: "may pass or fail: that is not known" };

function known(l) {
  const at = p => (p ? `${p.topic}/${p.partition} at ${p.offset}, ${dateTime(p.timestamp)}` : missing);
  const moved = l.origin && l.failed && at(l.origin) !== at(l.failed);
  return [
    l.game_pk ? ["Game", l.game_pk, `#/games/${encodeURIComponent(l.game_pk)}`] : ["Game", missing], ["Rejected", `${dateTime(l.failed_at)}${l.attempts > 1 ? `, for the ${ordinal(l.attempts)} time` : ""}, by build ${l.build} of group ${l.group}`],
    [moved ? "First seen at" : "Record", at(l.origin ?? l.failed)], ...(moved ? [["Sent again at", at(l.failed)]] : []),
    ["Size", `${number(l.bytes)} bytes`], ["SHA-256", `${l.sha256.slice(0, 16)}…`], ...(l.path ? [["Place", l.path]] : []),
    ...l.headers.map(({ key, value }) => [`Header ${key}`, value]),
  ];
}

const ordinal = n => `${n}${n % 100 > 10 && n % 100 < 14 ? "th" : ["th", "st", "nd", "rd"][n % 10] ?? "th"}`;

/** mark shows the excerpt with the fault marked. Its positions count characters, not UTF-16 units. */
function mark(node, l) {
  const chars = Array.from(l.excerpt), key = JSON.stringify([l.excerpt, l.mark_from, l.mark_to]);
  if (node.shown === key) return;
  node.shown = key;
  if (l.mark_from < 0) return node.replaceChildren(l.excerpt || "The record has no value.");
  const part = (from, to) => chars.slice(from, to).join(""), word = /[\p{L}\p{N}_.+-]/u;
  let from = l.mark_from, to = Math.max(l.mark_to, from + 1);
  if (to - from === 1 && word.test(chars[from] ?? "")) { // one character of a word: the whole word, as NaN
    while (from > 0 && word.test(chars[from - 1])) from--;
    while (to < chars.length && word.test(chars[to])) to++;
  }
  node.replaceChildren(part(0, from), h("mark", {}, part(from, to)), part(to));
}
