// The status of the stream: state, rate, lag, time by step, dead letters.

import { attr, command, h, list, loading, note, panel, text } from "./dom.js";
import { ago, byteRate, duration, missing, number, storeState, time } from "./format.js";
import { onStream, past, stream, verdict } from "./status.js";
import { timeline } from "./timeline.js";

/** streamView is the view of "#/stream". */
export function streamView(root, _, signal) {
  const place = h("div", {}, loading("Loading the stream's state"));
  root.append(h("h1", {}, "Stream"), place);
  const parts = [glance(), tiles(), ...history(signal), partitions(), steps(), stores(), processors(), letters(), newest()];
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

/** glance says what is wrong and what to do. It is not there while all is well, because the line at the top says so. */
function glance() {
  const word = h("p", { class: "word" }), why = h("ul", { class: "reasons" }), start = command("pitchstream run");
  const node = h("section", { class: "panel glance", "aria-label": "What is wrong" }, word, why, start);
  return {
    node,
    show(state) {
      const now = verdict(), said = !stream().problem && state.reasons?.length ? state.reasons : [now.why || "\u00a0"];
      attr(node, "hidden", now.level === "ok");
      attr(node, "data-level", now.level);
      attr(start, "hidden", stream().problem || state.state !== "down");
      text(word, now.word);
      list(why, said.map((t, i) => ({ t, i })), x => x.i, () => h("li"), (li, x) => text(li, x.t));
    },
  };
}

/** since says from when on the processors count. "" while no processor is known. */
function since(b) {
  const begins = (b.processors ?? []).map(p => p.since).filter(Boolean).sort();
  if (!begins.length) return "";
  return begins.length > 1 ? `since each processor began, the first ${time(begins[0])}` : `since ${time(begins[0])}`;
}

const noCounter = "no processor to count them";

function tiles() {
  const tile = (key, label, value, under) => ({ key, value, under, out: h("dd"), small: h("dd", { class: "under" }, "\u00a0"), label });
  const alive = b => b.processors?.some(p => p.alive), counts = (b, value) => since(b) ? value : missing;
  const all = [
    tile("rate", "Rate", b => alive(b) ? `${number(b.records_per_s, 1)} records/s` : missing, b => alive(b) ? byteRate(b.bytes_per_s) : "no processor is alive"),
    tile("lag", "Lag", b => b.lag_ms == null ? missing : duration(b.lag_ms), b => b.lag_records == null ? "not known" : `${number(b.lag_records)} records wait`),
    tile("rows", "Rows written", b => counts(b, number(b.rows)), b => since(b) ? `of ${number(b.records)} records, ${since(b)}` : noCounter),
    // guard: dashboard: an unknown count is not shown as zero | counts(b, number(b.letters_total)) -> number(b.letters_total)
    tile("letters", "Dead letters", b => counts(b, number(b.letters_total)), b => since(b) || noCounter),
    tile("fresh", "Newest pitch", b => time(b.as_of), b => `written ${time(b.processed_at)}`),
  ];
  const node = h("dl", { class: "tiles" }, ...all.map(t => h("div", { class: "panel", "data-tile": t.key }, h("dt", {}, t.label), t.out, t.small)));
  return {
    node,
    show(b) {
      for (const t of all) {
        text(t.out, t.value(b));
        text(t.small, t.under(b));
      }
    },
  };
}

/** history are the charts of the rate and the lag since the page was opened. */
function history(signal) {
  const chart = (title, least, line) => {
    const plot = timeline([line], signal, { least });
    const fine = h("p", { class: "fine" }, "\u00a0");
    const node = panel(title, { class: title.toLowerCase() }, plot.node, fine);
    return {
      node,
      show() {
        const span = past.length ? past.at(-1).at - past[0].at : 0;
        text(fine, `Since this page was opened, ${ago(span)}; an hour at most. Grafana has more: deploy/.`);
        const known = past.map(line.value).filter(v => v != null);
        plot.show(past, known.length ? `${title}: now ${line.format(known.at(-1))}, at most ${line.format(Math.max(...known))}` : `${title}: not known`);
      },
    };
  };
  return [
    chart("Rate", 1, { label: "Records/s", value: p => p.rate, format: v => number(v, v < 10 ? 1 : 0) }),
    chart("Lag", 1000, { label: "Lag", value: p => p.lag, format: v => duration(v) }),
  ];
}

/** grid is a table without sorting: columns are [label, unit, kind], fill(row) returns the texts of the cells. */
function grid(title, columns, key, fill, empty, decorate) {
  const body = h("tbody"), none = h("p", { class: "fine none" });
  const scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `${title}, as a table` }, h("table", {}, h("caption", { class: "sr" }, title), h("thead", {}, h("tr", {},
    ...columns.map(([label, unit, kind]) => h("th", { scope: "col", class: kind }, h("span", { class: "label" }, label), unit ? h("span", { class: "unit" }, ` ${unit}`) : null)))), body));
  const node = panel(title, { class: title.toLowerCase().replaceAll(" ", "-") }, scroll, none);
  return {
    node,
    show(rows, words = empty) {
      text(none, words);
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
  const g = grid("Partitions", [["Partition"], ["Next offset", "", "num"], ["Lag", "records", "num"], ["Lag", "time", "num"], ["Processor", ""]],
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
  const g = grid("Stores", [["Store"], ["State"], ["Answered in", "ms", "num"], ["Detail", "", "long"]], s => s.name,
    s => [{ kafka: "Kafka", postgres: "Postgres", redis: "Redis" }[s.name] ?? s.name, storeState(s).words, number(s.answered_in_ms, 1), s.detail], "No store is known yet.",
    (tr, s) => attr(tr, "data-level", storeState(s).level));
  return {
    node: g.node,
    show(b) {
      const alive = b.processors?.some(p => p.alive); // who report on Kafka
      g.show((b.stores ?? []).map(s => ({ ...s, unknown: s.name === "kafka" && !alive })));
    },
  };
}

function processors() {
  const g = grid("Processors", [["Processor"], ["State"], ["Rate", "records/s", "num"], ["Lag", "", "num"], ["Heartbeat", "", "num"], ["Build", ""]], p => p.instance,
    p => [p.instance, p.alive ? p.faults?.join("; ") || (p.ready ? "ready" : "not ready") : "dead", number(p.records_per_s, 1), duration(p.lag_ms), p.age_ms < 3000 ? "now" : `${duration(p.age_ms)} ago`, p.build],
    "No processor has reported within the last hour.", (tr, p) => attr(tr, "data-level", !p.alive ? "bad" : p.ready ? "ok" : "warn"));
  return { node: g.node, show: b => g.show(b.processors ?? []) };
}

/** noLetters is what an empty list of dead letters means: the processors count those since they began, and only these. */
function noLetters(b) {
  return since(b) ? `None ${since(b)}. Earlier ones are in the topic.` : "No processor is there to count them. They are in the topic.";
}

function letters() {
  const g = grid("Dead letters by code", [["Code"], ["Dead letters", "", "num"]], l => l.code, l => [l.code, number(l.count)]);
  g.node.head.append(h("a", { href: "#/letters" }, "All in the topic"));
  return { node: g.node, show: b => g.show(b.letters?.by_code ?? [], noLetters(b)) };
}

function newest() {
  const g = grid("Newest dead letters", [["At"], ["Code"], ["What was wrong", "", "long"], ["Record"]], l => `${l.topic}/${l.partition}/${l.offset}/${l.at}`,
    l => [time(l.at), l.code, l.message, `${l.partition}:${l.offset}`]);
  return { node: g.node, show: b => g.show(b.letters?.newest ?? [], noLetters(b)) };
}
