// Creating and changing elements. Elements are changed in place, so that nothing flickers and the focus stays.

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

/** flash marks a new or corrected element for a moment, without an animation, because that costs a paint each frame. */
export function flash(node, as = "changed") {
  clearTimeout(node.flashing);
  node.classList.add(as);
  node.flashing = setTimeout(() => node.classList.remove(as), 2000);
}

let announced = "";

/** announce gives a message to screen readers, once even if it is repeated. */
export function announce(message) {
  if (message === announced) return;
  announced = message;
  document.getElementById("announcer").textContent = message;
}

/** note is the text in place of numbers: while loading, for an empty result, after a failure. */
export function note(kind, title, detail = "") {
  return h("div", { class: `note ${kind}` }, h("p", { class: "title" }, title), detail ? h("p", {}, detail) : null);
}

/** panel is a part of a view, with its heading. */
export function panel(title, props = {}, ...children) {
  const id = `h-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  const head = h("div", { class: "head" }, h("h2", { id }, title));
  const node = h("section", { ...props, class: `panel ${props.class ?? ""}`, "aria-labelledby": id }, head, ...children);
  return Object.assign(node, { head });
}
