/** A lesson under way: which checks have come true, and what the page counts for them. */

import type { Snapshot } from "../engine/rpc";
import { type Counters, holds } from "../lessons/conditions";
import type { Block, Lesson } from "../lessons/parse";

type Check = Extract<Block, { is: "check" }>;

export class LessonProgress {
  done = $state.raw<ReadonlySet<string>>(new Set());
  readonly checks: Check[];
  private counters: Counters = { inspected: 0, reread: {}, commands: 0 };
  /** How far each group has ever read, and where it is, by "group/topic/partition". */
  private furthest = new Map<string, number>();
  private at = new Map<string, number>();
  /** The latest moment that was seen: an earlier one is the past, in which nothing is done. */
  private newest = 0;

  /** `done` has come true before; `keep` is told of all that has, whenever more does. */
  constructor(
    readonly lesson: Lesson,
    done: Iterable<string> = [],
    private readonly keep: (done: Iterable<string>) => void = () => {},
  ) {
    this.done = new Set(done);
    this.checks = lesson.blocks.filter((block) => block.is === "check");
  }

  get finished(): boolean {
    return this.done.size === this.checks.length;
  }

  inspected(snapshot: Snapshot) {
    this.counters.inspected++;
    this.evaluate(snapshot);
  }

  ran(snapshot: Snapshot) {
    this.counters.commands++;
    this.evaluate(snapshot);
  }

  /** The world was taken back to this moment, or another branch of it: what groups had read is as of then. */
  rewound(to: number) {
    this.newest = to;
    this.at.clear();
    this.furthest.clear();
  }

  /** Called with every snapshot; one of the past counts for nothing. A check that came true stays true. */
  see(snapshot: Snapshot) {
    const now = Number(snapshot.worldTime);
    if (now < this.newest) {
      // Coming back from there is no reading.
      this.at.clear();
      return;
    }
    this.newest = now;
    for (const group of snapshot.groups) {
      for (const { topic, partition, position } of group.offsets) {
        if (position !== null)
          this.follow(group.groupId, `${group.groupId}/${topic}/${partition}`, Number(position));
      }
    }
    this.evaluate(snapshot);
  }

  /** Below the furthest point, whatever the position gains has been read before. */
  private follow(group: string, where: string, position: number) {
    const before = this.at.get(where) ?? position;
    const furthest = this.furthest.get(where) ?? position;
    const again = Math.min(position, furthest) - before;
    if (again > 0) this.counters.reread[group] = (this.counters.reread[group] ?? 0) + again;
    this.at.set(where, position);
    this.furthest.set(where, Math.max(furthest, position));
  }

  private evaluate(snapshot: Snapshot) {
    const fresh = this.checks.filter((c) => !this.done.has(c.id) && holds(c.when, snapshot, this.counters));
    if (fresh.length === 0) return;
    this.done = new Set([...this.done, ...fresh.map((c) => c.id)]);
    this.keep(this.done);
  }
}
