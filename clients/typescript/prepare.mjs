// Builds dist. npm runs it before it packs, and when the folder is a dependency by path: then it has installed no
// compiler, so that this does.
import { execFileSync } from "node:child_process";
import { createRequire } from "node:module";

const run = (script, ...args) => execFileSync(process.execPath, [script, ...args], { stdio: "inherit" });
const compiler = () => createRequire(import.meta.url).resolve("typescript/bin/tsc");
try {
  compiler();
} catch {
  run(process.env.npm_execpath, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline");
}
run(compiler());
