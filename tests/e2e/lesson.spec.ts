// "A log remembers", from start to end, by doing what it says.

import type { Page } from "@playwright/test";
import {
  by,
  eventually,
  expect,
  groupOf,
  LESSON,
  open,
  PATIENT,
  partitions,
  ready,
  snapshot,
  test,
} from "./page.ts";

const CHECKS = ["check-1", "check-2", "check-3", "check-4"];

const done = (page: Page) =>
  Promise.all(
    CHECKS.map((id) =>
      by(page, id)
        .getAttribute("data-done")
        .then((text) => text === "true"),
    ),
  );

test("every check is open at the start and comes true by doing what it says", async ({ page }) => {
  await open(page, LESSON);
  await expect(by(page, "lane-orders-0")).toBeVisible();
  expect(await done(page)).toEqual([false, false, false, false]);
  // Looking on is not enough.
  await eventually(page, (s) => Number(s.worldTime)).toBeGreaterThan(3_000);
  expect(await done(page)).toEqual([false, false, false, false]);

  // "Click any record": the middle of a lane always shows some.
  const lane = await box(page, "lane-orders-1");
  await page.mouse.click(lane.x + lane.width / 2, lane.y + 20);
  await expect(by(page, "inspector-heading")).toContainText("orders · P1 · offset");
  await expect.poll(() => done(page), PATIENT).toEqual([true, false, false, false]);

  // "Drag a ▲ back by a few records."
  const at = groupOf(await snapshot(page), "billing")?.offsets.find((o) => o.partition === 1)?.position;
  const marker = await box(page, "marker-billing-orders-1-position");
  const [x, y] = [marker.x + marker.width / 2, marker.y + marker.height / 2];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x - 180, y, { steps: 6 });
  await page.mouse.up();
  await expect.poll(() => done(page), PATIENT).toEqual([true, true, false, false]);
  expect(Number(at)).toBeGreaterThan(5);

  // "Make billing fall at least 50 records behind."
  await by(page, "knob-group-billing").focus();
  await page.keyboard.press("Home");
  await by(page, "knob-producer-checkout").focus();
  for (let i = 0; i < 4; i++) await page.keyboard.press("PageUp");
  await expect.poll(() => done(page), PATIENT).toEqual([true, true, true, false]);

  // "Add a second group that reads orders."
  await by(page, "add-group").click();
  await by(page, "new-group-apply").click();
  await expect.poll(() => done(page), PATIENT).toEqual([true, true, true, true]);
  await expect(by(page, "lesson-progress")).toContainText("That is the whole lesson");
  expect(partitions(await snapshot(page), "orders")[0]?.logStartOffset).toBe("0");
});

test("each step works from the keyboard alone", async ({ page }) => {
  await open(page, LESSON);
  await by(page, "lane-orders-0").focus();
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Enter");
  await expect.poll(() => done(page), PATIENT).toEqual([true, false, false, false]);
  await by(page, "marker-billing-orders-0-position").focus();
  await page.keyboard.press("Home");
  await expect.poll(() => done(page), PATIENT).toEqual([true, true, false, false]);
});

test("the lesson and the sandbox are worlds of their own", async ({ page }) => {
  await open(page, LESSON);
  await page.evaluate(() =>
    window.brooklet.cli("kafka-topics --bootstrap-server b1:9092 --create --topic mine"),
  );
  await eventually(page, (s) => s.topics.map((t) => t.name)).toContain("mine");
  await by(page, "workspaces").click();
  await by(page, "open-sandbox").click();
  await eventually(page, (s) => s.topics.map((t) => t.name)).not.toContain("mine");
  await by(page, "workspaces").click();
  await by(page, "open-lesson-01-a-log-remembers").click();
  await eventually(page, (s) => s.topics.map((t) => t.name)).toContain("mine");
  await by(page, "start-over").click();
  await eventually(page, (s) => s.topics.map((t) => t.name)).not.toContain("mine");
});

test("what is done of a lesson survives a reload, goes when it is started over, and comes back with undo", async ({
  page,
}) => {
  await open(page, LESSON);
  const lane = await box(page, "lane-orders-1");
  await page.mouse.click(lane.x + lane.width / 2, lane.y + 20);
  const first = [true, false, false, false];
  await expect.poll(() => done(page), PATIENT).toEqual(first);
  await page.reload();
  await ready(page);
  await expect.poll(() => done(page), PATIENT).toEqual(first);
  await by(page, "start-over").click();
  await expect.poll(() => done(page), PATIENT).toEqual([false, false, false, false]);
  await by(page, "undo").click();
  await expect.poll(() => done(page), PATIENT).toEqual(first);
  await by(page, "redo").click();
  await expect.poll(() => done(page), PATIENT).toEqual([false, false, false, false]);
});

async function box(page: Page, id: string) {
  const found = await by(page, id).boundingBox();
  if (!found) throw new Error(`${id} is not on the page`);
  return found;
}
