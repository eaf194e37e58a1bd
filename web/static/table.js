// Tables that sort by their headers. Their rows stay under the pointer while a person reads or clicks.

import { announce, attr, h, list, text } from "./dom.js";
import { missing, number } from "./format.js";

/**
 * table creates a table. columns: {key, label, unit, decimals or format(value), value(row), show(cell, row), words (text,
 * no number), rising (direction of the first click)}. options: caption, key(row), sort {key, up}, onsort(sort),
 * called when the order changes, row(tr, row), which decorates a row. Returns {node, show(rows), sort}.
 */
export function table(columns, options) {
  const state = { sort: options.sort, rows: [], order: new Map(), sorted: "" };
  const heads = columns.map(c => header(c, state, () => { options.onsort?.(state.sort); draw(true); }));
  const body = h("tbody");
  const node = h("table", {}, h("caption", { class: "sr" }, options.caption), h("thead", {}, h("tr", {}, ...heads.map(x => x.th))), body);
  const scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": options.caption }, node);

  const make = () => h("tr", {}, ...columns.map(c => h(c.head ? "th" : "td", { class: kind(c), scope: c.head ? "row" : null })));
  const draw = sortNow => {
    for (const x of heads) x.mark();
    const rows = arrange(state, columns, options.key, body, sortNow);
    list(body, rows, options.key, make, (tr, row) => {
      columns.forEach((c, i) => show(c, tr.cells[i], row));
      options.row?.(tr, row);
    });
  };
  return { node: scroll, sort: state.sort, show: rows => { state.rows = rows; draw(false); } };
}

function kind(c) {
  return c.words ? null : "num";
}

function header(c, state, changed) {
  const label = h("span", { class: "label" }, c.label), unit = c.unit ? h("span", { class: "unit" }, ` ${c.unit}`) : null;
  if (c.fixed) return { th: h("th", { class: kind(c), scope: "col" }, label, unit), mark: () => {} };
  const click = () => {
    state.sort = { key: c.key, up: state.sort.key === c.key ? !state.sort.up : !!c.rising };
    announce(`Sorted by ${c.label}, ${state.sort.up ? "ascending" : "descending"}.`);
    changed();
  };
  const th = h("th", { class: kind(c), scope: "col" }, h("button", { type: "button", onclick: click }, label, unit));
  const mark = () => attr(th, "aria-sort", state.sort.key !== c.key ? null : state.sort.up ? "ascending" : "descending");
  return { th, mark };
}

function show(c, cell, row) {
  if (c.show) return c.show(cell, row);
  const value = c.value(row);
  text(cell, c.words ? value ?? missing : c.format ? c.format(value) : number(value, c.decimals ?? 0));
  attr(cell, "data-missing", value == null);
}

/** arrange sorts, missing values last. While the pointer or the focus is in the rows, it only adds new ones. */
function arrange(state, columns, keyOf, body, sortNow) {
  const { key, up } = state.sort, c = columns.find(x => x.key === key);
  const busy = !sortNow && state.sorted && (body.matches(":hover") || body.contains(document.activeElement));
  const rows = [...state.rows];
  if (busy) {
    rows.sort((a, b) => (state.order.get(keyOf(a)) ?? Infinity) - (state.order.get(keyOf(b)) ?? Infinity) || 0);
  } else if (c) {
    rows.sort((a, b) => compare(c.value(a), c.value(b), up) || compare(keyOf(a), keyOf(b), true));
  }
  state.order = new Map(rows.map((r, i) => [keyOf(r), i]));
  state.sorted = key;
  return rows;
}

function compare(a, b, up) {
  if (a == null || b == null) return (a == null) - (b == null);
  const way = typeof a === "string" ? a.localeCompare(b) : a - b;
  // guard: dashboard: a table sorts both ways | return up ? way : -way; -> return way;
  return up ? way : -way;
}
