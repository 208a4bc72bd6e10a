// What the stage says of groups and topics is so.

import type { Page } from "@playwright/test";
import {
  addGroup,
  addProducer,
  appended,
  by,
  cli,
  createTopic,
  drop,
  eventually,
  expect,
  groupOf,
  LESSON,
  open,
  PATIENT,
  quieten,
  ready,
  snapshot,
  test,
  type,
} from "./page.ts";

const symbol = async (page: Page, group: string) =>
  ((await by(page, `group-${group}`).locator("b").textContent()) ?? "").split(" ")[0];

test("a group that has committed nothing has no lag, not a lag of 0", async ({ page }) => {
  await open(page);
  await by(page, "add-group").click();
  await by(page, "new-group-name").fill("silent");
  await by(page, "new-group-topics").selectOption(["orders"]);
  await by(page, "new-group").locator("summary").click();
  await by(page, "new-group-auto-commit").uncheck();
  await by(page, "new-group-apply").click();
  await eventually(page, (s) => Number(groupOf(s, "silent")?.offsets[0]?.position ?? 0)).toBeGreaterThan(0);
  await expect(by(page, "group-silent")).toContainText("lag –");
  await expect(by(page, "group-billing")).toContainText(/lag \d/);
});

test("groups keep their symbols when others come and go, after a reload, and in the lesson", async ({
  page,
}) => {
  await open(page, LESSON);
  await addGroup(page, "audit", "orders", 1);
  await expect(by(page, "group-audit")).toContainText("◆ audit");
  expect(await symbol(page, "billing")).toBe("▲");
  for (const name of ["search", "backup", "archive"]) await addGroup(page, name, "orders", 0);
  const all = ["billing", "audit", "search", "backup", "archive"];
  const symbols = () => Promise.all(all.map((name) => symbol(page, name)));
  const before = await symbols();
  expect(new Set(before).size).toBe(5);
  await by(page, "group-search").click();
  await by(page, "group-editor-remove").click();
  await expect(by(page, "group-search")).toBeHidden(PATIENT);
  await by(page, "undo").click();
  await expect(by(page, "group-search")).toBeVisible(PATIENT);
  expect(await symbols()).toEqual(before);
  await page.reload();
  await ready(page);
  await expect(by(page, "group-archive")).toBeVisible(PATIENT);
  expect(await symbols()).toEqual(before);
  await expect(page.getByRole("button", { name: /^\s*▲ billing/ }).first()).toBeVisible();
  await expect(by(page, "marker-audit-orders-0-position")).toHaveAccessibleName(/^Position of ◆ audit/);
});

test("a console consumer's group has a card, and is deleted from it once it is empty", async ({ page }) => {
  await open(page);
  await type(
    page,
    "kafka-console-consumer --bootstrap-server b1:9092 --topic orders --group visitors --from-beginning",
  );
  const card = by(page, "group-visitors");
  await expect(card).toContainText("1 member", PATIENT);
  await expect(card).toContainText(/lag \d/, PATIENT);
  await card.click();
  await expect(by(page, "outside-group")).toContainText("orders P2");
  await expect(by(page, "delete-group")).toBeDisabled();
  await page.keyboard.press("Escape");
  await by(page, "terminal-input").press("Control+c");
  await expect(card).toContainText("no members", PATIENT);
  await card.click();
  await by(page, "delete-group").click();
  await expect(card).toBeHidden(PATIENT);
  await expect(by(page, "terminal-log")).toContainText("--delete --group visitors");
});

test("a removed group is gone from Kafka, too", async ({ page }) => {
  await open(page);
  await eventually(page, (s) => Number(groupOf(s, "billing")?.offsets[0]?.committed ?? 0)).toBeGreaterThan(0);
  await by(page, "group-billing").click();
  await by(page, "group-editor-remove").click();
  await expect(by(page, "group-billing")).toBeHidden(PATIENT);
  const listed = await cli(page, "kafka-consumer-groups --bootstrap-server b1:9092 --list");
  expect(listed.stdout).not.toContain("billing");
});

test("a slow topic beside a fast one keeps a scale of its own", async ({ page }) => {
  await open(page);
  await createTopic(page, "slow", 1);
  await addProducer(page, "hand", "slow");
  await drop(page, "hand", "lines.txt", "a\nb\nc");
  await by(page, "edit-producer-checkout").click();
  await by(page, "producer-editor-rate").fill("3000");
  await by(page, "producer-editor-apply").click();
  const scale = (topic: string) => by(page, `topic-${topic}`).getByTestId("scale");
  await expect(scale("orders")).toHaveText("1 cell = 100 records", { timeout: 40_000 });
  await expect(scale("slow")).toHaveText("1 cell = 1 record");
  await by(page, "topic-slow").getByTestId("zoom-out").click();
  await expect(scale("slow")).toHaveText("1 cell = 10 records");
  await expect(scale("orders")).not.toHaveText("1 cell = 10 records");
  await scale("slow").click();
  await expect(scale("slow")).toHaveText("1 cell = 1 record", PATIENT);
});

test("a topic that was deleted and comes back says who made it again", async ({ page }) => {
  await open(page);
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(5);
  const id = (await snapshot(page)).topics[0]?.topicId;
  await by(page, "edit-topic-orders").click();
  await by(page, "topic-editor-remove").click();
  await eventually(page, (s) => s.topics.some((t) => t.name === "orders" && t.topicId !== id)).toBe(true);
  await expect(by(page, "made-again-orders")).toContainText(
    /made again by \S+, which still (sends to|asks for) it/,
    PATIENT,
  );
  await by(page, "events-tab").click();
  await expect(by(page, "events")).toContainText(/Topic orders made again by/);
});

test("a marker that is dragged lands where it was let go, however many records a cell holds", async ({
  page,
}) => {
  await open(page);
  await quieten(page);
  await by(page, "zoom-out").click();
  const marker = by(page, "marker-billing-orders-0-position");
  // Slowly, so that it is seen where it was put before it has read on.
  await page.evaluate(() => window.brooklet.speed(0.02));
  const put = async (dx: number) => {
    const box = await marker.boundingBox();
    if (!box) throw new Error("there is no marker");
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    await page.mouse.move(x, y);
    await page.mouse.down();
    await page.mouse.move(x + dx, y, { steps: 4 });
    await page.mouse.up();
    return x + dx;
  };
  const before = Number(await marker.inputValue());
  const x = await put(-14);
  await expect.poll(async () => Number(await marker.inputValue()), PATIENT).toBeLessThan(before);
  const box = await marker.boundingBox();
  expect(Math.abs((box?.x ?? 0) + (box?.width ?? 0) / 2 - x)).toBeLessThan(3);
});
