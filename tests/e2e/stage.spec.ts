// Everything on the stage by hand: added, changed, taken away, and taken back.

import type { Page } from "@playwright/test";
import type { Snapshot } from "../../web/engine/rpc.ts";
import {
  addGroup,
  addProducer,
  appended,
  by,
  cli,
  committed,
  createTopic,
  drop,
  eventually,
  expect,
  groupOf,
  LESSON,
  lag,
  open,
  PATIENT,
  partitions,
  quieten,
  ready,
  records,
  snapshot,
  test,
  type,
} from "./page.ts";

const producerOf = async (page: Page, name: string) =>
  (await snapshot(page)).producers.find((each) => each.name === name);

test("a producer is added, changed, paused and removed", async ({ page }) => {
  await open(page);
  await createTopic(page, "clicks", 1);
  await addProducer(page, "mobile", "orders");
  await by(page, "edit-producer-mobile").click();
  await by(page, "producer-editor-topic").selectOption("clicks");
  await by(page, "producer-editor-rate").fill("20");
  await by(page, "producer-editor-acks").selectOption("1");
  await by(page, "producer-editor-apply").click();
  await expect
    .poll(() => producerOf(page, "mobile"), PATIENT)
    .toMatchObject({
      topic: "clicks",
      rate: 20,
      acks: "1",
    });
  await eventually(page, (s) => appended(s, "clicks")).toBeGreaterThan(10);

  await by(page, "pause-producer-mobile").click();
  await expect(by(page, "producer-mobile")).toContainText("paused");
  const asleep = Number((await snapshot(page)).worldTime);
  const before = appended(await snapshot(page), "clicks");
  await eventually(page, (s) => Number(s.worldTime)).toBeGreaterThan(asleep + 1_000);
  // What was on its way has arrived; nothing more is sent.
  expect(appended(await snapshot(page), "clicks") - before).toBeLessThan(5);

  await by(page, "edit-producer-mobile").click();
  await by(page, "producer-editor-remove").click();
  await expect(by(page, "producer-mobile")).toBeHidden(PATIENT);
  expect(await producerOf(page, "mobile")).toBeUndefined();
});

test("a topic gets partitions and a retention, and is deleted", async ({ page }) => {
  await open(page);
  await createTopic(page, "clicks", 2);
  await by(page, "edit-topic-clicks").click();
  await by(page, "topic-editor-partitions").fill("4");
  await by(page, "topic-editor-retention").selectOption("60000");
  await by(page, "topic-editor-apply").click();
  await eventually(page, (s) => partitions(s, "clicks").length).toBe(4);
  await expect(by(page, "lane-clicks-3")).toBeVisible();
  await expect(by(page, "topic-clicks")).toContainText("4 partitions");
  const described = await cli(page, "kafka-topics --bootstrap-server b1:9092 --describe --topic clicks");
  expect(described.stdout).toContain("PartitionCount: 4");
  expect(described.stdout).toContain("retention.ms=60000");

  await by(page, "edit-topic-clicks").click();
  await by(page, "topic-editor-remove").click();
  await expect(by(page, "topic-clicks")).toBeHidden(PATIENT);
  const listed = await cli(page, "kafka-topics --bootstrap-server b1:9092 --list");
  expect(listed.stdout.split("\n")).not.toContain("clicks");
});

test("a group gains a member, loses one politely, changes its pace and is removed", async ({ page }) => {
  await open(page);
  await createTopic(page, "clicks", 2);
  await addGroup(page, "audit", "clicks", 1);
  const shares = () =>
    eventually(page, (s) =>
      groupOf(s, "audit")
        ?.members.map((m) => m.assignment.length)
        .sort(),
    );
  await page.evaluate(() => window.brooklet.speed(5));
  await shares().toEqual([2]);
  await by(page, "group-audit").click();
  await by(page, "add-member").click();
  await shares().toEqual([1, 1]);
  // Saying goodbye, it is gone at once: no session has to time out.
  await page.evaluate(() => window.brooklet.speed(1));
  const left = Number((await snapshot(page)).worldTime);
  await by(page, "leave-audit-1").click();
  await shares().toEqual([2]);
  expect(Number((await snapshot(page)).worldTime) - left).toBeLessThan(6_000);
  await by(page, "group-editor-rate").fill("3");
  await by(page, "group-editor-apply").click();
  await expect(by(page, "group-audit")).toContainText("3 rec/s", PATIENT);

  await by(page, "group-audit").click();
  await by(page, "group-editor-remove").click();
  await expect(by(page, "group-audit")).toBeHidden(PATIENT);
  await eventually(page, (s) => groupOf(s, "audit")?.members.length ?? 0).toBe(0);
});

test("a producer partitions round robin, sticky, by key or by hand", async ({ page }) => {
  await open(page);
  const lines = Array.from({ length: 12 }, (_, i) => `line ${i}`).join("\n");
  const counts = async (topic: string) =>
    partitions(await snapshot(page), topic).map((p) => Number(p.logEndOffset));
  for (const mode of ["roundRobin", "sticky", "key", "manual"]) {
    const topic = `by-${mode}`;
    await createTopic(page, topic, 3);
    await by(page, "add-producer").click();
    await by(page, "new-producer-name").fill(mode);
    await by(page, "new-producer-topic").selectOption(topic);
    await by(page, "new-producer-rate").fill("0");
    await by(page, "new-producer-partitioner").selectOption(mode);
    if (mode === "manual") await by(page, "new-producer-partition").fill("2");
    await by(page, "new-producer-apply").click();
    await expect(by(page, `producer-${mode}`)).toBeVisible();
    await drop(page, mode, "lines.txt", lines);
    await eventually(page, (s) => appended(s, topic)).toBe(12);
  }
  expect(await counts("by-roundRobin")).toEqual([4, 4, 4]);
  // One batch, one partition; without keys, "by key" is sticky, too.
  expect((await counts("by-sticky")).sort()).toEqual([0, 0, 12]);
  expect((await counts("by-key")).sort()).toEqual([0, 0, 12]);
  expect(await counts("by-manual")).toEqual([0, 0, 12]);
});

test("undo brings back a deleted topic with its records, and a removed producer", async ({ page }) => {
  await open(page);
  await createTopic(page, "letters", 1);
  await addProducer(page, "hand", "letters");
  await drop(page, "hand", "abc.txt", "a\nb\nc");
  await eventually(page, (s) => appended(s, "letters")).toBe(3);
  await by(page, "edit-producer-hand").click();
  await by(page, "producer-editor-remove").click();
  await expect(by(page, "producer-hand")).toBeHidden(PATIENT);
  await by(page, "edit-topic-letters").click();
  await by(page, "topic-editor-remove").click();
  await expect(by(page, "topic-letters")).toBeHidden(PATIENT);

  await page.keyboard.press("Control+z");
  await expect(by(page, "topic-letters")).toBeVisible(PATIENT);
  expect((await records(page, "letters")).map(({ value }) => value)).toEqual(["a", "b", "c"]);
  await by(page, "undo").click();
  await expect(by(page, "producer-hand")).toBeVisible(PATIENT);
  await drop(page, "hand", "d.txt", "d");
  await eventually(page, (s) => appended(s, "letters")).toBe(4);
});

test("a committed offset is refused while members are active, and reset when they are stopped", async ({
  page,
}) => {
  await open(page);
  await quieten(page);
  const ring = by(page, "marker-billing-orders-0-committed");
  await ring.press("Home");
  await expect(by(page, "refusal")).toContainText(
    "Kafka refuses this while members of billing are active",
    PATIENT,
  );
  expect(lag(await snapshot(page), "billing")).toBe(0);
  const all = committed(await snapshot(page), "billing");
  await by(page, "stop-reset-restart").click();
  await eventually(page, (s) => committed(s, "billing")).toBeLessThan(all);
  // The members read it all again and commit it again.
  await page.evaluate(() => window.brooklet.speed(5));
  await eventually(page, (s) => committed(s, "billing")).toBe(all);
});

test("records per cell follow the rate up, and down again", async ({ page }) => {
  await open(page);
  await expect(by(page, "scale")).toHaveText("1 cell = 1 record", PATIENT);
  await by(page, "edit-producer-checkout").click();
  await by(page, "producer-editor-rate").fill("100");
  await by(page, "producer-editor-apply").click();
  await expect(by(page, "scale")).toHaveText("1 cell = 10 records", PATIENT);
  await page.evaluate(() => window.brooklet.speed(10));
  await expect(by(page, "scale")).toHaveText("1 cell = 100 records", PATIENT);
  await page.evaluate(() => window.brooklet.speed(0.1));
  await expect(by(page, "scale")).toHaveText("1 cell = 1 record", PATIENT);
});

test("what happens is said politely, one sentence at a time", async ({ page }) => {
  await open(page);
  await createTopic(page, "spoken", 1);
  await expect(by(page, "live")).toHaveText(/Topic spoken created/, PATIENT);
  await addProducer(page, "voice", "spoken");
  await expect(by(page, "live")).toHaveText(/Producer voice added/, PATIENT);
});

test("what a tool prints keeps its columns, however long the lines", async ({ page }) => {
  await open(page);
  await quieten(page);
  await type(page, "kafka-consumer-groups --bootstrap-server b1:9092 --describe --group billing");
  const log = by(page, "terminal-log");
  await expect(log).toContainText("CURRENT-OFFSET", PATIENT);
  const heights = await log
    .locator("pre.out")
    .evaluateAll((lines) => lines.filter((line) => line.textContent).map((line) => line.clientHeight));
  expect(heights.length).toBeGreaterThan(3);
  expect(new Set(heights).size).toBe(1);
  expect(await log.evaluate((el) => el.scrollWidth > el.clientWidth)).toBe(true);
});

test("a workspace is renamed, and keeps its name", async ({ page }) => {
  await open(page);
  await by(page, "workspaces").click();
  await by(page, "rename-sandbox").click();
  await by(page, "workspace-name").fill("My first cluster");
  await by(page, "workspace-name-apply").click();
  await expect(by(page, "workspaces")).toHaveText("My first cluster");
  await page.reload();
  await ready(page);
  await expect(by(page, "workspaces")).toHaveText("My first cluster", PATIENT);
});

test.describe("with a finger", () => {
  test.use({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });

  test("numbers and markers move by steps", async ({ page }) => {
    await open(page, LESSON);
    await by(page, "more-producer-checkout").tap();
    await eventually(page, (s) => s.producers.find((p) => p.name === "checkout")?.rate).toBe(2);
    await by(page, "less-producer-checkout").tap();
    await by(page, "less-producer-checkout").tap();
    await eventually(page, (s) => s.producers.find((p) => p.name === "checkout")?.rate).toBe(0);
    const position = (s: Snapshot) =>
      Number(groupOf(s, "billing")?.offsets.find((o) => o.partition === 0)?.position);
    await eventually(page, position).toBeGreaterThan(10);
    await eventually(page, (s) => lag(s, "billing")).toBe(0);
    const before = position(await snapshot(page));

    const marker = await by(page, "marker-billing-orders-0-position").boundingBox();
    if (!marker) throw new Error("there is no marker");
    await page.touchscreen.tap(marker.x + marker.width / 2, marker.y + marker.height / 2);
    await expect(by(page, "marker-steps")).toBeVisible();
    await by(page, "step--10").tap();
    await expect(by(page, "step-apply")).toContainText("10 records will be read again");
    // Where time stands still, the way back is not over before it is seen.
    await page.evaluate(() => window.brooklet.pause());
    await by(page, "step-apply").tap();
    await eventually(page, position).toBeLessThan(before);
    await page.evaluate(() => window.brooklet.resume());
    await eventually(page, position).toBe(before);
    await by(page, "panel-inspect").tap();
    await createTopic(page, "tapped", 1);
    await expect(by(page, "workspaces")).toHaveText("A log remembers");
    const title = by(page, "workspaces").locator("span").first();
    expect(await title.evaluate((el) => el.scrollWidth <= el.clientWidth)).toBe(true);
  });
});
