// What the page brings back from its logs alone, and what it says when they are damaged.

import type { Page } from "@playwright/test";
import { damage, keepOnlyLogs, type LogValue, logValues } from "./database.ts";
import { loadKafkaJs } from "./kafkajs/bundle.ts";
import {
  addProducer,
  appended,
  by,
  createTopic,
  drop,
  eventually,
  expect,
  groupOf,
  open,
  PATIENT,
  partitions,
  quieten,
  ready,
  records,
  snapshot,
  test,
} from "./page.ts";
import { Chromium, Drops, hasWitness, leaveWitness } from "./store/harness.ts";

/** Leaves the page, so that nothing holds its database, but stays on its origin. */
async function away(page: Page) {
  const body = '<!doctype html><link rel="icon" href="data:,"><title>elsewhere</title>';
  await page.route("**/elsewhere", (route) => route.fulfill({ contentType: "text/html", body }));
  await page.goto("./elsewhere");
}

test("the logs alone bring back topics, records and committed offsets", async ({ page }) => {
  await open(page);
  await createTopic(page, "kept", 2);
  await addProducer(page, "hand", "kept");
  await drop(page, "hand", "kept.txt", Array.from({ length: 25 }, (_, i) => `line ${i}`).join("\n"));
  await eventually(page, (s) => appended(s, "kept")).toBe(25);
  await quieten(page);
  const before = await snapshot(page);
  const [kept, orders] = [await records(page, "kept"), await records(page, "orders")];

  await away(page);
  expect(await keepOnlyLogs(page, "sandbox")).toContain("meta");
  await open(page);

  const after = await snapshot(page);
  const named = (s: typeof after) =>
    s.topics.map(({ name, topicId, partitions: all }) => [name, topicId, all.length]);
  expect(named(after)).toEqual(named(before));
  expect(await records(page, "kept")).toEqual(kept);
  // The scenario went with the other stores, and with it that checkout was stopped: it sends on.
  const ends = partitions(before, "orders").map((p) => Number(p.logEndOffset));
  const old = (await records(page, "orders")).filter((each) => each.offset < (ends[each.partition] ?? 0));
  expect(old).toEqual(orders);
  const held = (s: typeof after) =>
    (groupOf(s, "billing")?.offsets ?? []).map((o) => [o.topic, o.partition, Number(o.committed)] as const);
  for (const [topic, partition, was] of held(before)) {
    const is = held(after).find((each) => each[0] === topic && each[1] === partition)?.[2] ?? -1;
    expect(is, `${topic}-${partition}`).toBeGreaterThanOrEqual(was);
  }
});

/** A log of a few stored values: its keys, first to last. */
async function longLog(page: Page): Promise<LogValue[]> {
  await open(page);
  await createTopic(page, "long", 1);
  await addProducer(page, "hand", "long");
  const lines = Array.from({ length: 400 }, (_, i) => `${i} `.padEnd(500, "-"));
  await drop(page, "hand", "long.txt", lines.join("\n"));
  await eventually(page, (s) => appended(s, "long")).toBe(400);
  const id = (await snapshot(page)).topics.find((t) => t.name === "long")?.topicId ?? "?";
  await away(page);
  const all = await logValues(page, "sandbox");
  const bytes = new Map<string, number>();
  for (const { replica, bytes: n } of all) bytes.set(replica, (bytes.get(replica) ?? 0) + n);
  const [largest] = [...bytes].sort((a, b) => b[1] - a[1])[0] ?? [id];
  return all.filter(({ replica }) => replica === largest);
}

for (const [how, words] of [
  ["delete", "a log value that is gone"],
  ["flip", "a log value with one bit changed"],
] as const) {
  test(`${words} cuts the log there, and the page says so`, async ({ page }) => {
    const values = await longLog(page);
    expect(values.length).toBeGreaterThan(2);
    const victim = values[1] as LogValue;
    await damage(page, "sandbox", victim, how);
    await open(page);
    const notice = by(page, "notice-cut");
    await expect(notice).toBeVisible(PATIENT);
    await expect(notice).toContainText("long-0");
    await expect(notice).toContainText("have been cut");
    await expect(notice).toContainText("all other records are there");
    await expect(by(page, "notice-history-begins")).toHaveCount(0);
    const end = Number(partitions(await snapshot(page), "long")[0]?.logEndOffset);
    expect(end).toBeLessThan(400);
    expect(end).toBeGreaterThanOrEqual(victim.offset);
    const left = await records(page, "long");
    expect(left.map(({ value }) => value?.split(" ")[0])).toEqual(
      Array.from({ length: end }, (_, i) => String(i)),
    );
    // It goes on from there.
    await drop(page, "hand", "more.txt", "appended after the cut");
    await eventually(page, (s) => appended(s, "long")).toBe(end + 1);
    await page.reload();
    await ready(page);
    await expect(by(page, "notice-cut")).toBeHidden();
    expect((await records(page, "long")).at(-1)?.value).toBe("appended after the cut");
  });
}

test("a worker that is gone is noticed, and another one goes on from the logs", async ({ page }) => {
  await open(page);
  await createTopic(page, "kept", 1);
  await page.evaluate(() => {
    void window.brooklet.spawn("kafka-console-consumer --topic kept").done.then((code) => {
      document.title = `ended with ${code}`;
    });
  });
  await eventually(page, (s) => s.groups.some(({ groupId }) => groupId.startsWith("console-consumer"))).toBe(
    true,
  );
  const [worker] = page.workers();
  // As when the browser takes its memory: it says nothing any more.
  await worker?.evaluate(() => (globalThis as unknown as { close(): void }).close());
  await expect(by(page, "notice-restarted")).toBeVisible({ timeout: 5_000 });
  await eventually(page, (s) => s.topics.map((topic) => topic.name)).toContain("kept");
  await expect(page).toHaveTitle("ended with 1");
});

type Ack = { partition: number; offset: number; value: string };

test("a browser that lost all of the site's databases is told from a first visit", async ({ page }) => {
  const dropped = by(page, "notice-dropped");
  await open(page);
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(0);
  await page.reload();
  await ready(page);
  await expect(dropped).toHaveCount(0);
  await away(page);
  await page.evaluate(async () => {
    for (const { name = "" } of await indexedDB.databases()) indexedDB.deleteDatabase(name);
  });
  await open(page);
  await expect(dropped).toContainText("lost everything that this site had stored");
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(0);
  // It is said once, and not of a workspace that was deleted on purpose.
  await page.reload();
  await ready(page);
  await expect(dropped).toHaveCount(0);
});

test("SIGKILL at random moments of a continuous produce loses nothing acknowledged", async ({ baseURL }) => {
  const kills = Number(process.env.BROOKLET_KILLS ?? 5);
  test.setTimeout(60_000 + kills * 30_000);
  const drops = new Drops(kills);
  let chromium = await Chromium.start();
  const acks: Ack[] = [];
  try {
    for (let trial = 0; trial < kills; trial++) {
      const page = await tab(chromium);
      await open(page, "lesson=none", baseURL);
      if (trial > 0 && !(await hasWitness(page))) {
        drops.count();
        acks.length = 0;
      }
      if (acks.length === 0) await createTopic(page, "killed", 2);
      await leaveWitness(page);
      await verify(page, acks);
      await loadKafkaJs(page, baseURL);
      const enough = acks.length + 1 + Math.floor(Math.random() * 150);
      let killed = false;
      const reached = new Promise<void>((resolve, reject) => {
        const acknowledge = (ack: Ack) => {
          acks.push(ack);
          if (acks.length >= enough) resolve();
        };
        // Runs until it is killed: to end before that is to fail.
        void page
          .exposeFunction("acknowledge", acknowledge)
          .then(() => page.evaluate(produce, trial))
          .catch((why: unknown) => killed || reject(why));
      });
      await reached;
      killed = true;
      await chromium.kill();
      chromium = await Chromium.start(chromium.profile);
    }
    const page = await tab(chromium);
    await open(page, "lesson=none", baseURL);
    if (await hasWitness(page)) await verify(page, acks);
    else drops.count();
    test.info().annotations.push({ type: "acknowledged", description: `${acks.length} in ${kills} lives` });
  } finally {
    await chromium.dispose();
  }
});

async function tab(chromium: Chromium): Promise<Page> {
  const [context] = chromium.browser.contexts();
  if (!context) throw new Error("Chromium has no window");
  const page = await context.newPage();
  // Its own window is so low that the page would show one panel at a time.
  await page.setViewportSize({ width: 1280, height: 720 });
  return page;
}

/** Runs in the page: four sends in flight, each told outside as soon as it is acknowledged. */
async function produce(trial: number) {
  const { acknowledge } = window as unknown as { acknowledge(ack: Ack): Promise<void> };
  const producer = window.kafkajs.connect("killed").producer();
  await producer.connect();
  let n = 0;
  const lane = async () => {
    for (;;) {
      const [partition, value] = [n % 2, `${trial}/${n++}`];
      const [ack] = await producer.send({ topic: "killed", acks: -1, messages: [{ partition, value }] });
      await acknowledge({ partition, offset: Number(ack?.baseOffset), value });
    }
  };
  await Promise.all([lane(), lane(), lane(), lane()]);
}

async function verify(page: Page, acks: Ack[]) {
  const found = await snapshot(page);
  const notices = await page.locator('[data-testid^="notice-"]').allInnerTexts();
  const stored = await logValues(page, "sandbox");
  const replicas = stored.map(({ replica, offset, bytes }) => [replica, offset, bytes]).slice(-1_000);
  const context = JSON.stringify({ worldTime: found.worldTime, topics: found.topics, notices, replicas });
  expect(partitions(found, "killed").length, context).toBe(2);
  // A broker that has just started knows the high watermark of its checkpoint; the rest is confirmed at once.
  const ends = [0, 1].map(
    (n) => 1 + Math.max(-1, ...acks.filter((a) => a.partition === n).map((a) => a.offset)),
  );
  await eventually(page, (s) =>
    partitions(s, "killed").map((p) => Number(p.highWatermark) >= (ends[p.partition] ?? 0)),
  ).toEqual([true, true]);
  const all = await records(page, "killed", 1_000_000);
  const at = new Map(all.map((each) => [`${each.partition}/${each.offset}`, each.value]));
  const lost = acks.filter((ack) => at.get(`${ack.partition}/${ack.offset}`) !== ack.value);
  expect(lost, context).toEqual([]);
  for (const partition of [0, 1]) {
    const offsets = all.filter((each) => each.partition === partition).map((each) => each.offset);
    expect(offsets).toEqual(offsets.map((_, i) => i));
  }
}
