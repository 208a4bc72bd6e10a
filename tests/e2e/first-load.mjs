// Visits the page for the first time and prints which functions of its core ran, as 0 and 1.
//   cargo xtask first-load          builds such a core, serves it, runs this and keeps the answer
//   node tests/e2e/first-load.mjs URL FROM COUNT
// FROM is the address of the first function's note in the core's memory, COUNT how many there are.

import { chromium } from "@playwright/test";

const [url, from, count] = process.argv.slice(2);
/** How long a visitor looks on while the rest of the core is on its way. */
const LOOKING_ON = 1_000;
/** What runs differs a little with the machine's moods. */
const VISITS = 3;

const isRoot = process.getuid?.() === 0;
const browser = await chromium.launch({
  ...(process.env.CHROME_PATH ? { executablePath: process.env.CHROME_PATH } : {}),
  args: isRoot ? ["--no-sandbox", "--disable-gpu"] : [],
});

async function visit() {
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(url);
  await page.waitForFunction(() => {
    const lane = document.querySelector('[data-testid="lane-orders-0"]');
    return Number(lane?.getAttribute("aria-valuemax")) > 0;
  });
  await page.waitForTimeout(LOOKING_ON);
  const notes = await page
    .workers()[0]
    .evaluate(
      ([from, count]) => [...new Uint8Array(globalThis.core.memory.buffer, from, count)],
      [Number(from), Number(count)],
    );
  await context.close();
  return notes;
}

const ran = new Array(Number(count)).fill(0);
for (let each = 0; each < VISITS; each++) {
  for (const [index, note] of (await visit()).entries()) ran[index] |= note;
}
await browser.close();
console.log(ran.join(""));
