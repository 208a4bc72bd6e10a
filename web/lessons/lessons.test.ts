// @vitest-environment node
import { expect, test } from "vitest";
import { nodeCore } from "../engine/core.node";
import type { Snapshot } from "../engine/rpc";
import { LessonProgress } from "../state/lesson.svelte";
import { LESSONS } from ".";
import { holds, NO_COUNTERS, parseCondition } from "./conditions";
import { parseLesson } from "./parse";

const page = (body: string) => parseLesson(`---\ntitle: T\nminutes: 2\n---\n${body}`);

test("a lesson becomes data: prose, names of things, numbers to drag", () => {
  const lesson = page("A [▲ billing](group:billing) *reads* [4](knob:producer.checkout.rate_0..100).");
  expect(lesson.blocks).toEqual([
    {
      is: "p",
      of: [
        { is: "text", text: "A " },
        { is: "ref", group: "billing", of: [{ is: "text", text: "▲ billing" }] },
        { is: "text", text: " " },
        { is: "em", of: [{ is: "text", text: "reads" }] },
        { is: "text", text: " " },
        { is: "knob", of: { actor: "producer", name: "checkout", least: 0, most: 100, start: 4 } },
        { is: "text", text: "." },
      ],
    },
  ]);
});

test("markup stays text, and links lead only where lessons may lead", () => {
  expect(page("<b>x</b>").blocks).toEqual([{ is: "p", of: [{ is: "text", text: "<b>x</b>" }] }]);
  expect(JSON.stringify(page("[x](javascript:alert)").blocks)).not.toContain("href");
  expect(() => page("[x](knob:nothing)")).toThrow("cannot link");
});

test("a condition that is none stops the build", () => {
  for (const text of ["lag(billing) > 3", "constructor() >= 0", "lag(billing)", ""]) {
    expect(() => parseCondition(text)).toThrow("not a condition");
  }
});

test("a condition counts what the snapshot shows", () => {
  const snapshot = {
    topics: [],
    groups: [
      {
        groupId: "billing",
        members: [],
        offsets: [
          { topic: "orders", partition: 0, committed: "3", position: "4", lag: "12" },
          { topic: "orders", partition: 1, committed: null, position: null, lag: null },
        ],
      },
    ],
  } as unknown as Snapshot;
  expect(holds(parseCondition("lag(billing) >= 12 and groups(orders) = 1"), snapshot, NO_COUNTERS)).toBe(
    true,
  );
  expect(holds(parseCondition("lag(billing) >= 13"), snapshot, NO_COUNTERS)).toBe(false);
});

/** A lesson in a world of its own, at its beginning. */
async function begin(lesson: (typeof LESSONS)[number]) {
  const core = await nodeCore();
  const progress = new LessonProgress(lesson.lesson);
  core.client.onPush((push) => {
    if (push.push === "snapshot") progress.see(push.snapshot);
  });
  await core.client.open("test", lesson.start);
  return { ...core, progress };
}

test.each(LESSONS)("$slug: nothing is ticked before anything was done", async (lesson) => {
  const { progress, run } = await begin(lesson);
  const { groups } = await run(20_000);
  expect(groups.map(({ groupId }) => groupId)).toEqual(["billing"]);
  expect(progress.checks.length).toBeGreaterThan(2);
  expect([...progress.done]).toEqual([]);
});

test("the first lesson can be done from start to end", async () => {
  const [first] = LESSONS;
  if (!first) throw new Error("no lesson");
  const { client, progress, run } = await begin(first);
  progress.inspected(await run(4_000));
  expect(progress.done.size).toBe(1);
  await client.command({ do: "seekMember", groupId: "billing", topic: "orders", partition: 0, offset: 2 });
  // Slowly enough for snapshots to show the way back.
  await run(2_000, 2);
  expect(progress.done.size).toBe(2);
  await client.command({ do: "updateGroup", groupId: "billing", change: { rate: 1 } });
  await client.command({ do: "updateProducer", name: "checkout", change: { rate: 50 } });
  await run(3_000);
  expect(progress.done.size).toBe(3);
  const [group] = first.start.groups;
  if (!group) throw new Error("no group");
  await client.command({ do: "addGroup", group: { ...group, groupId: "search" } });
  await run(10_000);
  expect(progress.finished).toBe(true);
});
