// Storage that refuses, goes away, or is emptied under the page: said in words, and nothing acknowledged is lost.

import type { Page } from "@playwright/test";
import { database } from "./database.ts";
import { loadKafkaJs } from "./kafkajs/bundle.ts";
import {
  addProducer,
  appended,
  by,
  createTopic,
  drop,
  eventually,
  expect,
  LESSON,
  open,
  PATIENT,
  partition,
  quieten,
  ready,
  snapshot,
  test,
  withoutStorage,
} from "./page.ts";

const WORKSPACE = "sandbox";

/** Lets the page store so many bytes, or as many as before; lasts as long as the page. */
async function quotaOf(page: Page, origin: string) {
  const session = await page.context().newCDPSession(page);
  return (bytes?: number) =>
    session.send("Storage.overrideQuotaForOrigin", {
      origin,
      ...(bytes === undefined ? {} : { quotaSize: bytes }),
    });
}

const names = async (page: Page) => (await snapshot(page)).topics.map((topic) => topic.name);

/** Deletes a topic with Kafka's tool; gives what became of it. */
const remove = (page: Page, name: string) =>
  page.evaluate(
    (line) =>
      window.brooklet.cli(line).then(
        ({ code, stderr }) => (code === 0 ? "deleted" : stderr),
        (why: Error) => why.message,
      ),
    `kafka-topics --delete --topic ${name}`,
  );

/** Creates a topic with Kafka's tool; gives what became of it. */
const create = (page: Page, name: string) =>
  page.evaluate(
    (line) =>
      window.brooklet.cli(line).then(
        ({ code }) => (code === 0 ? "created" : "refused"),
        (why: Error) => why.message,
      ),
    `kafka-topics --create --topic ${name} --partitions 1`,
  );

/** Produces until a send fails; gives how many records were acknowledged. Chromium answers from what it once
    found free for up to half a minute: until then, more. */
const fill = (page: Page) =>
  page.evaluate(async () => {
    const producer = window.kafkajs.connect("bulk", { retries: 0 }).producer();
    await producer.connect();
    // Of what is random a database can store no less.
    const random = () => crypto.getRandomValues(new Uint32Array(5_000)).join("");
    const messages = Array.from({ length: 10 }, () => ({ value: random() }));
    for (let n = 0; n < 400; n++) {
      try {
        await producer.send({ topic: "big", messages });
      } catch {
        return n * messages.length;
      }
    }
    throw new Error("the storage is not full");
  });

/** Sends a line with Kafka's producer; gives what became of it. */
const send = (page: Page, topic: string) =>
  page.evaluate(async (name) => {
    const producer = window.kafkajs.connect("one", { retries: 0 }).producer();
    const sent = async () => {
      await producer.connect();
      return producer.send({ topic: name, messages: [{ value: "one" }] });
    };
    return sent().then(
      () => "acknowledged",
      (why: Error) => (/storage|disk/i.test(why.message) ? "refused" : why.message),
    );
  }, topic);

test("a full storage is said in words, keeps what it had, and takes deletions", async ({ page, baseURL }) => {
  test.setTimeout(300_000);
  const quota = await quotaOf(page, new URL(baseURL ?? "").origin);
  await quota(12_000_000);
  await open(page, LESSON);
  await open(page);
  await quieten(page);
  await createTopic(page, "before", 1);
  await createTopic(page, "needless", 1);
  await createTopic(page, "big", 1);
  await loadKafkaJs(page);
  expect(await send(page, "before")).toBe("acknowledged");
  await page.evaluate(() => window.brooklet.speed(3));
  const filled = fill(page);
  await by(page, "notice-quota").waitFor({ timeout: 150_000 });
  // Deleting is the way out, so it works at once: a topic, and a workspace.
  expect(await remove(page, "needless")).toBe("deleted");
  expect(await names(page)).not.toContain("needless");
  await by(page, "workspaces").click();
  await by(page, "delete-lesson-01-a-log-remembers").click();
  await expect(by(page, "delete-lesson-01-a-log-remembers")).toHaveCount(0);
  await page.keyboard.press("Escape");
  const acknowledged = await filled;
  await page.evaluate(() => window.brooklet.pause());
  await quota();
  await expect(by(page, "notice-quota")).toHaveCount(0, PATIENT);
  const state = await snapshot(page);
  expect([state.running, state.speed]).toEqual([false, 3]);
  await page.evaluate(() => window.brooklet.resume());
  await expect.poll(() => send(page, "before"), PATIENT).toBe("acknowledged");
  const kept = await names(page);
  expect(kept).toEqual(expect.arrayContaining(["before", "orders", "big"]));
  await page.reload();
  await ready(page);
  await eventually(page, (s) => s.topics.map((topic) => topic.name)).toEqual(kept);
  expect(await partition(page, "before", 0)).toMatchObject({ logEndOffset: "2" });
  const { logEndOffset } = await partition(page, "big", 0);
  expect(Number(logEndOffset)).toBeGreaterThanOrEqual(acknowledged);
});

test("a connection that another page takes away is opened again", async ({ page }) => {
  await open(page);
  await quieten(page);
  const version = await page.evaluate(async (name) => {
    const found = (await indexedDB.databases()).find((each) => each.name === name);
    const request = indexedDB.open(name, (found?.version ?? 1) + 1);
    const opened = await new Promise<IDBDatabase>((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
    opened.close();
    return opened.version;
  }, database(WORKSPACE));
  expect(version).toBeGreaterThan(1);
  await createTopic(page, "after", 1);
  await page.reload();
  await page.evaluate(() => window.brooklet.ready);
  await eventually(page, (s) => s.topics.map((topic) => topic.name)).toContain("after");
});

test("storage that is emptied under the page is said in words, and the page goes on", async ({ page }) => {
  await open(page);
  await createTopic(page, "before", 1);
  const session = await page.context().newCDPSession(page);
  const origin = new URL(page.url()).origin;
  await session.send("Storage.clearDataForOrigin", { origin, storageTypes: "indexeddb" });
  await expect(by(page, "notice-storage-lost")).toBeVisible(PATIENT);
  await expect.poll(() => create(page, "after"), PATIENT).toBe("created");
  await eventually(page, (s) => s.topics.map((topic) => topic.name)).toContain("after");
});

test("a browser that keeps nothing is said so, and the page works in memory", async ({ page }) => {
  await withoutStorage(page);
  await open(page);
  await expect(by(page, "notice-memory")).toContainText("keeps nothing");
  await createTopic(page, "fleeting", 1);
  await addProducer(page, "hand", "fleeting");
  await drop(page, "hand", "lines.txt", "one\ntwo\nthree");
  await eventually(page, (s) => appended(s, "fleeting")).toBe(3);
  await page.reload();
  await ready(page);
  // It is what was said, so it is no loss.
  await expect(by(page, "notice-memory")).toBeVisible();
  await expect(by(page, "notice-dropped")).toHaveCount(0);
  expect(await names(page)).not.toContain("fleeting");
});

test("where nothing is kept memory has an end, and deleting a topic makes room", async ({ page }) => {
  test.setTimeout(150_000);
  await withoutStorage(page);
  await open(page);
  await quieten(page);
  await createTopic(page, "filling", 1);
  await loadKafkaJs(page);
  const full = by(page, "notice-memory-full");
  await expect(full).toBeHidden();
  const acknowledged = await page.evaluate(async () => {
    const producer = window.kafkajs.connect("bulk", { retries: 2 }).producer();
    await producer.connect();
    const messages = Array.from({ length: 9 }, () => ({ value: "x".repeat(100_000) }));
    for (let n = 0; n < 1_000; n++) {
      try {
        await producer.send({ topic: "filling", messages });
      } catch {
        return n * messages.length;
      }
    }
    return 0;
  });
  await expect(full).toContainText("memory", PATIENT);
  // 96 MiB of 100 kB each, and not one more or less than was acknowledged.
  expect(acknowledged).toBeGreaterThan(950);
  expect(acknowledged).toBeLessThan(1_100);
  expect(await partition(page, "filling", 0)).toMatchObject({
    logEndOffset: String(acknowledged),
    highWatermark: String(acknowledged),
  });
  const line = "kafka-topics --delete --topic filling";
  expect(await page.evaluate((text) => window.brooklet.cli(text).then(({ code }) => code), line)).toBe(0);
  await createTopic(page, "room", 1);
  await addProducer(page, "hand", "room");
  await drop(page, "hand", "lines.txt", "one\ntwo\nthree");
  await eventually(page, (s) => appended(s, "room")).toBe(3);
  await expect(by(page, "notice-memory-room")).toBeVisible(PATIENT);
  await expect(full).toBeHidden();
});
