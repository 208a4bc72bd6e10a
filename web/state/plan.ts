/** What a layout means, by number: found once for each layout, so that no frame searches for a name. */

import type { Layout } from "../engine/rpc";

export interface Plan {
  /** The lanes of each topic, by partition, as indexes into a frame. */
  lanes: Map<string, number[]>;
  /** Names of the groups, as in the layout. */
  groups: string[];
  /** The symbol of each group. */
  marks: number[];
  /** Groups in the order of their symbols: how rails lie under a lane. */
  order: number[];
  /** By a marker's member: 1 for the first member of its group, 0 for none. */
  members: number[];
}

export const NO_PLAN: Plan = { lanes: new Map(), groups: [], marks: [], order: [], members: [0] };

export function planOf(layout: Layout, markOf: (group: string) => number): Plan {
  const lanes = new Map<string, number[]>();
  layout.lanes.forEach(({ topic, partition }, index) => {
    const of = lanes.get(topic) ?? [];
    of[partition] = index;
    lanes.set(topic, of);
  });
  const marks = layout.groups.map(markOf);
  const counts = new Map<string, number>();
  const members = layout.members.map(({ groupId }) => {
    const count = (counts.get(groupId) ?? 0) + 1;
    counts.set(groupId, count);
    return count;
  });
  return {
    lanes,
    groups: layout.groups,
    marks,
    order: marks.map((_, group) => group).sort((a, b) => (marks[a] ?? 0) - (marks[b] ?? 0)),
    members: [0, ...members],
  };
}
