// What a new visitor downloads, and how soon a lane lives.

import { gzipSync } from "node:zlib";
import type { Page, Response } from "@playwright/test";
import { ALONE, expect, PATIENT, snapshot, test } from "./page.ts";

const KB = 1000;

type Seen = { lane: number; record: number };

/** Notes when the first lane shows records, and when more have arrived in it; runs before the page. */
function watch() {
  const seen: Seen = { lane: 0, record: 0 };
  (window as unknown as { seen: Seen }).seen = seen;
  let first = -1;
  const look = () => {
    const lanes = [...document.querySelectorAll('[data-testid^="lane-orders-"]')];
    const ends = lanes.reduce((all, lane) => all + Number(lane.getAttribute("aria-valuemax")), 0);
    if (ends > 0 && first < 0) {
      first = ends;
      seen.lane = performance.now();
    }
    if (first > 0 && ends > first) seen.record = performance.now();
    if (seen.record === 0) requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** A first visit, until records have arrived in a living lane. */
async function visit(page: Page): Promise<Seen> {
  await page.addInitScript(watch);
  await page.goto("./");
  const seen = () => page.evaluate(() => (window as unknown as { seen: Seen }).seen);
  await expect.poll(async () => (await seen()).record, PATIENT).toBeGreaterThan(0);
  return seen();
}

const note = (type: string, description: string) => {
  test.info().annotations.push({ type, description });
  console.log(`${type}: ${description}`);
};

test("the first load is at most 60 KB of JavaScript and 520 KB of Wasm, compressed", async ({ page }) => {
  const responses: Response[] = [];
  page.on("response", (response) => responses.push(response));
  const { lane } = await visit(page);
  const rest = () =>
    page.evaluate(() =>
      performance
        .getEntriesByType("resource")
        .filter(({ name }) => name.includes("brooklet_wasm_rest"))
        .map(({ startTime }) => startTime),
    );
  // The second half of the core is asked for once, and not before there is something to see.
  await expect.poll(rest, PATIENT).toHaveLength(1);
  const asked = (await rest())[0] ?? 0;
  expect(asked).toBeGreaterThan(lane);
  // Scripts that are asked for behind the first picture, with the rest of the core, are of the later load, too.
  const early = await page.evaluate(
    (asked) =>
      performance
        .getEntriesByType("resource")
        .filter(({ startTime }) => startTime < asked)
        .map(({ name }) => new URL(name).pathname),
    asked,
  );
  const size = async (wanted: RegExp, when: (path: string) => boolean = () => true) => {
    const files = new Map(responses.map((each) => [new URL(each.url()).pathname, each]));
    const chosen = [...files]
      .filter(([path]) => wanted.test(path) && when(path))
      .map(([, each]) => each.body());
    const sizes = (await Promise.all(chosen)).map((body) => gzipSync(body, { level: 9 }).length);
    return sizes.reduce((all, n) => all + n, 0) / KB;
  };
  const [js, behind, first, later] = [
    await size(/\.js$/, (path) => early.includes(path)),
    await size(/\.js$/, (path) => !early.includes(path)),
    await size(/_bg[^/]*\.wasm$/),
    await size(/_rest[^/]*\.wasm$/),
  ];
  const kb = (n: number) => n.toFixed(1);
  note(
    "first load",
    `${kb(js)} KB of JavaScript, ${kb(first)} KB of Wasm; ${kb(behind)} and ${kb(later)} KB later`,
  );
  expect(js).toBeGreaterThan(0);
  expect(js).toBeLessThanOrEqual(60);
  expect(behind).toBeLessThanOrEqual(15);
  expect(first).toBeGreaterThan(0);
  // 450 is what it was and has to come back to: since every node keeps a quorum, and the world its disks and
  // network, a first visit runs a fifth more of the core.
  expect(first).toBeLessThanOrEqual(520);
  // What comes later is not free either: no more than has been reached. It was 520 before there was
  // more than one broker: replicas that follow and lead, disks and networks that fail, a cluster's tools.
  expect(later).toBeLessThanOrEqual(690);
});

// The goal is 2 s; a test machine that does much at once is given 5.
test("a new visitor sees a record arrive in a living lane", { tag: ALONE }, async ({ page }) => {
  const { lane, record } = await visit(page);
  note("first sight", `lane after ${Math.round(lane)} ms, a record appended after ${Math.round(record)} ms`);
  expect(record).toBeLessThan(5_000);
  expect((await snapshot(page)).running).toBe(true);
});
