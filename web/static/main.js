// The shell, which selects the view. A view is a function (root, params, signal) that fills root until signal ends.

import { batter } from "./batter.js";
import { batters } from "./batters.js";
import { h, note } from "./dom.js";
import { unescaped } from "./format.js";
import { game } from "./game.js";
import { games } from "./games.js";
import { letter, letters } from "./letters.js";
import { useToken } from "./net.js";
import { pitcher } from "./pitcher.js";
import { pitchers } from "./pitchers.js";
import { quality } from "./quality.js";
import { start } from "./status.js";
import { remember, streamView } from "./stream.js";
import { wall } from "./wall.js";

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

function route() {
  const hash = location.hash;
  leave.abort();
  leave = new AbortController();
  const [pattern, view, title, parent = title] = routes.find(([p]) => p.test(hash)) ?? [/.*/, lost, "Not found"];
  document.title = `${title} · pitchstream`;
  for (const a of document.querySelectorAll(".top nav a")) {
    if (a.textContent === parent) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  const root = h("div", { class: `view ${title.toLowerCase()}` });
  view(root, (hash.match(pattern) ?? []).slice(1).map(p => p && unescaped(p)), leave.signal);
  main.replaceChildren(root);
  if (shown !== null && shown !== hash) { // not for the first page, which begins at the top anyway
    main.focus({ preventScroll: true });
    scrollTo(0, 0);
  }
  shown = hash;
}

function lost(root) {
  root.append(h("h1", {}, "Not found"), note("empty", "There is no such page.", "The address names none of the views: Games, Batters, Pitchers, Stream and Quality are above."));
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
