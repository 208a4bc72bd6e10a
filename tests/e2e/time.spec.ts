// Time: looking never destroys, and what is done in the past can be taken back.

import type { Page } from "@playwright/test";
import {
  appended,
  by,
  cli,
  createTopic,
  eventually,
  expect,
  open,
  PATIENT,
  snapshot,
  test,
  type,
} from "./page.ts";

const names = async (page: Page) => (await snapshot(page)).topics.map((t) => t.name);

/** A world some seconds old, paused, with a topic that was made on the way. */
async function old(page: Page) {
  await open(page);
  await page.evaluate(() => window.brooklet.speed(5));
  await eventually(page, (s) => Number(s.worldTime)).toBeGreaterThan(6_000);
  await createTopic(page, "later", 1);
  await eventually(page, (s) => Number(s.worldTime)).toBeGreaterThan(20_000);
  await page.evaluate(async () => {
    await window.brooklet.pause();
    await window.brooklet.speed(1);
  });
  return snapshot(page);
}

const seek = (page: Page, t: number) => page.evaluate((t) => window.brooklet.seek(t), t);

test("Run in the past plays what happened, and goes on from the newest moment", async ({ page }) => {
  const end = await old(page);
  await seek(page, 3_000);
  expect(await names(page)).toEqual(["orders"]);
  await page.evaluate(() => window.brooklet.speed(10));
  await by(page, "pause").click();
  await eventually(page, (s) => Number(s.worldTime)).toBeGreaterThan(Number(end.worldTime) + 1_000);
  const on = await snapshot(page);
  expect(on.topics.map((t) => t.name)).toEqual(["later", "orders"]);
  expect(appended(on)).toBeGreaterThanOrEqual(appended(end));
  await expect(by(page, "undo")).toBeEnabled();
});

test("a command that only reads is answered from the moment shown, which stays as it is", async ({
  page,
}) => {
  const end = await old(page);
  expect((await cli(page, "kafka-topics --list")).stdout).toContain("later");
  await seek(page, 3_000);
  const shown = await snapshot(page);
  const listed = await cli(page, "kafka-topics --list");
  expect(listed).toMatchObject({ code: 0 });
  expect(listed.stdout).toContain("orders");
  expect(listed.stdout).not.toContain("later");
  expect(await snapshot(page)).toEqual(shown);
  await page.evaluate(() => window.brooklet.seek(1e9));
  expect({ ...(await snapshot(page)), journalLength: "" }).toEqual({ ...end, journalLength: "" });
});

test("Ctrl+C while the past is shown ends the command and erases nothing", async ({ page }) => {
  await open(page);
  await type(page, "kafka-console-consumer --topic orders");
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(38);
  const end = await snapshot(page);
  await seek(page, 1_000);
  await by(page, "terminal-input").press("Control+c");
  expect(Number((await snapshot(page)).worldTime)).toBe(1_000);
  await by(page, "to-now").click();
  await expect(by(page, "terminal-interrupt")).toBeHidden(PATIENT);
  expect(appended(await snapshot(page))).toBeGreaterThanOrEqual(appended(end));
});

test("a deed in the past says that it branched, and undo leads back to what was left", async ({ page }) => {
  const end = await old(page);
  await seek(page, 3_000);
  await createTopic(page, "other", 1);
  await expect(by(page, "notice-branched")).toContainText("00:03");
  expect(await names(page)).toEqual(["orders", "other"]);
  await by(page, "undo").click();
  await expect(by(page, "to-now")).toBeVisible(PATIENT);
  expect(await names(page)).toEqual(["orders"]);
  expect(Number((await snapshot(page)).worldTime)).toBe(3_000);
  await page.evaluate(() => window.brooklet.seek(1e9));
  const back = await snapshot(page);
  expect(back.topics).toEqual(end.topics);
  expect(back.worldTime).toBe(end.worldTime);
});

test("what was branched off and taken back is stored as it was", async ({ page }) => {
  const end = await old(page);
  await seek(page, 3_000);
  await createTopic(page, "other", 1);
  await by(page, "pause").click();
  await eventually(page, (s) => Number(s.worldTime)).toBeGreaterThan(7_000);
  await by(page, "pause").click();
  await by(page, "undo").click();
  await expect(by(page, "to-now")).toBeVisible(PATIENT);
  await page.evaluate(() => window.brooklet.seek(1e9));
  const kept = await page.evaluate(() => window.brooklet.records("orders", 0, 0, 1_000));
  await page.reload();
  await page.evaluate(() => window.brooklet.ready);
  const after = await page.evaluate(() => window.brooklet.records("orders", 0, 0, 1_000));
  expect(after.slice(0, kept.length)).toEqual(kept);
  expect(appended(await snapshot(page))).toBeGreaterThanOrEqual(appended(end));
});

test("a deed in a paused world lets no more time pass than Kafka needs to answer", async ({ page }) => {
  await open(page);
  await page.evaluate(() => window.brooklet.pause());
  const paused = await snapshot(page);
  await createTopic(page, "standing", 1);
  await cli(page, "kafka-topics --create --topic typed --partitions 2");
  const after = await snapshot(page);
  expect(after.topics.map((t) => t.name)).toEqual(["orders", "standing", "typed"]);
  expect(Number(after.worldTime) - Number(paused.worldTime)).toBeLessThan(100);
  expect(appended(after)).toBe(appended(paused));
});

test("a quick click on the timeline goes there", async ({ page }) => {
  const end = await old(page);
  const box = await by(page, "playhead").boundingBox();
  if (!box) throw new Error("there is no timeline");
  await page.mouse.click(box.x + 8 + (box.width - 16) / 2, box.y + 30);
  await eventually(page, (s) => Math.abs(Number(s.worldTime) - Number(end.worldTime) / 2) < 500).toBe(true);
});

test("a click on the timeline goes there before anything that is done after it, however slowly the page is drawn", async ({
  page,
}) => {
  await open(page);
  await eventually(page, (s) => appended(s)).toBeGreaterThan(3);
  const box = await by(page, "playhead").boundingBox();
  if (!box) throw new Error("there is no timeline");
  // As in a tab that is not in front: hardly a frame is drawn.
  await page.evaluate(() => {
    window.requestAnimationFrame = () => 1;
  });
  await page.mouse.click(box.x + box.width / 3, box.y + 30);
  expect(await page.evaluate(async () => (await window.brooklet.status()).past)).toBe(true);
});

test("a command line that changes something is a step of undo, and its terminal ends with it", async ({
  page,
}) => {
  await open(page);
  await cli(page, "kafka-topics --create --topic typed --partitions 1");
  await eventually(page, (s) => s.topics.length).toBe(2);
  const ended = page.evaluate(() => {
    const running = window.brooklet.spawn("kafka-console-producer --topic typed");
    (window as unknown as { typing: typeof running }).typing = running;
    return running.done;
  });
  await expect(by(page, "undo")).toHaveAttribute("title", /console-producer/, PATIENT);
  await by(page, "undo").click();
  expect(await ended).not.toBe(0);
  await expect(by(page, "undo")).toHaveAttribute("title", /kafka-topics --create/, PATIENT);
  await by(page, "undo").click();
  await eventually(page, (s) => s.topics.map((t) => t.name)).toEqual(["orders"]);
  await by(page, "redo").click();
  await eventually(page, (s) => s.topics.map((t) => t.name)).toEqual(["orders", "typed"]);
});

test("events of what was undone are gone from the drawer", async ({ page }) => {
  await open(page);
  await createTopic(page, "fleeting", 1);
  await by(page, "events-tab").click();
  await expect(by(page, "events")).toContainText("Topic fleeting created", PATIENT);
  await by(page, "undo").click();
  await expect(by(page, "events")).not.toContainText("fleeting", PATIENT);
});

test("a record that was undone, or lies ahead of the moment shown, is not inspected as if it were there", async ({
  page,
}) => {
  await old(page);
  await by(page, "lane-orders-0").focus();
  await page.keyboard.press("Enter");
  await expect(by(page, "inspector-key")).toContainText("guest-");
  await seek(page, 3_000);
  await expect(by(page, "inspector-nothing")).toContainText("no such record");
  await by(page, "to-now").click();
  await expect(by(page, "inspector-key")).toContainText("guest-");
  await by(page, "undo").click();
  await expect(by(page, "inspector-nothing")).toContainText("no such record", PATIENT);
});
