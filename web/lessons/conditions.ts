/**
 * The conditions of lesson checks: comparisons of counts, joined by `and`. Parsed when the page is built,
 * evaluated against the snapshot and a few counters of the page.
 *
 *   lag(billing) >= 20 and inspected() >= 1
 */

import type { Snapshot } from "../engine/rpc";

export interface Comparison {
  of: keyof typeof COUNTS;
  args: string[];
  is: ">=" | "<=" | "=";
  than: number;
}

/** What the page itself counts, since the lesson began. */
export interface Counters {
  inspected: number;
  /** Records that a group has read a second time, by group. */
  reread: Record<string, number>;
  commands: number;
}

export const NO_COUNTERS: Counters = { inspected: 0, reread: {}, commands: 0 };

const COUNTS = {
  inspected: (_: Snapshot, c: Counters) => c.inspected,
  commands: (_: Snapshot, c: Counters) => c.commands,
  reread: (_: Snapshot, c: Counters, group = "") => c.reread[group] ?? 0,
  lag: (s: Snapshot, _: Counters, group = "") => sum(offsets(s, group).map((o) => o.lag)),
  committed: (s: Snapshot, _: Counters, group = "") => sum(offsets(s, group).map((o) => o.committed)),
  members: (s: Snapshot, _: Counters, group = "") =>
    s.groups.find((g) => g.groupId === group)?.members.length ?? 0,
  partitions: (s: Snapshot, _: Counters, topic = "") => partitions(s, topic).length,
  records: (s: Snapshot, _: Counters, topic = "") => sum(partitions(s, topic).map((p) => p.logEndOffset)),
  groups: (s: Snapshot, _: Counters, topic = "") =>
    s.groups.filter((g) => g.offsets.some((o) => o.topic === topic)).length,
  topics: (s: Snapshot) => s.topics.length,
};

export function parseCondition(text: string): Comparison[] {
  return text.split(/\s+and\s+/).map((part) => {
    const match = /^(\w+)\(([\w., -]*)\)\s*(>=|<=|=)\s*(\d+)$/.exec(part.trim());
    const [, of = "", args = "", is = ">=", than = "0"] = match ?? [];
    if (!match || !Object.hasOwn(COUNTS, of)) throw new Error(`not a condition: ${part}`);
    const names = args
      .split(",")
      .map((a) => a.trim())
      .filter(Boolean);
    return { of: of as Comparison["of"], args: names, is: is as Comparison["is"], than: Number(than) };
  });
}

export function holds(condition: Comparison[], snapshot: Snapshot, counters: Counters): boolean {
  return condition.every(({ of, args, is, than }) => {
    const count = COUNTS[of](snapshot, counters, args[0]);
    return is === ">=" ? count >= than : is === "<=" ? count <= than : count === than;
  });
}

function offsets(s: Snapshot, group: string) {
  return s.groups.find((g) => g.groupId === group)?.offsets ?? [];
}

function partitions(s: Snapshot, topic: string) {
  return s.topics.find((t) => t.name === topic)?.partitions ?? [];
}

function sum(numbers: (string | null)[]): number {
  return numbers.reduce((all, n) => all + Number(n ?? 0), 0);
}
