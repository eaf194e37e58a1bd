// The story of somebody before the dashboard, from a stream that is not there yet to one that loses a store.

import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const { DASHBOARD: base, CHROMIUM: executablePath, PICTURES: pictures, PITCHSTREAM_LOAD: measured } = process.env;
const patience = 60_000; // for what happens soon: a busy machine is slow
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** park has something done by who runs the servers. */
async function park(...words) {
  console.log(`do ${words.join(" ")}`);
  return (await answers.next()).value;
}

function must(true_, words) {
  if (!true_) throw new Error(words);
}

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
const faults = [];

async function newPage(options) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  page.on("request", r => { if (!r.url().startsWith(`${base}/`)) faults.push(`a request to ${r.url()}`); });
  page.on("pageerror", e => faults.push(`an error in the page: ${e.message}`));
  page.on("console", m => { if (/Content.Security|Trusted/i.test(m.text())) faults.push(m.text()); });
  return page;
}

const began = Date.now();
let now = "";

async function step(name, f) {
  now = name;
  const at = Date.now(), said = await f();
  must(!faults.length, faults.join("; "));
  console.log(`${((at - began) / 1000).toFixed(1).padStart(5)} s  ${name}: ${said ?? "well"} (${Date.now() - at} ms)`);
}

/** differs says where the view of quality shows something else than the API answered; "": nowhere. */
async function differs(body, row, table) {
  const fine = "What is within its limits", bad = "What is beyond its limits";
  const shown = body.findings.filter(f => f.abnormal || f.venue === "all" || f.check === "drift"), beyond = shown.filter(f => f.abnormal), within = shown.filter(f => !f.abnormal);
  if (!beyond.length) return "nothing is beyond its limits, though the games were sent late";
  const said = await page.locator(".quality .said").innerText();
  if (!said.includes(`${body.games} games, ${body.pitches} pitches`)) return `it says ${said}`;
  for (const [name, want] of [[fine, within], [bad, beyond]]) {
    const rows = await table(name).locator("tbody tr").count();
    if (rows !== want.length) return `${rows} of ${want.length} rows of ${name}`;
  }
  for (const f of shown) {
    const [, value] = await row(f.abnormal ? bad : fine, f).locator("th, td").allTextContents();
    if (f.unit === "s") continue; // a duration, in words
    const digits = ["games", "pitches"].includes(f.unit) ? 0 : 1, number = Math.abs(f.unit === "share" ? 100 * f.value : f.value).toFixed(digits);
    const same = f.of === 0 || f.value == null ? value === "–" : value.replaceAll(/[,−°]/g, "").split(" ")[0] === number;
    if (!same) return `${f.check} ${f.item} shows ${value}, and is ${f.value} ${f.unit}`;
  }
  for (const f of beyond) {
    if (!(await row(bad, f).allTextContents()).some(words => words.includes(f.do))) return `${f.check} ${f.item}: not said what to do`;
  }
  return "";
}

/** smallest is the size in pixels of the smallest type that is seen in the view. */
const smallest = p => p.evaluate(() => Math.min(...[...document.querySelectorAll(".view *")].filter(e =>
  [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()) && !e.closest(".sr, .over, svg") && e.getClientRects().length).map(e => parseFloat(getComputedStyle(e).fontSize))));

/** cut are the texts of these elements that do not fit them. */
const cut = (p, which) => p.evaluate(w => [...document.querySelectorAll(w)].filter(e => e.scrollWidth > e.clientWidth).map(e => e.textContent), which);

const page = await newPage();
const word = w => page.locator("#status .word", { hasText: new RegExp(`^${w}$`) }).waitFor();

/** soon is that it took at most so long, where nothing else runs. */
const soon = (took, most, what) => must(!measured || took <= most, `${what} only after ${took} ms`);
const go = hash => page.evaluate(h => { location.hash = h; }, hash);

try {
  await step("with nothing there, it says so", async () => {
    await page.goto(base);
    await page.evaluate(() => { globalThis.same = true; }); // gone after a reload
    await page.getByText("No game yet.").waitFor();
    await go("#/batters");
    await page.getByText("No batter yet.").waitFor();
    await go("#/pitchers");
    await page.getByText("No pitcher yet.").waitFor();
    await go("#/pitchers/7");
    await page.getByText("There is no pitch of this pitcher.").waitFor();
    await go("#/stream");
    await page.locator(".glance .word", { hasText: "Down" }).waitFor();
    must(await page.locator('[data-tile="letters"] dd').first().innerText() === "–", "it counts dead letters that nobody counts");
    must(!/No record was refused|mended|None since/.test(await page.locator(".view").innerText()), "it says what it cannot know");
    await page.locator(".stores tr", { hasText: "Kafka" }).locator("td:nth-child(2)", { hasText: "not known" }).waitFor();
    await go("#/games/1");
    await page.getByText("There is no game of this number.").waitFor();
    await go("#/games");
    await page.locator(".command", { hasText: "pitchstream simulate" }).waitFor();
  });

  let newest = () => page.locator(".pitches tbody tr").first().getAttribute("data-pitch");
  await step("the first games appear by themselves", async () => {
    await park("start");
    await page.locator("tr[data-game]").nth(1).waitFor();
    await page.locator(".badge.live").first().waitFor();
    await word("Live");
  });

  await step("a view that loads slowly replaces no later one, and one that does not load says so", async () => {
    const p = await newPage();
    let release;
    const held = new Promise(done => { release = done; });
    await p.route("**/batters.js", async r => { await held; await r.continue(); });
    await p.route("**/pitchers.js", r => r.abort());
    await p.goto(`${base}/#/batters`);
    await p.evaluate(() => { location.hash = "#/games"; });
    await p.locator("h1", { hasText: "Games" }).waitFor();
    release();
    await p.evaluate(() => import(document.querySelector("script[type=module]").src.replace("main.js", "batters.js")));
    must(await p.locator("h1").innerText() === "Games", "the earlier view is shown");
    await p.evaluate(() => { location.hash = "#/pitchers"; });
    await p.getByText("This page cannot be loaded now.").waitFor();
    await p.getByRole("button", { name: "Load it again" }).waitFor();
    await p.context().close();
  });

  await step("the keyboard reaches a game", async () => {
    must(await page.evaluate(() => globalThis.same), "the page was loaded again");
    await page.goto(base); // the tab order from the very beginning
    await page.reload();
    await page.evaluate(() => { globalThis.same = true; });
    await page.locator("tr[data-game]").first().waitFor();
    const order = [];
    for (let i = 0; i < 30; i++) {
      await page.keyboard.press("Tab");
      const [label, link, seen] = await page.evaluate(() => {
        const a = document.activeElement, outline = getComputedStyle(a);
        return [a.getAttribute("aria-label") ?? a.innerText.trim(), a.matches("tr[data-game] a"), outline.outlineStyle !== "none"];
      });
      must(seen, `the focus at ${label} is not seen`);
      order.push(label);
      if (link) break;
    }
    must(order.slice(0, 8).join() === "Skip to the numbers,pitchstream,Games,Batters,Pitchers,Stream,Quality,Dark colours", `the order is ${order}`);
    await page.keyboard.press("Enter");
    await page.locator(".pitches tbody tr").first().waitFor();
    must(await page.evaluate(() => document.activeElement.id === "main"), "the focus is not at the new view");
    return order.join(" → ");
  });

  await step("the last swing is drawn, and turned by keys", async () => {
    await page.locator(".swing[data-drawn]").waitFor();
    await page.getByRole("button", { name: "Orbit" }).click();
    await page.waitForFunction(() => /mph/.test(document.querySelector(".swing canvas").getAttribute("aria-label")));
    const canvas = page.locator(".swing canvas");
    let before = await canvas.screenshot(), still = false;
    for (const end = Date.now() + patience; Date.now() < end && !still;) { // it is played to its end
      await page.waitForTimeout(300);
      const next = await canvas.screenshot();
      still = before.equals(next);
      before = next;
    }
    must(still, "it moves on and on");
    await canvas.focus();
    await page.keyboard.press("ArrowLeft");
    let turned = false;
    for (const end = Date.now() + patience; Date.now() < end && !turned;) turned = !before.equals(await canvas.screenshot());
    must(turned, "an arrow key does not turn it");
    await page.keyboard.press("0");
    return canvas.getAttribute("aria-label");
  });

  await step("pitches arrive without a reload", async () => {
    const took = [];
    for (let i = 0; i < 20 && took.length < 3; i++) {
      const at = Date.now(), id = await park("one");
      const game = (await park("game", id));
      if (game !== decodeURIComponent(page.url().split("/").at(-1))) continue;
      await page.locator(`.pitches tr[data-pitch="${id}"]`).waitFor();
      took.push(Date.now() - at);
    }
    await park("play", 4);
    const first = await newest();
    await page.waitForFunction(id => document.querySelector(".pitches tbody tr").dataset.pitch !== id, first);
    must(await page.evaluate(() => globalThis.same), "the page was loaded again");
    return took.length ? `seen ${took.join(", ")} ms after it was to be sent` : "well";
  });

  await step("it is not chatty, and the rows stay the same elements", async () => {
    const said = await page.evaluate(() => new Promise(done => {
      let said = 0;
      const row = document.querySelector(".pitches tbody tr");
      new MutationObserver(() => said++).observe(document.getElementById("announcer"), { childList: true, characterData: true, subtree: true });
      setTimeout(() => done([said, row.isConnected]), 3000);
    }));
    must(said[0] === 0, `it announced ${said[0]} times`);
    must(said[1], "a row was made anew");
  });

  await step("a correction changes the number on the screen", async () => {
    await park("pause");
    const row = page.locator(".pitches tr.swung").filter({ has: page.locator("td:nth-child(5):not([data-missing])") }).first();
    const id = await row.getAttribute("data-pitch");
    await row.getByRole("button").click();
    await page.locator(`.swing[data-pitch="${id}"]`).waitFor();
    const value = page.locator('.swing [data-figure="exit_velocity_mph"] .value'), before = await value.innerText();
    // A speed that equals the record's own in km/h counts as one in the wrong unit.
    const mph = Math.abs(Number(before) * 1.609344 - 113.5) < 2 ? "117.5" : "113.5", at = Date.now();
    await park("correct", id, mph);
    await page.locator('.swing [data-figure="exit_velocity_mph"] .value', { hasText: mph }).waitFor();
    const took = Date.now() - at;
    await page.locator(`tr[data-pitch="${id}"] td`, { hasText: mph }).waitFor();
    await page.locator(`tr[data-pitch="${id}"] td`, { hasText: "(corrected)" }).waitFor();
    await page.locator(`.swing[data-drawn^="${id}/1/"]`).waitFor();
    await page.locator(".batters td", { hasText: mph }).first().waitFor();
    return `${before} → ${mph} mph after ${took} ms`;
  });

  await step("the game says how it stands", async () => {
    const [{ game_pk: pk }] = await page.evaluate(async () => (await (await fetch("v1/games")).json()).games);
    await go(`#/games/${pk}`);
    await page.locator(".now li").first().waitFor();
    const said = key => page.locator(`.now [data-part="${key}"] dd`).innerText();
    const want = await page.evaluate(async pk => (await (await fetch(`v1/games/${pk}/pitches?limit=1`)).json()).pitches[0], pk);
    for (const [key, value] of [["inning", want.inning], ["outs", want.outs], ["pitcher", want.pitcher_name]]) must(await said(key) === String(value), `${key}: ${await said(key)} instead of ${value}`);
    must(/^(\d-\d|In play|Walk|Strikeout|Hit by pitch)$/.test(await said("count")), `the count is ${await said("count")}`);
    const { pitchers } = await page.evaluate(async pk => (await fetch(`v1/games/${pk}`)).json(), pk), mound = await page.locator(".pitchers tbody th").allTextContents();
    must(pitchers.length && mound.toSorted().join() === pitchers.map(p => p.name).sort().join(), `its pitchers are ${mound}`);
    const speeds = await page.locator(".pitches tbody td:nth-child(8):not([data-missing])").allTextContents();
    must(speeds.length && speeds.every(s => !s.endsWith(".0")), `whole speeds have a decimal: ${speeds}`);
    return `${await said("inning")}, ${await said("count")}, ${await page.locator(".now .plate .number").count()} pitches in the zone's drawing`;
  });

  await step("a table sorts by its headers", async () => {
    await go("#/batters");
    const head = page.locator("th", { hasText: "Max exit velocity" }), cells = page.locator(".batters-grid tbody td:nth-child(6)");
    await page.locator(".batters-grid tbody tr").nth(5).waitFor();
    for (const [way, up] of [["descending", false], ["ascending", true]]) {
      await head.getByRole("button").focus();
      await page.keyboard.press("Enter");
      must(await head.getAttribute("aria-sort") === way, `it is not ${way}`);
      await page.waitForFunction(up => {
        const values = [...document.querySelectorAll(".batters-grid tbody td:nth-child(6)")].map(c => c.textContent).filter(v => v !== "–").map(Number);
        return values.length > 2 && values.every((v, i) => !i || (up ? v >= values[i - 1] : v <= values[i - 1]));
      }, up);
    }
    must(await cells.count() > 5, "no rows");
  });

  await step("a pitcher's page shows what the API answers, and changes with it", async () => {
    await go("#/pitchers");
    await page.locator(".pitchers tbody a").first().click();
    await page.locator(".pitcher .moves .dots .big").first().waitFor({ state: "attached" });
    const id = (await page.evaluate(() => location.hash)).match(/\d+$/)[0];
    const api = () => page.evaluate(async id => (await fetch(`v1/pitchers/${id}`)).json(), id);
    const want = await api(), of = await page.evaluate(async id => (await (await fetch(`v1/pitchers/${id}/games`)).json()).games[0], id);
    for (const [type, t] of Object.entries(want.by_pitch_type)) {
      const [, pitches, , mean, most, spin, , rise] = await page.locator(`.types tr[data-type="${type}"]`).locator("th, td").allTextContents();
      const shown = (v, digits) => v == null ? "–" : Math.abs(v).toFixed(digits);
      const same = [[pitches, t.pitches, 0], [mean, t.avg_pitch_speed_mph, 1], [spin, t.avg_spin_rate_rpm, 0], [rise, t.avg_induced_vertical_break_in, 1]];
      for (const [words, v, digits] of same) must(words.replaceAll(/[,−]/g, "") === shown(v, digits), `${type} shows ${words}, and is ${v}`);
      must(most === "–" || Number(most) === t.max_pitch_speed_mph, `${type}: at most ${most}`);
    }
    const changes = Object.values(of.by_pitch_type).map(t => t.release_speed_change_mph).filter(v => v != null).map(v => `${v > 0 ? "+" : v < 0 ? "\u2212" : ""}${Math.abs(v).toFixed(1)}`);
    const seen = (await page.locator(".course tbody td:last-child").allTextContents()).filter(words => words !== "–");
    must(seen.toSorted().join() === changes.toSorted().join(), `the changes of speed are ${seen}, and should be ${changes}`);
    const drawn = await page.locator(".course .dots circle").count(), before = await page.locator('.totals [data-figure="pitches"] .value').innerText();
    await park("play", 8);
    await page.waitForFunction(before => document.querySelector('.totals [data-figure="pitches"] .value').textContent !== before, before);
    await park("pause");
    return `${Object.keys(want.by_pitch_type).length} types, ${drawn} speeds of a game, changes ${seen}`;
  });

  await step("quality shows what the API answers", async () => {
    await go("#/quality");
    const table = name => page.getByRole("region", { name, includeHidden: true }), row = (name, f) => table(name).locator(`tr[data-figure="${f.check}/${f.venue}/${f.item}"]`);
    await table("What is within its limits").locator("tbody tr").first().waitFor({ state: "attached" });
    let wrong = "not asked", body;
    for (const end = Date.now() + patience; wrong && Date.now() < end; await page.waitForTimeout(300)) { // the page asks now and then
      body = await page.evaluate(async () => (await fetch("v1/quality")).json());
      wrong = await differs(body, row, table);
    }
    must(!wrong, wrong);
    await go(`#/quality/2001-01-01`);
    await page.getByText("No figures of 1 Jan 2001.").waitFor();
    return `${body.findings.length} findings, beyond their limits: ${body.findings.filter(f => f.abnormal).map(f => `${f.check} ${f.item}`)}`;
  });

  await step("the theme is kept", async () => {
    await page.getByRole("button", { name: "Dark colours" }).click();
    const other = await page.context().newPage();
    await other.goto(base);
    must(await other.evaluate(() => document.documentElement.dataset.theme) === "dark", "the next page is light");
    await other.close();
    await page.getByRole("button", { name: "Light colours" }).click();
  });

  const ready = {
    games: ["#/games", "tr[data-game]"], game: ["", ".swing[data-drawn]"], batters: ["#/batters", ".batters-grid .spark .last:not([visibility])"],
    batter: ["", ".swing[data-drawn]"], pitchers: ["#/pitchers", ".arsenal"], pitcher: ["", ".moves .dots .big"], stream: ["#/stream", ".newest-dead-letters tbody tr"], wall: ["#/wall", ".swing[data-drawn]"],
    letters: ["#/letters", "tbody a"], letter: ["", "pre mark"], quality: ["#/quality", "tbody tr"],
  };
  await step("all views, and what axe says of them", async () => {
    ready.game[0] = await page.evaluate(async () => `#/games/${(await (await fetch("v1/games")).json()).games[0].game_pk}`);
    ready.batter[0] = await page.evaluate(async () => `#/batters/${(await (await fetch("v1/leaders?stat=swing_count&limit=1")).json()).leaders[0].batter_id}`);
    ready.pitcher[0] = await page.evaluate(async () => `#/pitchers/${(await (await fetch("v1/leaders/pitchers?stat=pitches&limit=1")).json()).leaders[0].pitcher_id}`);
    const letter = await page.evaluate(async () => (await (await fetch("v1/letters")).json()).groups[0].example);
    ready.letter[0] = `#/letters/${letter.partition}/${letter.offset}`;
    const looks = { light: {}, dark: {}, phone: { viewport: { width: 390, height: 844 }, colorScheme: "light" }, wide: { viewport: { width: 1920, height: 1080 }, colorScheme: "dark" } };
    let rules = 0;
    for (const [look, options] of Object.entries(looks)) {
      const p = await newPage({ colorScheme: look, reducedMotion: "reduce", ...options });
      await p.goto(base);
      for (const [view, [hash, there]] of Object.entries(ready)) {
        await p.evaluate(h => { location.hash = h; }, hash);
        await p.locator(`.view.${view} ${there}`).first().waitFor({ state: "attached" });
        await p.screenshot({ path: `${pictures}/${view}-${look}.png`, fullPage: look === "phone" });
        const wide = await p.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        must(wide <= 0, `${view} at ${look} is ${wide} pixels too wide`);
        if (look === "wide" && view === "wall") must(await smallest(p) >= 28, `the wall has type of ${await smallest(p)} px`);
        const whole = look === "phone" ? [] : await cut(p, view === "wall" ? ".readings dt, .readings .under" : ".view.letters .scroll");
        must(!whole.length, `${view} at ${look} cuts ${whole}`);
        if (look === "wide") continue; // like dark, but for its size
        await p.evaluate(axe);
        const only = look === "dark" ? { runOnly: { type: "rule", values: ["color-contrast"] } } : {}; // the rest is as in the light
        const found = await p.evaluate(only => globalThis.axe.run(document, { resultTypes: ["violations"], ...only }), only);
        rules += found.passes.length;
        must(!found.violations.length, `${view}, ${look}: ${found.violations.map(v => `${v.id}: ${v.nodes.map(n => `${n.html} ${n.failureSummary}`).slice(0, 3)}`)}`);
      }
      await p.context().close();
    }
    return `${rules} rules passed`;
  });

  await step("the page of the API's document tries requests, searches, and what axe says of it", async () => {
    let rules = 0;
    const p = await newPage(), part = id => p.locator(`[id="${id}"]`);
    await p.goto(`${base}/docs#get-/v1/games`);
    const games = part("get-/v1/games"), body = games.locator(".body");
    await games.getByRole("button", { name: "Try" }).click(); // as it is: no field must be filled
    await games.locator(".status", { hasText: /^200 / }).waitFor();
    await body.waitFor();
    must(JSON.parse(await body.innerText()).games.length > 1, "it shows no games");
    await games.getByLabel("limit").fill("1");
    await p.getByLabel("Token").fill("it's secret");
    await games.getByRole("button", { name: "Try" }).click();
    await p.waitForFunction(() => JSON.parse(document.querySelector('[id="get-/v1/games"] .body').textContent || "{}").games?.length === 1);
    must(await games.locator(".curl").innerText() === `curl '${base}/v1/games?limit=1' -H 'Accept: application/json' -H "Authorization: Bearer $TOKEN"`, await games.locator(".curl").innerText());
    await p.route("**/v1/games?limit=1", r => r.fulfill({ contentType: "application/json", body: '{"id":-9223372036854775807,"of":[],"words":["a:{ ,\\"",null]}' }));
    await games.getByRole("button", { name: "Try" }).click();
    await p.waitForFunction(words => document.querySelector('[id="get-/v1/games"] .body').textContent === words, '{\n  "id": -9223372036854775807,\n  "of": [],\n  "words": [\n    "a:{ ,\\"",\n    null\n  ]\n}');
    await games.getByLabel("limit").fill("none");
    await games.getByRole("button", { name: "Try" }).click();
    await games.locator(".status.failed", { hasText: "422" }).waitFor();
    await p.route("**/v1/games?limit=2", r => r.fulfill({ status: 304 }));
    await games.getByLabel("limit").fill("2");
    await games.getByRole("button", { name: "Try" }).click();
    await games.locator(".status:not(.failed)", { hasText: /^304/ }).waitFor();
    await p.evaluate(() => { location.hash = "#100%"; });
    await p.reload();
    await p.getByLabel("Search").fill("umpire quidditch"); // the script runs, although the address is no text
    await p.getByText("Nothing here has this in it.").waitFor();

    await p.goto(`${base}/docs#get-/v1/stream/events`);
    const events = part("get-/v1/stream/events");
    await events.getByRole("button", { name: "Try" }).click();
    await events.locator(".body", { hasText: "event: state" }).waitFor();
    await events.getByRole("button", { name: "Stop" }).click();
    await events.locator(".status", { hasText: "stopped" }).waitFor();
    await events.getByRole("link", { name: "Stream", exact: true }).click();
    await part("schema-Stream").getByText("records_per_s").waitFor();

    await p.getByLabel("Search").fill("min_swings");
    const found = await p.locator("nav li:visible").allInnerTexts();
    must(found.join() === "/v1/leaders" && await p.locator("main .operation:visible").count() === 1, `the search finds ${found}`);
    await p.getByLabel("Search").fill("umpire quidditch");
    await p.getByText("Nothing here has this in it.").waitFor();
    await p.getByLabel("Search").fill("");
    for (const id of ["get-/v1/games", "get-/v1/changes", "error-429", "schema-Pitch"]) await part(id).evaluate(e => { e.open = true; });
    for (const [scheme, width] of [["light", 1440], ["dark", 1440], ["light", 390]]) {
      await p.emulateMedia({ colorScheme: scheme });
      await p.setViewportSize({ width, height: 900 });
      await p.screenshot({ path: `${pictures}/docs-${scheme}-${width}.png` });
      const wide = await p.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      must(wide <= 0, `it is ${wide} pixels too wide at ${width}`);
      await p.evaluate(axe);
      const { passes, violations } = await p.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
      must(!violations.length, violations.map(v => `${v.id}: ${v.nodes.map(n => `${n.html} ${n.failureSummary}`).slice(0, 3)}`));
      rules += passes.length;
    }
    await p.context().close();
    return `${rules} rules passed`;
  });

  await step("without motion nothing moves", async () => {
    const p = await newPage({ reducedMotion: "reduce" });
    await p.goto(`${base}/${ready.game[0]}`);
    await p.locator(".swing[data-drawn]").waitFor();
    must(await p.getByRole("button", { name: "Orbit" }).getAttribute("aria-pressed") === "false", "it orbits");
    await p.waitForTimeout(300);
    const before = await p.locator(".swing canvas").screenshot();
    await p.waitForTimeout(700);
    must(before.equals(await p.locator(".swing canvas").screenshot()), "the drawing moves");
    await p.context().close();
  });

  await step("a server with a token is asked with it", async () => {
    const other = await park("token", "secret"), p = await (await browser.newContext()).newPage();
    await p.goto(`${other}/#/stream`);
    await p.getByLabel("API token").fill("secret");
    await p.keyboard.press("Enter");
    await p.locator("#status .word", { hasText: "Live" }).waitFor();
    await p.context().close();
  });

  await step("Redis stops, and the numbers go on from Postgres", async () => {
    await go(ready.game[0]);
    await page.locator(".pitches tbody tr").first().waitFor();
    const at = Date.now();
    await park("redis", "stop");
    const stopped = Date.now();
    await word("Redis unavailable");
    const shown = Date.now() - stopped;
    soon(shown, 5000, "it is shown");
    await page.locator("#status .facts", { hasText: "from Postgres" }).waitFor();
    await park("play", 4);
    const first = await newest();
    await page.waitForFunction(id => document.querySelector(".pitches tbody tr").dataset.pitch !== id, first);
    await go(ready.batter[0]);
    await page.locator('.totals [data-figure="pitches"] .value', { hasText: /[1-9]/ }).waitFor();
    await page.screenshot({ path: `${pictures}/batter-redis-away.png` });
    await go("#/stream");
    await page.locator(".stores tr", { hasText: "Redis" }).locator("td:nth-child(2)", { hasText: "unavailable" }).waitFor();
    await page.screenshot({ path: `${pictures}/stream-redis-away.png` });
    await park("redis", "start");
    const back = Date.now();
    await word("Live");
    await page.locator("#status .facts", { hasText: "from Redis" }).waitFor();
    const cleared = Date.now() - back;
    soon(cleared, 15_000, "it clears");
    await park("pause");
    return `shown after ${shown} ms (${stopped - at} ms to stop), cleared ${cleared} ms after it answered`;
  });

  await step("both stores stop: the last known numbers with their age, until they are back", async () => {
    await go(ready.game[0]);
    // What was read before can be shown afterwards: the page has drawn the newest swing, which takes a while after pitches.
    await page.waitForFunction(async hash => {
      const { pitches } = await (await fetch(`v1/${hash.slice(2)}/pitches`)).json(), swing = pitches.find(p => p.is_swing);
      return document.querySelector(".pitches tbody tr")?.dataset.pitch === pitches[0].pitch_id &&
        document.querySelector(".swing").dataset.drawn?.startsWith(swing.pitch_id);
    }, ready.game[0]);
    const rows = page.locator(".pitches tbody tr"), first = await newest();
    await park("redis", "stop");
    await park("postgres", "stop");
    await word("Stores unavailable");
    const why = page.locator("#status .why", { hasText: /^last known numbers, .* old$/ });
    await why.waitFor();
    const age = await why.innerText();
    await page.waitForFunction(age => document.querySelector("#status .why").textContent !== age, age); // it grows
    must(await page.evaluate(() => document.body.dataset.stale) === "true", "the numbers do not look old");
    must(await newest() === first && await rows.count() > 1, "the pitches are gone");
    const known = await page.evaluate(async hash => (await fetch(`v1/${hash.slice(2)}`)).json(), ready.game[0]);
    must(known.source === "memory" && known.stale && known.age_ms > 0, `the API answers ${known.source}, stale ${known.stale}, age ${known.age_ms} ms`);
    for (const [look, options] of Object.entries({ light: {}, dark: { colorScheme: "dark" }, phone: { viewport: { width: 390, height: 844 } } })) {
      const p = await newPage({ reducedMotion: "reduce", ...options }); // who comes now sees the same
      for (const view of ["game", "batters", "stream"]) {
        await p.goto(`${base}/${ready[view][0]}`);
        await p.locator(`.view.${view} ${view === "batters" ? "tbody tr" : ready[view][1]}`).first().waitFor({ state: "attached" });
        await p.locator("#status .word", { hasText: /^Stores unavailable$/ }).waitFor();
        await p.screenshot({ path: `${pictures}/${view}-stores-away-${look}.png` });
      }
      await p.context().close();
    }
    await park("postgres", "start");
    await park("redis", "start");
    const back = Date.now();
    await word("Live");
    await page.locator("#status .facts", { hasText: "from Redis" }).waitFor();
    must(await page.evaluate(() => document.body.dataset.stale) === undefined, "the numbers still look old");
    await page.waitForFunction(async hash => (await (await fetch(`v1/${hash.slice(2)}`)).json()).source !== "memory", ready.game[0]);
    return `${age}; cleared ${Date.now() - back} ms after they answered`;
  });

  await step("Postgres stops, and the games go on from Redis", async () => {
    await go(ready.game[0]);
    await page.locator(".pitches tbody tr").first().waitFor();
    await park("postgres", "stop");
    await word("Degraded");
    await page.locator("#status .why", { hasText: "postgres" }).waitFor();
    await page.screenshot({ path: `${pictures}/game-postgres-unavailable.png` });
    await go("#/batters");
    await page.locator(".batters-grid tbody tr").first().waitFor();
    await go("#/stream");
    await page.locator(".stores tr", { hasText: "Postgres" }).locator("td:nth-child(2)", { hasText: "unavailable" }).waitFor();
    await page.screenshot({ path: `${pictures}/stream-postgres-unavailable.png` });
    await park("postgres", "start");
    await word("Live");
  });

  await step("without a processor, nothing is said that nobody knows", async () => {
    await park("processor", "stop");
    await word("Down");
    await page.locator(".glance .command", { hasText: "pitchstream run" }).waitFor();
    await page.locator(".stores tr", { hasText: "Kafka" }).locator("td:nth-child(2)", { hasText: "not known" }).waitFor();
    await page.locator('[data-tile="letters"] .under', { hasText: /^(since |no processor)/ }).waitFor();
    must(!/No record was refused|mended/.test(await page.locator(".view").innerText()), "it says what it cannot know");
    await page.screenshot({ path: `${pictures}/stream-no-processor.png`, fullPage: true });
    await park("processor", "start");
    await word("Live");
  });

  await step("a server that hangs is lost, and the age is that of the last message", async () => {
    await park("serve", "freeze");
    const frozen = Date.now();
    await word("No connection");
    const shown = Date.now() - frozen, why = await page.locator("#status .why").innerText();
    soon(shown, 5000, "it is shown");
    const age = Number(why.match(/the numbers are of ([\d.]+) s ago$/)?.[1]);
    must(age >= 3 && age < 12, `after ${shown} ms it says ${why}`);
    await page.screenshot({ path: `${pictures}/stream-hung.png` });
    await park("serve", "thaw");
    await word("Live");
    must(await page.evaluate(() => globalThis.same), "the page was loaded again");
    return `shown after ${shown} ms: ${why}`;
  });

  await step("the server ends, and comes back", async () => {
    await park("serve", "stop");
    const stopped = Date.now();
    await word("No connection");
    const shown = Date.now() - stopped;
    soon(shown, 5000, "it is shown");
    await page.screenshot({ path: `${pictures}/stream-no-connection.png` });
    await park("serve", "start");
    const back = Date.now();
    await word("Live");
    const cleared = Date.now() - back;
    soon(cleared, 15_000, "it clears");
    must(await page.evaluate(() => globalThis.same), "the page was loaded again");
    return `shown after ${shown} ms, cleared ${cleared} ms after it answered`;
  });
} catch (err) {
  await page.screenshot({ path: `${pictures}/failed.png` }).catch(() => {});
  console.error(`${now}: ${err.message}\n${await page.locator("#status").innerText().catch(() => "")}\n${faults.join("\n")}`);
  process.exitCode = 1;
} finally {
  await browser.close();
  process.stdin.destroy();
}
