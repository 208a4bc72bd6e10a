// The page under test: opening it, what it says of itself, and the hands that work on its stage.

import { test as base, type ConsoleMessage, expect, type Locator, type Page } from "@playwright/test";
import type { BrookletApi } from "../../web/engine/api.ts";
import type { GroupState, PartitionState, RecordView, Snapshot } from "../../web/engine/rpc.ts";

declare global {
  interface Window {
    brooklet: BrookletApi;
  }
}

export { expect };

export const SANDBOX = "lesson=none";
export const LESSON = "lesson=01-a-log-remembers";

/** Tag of a test that measures time: it has the machine to itself. */
export const ALONE = "@alone";

/** Waiting for the world: a loaded machine may be slow, a broken page never gets there. */
export const PATIENT = { timeout: 20_000 };

/** What a page complained about, which no test allows. */
const complaint = (message: ConsoleMessage) =>
  message.type() === "error" || /content security policy/i.test(message.text());

/** A test whose pages may log no error and violate no policy. */
export const test = base.extend<{ quiet: undefined }>({
  quiet: [
    async ({ context }, use) => {
      const complaints: string[] = [];
      context.on("console", (message) => {
        if (complaint(message)) complaints.push(message.text());
      });
      context.on("weberror", (error) => complaints.push(error.error().message));
      await use(undefined);
      expect(complaints).toEqual([]);
    },
    { auto: true },
  ],
});

export const by = (page: Page, id: string): Locator => page.getByTestId(id);

/** Loads the page and waits until its world runs. */
export async function open(page: Page, query = SANDBOX, base = "./") {
  await page.goto(`${base}?${query}`);
  await ready(page);
}

export async function ready(page: Page) {
  await page.waitForFunction(() => window.brooklet !== undefined);
  await page.evaluate(() => window.brooklet.ready);
  await by(page, "stage").waitFor();
  await page.locator(".first-paint").waitFor({ state: "detached" });
}

export const snapshot = (page: Page): Promise<Snapshot> => page.evaluate(() => window.brooklet.snapshot());

export const cli = (page: Page, line: string, stdin = "") =>
  page.evaluate(({ line, stdin }) => window.brooklet.cli(line, stdin), { line, stdin });

/** A partition of a topic; it must be there. */
export async function partition(page: Page, topic: string, number: number): Promise<PartitionState> {
  const found = partitions(await snapshot(page), topic)[number];
  if (!found) throw new Error(`the snapshot has no ${topic}-${number}`);
  return found;
}

export const partitions = (from: Snapshot, topic: string): PartitionState[] =>
  from.topics.find((each) => each.name === topic)?.partitions ?? [];

/** Records ever appended to a topic, or to all. */
export function appended(from: Snapshot, topic?: string): number {
  const chosen = from.topics.filter((each) => topic === undefined || each.name === topic);
  return sum(chosen.flatMap((each) => each.partitions.map((p) => p.logEndOffset)));
}

export const groupOf = (from: Snapshot, groupId: string): GroupState | undefined =>
  from.groups.find((each) => each.groupId === groupId);

export const committed = (from: Snapshot, groupId: string): number =>
  sum((groupOf(from, groupId)?.offsets ?? []).map((o) => o.committed));

export const lag = (from: Snapshot, groupId: string): number =>
  sum((groupOf(from, groupId)?.offsets ?? []).map((o) => o.lag));

export const sum = (numbers: (string | null)[]): number =>
  numbers.reduce((all, n) => all + Number(n ?? 0), 0);

export type Read = { partition: number; offset: number; key: string | null; value: string | null };

/** Every record of a topic, by partition and offset, decoded. */
export async function records(page: Page, topic: string, max = 10_000): Promise<Read[]> {
  const all: Read[] = [];
  for (const { partition, logStartOffset, highWatermark } of partitions(await snapshot(page), topic)) {
    let next = Number(logStartOffset);
    while (next < Number(highWatermark) && all.length < max) {
      const [from, want] = [next, Math.min(500, Number(highWatermark) - next)];
      const got: RecordView[] = await page.evaluate(
        (ask) => window.brooklet.records(ask.topic, ask.partition, ask.from, ask.want),
        { topic, partition, from, want },
      );
      if (got.length === 0) throw new Error(`${topic}-${partition} gives nothing from ${from} on`);
      for (const each of got)
        all.push({
          partition,
          offset: Number(each.offset),
          key: text(each.key),
          value: text(each.value),
        });
      next = Number(got.at(-1)?.offset) + 1;
    }
  }
  return all;
}

const text = (base64: string | null) => (base64 === null ? null : Buffer.from(base64, "base64").toString());

/** Polls the snapshot until `look` says what is wanted. */
export const eventually = <T>(page: Page, look: (from: Snapshot) => T) =>
  expect.poll(async () => look(await snapshot(page)), PATIENT);

export async function createTopic(page: Page, name: string, count: number) {
  await by(page, "add-topic").click();
  await by(page, "new-topic-name").fill(name);
  await by(page, "new-topic-partitions").fill(String(count));
  await by(page, "new-topic-apply").click();
  await expect(by(page, `topic-${name}`)).toBeVisible();
}

/** A producer that sends only what it is given. */
export async function addProducer(page: Page, name: string, topic: string) {
  await by(page, "add-producer").click();
  await by(page, "new-producer-name").fill(name);
  await by(page, "new-producer-topic").selectOption(topic);
  await by(page, "new-producer-rate").fill("0");
  await by(page, "new-producer-apply").click();
  await expect(by(page, `producer-${name}`)).toBeVisible();
}

export async function addGroup(page: Page, name: string, topic: string, members: number) {
  await by(page, "add-group").click();
  await by(page, "new-group-name").fill(name);
  await by(page, "new-group-members").fill(String(members));
  await by(page, "new-group-topics").selectOption([topic]);
  await by(page, "new-group-apply").click();
  await expect(by(page, `group-${name}`)).toBeVisible();
}

/** Stops the producer that the little world begins with, and waits until billing has read everything. */
export async function quieten(page: Page) {
  await by(page, "pause-producer-checkout").click();
  await eventually(page, (s) => [committed(s, "billing") >= 36, lag(s, "billing")]).toEqual([true, 0]);
}

/** Drops a file on a producer as a person does. */
export async function dropFile(page: Page, producer: string, name: string, content: string) {
  const transfer = await page.evaluateHandle(
    ({ name, content }) => {
      const data = new DataTransfer();
      data.items.add(new File([content], name));
      return data;
    },
    { name, content },
  );
  await by(page, `producer-${producer}`).dispatchEvent("drop", { dataTransfer: transfer });
}

/** Drops a file on a producer, and sends it. */
export async function drop(page: Page, producer: string, name: string, content: string, key?: string) {
  await dropFile(page, producer, name, content);
  if (key !== undefined) await by(page, "file-key").selectOption(key);
  await by(page, "file-sender-apply").click();
  await expect(by(page, "file-sender")).toBeHidden();
}

/** Types a line into the terminal that is shown. */
export async function type(page: Page, line: string) {
  await by(page, "terminal-input").fill(line);
  await by(page, "terminal-input").press("Enter");
}

/** As in a browser that gives a page no IndexedDB. */
export async function withoutStorage(page: Page) {
  await page.route("**/worker-*.js", async (route) => {
    const response = await route.fetch();
    const body = `Object.defineProperty(self, "indexedDB", { value: undefined });${await response.text()}`;
    await route.fulfill({ response, body });
  });
}
