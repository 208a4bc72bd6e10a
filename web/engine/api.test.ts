// @vitest-environment node
import { beforeAll, expect, test } from "vitest";
import start from "../lessons/01-a-log-remembers/start.json";
import { type BrookletApi, brookletApi } from "./api";
import { type NodeCore, nodeCore } from "./core.node";
import type { Scenario } from "./rpc";

let core: NodeCore;
let api: BrookletApi;
let end = "";

beforeAll(async () => {
  core = await nodeCore();
  const opened = core.client.open("test", start as unknown as Scenario);
  await opened;
  api = brookletApi(core.client, opened);
  end = (await core.run(4_000)).worldTime;
});

/** What scripts do, whatever the types say. */
const loose = () => api as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;

test("a world time of a snapshot is a moment to seek, as it is and as a number", async () => {
  for (const [given, there] of [
    ["2067", "2067"],
    [1_500, "1500"],
    ["0", "0"],
    [end, end],
  ] as const) {
    await api.seek(given);
    expect((await api.snapshot()).worldTime).toBe(there);
  }
});

test("an offset of a record is one to begin at, as it is and as a number", async () => {
  const [, second] = await api.records("orders", 0, 0, 2);
  const from = second?.offset ?? "";
  expect((await api.records("orders", 0, from, 1))[0]).toEqual(second);
  expect((await api.records("orders", 0, Number(from), 1))[0]).toEqual(second);
});

const REFUSED: [keyof BrookletApi, unknown[]][] = [
  ...[
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    "-1",
    "",
    " ",
    "abc",
    "0x10",
    "1e3",
    {},
    [],
    null,
    undefined,
    true,
  ].map((given): [keyof BrookletApi, unknown[]] => ["seek", [given]]),
  ...[Number.NaN, -1, 1e9, "fast", "", null, undefined, {}].map((given): [keyof BrookletApi, unknown[]] => [
    "speed",
    [given],
  ]),
  ...["week", 1, null, {}].map((given): [keyof BrookletApi, unknown[]] => ["step", [given]]),
  ["records", ["orders", 0, "", 5]],
  ["records", ["orders", 0, "abc", 5]],
  ["records", ["orders", 0, -1, 5]],
  ["records", ["orders", 0, Number.NaN, 5]],
  ["records", ["orders", 0, undefined, 5]],
  ["records", ["orders", 0, [5], 5]],
  ["records", ["orders", 0, 0, Number.NaN]],
  ["records", ["orders", 0, 0, -5]],
  ["records", ["orders", 0, 0]],
  ["records", ["orders", "0", 0, 5]],
  ["records", [undefined, 0, 0, 5]],
  ["connect", [undefined]],
  ["connect", ["1"]],
  ["connect", [1.5]],
  ["cli", [undefined]],
  ["cli", [["kafka-topics", "--list"]]],
  ["cli", ["kafka-topics --list", 17]],
  ["cli", ["kafka-topics --list", null]],
  ["cli", ["kafka-topics --list", { text: "a" }]],
  ["cli", ["kafka-topics --list", () => "a"]],
];

test.each(REFUSED)("%s(%o) is refused in words", async (method, given) => {
  const before = await api.snapshot();
  const refusal = await loose()
    [method]?.(...given)
    .then(
      () => "nothing was refused",
      (why: unknown) => why,
    );
  expect(refusal).toMatchObject({
    name: "Refusal",
    code: "invalid-argument",
    message: expect.stringMatching(/\w+ \w+ \w+/),
  });
  expect(await api.snapshot()).toEqual(before);
});

test("a line that is none ends what was spawned, and says why", async () => {
  const running = api.spawn(17 as unknown as string);
  await expect(running.done).rejects.toMatchObject({ code: "invalid-argument" });
});

test("standard input is text or bytes, of any size, and nothing else", async () => {
  await api.resume();
  await api.cli("kafka-topics --create --topic typed --partitions 1");
  const running = api.spawn("kafka-console-producer --topic typed");
  const writer = running.stdin.getWriter();
  await writer.write("ü\n");
  await writer.write(new Uint8Array([0x61, 0xff, 0x0a]));
  await writer.write(new Uint8Array([0x62, 0x0a]).buffer);
  await writer.close();
  expect(await running.done).toBe(0);
  expect((await api.records("typed", 0, 0, 5)).map(({ value }) => value)).toEqual([
    "w7w=",
    // The producer reads text, as Kafka's does: a byte that is none becomes U+FFFD.
    "Ye+/vQ==",
    "Yg==",
  ]);
  // Longer than one message to the worker may be.
  const counted = await api.cli("kafka-console-producer --topic typed", `${"x".repeat(9_999)}\n`.repeat(130));
  expect(counted.code).toBe(0);
  await core.until(({ topics }) => {
    const typed = topics.find(({ name }) => name === "typed");
    return typed?.partitions[0]?.logEndOffset === String(3 + 130);
  });
  const refused = api.spawn("kafka-console-producer --topic typed").stdin.getWriter();
  await expect(refused.write({} as unknown as string)).rejects.toMatchObject({ code: "invalid-argument" });
}, 60_000);
