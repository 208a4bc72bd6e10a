import { expect, test } from "vitest";
import type { Snapshot } from "../engine/rpc";
import { parseLesson } from "../lessons/parse";
import { LessonProgress } from "./lesson.svelte";

const progress = () =>
  new LessonProgress(
    parseLesson("---\ntitle: T\n---\n```check\nwhen: reread(billing) >= 3\n---\nRead again.\n```\n"),
  );

const at = (worldTime: number, position: number) =>
  ({
    worldTime: String(worldTime),
    topics: [],
    groups: [
      {
        groupId: "billing",
        members: [],
        offsets: [{ topic: "orders", partition: 0, committed: null, position: String(position), lag: null }],
      },
    ],
  }) as unknown as Snapshot;

const seen = (snapshots: Snapshot[]) => {
  const lesson = progress();
  for (const snapshot of snapshots) lesson.see(snapshot);
  return lesson.finished;
};

test("a group that is set back and reads again has read again", () => {
  expect(seen([at(1_000, 10), at(2_000, 4), at(3_000, 8)])).toBe(true);
});

test("who looks at the past and comes back has read nothing again", () => {
  expect(seen([at(5_000, 10), at(1_000, 2), at(2_000, 4), at(5_000, 10), at(6_000, 12)])).toBe(false);
});

test("what a group reads after an undo it has not read before", () => {
  const lesson = progress();
  lesson.see(at(5_000, 10));
  lesson.rewound(1_000);
  for (const [time, position] of [
    [1_000, 2],
    [2_000, 6],
    [3_000, 10],
  ] as const)
    lesson.see(at(time, position));
  expect(lesson.finished).toBe(false);
});
