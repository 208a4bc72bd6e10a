// Terminals as people use them: pasting, recalling, completing, and reading much while it comes.

import type { Page } from "@playwright/test";
import {
  ALONE,
  addProducer,
  by,
  cli,
  createTopic,
  eventually,
  expect,
  open,
  PATIENT,
  records,
  test,
  type,
} from "./page.ts";

const input = (page: Page) => by(page, "terminal-input");
const log = (page: Page) => by(page, "terminal-log");

/** Pastes as the keyboard does, without a clipboard that a machine may not have. */
async function paste(page: Page, text: string) {
  await input(page).evaluate((el, text) => {
    const data = new DataTransfer();
    data.setData("text/plain", text);
    el.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
  }, text);
}

test("a paste of three lines is three lines", async ({ page }) => {
  await open(page);
  await createTopic(page, "pasted", 1);
  await input(page).focus();
  await paste(page, "kafka-topics --list\nkafka-get-offsets --topic pasted\nkafka-console-pro");
  await expect(log(page)).toContainText("$ kafka-topics --list", PATIENT);
  await expect(log(page)).toContainText("pasted:0:0", PATIENT);
  await expect(input(page)).toHaveValue("kafka-console-pro");
  await type(page, "kafka-console-producer --topic pasted");
  await expect(by(page, "terminal-eof")).toBeVisible(PATIENT);
  await paste(page, "one\ntwo\nthree");
  await expect(input(page)).toHaveValue("three");
  await input(page).press("Control+d");
  await expect(by(page, "terminal-eof")).toBeHidden(PATIENT);
  expect((await records(page, "pasted")).map(({ value }) => value)).toEqual(["one", "two", "three"]);
});

test("what is half typed comes back from the history", async ({ page }) => {
  await open(page);
  await type(page, "kafka-topics --list");
  await expect(log(page)).toContainText("orders", PATIENT);
  await input(page).fill("kafka-con");
  await input(page).press("ArrowUp");
  await expect(input(page)).toHaveValue("kafka-topics --list");
  await input(page).press("ArrowDown");
  await expect(input(page)).toHaveValue("kafka-con");
});

test("Tab completes, and never holds a person in the terminal", async ({ page }) => {
  await open(page);
  await input(page).fill("kafka-consumer-g");
  await input(page).press("Tab");
  await expect(input(page)).toHaveValue("kafka-consumer-groups ");
  await input(page).press("Tab");
  await expect(by(page, "terminal-options")).toContainText("--reset-offsets");
  await expect(input(page)).toBeFocused();
  await input(page).press("Tab");
  await expect(input(page)).not.toBeFocused();
  for (const line of ["", "ls ", "kafka-topics --partitions "]) {
    await input(page).fill(line);
    await input(page).press("Tab");
    await expect(input(page), line).not.toBeFocused();
  }
  await input(page).fill("kafka-to");
  await input(page).press("Escape");
  await input(page).press("Tab");
  await expect(input(page)).not.toBeFocused();
  await expect(input(page)).toHaveValue("kafka-to");
  await input(page).focus();
  await input(page).press("Shift+Tab");
  await expect(input(page)).not.toBeFocused();
});

test("what needs a shell is refused in one line that names it", async ({ page }) => {
  await open(page);
  for (const [line, sign] of [
    ["kafka-topics --list | grep orders", "|"],
    ["kafka-topics --list > topics.txt", ">"],
    ["kafka-topics --list && kafka-groups --list", "&&"],
    ["kafka-topics --describe --topic $(cat topic)", "$("],
  ] as const) {
    const { code, stdout, stderr } = await cli(page, line);
    expect({ code, stdout }, line).toEqual({ code: 2, stdout: "" });
    expect(stderr.startsWith(`brooklet: ${sign} is for a shell`), stderr).toBe(true);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  }
  expect((await cli(page, "kafka-topics --list --topic 'orders|payments'")).stdout).toBe("orders\n");
});

test("a file is typed into the terminal where a tool wants one", async ({ page }) => {
  await open(page);
  await createTopic(page, "cut", 1);
  await cli(page, "kafka-console-producer --topic cut", "a\nb\nc\n");
  await type(page, "kafka-delete-records --offset-json-file offsets.json");
  await expect(log(page)).toContainText("there are no files here. Give - for the file", PATIENT);
  const json = '{"partitions": [\n{"topic": "cut", "partition": 0, "offset": 2}\n], "version": 1}\n';
  await input(page).focus();
  await paste(page, `kafka-delete-records --offset-json-file -\n${json}`);
  await expect(log(page)).toContainText('], "version": 1}', PATIENT);
  await input(page).press("Control+d");
  await expect(log(page)).toContainText("low_watermark: 2", PATIENT);
  expect((await records(page, "cut")).map(({ value }) => value)).toEqual(["c"]);
});

test("a record over max.request.size is refused in Kafka's sentence", async ({ page }) => {
  await open(page);
  const line = "kafka-console-producer --topic orders --command-property max.request.size=200";
  const { code, stderr } = await cli(page, line, `${"y".repeat(500)}\n`);
  expect(code).toBe(0);
  expect(stderr).toContain(
    "org.apache.kafka.common.errors.RecordTooLargeException: The message is 586 bytes when serialized which is larger than 200, which is the value of the max.request.size configuration.",
  );
});

/** Five hundred records a second that a console consumer prints. */
async function much(page: Page) {
  await open(page);
  await createTopic(page, "busy", 1);
  await addProducer(page, "firehose", "busy");
  await by(page, "edit-producer-firehose").click();
  await by(page, "producer-editor-rate").fill("500");
  await by(page, "producer-editor-apply").click();
  await type(page, "kafka-console-consumer --topic busy --from-beginning");
}

/** How long 95 of 100 pictures take at most, in ms, over the next 100. */
const slowest = (page: Page) =>
  page.evaluate(async () => {
    const picture = () => new Promise<number>((drawn) => requestAnimationFrame(drawn));
    const gaps: number[] = [];
    for (let last = await picture(); gaps.length < 100; ) {
      const now = await picture();
      gaps.push(now - last);
      last = now;
    }
    return gaps.sort((a, b) => a - b)[95] ?? 0;
  });

test("a consumer of 500 records/s leaves the page as quick as it was, and Ctrl+C ends it", {
  tag: ALONE,
}, async ({ page }) => {
  test.setTimeout(120_000);
  await much(page);
  await expect(by(page, "terminal-interrupt")).toBeVisible(PATIENT);
  await expect.poll(() => log(page).evaluate((el) => el.scrollHeight), PATIENT).toBeGreaterThan(19 * 3000);
  // Only what is in view, and a little more, is in the page.
  expect(await log(page).locator("pre").count()).toBeLessThan(150);
  expect(await slowest(page)).toBeLessThan(150);
  const begun = Date.now();
  await input(page).press("Control+c");
  await expect(by(page, "terminal-interrupt")).toBeHidden(PATIENT);
  expect(Date.now() - begun).toBeLessThan(5000);
  await expect(log(page)).toContainText("Processed a total of");
  // However much came, what is kept is bounded.
  expect(await log(page).evaluate((el) => el.scrollHeight)).toBeLessThan(19 * 5200);
});

test("who reads further up is not carried away by what comes", async ({ page }) => {
  test.setTimeout(120_000);
  await much(page);
  await expect.poll(() => log(page).evaluate((el) => el.scrollHeight), PATIENT).toBeGreaterThan(19 * 200);
  await log(page).hover();
  await page.mouse.wheel(0, -1200);
  await expect(by(page, "terminal-fresh")).toBeVisible(PATIENT);
  const visible = () =>
    log(page).evaluate((el) => {
      const { top, left } = el.getBoundingClientRect();
      return document.elementFromPoint(left + 30, top + 40)?.textContent;
    });
  const read = await visible();
  const count = await by(page, "terminal-fresh").textContent();
  await expect(by(page, "terminal-fresh")).not.toHaveText(count ?? "", PATIENT);
  expect(await visible()).toBe(read);
  await by(page, "terminal-fresh").click();
  await expect(by(page, "terminal-fresh")).toBeHidden();
});

test("the events stay where a person reads them, and say how many are new", async ({ page }) => {
  await open(page);
  await by(page, "events-tab").click();
  const events = by(page, "events");
  const more = (name: string) => cli(page, `kafka-topics --create --topic ${name}`);
  await expect(events).toBeVisible();
  for (let i = 0; i < 12; i++) await addProducer(page, `p${i}`, "orders");
  await expect(events).toContainText("Producer p11 added", PATIENT);
  await expect.poll(() => events.evaluate((el) => el.scrollHeight > 2 * el.clientHeight), PATIENT).toBe(true);
  await events.evaluate((el) => {
    el.scrollTop = 0;
  });
  const first = await by(page, "event").first().textContent();
  await more("while-reading");
  await addProducer(page, "p12", "orders");
  await expect(by(page, "events-fresh")).toContainText(/\d+ new event/, PATIENT);
  expect(await events.evaluate((el) => el.scrollTop)).toBe(0);
  expect(await by(page, "event").first().textContent()).toBe(first);
  await by(page, "events-fresh").click();
  await expect(events).toContainText("Producer p12 added");
  await expect(by(page, "events-fresh")).toBeHidden();
  // One stop of the Tab key; the arrows go from event to event.
  expect(await events.locator('[tabindex="0"]').count()).toBe(1);
  await events.locator('[tabindex="0"]').focus();
  const last = await events.locator(":focus").textContent();
  await page.keyboard.press("ArrowUp");
  expect(await events.locator(":focus").textContent()).not.toBe(last);
  await page.keyboard.press("Home");
  await expect(events.locator(":focus")).toHaveText(first ?? "");
});

test("a command whose world was taken back or replaced ends and says so", async ({ page }) => {
  await open(page);
  await createTopic(page, "short-lived", 1);
  await type(page, "kafka-console-consumer --topic short-lived");
  await expect(by(page, "terminal-interrupt")).toBeVisible(PATIENT);
  await by(page, "undo").click();
  await expect(log(page)).toContainText("the world was taken back to a moment before it began", PATIENT);
  await expect(by(page, "terminal-interrupt")).toBeHidden();
  // The terminal itself goes on.
  await type(page, "kafka-topics --list");
  await expect(log(page)).toContainText("orders", PATIENT);
  await type(page, "kafka-console-consumer --topic orders");
  await expect(by(page, "terminal-interrupt")).toBeVisible(PATIENT);
  await by(page, "start-over").click();
  await expect(log(page)).toContainText("its world was replaced by another", PATIENT);
  await expect(by(page, "terminal-interrupt")).toBeHidden();
});

test("a terminal that is closed interrupts its command", async ({ page }) => {
  await open(page);
  await createTopic(page, "left", 1);
  await by(page, "add-terminal").click();
  await type(page, "kafka-console-consumer --topic left --group leavers");
  await eventually(page, (s) => s.groups.find((g) => g.groupId === "leavers")?.state).toBe("Stable");
  await by(page, "close-terminal-2").click();
  await eventually(page, (s) => s.groups.find((g) => g.groupId === "leavers")?.state).toBe("Empty");
});

test("terminals can be told apart: there are twelve at most", async ({ page }) => {
  await open(page);
  for (let n = 2; n <= 12; n++) await by(page, "add-terminal").click();
  await expect(by(page, "terminal-tab-12")).toBeVisible();
  await expect(by(page, "add-terminal")).toBeDisabled();
  await by(page, "close-terminal-12").click();
  await expect(by(page, "add-terminal")).toBeEnabled();
});
