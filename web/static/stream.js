// The status of the stream: state, rate, lag, time by step, dead letters.

import { attr, h, list, note, panel, text } from "./dom.js";
import { spark } from "./chart.js";
import { byteRate, duration, missing, number, time, timeOfDay } from "./format.js";
import { onStream, stream, verdict } from "./status.js";

const remembered = 300; // states, which is about five minutes
const past = []; // shared by all views of this page

/** remember keeps the values of the small charts from the start of the page. */
export function remember(signal) {
  onStream(({ body }) => {
    if (!body || past.at(-1)?.at === body.at) return;
    past.push({ at: body.at, rate: body.records_per_s, lag: body.lag_ms });
    if (past.length > remembered) past.shift();
  }, signal);
}

/** streamView is the view of "#/stream". */
export function streamView(root, _, signal) {
  const place = h("div", {}, note("loading", "Loading the stream's state"));
  root.append(h("h1", {}, "Stream"), place);
  const parts = [glance(), tiles(), partitions(), steps(), stores(), processors(), letters(), newest()];
  const body = h("div", { class: "stream-grid" }, ...parts.map(p => p.node));
  onStream(({ body: state, problem }) => {
    if (!state) {
      if (problem) place.replaceChildren(note("error", "The stream's state cannot be read now.", `${problem.message}. Trying again.`));
      return;
    }
    if (!body.isConnected) place.replaceChildren(body);
    for (const p of parts) p.show(state);
  }, signal);
}

function glance() {
  const word = h("p", { class: "word" }), why = h("ul", { class: "reasons" });
  const node = h("section", { class: "panel glance", "aria-label": "State" }, word, why);
  return {
    node,
    show(state) {
      const now = verdict(), said = now.level === "ok" ? ["All partitions are read, and both stores answer."] : !stream().problem && state.reasons?.length ? state.reasons : [now.why || "\u00a0"];
      attr(node, "data-level", now.level);
      text(word, now.word);
      list(why, said.map((t, i) => ({ t, i })), x => x.i, () => h("li"), (li, x) => text(li, x.t));
    },
  };
}

function tiles() {
  const tile = (key, label, value, under, line) => ({ key, value, under, line, chart: line ? spark({ min: 0, points: 60, width: 240, height: 36 }) : null, out: h("dd"), small: h("dd", { class: "under" }, "\u00a0"), label });
  const all = [
    tile("rate", "Rate", b => `${number(b.records_per_s, 1)} records/s`, b => byteRate(b.bytes_per_s), p => p.rate),
    tile("lag", "Lag", b => b.lag_ms == null ? missing : duration(b.lag_ms), b => b.lag_records == null ? "\u00a0" : `${number(b.lag_records)} records wait`, p => p.lag),
    tile("rows", "Rows written", b => number(b.rows), b => `of ${number(b.records)} records`),
    tile("letters", "Dead letters", b => number(b.letters_total), b => b.records ? `${number(100 * b.letters_total / b.records, 2)} % of records` : "\u00a0"),
    tile("fresh", "Newest pitch", b => timeOfDay(b.as_of), b => `written ${timeOfDay(b.processed_at)}`),
  ];
  const node = h("dl", { class: "tiles" }, ...all.map(t => h("div", { class: "panel", "data-tile": t.key }, h("dt", {}, t.label), t.out, t.small, t.chart ? h("dd", { class: "line" }, t.chart.node) : null)));
  return {
    node,
    show(b) {
      for (const t of all) {
        text(t.out, t.value(b));
        text(t.small, t.under(b));
        t.chart?.show(past.map(t.line), `${t.label} of the last ${duration(past.length * 1000)}`);
      }
    },
  };
}

/** grid is a table without sorting: columns are [label, unit, kind], fill(row) returns the texts of the cells. */
function grid(title, columns, key, fill, empty, decorate) {
  const body = h("tbody"), none = h("p", { class: "fine none" }, empty);
  const scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, h("table", {}, h("caption", { class: "sr" }, title), h("thead", {}, h("tr", {},
    ...columns.map(([label, unit, kind]) => h("th", { scope: "col", class: kind }, h("span", { class: "label" }, label), unit ? h("span", { class: "unit" }, ` ${unit}`) : null)))), body));
  const node = panel(title, { class: title.toLowerCase().replaceAll(" ", "-") }, scroll, none);
  return {
    node,
    show(rows) {
      attr(none, "hidden", rows.length > 0);
      attr(scroll, "hidden", rows.length === 0);
      list(body, rows, key, () => h("tr", {}, ...columns.map(([, , kind], i) => h(i ? "td" : "th", { class: kind, scope: i ? null : "row" }))), (tr, row) => {
        fill(row).forEach((value, i) => { text(tr.cells[i], value ?? missing); attr(tr.cells[i], "data-missing", value == null || value === missing); });
        decorate?.(tr, row);
      });
    },
  };
}

function partitions() {
  const g = grid("Partitions", [["Partition"], ["Next offset", "", "num"], ["Lag", "records", "num"], ["Lag", "time", "num"], ["Processor", "", "wide0"]],
    p => `${p.topic}/${p.partition}`, p => [`${p.partition}`, number(p.next_offset), number(p.lag_records), duration(p.lag_ms), p.processor || "nobody"],
    "No partition is known yet.", (tr, p) => attr(tr, "data-level", p.processor ? null : "bad"));
  return { node: g.node, show: b => g.show(b.partitions ?? []) };
}

const stepNames = { decode: "Decode", postgres: "Postgres", redis: "Redis", produce: "Produce", commit: "Commit" };

function steps() {
  const g = grid("Batch time by step", [["Step"], ["Mean", "ms", "num"], ["Max", "ms", "num"], ["Batches", "", "num"], ["Share of the mean", "", "bar"]],
    s => s.step, s => [stepNames[s.step] ?? s.step, number(s.mean_ms, 1), number(s.max_ms, 1), number(s.batches)], "No batch yet.", (tr, s) => {
      const cell = tr.cells[4], m = cell.firstChild ?? cell.appendChild(h("meter", { min: 0, max: 100, "aria-label": `Share of ${stepNames[s.step] ?? s.step}` }));
      attr(m, "value", s.share.toFixed(0));
      attr(m, "title", `${s.share.toFixed(0)} %`);
    });
  return {
    node: g.node,
    show: b => {
      const all = (b.steps ?? []).reduce((sum, s) => sum + (s.mean_ms ?? 0), 0);
      g.show((b.steps ?? []).map(s => ({ ...s, share: all ? 100 * (s.mean_ms ?? 0) / all : 0 })));
    },
  };
}

function stores() {
  const g = grid("Stores", [["Store"], ["State"], ["Answered in", "ms", "num"], ["", "", "wide1"]], s => s.name,
    s => [{ kafka: "Kafka", postgres: "Postgres", redis: "Redis" }[s.name] ?? s.name, s.ok ? "up" : "away", number(s.answered_in_ms, 1), s.detail], "No store is known yet.",
    (tr, s) => attr(tr, "data-level", s.ok ? "ok" : "bad"));
  return { node: g.node, show: b => g.show(b.stores ?? []) };
}

function processors() {
  const g = grid("Processors", [["Processor"], ["State"], ["Rate", "records/s", "num wide0"], ["Lag", "", "num"], ["Heartbeat", "", "num"], ["Build", "", "wide2"]], p => p.instance,
    p => [p.instance, p.alive ? p.faults?.join("; ") || (p.ready ? "ready" : "not ready") : "dead", number(p.records_per_s, 1), duration(p.lag_ms), p.age_ms < 3000 ? "now" : `${duration(p.age_ms)} ago`, p.build],
    "No processor has told anything yet.", (tr, p) => attr(tr, "data-level", !p.alive ? "bad" : p.ready ? "ok" : "warn"));
  return { node: g.node, show: b => g.show(b.processors ?? []) };
}

function letters() {
  const g = grid("Dead letters by code", [["Code"], ["Letters", "", "num"]], l => l.code, l => [l.code, number(l.count)], "No record was refused.");
  g.node.head.append(h("a", { href: "#/letters" }, "Look at them"));
  return { node: g.node, show: b => g.show(b.letters?.by_code ?? []) };
}

function newest() {
  const g = grid("Newest letters", [["At"], ["Code", "", "wide1"], ["What was wrong", "", "long"], ["Record", "", "wide1"]], l => `${l.topic}/${l.partition}/${l.offset}/${l.at}`,
    l => [time(l.at), l.code, l.message, `${l.partition}:${l.offset}`], "No record was refused.");
  return { node: g.node, show: b => g.show(b.letters?.newest ?? []) };
}
