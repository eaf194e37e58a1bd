// Creating and changing elements. Elements are changed in place, so that nothing flickers and the focus stays.

import { number } from "./format.js";

/** h creates an element: h("td", {class: "num", onclick: f}, "text", other). */
export function h(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

/** s creates an SVG element. */
export function s(tag, props = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), props, children);
}

function fill(node, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else attr(node, name, value);
  }
  node.append(...children.filter(c => c != null));
  return node;
}

/** attr sets an attribute if its value differs; null and false remove it. */
export function attr(node, name, value) {
  if (value == null || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
  } else if (node.getAttribute(name) !== String(value)) {
    node.setAttribute(name, value === true ? "" : value);
  }
}

/** text sets the text if it differs, and returns whether it did. */
export function text(node, value) {
  const now = String(value ?? "");
  if (node.textContent === now) return false;
  node.textContent = now;
  return true;
}

/** list makes the children of parent match items, by key: it keeps, moves, creates and removes elements. */
export function list(parent, items, keyOf, make, show) {
  const old = parent.kept ?? new Map(), kept = new Map();
  for (const item of items) {
    const key = keyOf(item);
    // guard: dashboard: rows stay the same elements | old.get(key) ?? make(item) -> make(item)
    kept.set(key, old.get(key) ?? make(item));
    old.delete(key);
  }
  for (const gone of old.values()) gone.remove();
  parent.kept = kept;
  let next = parent.firstChild;
  for (const item of items) {
    const node = kept.get(keyOf(item));
    if (node === next) next = next.nextSibling;
    else parent.insertBefore(node, next);
    show?.(node, item);
  }
}

/** flash tints a new or corrected element. The tint fades by a transition, after it has been seen. */
export function flash(node, as = "changed") {
  clearTimeout(node.flashing);
  node.classList.add(as);
  node.flashing = setTimeout(() => node.classList.remove(as), 900);
}

let announced = "";

/** announce gives a message to screen readers, once even if it is repeated. */
export function announce(message) {
  if (message === announced) return;
  announced = message;
  document.getElementById("announcer").textContent = message;
}

/** note is the text in place of numbers: for an empty result, after a failure. more are what can be done about it. */
export function note(kind, title, detail = "", ...more) {
  return h("div", { class: `note ${kind}` }, h("p", { class: "title" }, title), detail ? h("p", {}, detail) : null, ...more);
}

/** loading is the shape of the numbers to come, with words for screen readers. */
export function loading(words) {
  const bars = Array.from({ length: 9 }, () => h("span", { class: "bone" }));
  return h("div", { class: "skeleton panel", "aria-busy": "true" }, h("p", { class: "sr" }, words), ...bars);
}

/** command is a line to copy into a terminal, with a button that copies it. */
export function command(words) {
  const button = h("button", { type: "button", class: "copy", onclick: async () => {
    try {
      await navigator.clipboard.writeText(words);
      text(button, "Copied");
    } catch {
      getSelection().selectAllChildren(code); // without the right to copy, the text is selected
      text(button, "Selected");
    }
    setTimeout(() => text(button, "Copy"), 2000);
  } }, "Copy");
  const code = h("code", { tabindex: "0" }, words);
  return h("div", { class: "command" }, code, button);
}

/** share shows a rate in a cell with the number that it is of, paler where that is too small to say much. */
export function share(cell, percent, of) {
  if (!cell.firstChild) cell.append(h("span"), h("span", { class: "of" }));
  text(cell.firstChild, number(percent, 1));
  text(cell.lastChild, percent == null ? "" : ` of ${number(of)}`);
  attr(cell, "data-few", percent != null && of < few);
  attr(cell, "data-missing", percent == null);
}

/** few is the number below which a rate is shown in paler ink. */
export const few = 20;

/** panel is a part of a view, with its heading. */
export function panel(title, props = {}, ...children) {
  const id = `h-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  const head = h("div", { class: "head" }, h("h2", { id }, title));
  const node = h("section", { ...props, class: `panel ${props.class ?? ""}`, "aria-labelledby": id }, head, ...children);
  return Object.assign(node, { head });
}
