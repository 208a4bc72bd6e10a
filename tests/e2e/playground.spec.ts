// The first hour of a person with the playground, on the built page and the real broker.

import { writeFileSync } from "node:fs";
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

test("the lines of a dropped text file are in the log, in order and without keys", async ({ page }) => {
  await open(page);
  await createTopic(page, "lines", 1);
  await addProducer(page, "typist", "lines");
  await drop(page, "typist", "poem.txt", "one\ntwo\r\n\nthree äöü\n");
  await eventually(page, (s) => appended(s, "lines")).toBe(3);
  expect(await records(page, "lines")).toEqual([
    { partition: 0, offset: 0, key: null, value: "one" },
    { partition: 0, offset: 1, key: null, value: "two" },
    { partition: 0, offset: 2, key: null, value: "three äöü" },
  ]);
});

test("rows of a dropped CSV file go by key to the partitions Kafka's murmur2 says", async ({ page }) => {
  await open(page);
  await createTopic(page, "people", 3);
  await addProducer(page, "registry", "people");
  const rows = Array.from({ length: 12 }, (_, i) => `guest-${(i % 6) + 1},"say ""${i}"""`);
  await drop(page, "registry", "people.csv", `customer,word\n${rows.join("\n")}\n`, "customer");
  await eventually(page, (s) => appended(s, "people")).toBe(12);
  const all = await records(page, "people");
  // Kafka's own client sends these keys there when a topic has three partitions.
  const homes: Record<string, number> = {};
  for (const { key, partition } of all) homes[key ?? ""] ??= partition;
  expect(homes).toEqual({
    "guest-1": 0,
    "guest-2": 1,
    "guest-3": 2,
    "guest-4": 0,
    "guest-5": 1,
    "guest-6": 2,
  });
  for (const { key, partition } of all) expect(partition).toBe(homes[key ?? ""]);
  const ofOne = all.filter(({ key }) => key === "guest-1").map(({ value }) => JSON.parse(value ?? ""));
  expect(ofOne).toEqual([
    { customer: "guest-1", word: 'say "0"' },
    { customer: "guest-1", word: 'say "6"' },
  ]);
});

test("a chosen NDJSON file is sent line by line with a field as key", async ({ page }, info) => {
  await open(page);
  await createTopic(page, "events", 1);
  await addProducer(page, "feed", "events");
  const file = info.outputPath("events.ndjson");
  const lines = [1, 2, 3].map((n) => JSON.stringify({ id: `k${n}`, n }));
  writeFileSync(file, `${lines.join("\n")}\n`);
  await by(page, "edit-producer-feed").click();
  await by(page, "producer-editor-file").setInputFiles(file);
  await by(page, "file-key").selectOption("id");
  await by(page, "file-sender-apply").click();
  await eventually(page, (s) => appended(s, "events")).toBe(3);
  const got = await records(page, "events");
  expect(got.map(({ key }) => key)).toEqual(["k1", "k2", "k3"]);
  expect(got.map(({ value }) => value)).toEqual(lines);
});

test("a killed member's partition goes to the other one after the session timeout", async ({ page }) => {
  await open(page);
  await createTopic(page, "payments", 2);
  await addProducer(page, "till", "payments");
  await addGroup(page, "audit", "payments", 2);
  const shares = () =>
    eventually(page, (s) =>
      groupOf(s, "audit")
        ?.members.map((m) => m.assignment.length)
        .sort(),
    );
  await shares().toEqual([1, 1]);
  const before = await snapshot(page);
  const generation = groupOf(before, "audit")?.generation ?? 0;
  await by(page, "group-audit").click();
  await by(page, "kill-audit-2").click();
  await page.keyboard.press("Escape");
  await page.evaluate(() => window.brooklet.speed(10));
  await shares().toEqual([2]);
  const after = await snapshot(page);
  expect(groupOf(after, "audit")?.members[0]?.clientId).toBe("audit-1");
  expect(groupOf(after, "audit")?.generation).toBeGreaterThan(generation);
  // Ten seconds after its last heartbeat, which it sends every three.
  expect(Number(after.worldTime) - Number(before.worldTime)).toBeGreaterThan(6_500);
  await drop(page, "till", "more.txt", Array.from({ length: 40 }, (_, i) => `${i}`).join("\n"));
  await eventually(page, (s) => [appended(s, "payments"), committed(s, "audit"), lag(s, "audit")]).toEqual([
    40, 40, 0,
  ]);
});

test("a reload brings back topics, records, committed offsets, producers and groups, and they go on", async ({
  page,
}) => {
  await open(page);
  await createTopic(page, "payments", 2);
  await addProducer(page, "till", "payments");
  await addGroup(page, "audit", "payments", 2);
  await drop(page, "till", "some.txt", Array.from({ length: 30 }, (_, i) => `line ${i}`).join("\n"));
  await page.evaluate(() => window.brooklet.speed(5));
  await eventually(page, (s) => committed(s, "audit")).toBe(30);
  await page.evaluate(() => window.brooklet.speed(1));
  await eventually(page, (s) => committed(s, "billing")).toBeGreaterThan(36);
  const before = await snapshot(page);
  const payments = await records(page, "payments");
  const orders = await records(page, "orders");

  await page.reload();
  await ready(page);

  const after = await snapshot(page);
  const named = (s: typeof after) => s.topics.map(({ name, topicId }) => ({ name, topicId }));
  expect(named(after)).toEqual(named(before));
  expect(Number(after.worldTime)).toBeGreaterThanOrEqual(Number(before.worldTime));
  expect(after.producers.map((p) => p.name)).toEqual(before.producers.map((p) => p.name));
  expect(after.groups.map((g) => g.groupId).sort()).toEqual(before.groups.map((g) => g.groupId).sort());
  expect(await records(page, "payments")).toEqual(payments);
  expect(await records(page, "orders")).toEqual(expect.arrayContaining(orders));
  await eventually(page, (s) => committed(s, "audit")).toBe(30);
  expect(committed(await snapshot(page), "billing")).toBeGreaterThanOrEqual(committed(before, "billing"));

  // Old members are gone with the old page; the new ones take over when their sessions end.
  await page.evaluate(() => window.brooklet.speed(5));
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(appended(before, "orders") + 5);
  await eventually(page, (s) => committed(s, "billing")).toBeGreaterThan(appended(before, "orders"));
  await drop(page, "till", "rest.txt", "after\nthe\nreload");
  await eventually(page, (s) => [appended(s, "payments"), committed(s, "audit")]).toEqual([33, 33]);
});

test("a line typed in one terminal appears in the other", async ({ page }) => {
  await open(page);
  await createTopic(page, "chat", 1);
  await type(page, "kafka-console-consumer --bootstrap-server b1:9092 --topic chat --from-beginning");
  await expect(by(page, "terminal-interrupt")).toBeVisible();
  await by(page, "add-terminal").click();
  await type(page, "kafka-console-producer --bootstrap-server b1:9092 --topic chat");
  await expect(by(page, "terminal-eof")).toBeVisible();
  await type(page, "typed in the second");
  await type(page, "and once more");
  await eventually(page, (s) => appended(s, "chat")).toBe(2);
  await by(page, "terminal-tab-1").click();
  await expect(by(page, "terminal-log")).toContainText("typed in the second", PATIENT);
  await expect(by(page, "terminal-log")).toContainText("and once more", PATIENT);
  await by(page, "terminal-input").press("Control+c");
  await expect(by(page, "terminal-interrupt")).toBeHidden(PATIENT);
  await expect(by(page, "terminal-log")).toContainText("Processed a total of 2 messages");
  await by(page, "terminal-tab-2").click();
  await by(page, "terminal-input").press("Control+d");
  await expect(by(page, "terminal-eof")).toBeHidden(PATIENT);
});

test("the command lines print what the stage shows", async ({ page }) => {
  await open(page);
  await quieten(page);
  const seen = await snapshot(page);
  const orders = partitions(seen, "orders");

  const offsets = await cli(page, "kafka-get-offsets --bootstrap-server b1:9092 --topic orders");
  expect(offsets).toMatchObject({ code: 0, stderr: "" });
  const wanted = orders.map((p) => `orders:${p.partition}:${p.logEndOffset}\n`).join("");
  expect(offsets.stdout).toBe(wanted);

  const described = await cli(page, "kafka-topics --bootstrap-server b1:9092 --describe --topic orders");
  expect(described.code).toBe(0);
  expect(described.stdout).toContain("PartitionCount: 3\tReplicationFactor: 1");
  expect(described.stdout).toContain(seen.topics.find((t) => t.name === "orders")?.topicId);

  const group = await cli(
    page,
    "kafka-consumer-groups --bootstrap-server b1:9092 --describe --group billing",
  );
  expect(group.code).toBe(0);
  const rows = group.stdout
    .split("\n")
    .filter((line) => line.startsWith("billing"))
    .map((line) => line.split(/\s+/).slice(0, 6));
  const shown = (groupOf(seen, "billing")?.offsets ?? []).map((o) => [
    "billing",
    o.topic,
    String(o.partition),
    o.committed,
    orders[o.partition]?.highWatermark,
    o.lag,
  ]);
  expect(rows.sort()).toEqual(shown.sort());

  const created = await cli(
    page,
    "kafka-topics.sh --bootstrap-server b1:9092 --create --topic typed --partitions 2",
  );
  expect(created).toMatchObject({ code: 0, stdout: "Created topic typed.\n" });
  await expect(by(page, "topic-typed")).toContainText("2 partitions");
  const list = await cli(page, "kafka-topics --bootstrap-server b1:9092 --list");
  expect(list.stdout.split("\n")).toEqual(expect.arrayContaining(["orders", "typed"]));

  const refused = await cli(page, "kafka-topics --bootstrap-server b1:9092 --describe --topic nowhere");
  expect(refused.code).toBe(1);
  expect(refused.stderr + refused.stdout).toContain("Topic 'nowhere' does not exist as expected");
});

test("a line on standard input reaches the topic and a bounded consumer prints it", async ({ page }) => {
  await open(page);
  await createTopic(page, "piped", 1);
  const sent = await cli(
    page,
    "kafka-console-producer --bootstrap-server b1:9092 --topic piped",
    "first\nsecond\n",
  );
  expect(sent.code).toBe(0);
  const read = await cli(
    page,
    "kafka-console-consumer --bootstrap-server b1:9092 --topic piped --from-beginning --max-messages 2",
  );
  expect(read).toMatchObject({ code: 0, stdout: "first\nsecond\n" });
});

test("a step where nobody produces is over at once, a minute of the world later at most", async ({
  page,
}) => {
  await open(page);
  await page.evaluate(() => window.brooklet.pause());
  await by(page, "pause-producer-checkout").click();
  await expect(by(page, "pause-producer-checkout")).toHaveAttribute("aria-pressed", "true", PATIENT);
  // What was on its way arrives with the first one.
  await by(page, "step").click();
  const before = Number((await snapshot(page)).worldTime);
  await by(page, "step").click();
  await expect.poll(async () => Number((await snapshot(page)).worldTime)).toBeGreaterThan(before);
  expect(Number((await snapshot(page)).worldTime) - before).toBeLessThan(90_000);
});

test("a paused world stands still, a step is one record, and speed is what it says", async ({ page }) => {
  await open(page);
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThanOrEqual(37);
  await by(page, "pause").click();
  await eventually(page, (s) => s.running).toBe(false);
  const paused = await snapshot(page);
  await page.evaluate(async () => {
    for (let i = 0; i < 30; i++) await new Promise(requestAnimationFrame);
  });
  expect(await snapshot(page)).toEqual(paused);
  await by(page, "step").click();
  await eventually(page, (s) => appended(s, "orders")).toBe(appended(paused, "orders") + 1);
  expect((await snapshot(page)).running).toBe(false);
  await by(page, "speed").selectOption("10");
  await eventually(page, (s) => s.speed).toBe(10);
  const { worldTime } = await snapshot(page);
  const started = Date.now();
  await by(page, "pause").click();
  await eventually(page, (s) => Number(s.worldTime)).toBeGreaterThan(Number(worldTime) + 30_000);
  expect(Date.now() - started).toBeLessThan(15_000);
});

test("the past can be looked at and left again", async ({ page }) => {
  await open(page);
  await page.evaluate(() => window.brooklet.speed(5));
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThanOrEqual(45);
  await page.evaluate(() => window.brooklet.speed(1));
  const now = await snapshot(page);
  await page.evaluate(() => window.brooklet.seek(2_500));
  const then = await snapshot(page);
  expect(Number(then.worldTime)).toBeCloseTo(2_500, 0);
  expect(then.running).toBe(false);
  expect(appended(then, "orders")).toBe(38);
  await expect(by(page, "to-now")).toBeVisible();
  await by(page, "to-now").click();
  await eventually(page, (s) => [s.running, appended(s) >= appended(now)]).toEqual([true, true]);
  await expect(by(page, "to-now")).toBeHidden();
});

test("undo rewinds what a hand did and redo does it again", async ({ page }) => {
  await open(page);
  await createTopic(page, "oops", 2);
  await by(page, "undo").click();
  await expect(by(page, "topic-oops")).toBeHidden(PATIENT);
  await eventually(page, (s) => s.topics.map((t) => t.name)).not.toContain("oops");
  await expect(by(page, "redo")).toBeEnabled(PATIENT);
  await by(page, "redo").click();
  await expect(by(page, "topic-oops")).toBeVisible(PATIENT);
  await eventually(page, (s) => partitions(s, "oops").length).toBe(2);
});

test("Kafka's refusals are said where they happen", async ({ page }) => {
  await open(page);
  // Our words for them come behind the first picture; until then the tool's own are shown.
  const came = () => performance.getEntriesByType("resource").some(({ name }) => name.includes("en.errors"));
  await expect.poll(() => page.evaluate(came), PATIENT).toBe(true);
  await by(page, "add-topic").click();
  await by(page, "new-topic-name").fill("orders");
  await by(page, "new-topic-apply").click();
  await expect(by(page, "new-topic-error")).toContainText("orders already exists");
  await by(page, "new-topic-name").fill("not a name!");
  await by(page, "new-topic-apply").click();
  await expect(by(page, "new-topic-error")).toContainText("A topic name has only letters");
  // What was refused has not happened: it is not told as if it had, and there is nothing to undo.
  await page.keyboard.press("Escape");
  await expect(by(page, "undo")).toBeDisabled(PATIENT);
  await createTopic(page, "a-name", 1);
  await by(page, "events-tab").click();
  await expect(by(page, "events")).toContainText("Topic a-name created", PATIENT);
  await expect(by(page, "events")).not.toContainText("not a name!");
});

test("a producer at rate 1 sends one record a second and the inspector shows its bytes", async ({ page }) => {
  await open(page);
  const before = await snapshot(page);
  await page.evaluate(() => window.brooklet.speed(10));
  await eventually(page, (s) => Number(s.worldTime) - Number(before.worldTime)).toBeGreaterThan(20_000);
  await page.evaluate(() => window.brooklet.pause());
  const after = await snapshot(page);
  const seconds = (Number(after.worldTime) - Number(before.worldTime)) / 1_000;
  expect(Math.abs(appended(after) - appended(before) - seconds)).toBeLessThan(2);
  await by(page, "lane-orders-0").focus();
  await page.keyboard.press("Enter");
  await expect(by(page, "inspector-key")).toContainText("guest-");
  await expect(by(page, "inspector-value")).toContainText("customer");
  await expect(by(page, "partitioning")).toContainText("murmur2");
  await expect(by(page, "bytes")).toBeVisible();
});
