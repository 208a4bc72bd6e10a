// `window.brooklet`, as DESIGN.md promises it to tests, embedders and curious people.

import { appended, createTopic, eventually, expect, open, snapshot, test } from "./page.ts";

test("a command that runs on is fed, read and killed from a script", async ({ page }) => {
  await open(page);
  await createTopic(page, "chat", 1);
  const said = await page.evaluate(async () => {
    const { spawn } = window.brooklet;
    const consumer = spawn("kafka-console-consumer --bootstrap-server b1:9092 --topic chat --from-beginning");
    const producer = spawn("kafka-console-producer --bootstrap-server b1:9092 --topic chat");
    const writer = producer.stdin.getWriter();
    await writer.write("hello\n");
    await writer.write("again\n");
    await writer.close();
    const sent = await producer.done;
    const reader = consumer.stdout.getReader();
    let text = "";
    while (!text.includes("again\n")) text += (await reader.read()).value ?? "";
    consumer.kill();
    return { sent, text, code: await consumer.done };
  });
  expect(said.sent).toBe(0);
  expect(said.text).toBe("hello\nagain\n");
  expect(typeof said.code).toBe("number");
});

test("the snapshot is plain JSON with 64-bit numbers as decimal strings", async ({ page }) => {
  await open(page);
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(36);
  await eventually(page, (s) => s.groups.length).toBe(1);
  const seen = await snapshot(page);
  const decimal = expect.stringMatching(/^-?\d+$/);
  expect(JSON.parse(JSON.stringify(seen))).toEqual(seen);
  expect(seen).toEqual({
    version: 1,
    worldTime: decimal,
    running: true,
    speed: 1,
    journalLength: decimal,
    brokers: [{ id: 1, state: expect.any(String), controller: true }],
    topics: [
      {
        name: "orders",
        topicId: expect.any(String),
        partitions: [0, 1, 2].map((partition) => ({
          partition,
          leader: 1,
          leaderEpoch: expect.any(Number),
          replicas: [1],
          isr: [1],
          logStartOffset: decimal,
          highWatermark: decimal,
          logEndOffset: decimal,
          bytes: decimal,
        })),
      },
    ],
    producers: [
      {
        id: expect.anything(),
        name: "checkout",
        topic: "orders",
        rate: 1,
        acks: "all",
        sent: decimal,
      },
    ],
    groups: [expect.objectContaining({ groupId: "billing", generation: expect.any(Number) })],
  });
});

test("records are given with their bytes in base64, and time obeys", async ({ page }) => {
  await open(page);
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(36);
  const [record] = await page.evaluate(() => window.brooklet.records("orders", 1, 0, 1));
  expect(record).toEqual({
    offset: "0",
    timestamp: expect.stringMatching(/^\d+$/),
    key: Buffer.from("guest-2").toString("base64"),
    value: expect.any(String),
    headers: [],
  });
  const time = await page.evaluate(async () => {
    const { brooklet } = window;
    await brooklet.pause();
    const paused = await brooklet.snapshot();
    await brooklet.step("record");
    const stepped = await brooklet.snapshot();
    await brooklet.seek(0);
    const began = await brooklet.snapshot();
    return [paused, stepped, began].map((s) => ({ running: s.running, at: Number(s.worldTime) }));
  });
  expect(time.map((each) => each.running)).toEqual([false, false, false]);
  expect(time[1]?.at).toBeGreaterThan(time[0]?.at ?? 0);
  expect(time[2]?.at).toBe(0);
});
