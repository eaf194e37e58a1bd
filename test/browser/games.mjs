// The list of games: a page of it, older games behind it, the games of one date, and a game that is gone.

import assert from "node:assert/strict";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const { DASHBOARD: base, CHROMIUM: executablePath, PICTURES: pictures } = process.env;
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });

try {
  const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 } })).newPage();
  page.setDefaultTimeout(60_000);
  const shows = n => page.waitForFunction(n => document.querySelectorAll("tbody tr").length === n, n);
  await page.goto(`${base}/#/games`);
  await shows(50);
  await page.screenshot({ path: `${pictures}/games-pages.png` });
  const older = page.getByRole("button", { name: "Older games" });
  await older.click();
  await shows(100);
  await older.click();
  await shows(120);
  await older.waitFor({ state: "hidden" });

  console.log("do delete g119"); // the newest
  await answers.next();
  await shows(119);

  const day = page.getByLabel("Games of a date");
  await day.fill("2026-07-04");
  await shows(3);
  await older.waitFor({ state: "hidden" });
  await day.fill("1999-01-01");
  await page.getByText("No game of this date.").waitFor();
  await page.getByRole("button", { name: "All dates" }).click();
  await shows(50);

  console.log("do remember");
  await answers.next();
  await page.getByText(/The list is of (69|[7-9]\d) s ago/).waitFor();
  await page.getByText("not known").first().waitFor();
  await page.getByText(/The list is of [7-9]\d s ago/).waitFor(); // the browser keeps the answer, and its age, for the whole outage
  await page.getByRole("list", { name: "Games that were live" }).waitFor();
  const spoken = await page.getByRole("status").allTextContents();
  assert.ok(spoken.some(t => t.startsWith("Postgres cannot be read.")), String(spoken));
  assert.ok(!spoken.some(t => t.includes("The list is of")), String(spoken)); // it would be spoken each time that it grows
} catch (err) {
  console.error(err.message);
  process.exitCode = 1;
} finally {
  await browser.close();
  process.stdin.destroy();
}
