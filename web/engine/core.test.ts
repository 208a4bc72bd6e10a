// @vitest-environment node
import { expect, test } from "vitest";
import start from "../lessons/01-a-log-remembers/start.json";
import { brookletApi } from "./api";
import { nodeCore } from "./core.node";
import type { Scenario, Snapshot } from "./rpc";

const SCENARIO = start as unknown as Scenario;

async function world() {
  const core = await nodeCore();
  await core.client.open("test", SCENARIO);
  return core;
}

const names = (snapshot: Snapshot) => snapshot.topics.map(({ name }) => name);

test("without storage a world lives in memory, and says so", async () => {
  const { seen, client } = await world();
  await client.snapshot();
  expect(seen.notices.map(({ code }) => code)).toEqual(["memory"]);
});

test("a topic that is created is in the snapshot, and is gone when that is undone", async () => {
  const { client, run } = await world();
  await run(1_000);
  await client.command({ do: "createTopic", topic: { name: "returns", partitions: 2, config: {} } });
  expect(names(await client.snapshot())).toEqual(["orders", "returns"]);
  await client.undo();
  expect(names(await client.snapshot())).toEqual(["orders"]);
  await client.redo();
  expect(names(await client.snapshot())).toEqual(["orders", "returns"]);
});

test("records go to the partition that murmur2 of their key names", async () => {
  const { client, run } = await world();
  await run(5_000);
  let seen = 0;
  for (const partition of [0, 1, 2]) {
    for (const record of await client.records("orders", partition, "0", 5)) {
      const inspection = await client.inspect("orders", partition, Number(record.offset));
      expect(inspection?.partitioning?.partition).toBe(partition);
      seen++;
    }
  }
  expect(seen).toBeGreaterThan(5);
});

test("the spans of an inspected batch cover every byte once", async () => {
  const { client, run } = await world();
  await run(3_000);
  const inspection = await client.inspect("orders", 0, 1);
  let at = 0;
  for (const span of inspection?.spans ?? []) {
    expect(span.start).toBe(at);
    at = span.end;
  }
  expect(at).toBeGreaterThan(61);
  expect(at).toBe(inspection?.bytes.byteLength);
});

test("a seek goes to the moment that was asked for, and now goes back", async () => {
  const { client, run } = await world();
  const { worldTime } = await run(4_000);
  await client.time({ op: "seek", t: 1_234 });
  expect((await client.snapshot()).worldTime).toBe("1234");
  await client.time({ op: "now" });
  expect((await client.snapshot()).worldTime).toBe(worldTime);
});

test("frames hold the lanes that are watched", async () => {
  const { client, seen, run } = await world();
  await client.watch({
    lanes: [{ topic: "orders", partition: 1, cells: 5, until: null, decade: 0 }],
    times: false,
  });
  await run(4_000);
  const lane = seen.frames.at(-1)?.lanes.find(({ cells }) => cells > 0);
  expect(lane?.cells).toBeLessThanOrEqual(5);
  expect(lane?.logEnd).toBeGreaterThan(0);
});

test("window.brooklet runs a command to its end", async () => {
  const { client, run } = await world();
  await run(1_000);
  await client.time({ op: "resume" });
  const opened = { workspace: "test", world: "test~0", restored: false, owner: true };
  const api = brookletApi(client, Promise.resolve(opened));
  expect(await api.cli("kafka-topics --list")).toEqual({
    code: 0,
    stdout: "__consumer_offsets\norders\n",
    stderr: "",
  });
  expect((await api.cli("kafka-nonsense")).code).toBe(127);
});

test("a call with arguments that are none is refused in words, and changes nothing", async () => {
  const { client, run } = await world();
  const { worldTime } = await run(2_000);
  // Whatever the page's types allow: a worker believes nobody.
  const ask = client as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
  const wrong: [string, unknown[]][] = [
    ["time", [{ op: "seek" }]],
    ["time", [{ op: "seek", t: Number.NaN }]],
    ["time", [{ op: "seek", t: -1 }]],
    ["time", [{ op: "seek", t: "" }]],
    ["time", [{ op: "seek", t: {} }]],
    ["time", [{ op: "speed", x: "fast" }]],
    ["time", [{ op: "speed", x: Number.POSITIVE_INFINITY }]],
    ["time", [{ op: "step", by: "week" }]],
    ["time", []],
    ["records", ["orders", 0, "", 5]],
    ["records", ["orders", 0, "0", -1]],
    ["records", ["orders", "0", "0", 5]],
    ["inspect", ["orders", 0, 1.5]],
    ["spawn", [17]],
    ["spawn", ["x".repeat(1 << 20)]],
    ["stdin", [1, { not: "text" }]],
    ["stdin", [1, "x".repeat((1 << 20) + 1)]],
    ["connect", ["first"]],
    ["watch", [{ lanes: "all", times: false }]],
    ["renameWorkspace", ["a", "x".repeat(10_000)]],
  ];
  for (const [method, given] of wrong) {
    const refusal = await ask[method]?.(...given).then(
      () => "nothing was refused",
      (why: unknown) => why,
    );
    expect(refusal, `${method}(${JSON.stringify(given).slice(0, 80)})`).toMatchObject({
      code: "invalid-argument",
      message: expect.stringMatching(/ /),
    });
  }
  expect((await client.snapshot()).worldTime).toBe(worldTime);
});

test("what is typed may be bytes; the producer reads them as text, as Kafka's does", async () => {
  const { client, run, until } = await world();
  await run(1_000);
  await client.time({ op: "resume" });
  const id = await client.spawn("kafka-console-producer --topic orders");
  const before = (await client.snapshot()).topics[0]?.partitions.map(({ logEndOffset }) => logEndOffset);
  await client.stdin(id, new Uint8Array([0x61, 0xff, 0x0a]));
  await client.eof(id);
  await until(
    ({ topics }) =>
      JSON.stringify(topics[0]?.partitions.map((p) => p.logEndOffset)) !== JSON.stringify(before),
  );
  const found: (string | null)[] = [];
  for (const partition of [0, 1, 2]) {
    const from = before?.[partition] ?? "0";
    for (const { value } of await client.records("orders", partition, from, 1000)) found.push(value);
  }
  expect(found).toContain("Ye+/vQ==");
});

test("a thousand calls at once are answered, each of them", async () => {
  const { client } = await world();
  const answers = await Promise.allSettled(Array.from({ length: 5_000 }, () => client.snapshot()));
  const refused = answers.filter(({ status }) => status === "rejected");
  expect(refused.length).toBeGreaterThan(0);
  for (const each of refused) {
    expect((each as PromiseRejectedResult).reason).toMatchObject({ code: "too-many-calls" });
  }
});
