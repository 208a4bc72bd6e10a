// A log larger than what stays in memory is served from IndexedDB, to the page and to consumers.

import { loadKafkaJs } from "./kafkajs/bundle.ts";
import { by, cli, createTopic, expect, open, PATIENT, partition, quieten, ready, test } from "./page.ts";

/** Bytes of a record, and how many it takes to pass the 64 MiB of logs that stay in memory. */
const [SIZE, COUNT] = [500_000, 150];

test("records that are only in IndexedDB are looked at, consumed, and brought back by undo", async ({
  page,
}) => {
  test.setTimeout(240_000);
  await open(page);
  await quieten(page);
  await createTopic(page, "large", 1);
  await loadKafkaJs(page);
  await page.evaluate(
    async ([size, count]) => {
      const producer = window.kafkajs.connect("bulk").producer();
      await producer.connect();
      for (let n = 0; n < count; n++) {
        const value = `${n} ${"x".repeat(size)}`;
        await producer.send({ topic: "large", messages: [{ key: String(n), value }] });
      }
      await producer.disconnect();
    },
    [SIZE, COUNT] as const,
  );
  const ends = async () => {
    const key = (offset: number) =>
      page.evaluate(
        async (from) => (await window.brooklet.records("large", 0, from, 1)).map(({ key }) => key),
        offset,
      );
    return [...(await key(0)), ...(await key(COUNT - 1))].map((text) => atob(text ?? ""));
  };
  expect(await ends()).toEqual(["0", String(COUNT - 1)]);
  await page.reload();
  await ready(page);
  expect(await ends()).toEqual(["0", String(COUNT - 1)]);
  expect((await partition(page, "large", 0)).highWatermark).toBe(String(COUNT));
  const line = `kafka-console-consumer --topic large --from-beginning --max-messages ${COUNT} --formatter-property print.key=true --formatter-property print.value=false`;
  const { code, stdout } = await cli(page, line);
  expect([code, stdout.trim().split("\n")]).toEqual([0, Array.from({ length: COUNT }, (_, n) => String(n))]);

  await by(page, "edit-topic-large").click();
  await by(page, "topic-editor-remove").click();
  await expect(by(page, "topic-large")).toBeHidden(PATIENT);
  await by(page, "undo").click();
  await expect(by(page, "topic-large")).toBeVisible(PATIENT);
  expect(await ends()).toEqual(["0", String(COUNT - 1)]);
  await page.reload();
  await ready(page);
  expect(await ends()).toEqual(["0", String(COUNT - 1)]);
  await expect(by(page, "notice-cut")).toHaveCount(0);
});
