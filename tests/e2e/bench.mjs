// Measures the browser shell on the real engine, in Chromium:
//   node tests/e2e/bench.mjs [URL] [--only producers,bulk,lone] [--json FILE]
// URL serves the built page (`cargo xtask play`); CHROME_PATH names a Chromium. The worker of the page is
// driven as the page drives it, without the page: its figures are the engine's, IndexedDB included.

import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { chromium } from "@playwright/test";
import { measure } from "./bench/measure.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { only: { type: "string" }, json: { type: "string" } },
});
const url = positionals[0] ?? "http://127.0.0.1:4173/";
const only = values.only?.split(",") ?? ["producers", "bulk", "lone"];
const assets = join(import.meta.dirname, "../../dist/assets");
const asset = (pattern) => {
  const found = readdirSync(assets).find((name) => pattern.test(name));
  if (!found) throw new Error(`dist/assets has no ${pattern}: run cargo xtask build`);
  return new URL(`assets/${found}`, url).href;
};
const [worker, first, rest] = [/^worker-.*\.js$/, /_bg-.*\.wasm$/, /_rest-.*\.wasm$/].map(asset);

const folder = mkdtempSync(join(tmpdir(), "brooklet-bench-"));
const context = await chromium.launchPersistentContext(folder, {
  executablePath: process.env.CHROME_PATH,
  // The measuring worker is made here, not served: the page's own policy would refuse it.
  bypassCSP: true,
  args: process.getuid?.() === 0 ? ["--no-sandbox", "--disable-gpu"] : [],
});
const results = [];
try {
  for (const name of only) {
    const page = await context.newPage();
    page.on("console", (message) => console.error(`  ${message.text()}`));
    // Any file of the same origin will do: the page itself would start a world of its own.
    await page.goto(new URL("icon.svg", url).href);
    results.push(...(await page.evaluate(measure, { name, worker, first, rest })));
    await page.close();
  }
} finally {
  await context.close();
  rmSync(folder, { recursive: true, force: true });
}

for (const { name, value, unit, note } of results)
  console.log(`${name.padEnd(44)} ${value} ${unit}  ${note}`);
if (values.json) writeFileSync(values.json, `${JSON.stringify(results, null, 2)}\n`);
