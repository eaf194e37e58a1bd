// A page that watches one game for minutes: what it holds and what it costs, sampled while two pitches come a second.

import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

const { DASHBOARD: base, CHROMIUM: executablePath, SECONDS: seconds } = process.env;
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });

try {
  const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 } })).newPage();
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Performance.enable");
  await page.goto(`${base}/#/games/778001`);
  await page.locator(".swing[data-drawn]").waitFor();
  console.log("do play 2 778001");
  await answers.next();

  const sample = async () => {
    await cdp.send("HeapProfiler.collectGarbage");
    const { metrics } = await cdp.send("Performance.getMetrics"), m = Object.fromEntries(metrics.map(x => [x.name, x.value]));
    const pitches = Number((await page.locator(".heading .sub").innerText()).match(/([\d,]+) pitches/)[1].replace(",", ""));
    return { at: m.Timestamp, heap: m.JSHeapUsedSize / 1e6, nodes: m.Nodes, listeners: m.JSEventListeners, busy: m.TaskDuration, pitches };
  };
  const all = [await sample()];
  const every = Math.max(10, seconds / 12);
  while (all.at(-1).at - all[0].at < seconds) {
    await page.waitForTimeout(every * 1000);
    const now = await sample(), last = all.at(-1);
    now.share = (now.busy - last.busy) / (now.at - last.at);
    all.push(now);
    console.log(`${(now.at - all[0].at).toFixed(0).padStart(4)} s: ${now.pitches} pitches, ${now.heap.toFixed(1)} MB, ${now.nodes} nodes, ${now.listeners} listeners, busy ${(100 * now.share).toFixed(0)} %`);
  }
  const early = all[Math.ceil(all.length / 4)], late = all.at(-1);
  const grows = [["heap", 1.2, 1], ["nodes", 1.2, 200], ["listeners", 1.2, 50], ["share", 1.5, 0.05]].filter(([k, by, and]) => late[k] > early[k] * by + and);
  if (grows.length) throw new Error(`grown: ${grows.map(([k]) => `${k} ${early[k]} → ${late[k]}`)}`);
  if (late.pitches - all[0].pitches < seconds) throw new Error("the game stood still");
} catch (err) {
  console.error(err.message);
  process.exitCode = 1;
} finally {
  await browser.close();
  process.stdin.destroy();
}
