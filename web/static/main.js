// The shell, which selects the view. A view is a function (root, params, signal) that fills root until signal ends.

import { h, note } from "./dom.js";
import { unescaped } from "./format.js";
import { useToken } from "./net.js";
import { remember, start } from "./status.js";

// The modules of the views are loaded when one of them is opened, because a slow phone waits for each module before its first
// number. Each function returns the promise of a view.
const batter = async () => (await import("./batter.js")).batter, batters = async () => (await import("./batters.js")).batters;
const pitcher = async () => (await import("./pitcher.js")).pitcher, pitchers = async () => (await import("./pitchers.js")).pitchers;
const game = async () => (await import("./game.js")).game, games = async () => (await import("./games.js")).games;
const letter = async () => (await import("./letters.js")).letter, letters = async () => (await import("./letters.js")).letters;
const streamView = async () => (await import("./stream.js")).streamView, quality = async () => (await import("./quality.js")).quality;
const wall = async () => (await import("./wall.js")).wall, lost = async () => nowhere;

const routes = [
  [/^#?\/?$/, games, "Games"],
  [/^#\/games$/, games, "Games"],
  [/^#\/games\/([^/?]+)$/, game, "Game", "Games"],
  [/^#\/batters$/, batters, "Batters"],
  [/^#\/batters\/(-?\d+)$/, batter, "Batter", "Batters"],
  [/^#\/pitchers$/, pitchers, "Pitchers"],
  [/^#\/pitchers\/(-?\d+)$/, pitcher, "Pitcher", "Pitchers"],
  [/^#\/stream$/, streamView, "Stream"],
  [/^#\/wall(?:\/([^/?]+))?$/, wall, "Wall", "Games"],
  [/^#\/letters$/, letters, "Letters", "Stream"],
  [/^#\/letters\/(\d+)\/(\d+)$/, letter, "Letter", "Stream"],
  [/^#\/quality(?:\/(\d{4}-\d\d-\d\d))?$/, quality, "Quality"],
];

const main = document.getElementById("main");
let leave = new AbortController(), shown = null;

async function route() {
  const hash = location.hash;
  leave.abort();
  leave = new AbortController();
  const { signal } = leave, [pattern, module, title, parent = title] = routes.find(([p]) => p.test(hash)) ?? [/.*/, lost, "Not found"];
  document.title = `${title} · pitchstream`;
  for (const a of document.querySelectorAll(".top nav a")) {
    if (a.textContent === parent) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  const root = h("div", { class: `view ${title.toLowerCase()}` }), view = await module().catch(() => unloaded);
  // guard: dashboard: a view that is slow to load does not replace a later one | if (signal.aborted) return; ->
  if (signal.aborted) return; // another view by now
  view(root, (hash.match(pattern) ?? []).slice(1).map(p => p && unescaped(p)), signal);
  main.replaceChildren(root);
  if (shown !== null && shown !== hash) { // not for the first page, which begins at the top anyway
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  shown = hash;
}

function nowhere(root) {
  root.append(h("h1", {}, "Not found"), note("empty", "There is no such page.", "The address names none of the views: Games, Batters, Pitchers, Stream and Quality are above."));
}

/** unloaded is the view in place of one whose module did not arrive, or is of another build of the server. */
function unloaded(root) {
  root.append(h("h1", {}, "Not loaded"), note("error", "This page cannot be loaded now.", "The server does not answer, or has another version by now.",
    h("p", {}, h("button", { type: "button", onclick: () => location.reload() }, "Load it again"))));
}

/** ready loads the other views, so that they open at once, and without a server. */
function ready() {
  for (const [, module] of routes) module().catch(() => { /* route says so when the view is opened */ });
}

/** askForToken asks for the token of a server with --api-token: the pages are public, the numbers are not. */
function askForToken() {
  if (document.getElementById("token")) return;
  leave.abort();
  const input = h("input", { id: "token", type: "password", autocomplete: "off", required: true });
  const form = h("form", { class: "note token", onsubmit: e => { e.preventDefault(); useToken(input.value.trim()); location.reload(); } },
    h("h1", {}, "Token"), h("p", {}, "This server answers only with its API token. The token is kept for this tab only."),
    h("label", { for: "token" }, "API token"), input, h("button", { type: "submit" }, "Show the numbers"));
  main.replaceChildren(form);
}

document.querySelector(".skip").addEventListener("click", e => { e.preventDefault(); main.focus(); }); // the hash of the address selects the view
addEventListener("hashchange", route);
addEventListener("tokenwanted", askForToken);
const always = new AbortController().signal;
start(always);
remember(always);
route();
setTimeout(ready, 3000); // after the first numbers
