// What a new visitor downloads, and how soon a lane lives.

import { gzipSync } from "node:zlib";
import type { Page, Response } from "@playwright/test";
import { appended, by, eventually, expect, PATIENT, ready, snapshot, test } from "./page.ts";

const KIB = 1024;

/** What a new visitor loads until a lane lives, in bytes after gzip. */
async function firstLoad(page: Page): Promise<{ js: number; wasm: number }> {
  const responses: Response[] = [];
  page.on("response", (response) => responses.push(response));
  await page.goto("./");
  await ready(page);
  await eventually(page, (s) => appended(s)).toBeGreaterThan(0);
  await expect(by(page, "lane-orders-0")).toBeVisible();
  const size = async (ending: string) => {
    const bodies = responses.filter((r) => new URL(r.url()).pathname.endsWith(ending)).map((r) => r.body());
    const sizes = (await Promise.all(bodies)).map((body) => gzipSync(body, { level: 9 }).length);
    return sizes.reduce((all, n) => all + n, 0);
  };
  const [js, wasm] = [await size(".js"), await size(".wasm")];
  expect(js).toBeGreaterThan(0);
  expect(wasm).toBeGreaterThan(0);
  return { js, wasm };
}

test("the first load is at most 60 KB of JavaScript, compressed, and its Wasm does not grow", async ({
  page,
}) => {
  const { js, wasm } = await firstLoad(page);
  const description = `${(js / KIB).toFixed(1)} KiB of JavaScript, ${(wasm / KIB).toFixed(1)} KiB of Wasm`;
  test.info().annotations.push({ type: "first load", description });
  console.log(`first load: ${description}`);
  expect(js).toBeLessThanOrEqual(60 * KIB);
  // Not the goal, which is below, but what has been reached so far.
  expect(wasm).toBeLessThanOrEqual(800 * KIB);
});

// Not reached yet, as the README says: this test is expected to fail, and fails when the goal is met.
test.fail("the first load is at most 450 KB of Wasm, compressed", async ({ page }) => {
  const { wasm } = await firstLoad(page);
  expect(wasm).toBeLessThanOrEqual(450 * KIB);
});

// The goal is 2 s; a test machine that does much at once is given 5.
test("a new visitor sees a record arrive in a living lane", async ({ page }) => {
  await page.addInitScript(() => {
    const seen = { lane: 0, record: 0 };
    (window as unknown as { seen: typeof seen }).seen = seen;
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
  });
  await page.goto("./");
  const seen = () =>
    page.evaluate(() => (window as unknown as { seen: { lane: number; record: number } }).seen);
  await expect.poll(async () => (await seen()).record, PATIENT).toBeGreaterThan(0);
  const { lane, record } = await seen();
  const description = `lane after ${Math.round(lane)} ms, a record appended after ${Math.round(record)} ms`;
  test.info().annotations.push({ type: "first sight", description });
  console.log(`first sight: ${description}`);
  expect(record).toBeLessThan(5_000);
  expect((await snapshot(page)).running).toBe(true);
});
