// Unmodified KafkaJS in Chromium, connected to the page's own broker.

import { loadKafkaJs } from "./kafkajs/bundle.ts";
import { appended, cli, createTopic, eventually, expect, groupOf, open, records, test } from "./page.ts";

test("unmodified KafkaJS produces and consumes with a group through the page's broker", async ({ page }) => {
  await open(page);
  await createTopic(page, "greetings", 2);
  await loadKafkaJs(page);
  const read = await page.evaluate(async () => {
    const kafka = window.kafkajs.connect("kafkajs-in-the-page");
    const admin = kafka.admin();
    await admin.connect();
    const topics = await admin.listTopics();
    await admin.disconnect();

    const producer = kafka.producer();
    await producer.connect();
    const acks = [];
    for (let n = 0; n < 10; n++) {
      const messages = [{ key: `k${n}`, value: `hello ${n}`, headers: { n: String(n) } }];
      acks.push(...(await producer.send({ topic: "greetings", messages })));
    }
    await producer.disconnect();

    const consumer = kafka.consumer({ groupId: "kafkajs-group" });
    await consumer.connect();
    await consumer.subscribe({ topic: "greetings", fromBeginning: true });
    const got: { key: string; value: string; header: string; partition: number; offset: string }[] = [];
    await new Promise<void>((all, failed) => {
      consumer.on("consumer.crash", ({ payload }) => failed(payload.error));
      void consumer
        .run({
          eachMessage: async ({ partition, message }) => {
            got.push({
              key: String(message.key),
              value: String(message.value),
              header: String(message.headers?.n),
              partition,
              offset: message.offset,
            });
            if (got.length === 10) all();
          },
        })
        .catch(failed);
    });
    await consumer.commitOffsets([
      { topic: "greetings", partition: 0, offset: String(got.filter((m) => m.partition === 0).length) },
      { topic: "greetings", partition: 1, offset: String(got.filter((m) => m.partition === 1).length) },
    ]);
    await consumer.disconnect();
    return { topics, acks, got };
  });
  expect(read.topics).toEqual(expect.arrayContaining(["orders", "greetings"]));
  expect(read.acks.map((ack) => ack.errorCode)).toEqual(Array(10).fill(0));
  const sent = Array.from({ length: 10 }, (_, n) => ({
    key: `k${n}`,
    value: `hello ${n}`,
    header: String(n),
  }));
  const got = read.got.map(({ key, value, header }) => ({ key, value, header }));
  expect(got.sort((a, b) => a.key.localeCompare(b.key))).toEqual(sent);
  for (const partition of [0, 1]) {
    const offsets = read.got.filter((m) => m.partition === partition).map((m) => Number(m.offset));
    expect(offsets).toEqual(offsets.map((_, i) => i));
  }

  // The page itself and Kafka's tools see the same.
  await eventually(page, (s) => appended(s, "greetings")).toBe(10);
  expect((await records(page, "greetings")).map(({ key }) => key).sort()).toEqual(sent.map(({ key }) => key));
  await eventually(page, (s) => groupOf(s, "kafkajs-group")?.state).toBe("Empty");
  const described = await cli(
    page,
    "kafka-consumer-groups --bootstrap-server b1:9092 --describe --group kafkajs-group",
  );
  const committed = described.stdout.split("\n").filter((line) => line.startsWith("kafkajs-group"));
  expect(committed.map((line) => line.split(/\s+/)[5])).toEqual(["0", "0"]);
});

test("two KafkaJS consumers share a topic and one takes over from the other", async ({ page }) => {
  await open(page);
  await createTopic(page, "shared", 2);
  await loadKafkaJs(page);
  const shares = await page.evaluate(async () => {
    const kafka = window.kafkajs.connect("pair");
    const start = async () => {
      const consumer = kafka.consumer({ groupId: "pair" });
      const joined: number[] = [];
      consumer.on("consumer.group_join", ({ payload }) =>
        joined.push((payload.memberAssignment.shared ?? []).length),
      );
      await consumer.connect();
      await consumer.subscribe({ topic: "shared", fromBeginning: true });
      await consumer.run({ eachMessage: async () => {} });
      return { consumer, joined };
    };
    const until = async (is: () => boolean) => {
      while (!is()) await new Promise(requestAnimationFrame);
    };
    const first = await start();
    await until(() => first.joined.at(-1) === 2);
    const second = await start();
    await until(() => first.joined.at(-1) === 1 && second.joined.at(-1) === 1);
    const shared = [first.joined.at(-1), second.joined.at(-1)];
    await first.consumer.disconnect();
    await until(() => second.joined.at(-1) === 2);
    const alone = second.joined.at(-1);
    await second.consumer.disconnect();
    return { shared, alone };
  });
  expect(shares).toEqual({ shared: [1, 1], alone: 2 });
});
