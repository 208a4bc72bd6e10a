// KafkaJS in Node.js against the server.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import path from "node:path";
import { createInterface } from "node:readline";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Kafka, logLevel, Partitioners } from "kafkajs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const binary = process.env.BROOKLET ?? process.env.BROOKLET_BIN ?? path.join(root, "target/debug/brooklet");

let server;
let kafka;

before(async () => {
  const words = ["serve", "--listen", "127.0.0.1:0", "--memory"];
  words.push("--override", "group.initial.rebalance.delay.ms=0");
  words.push("--override", "group.min.session.timeout.ms=500");
  words.push("--override", "offsets.topic.num.partitions=3");
  server = spawn(binary, words, { stdio: ["ignore", "pipe", "inherit"] });
  const line = await new Promise((resolve, reject) => {
    createInterface({ input: server.stdout }).once("line", resolve);
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
  });
  assert.match(line, /^ready /);
  kafka = new Kafka({ brokers: [line.slice("ready ".length)], logLevel: logLevel.NOTHING });
});

after(async () => {
  const ended = new Promise((resolve) => server.once("exit", (code) => resolve(code)));
  server.kill("SIGTERM");
  assert.equal(await ended, 0);
});

async function create(topic, numPartitions = 1) {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: true });
  await admin.disconnect();
}

async function produce(topic, messages, settings = {}) {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    ...settings,
  });
  await producer.connect();
  const sent = await producer.send({ topic, messages, compression: settings.compression });
  await producer.disconnect();
  return sent;
}

/** Reads as one member of a group until there are this many records. */
async function consume(topic, groupId, count) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 6000 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const found = [];
  await new Promise((resolve, reject) => {
    consumer.on(consumer.events.CRASH, (event) => reject(event.payload.error));
    consumer
      .run({
        eachMessage: async ({ partition, message }) => {
          found.push({ partition, ...message });
          if (found.length === count) {
            resolve();
          }
        },
      })
      .catch(reject);
  });
  // What was taken is committed when the consumer stops.
  await consumer.stop();
  await consumer.disconnect();
  return found;
}

test("what is produced is consumed, with key, headers and timestamp", async () => {
  await create("orders");
  const timestamp = String(Date.now() - 60_000);
  const message = { key: "k", value: "v", headers: { a: "1" }, timestamp };
  const [sent] = await produce("orders", [message, { value: null }]);
  assert.equal(sent.errorCode, 0);
  assert.equal(sent.baseOffset, "0");
  const [first, second] = await consume("orders", "readers", 2);
  assert.deepEqual([first.offset, String(first.key), String(first.value)], ["0", "k", "v"]);
  assert.equal(first.timestamp, timestamp);
  assert.equal(String(first.headers.a), "1");
  assert.deepEqual([second.offset, second.key, second.value], ["1", null, null]);
});

test("a group resumes where it stopped, and another begins at 0", async () => {
  await create("resume");
  const numbers = (from, to) => Array.from({ length: to - from }, (_, i) => ({ value: String(from + i) }));
  await produce("resume", numbers(0, 50));
  assert.equal((await consume("resume", "one", 50)).length, 50);
  await produce("resume", numbers(50, 60));
  const values = (await consume("resume", "one", 10)).map(({ value }) => String(value));
  assert.deepEqual(values, ["50", "51", "52", "53", "54", "55", "56", "57", "58", "59"]);
  assert.equal((await consume("resume", "two", 60))[0].offset, "0");
});

test("keys choose the partition that every Kafka client chooses", async () => {
  await create("keyed", 3);
  const messages = Array.from({ length: 30 }, (_, i) => ({ key: `key-${i % 6}`, value: `${i}` }));
  await produce("keyed", messages);
  const found = await consume("keyed", "keyed", 30);
  const places = new Map();
  for (const { key, partition } of found) {
    const before = places.get(String(key)) ?? partition;
    assert.equal(partition, before, `${key} went to two partitions`);
    places.set(String(key), partition);
  }
  assert.equal(places.size, 6);
});

test("an idempotent producer is taken", async () => {
  await create("once");
  const [sent] = await produce("once", [{ value: "a" }], { idempotent: true, maxInFlightRequests: 1 });
  assert.equal(sent.errorCode, 0);
});

test("topics are described, listed and deleted", async () => {
  await create("described", 2);
  const admin = kafka.admin();
  await admin.connect();
  const { topics } = await admin.fetchTopicMetadata({ topics: ["described"] });
  assert.deepEqual(
    topics[0].partitions.map(({ leader }) => leader),
    [1, 1],
  );
  const offsets = await admin.fetchTopicOffsets("described");
  assert.deepEqual(
    offsets.map(({ high }) => high),
    ["0", "0"],
  );
  await admin.deleteTopics({ topics: ["described"] });
  assert.ok(!(await admin.listTopics()).includes("described"));
  await admin.disconnect();
});

test("a transactional producer hears at once and for good that there are no transactions", async () => {
  const producer = kafka.producer({
    createPartitioner: Partitioners.DefaultPartitioner,
    transactionalId: "t",
    idempotent: true,
    maxInFlightRequests: 1,
  });
  await producer.connect();
  // KafkaJS has one sentence for every refusal of a coordinator; it must not come to the end of its retries.
  await assert.rejects(producer.transaction(), { retriable: false, message: /coordinator/ });
  await producer.disconnect();
});
