import { expect, test } from "vitest";
import start from "../lessons/01-a-log-remembers/start.json";
import { brookletApi } from "./api";
import { fakeEngine } from "./fake";
import { readFrame } from "./frame";
import type { Scenario } from "./rpc";

async function world() {
  const engine = fakeEngine();
  await engine.open("test", start as unknown as Scenario);
  const run = (ms: number) => {
    for (let t = 0; t < ms; t += 50) engine.tick(50);
  };
  return { engine, run };
}

test("records go to the partition that murmur2 of their key names", async () => {
  const { engine } = await world();
  for (const partition of [0, 1, 2]) {
    for (const record of await engine.records("orders", partition, "0", 100)) {
      const seen = await engine.inspect("orders", partition, Number(record.offset));
      expect(seen?.partitioning?.partition).toBe(partition);
    }
  }
});

test("the spans of an inspected batch cover every byte once", async () => {
  const { engine } = await world();
  const seen = await engine.inspect("orders", 0, 3);
  let at = 0;
  for (const span of seen?.spans ?? []) {
    expect(span.start).toBe(at);
    at = span.end;
  }
  expect(at).toBe(seen?.bytes.byteLength);
});

test("undo and seek go back to what was, and the world goes on from there", async () => {
  const { engine, run } = await world();
  run(3000);
  const before = await engine.snapshot();
  await engine.command({ do: "deleteTopic", name: "orders" });
  run(500);
  expect((await engine.snapshot()).topics).toEqual([]);
  await engine.undo();
  expect((await engine.snapshot()).topics).toEqual(before.topics);
  await engine.time({ op: "seek", t: 1000 });
  expect((await engine.snapshot()).worldTime).toBe("1000");
});

test("frames hold the cells that were asked for", async () => {
  const { engine, run } = await world();
  const cells: number[][] = [];
  engine.onPush((push) => {
    if (push.push === "frame") cells.push(readFrame(push.buffer).lanes.map((lane) => lane.cells));
  });
  await engine.watch({
    lanes: [{ topic: "orders", partition: 1, cells: 5, until: null }],
    decade: 0,
    times: false,
  });
  run(100);
  expect(cells.at(-1)).toEqual([0, 4, 0]); // the slot takes one of the five
});

test("window.brooklet runs a command to its end", async () => {
  const { engine } = await world();
  const api = brookletApi(engine, engine.open("sandbox", null));
  expect(await api.cli("kafka-topics --list")).toEqual({ code: 0, stdout: "orders\n", stderr: "" });
  expect((await api.cli("kafka-nonsense")).code).toBe(127);
});
