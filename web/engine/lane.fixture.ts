/** A lane for tests. */

import type { LaneView } from "./frame";

export function lane(over: Partial<LaneView> = {}): LaneView {
  return {
    logStart: 0,
    highWatermark: 9,
    logEnd: 10,
    first: 3,
    decade: 0,
    cells: 7,
    classes: Uint8Array.from([1, 2, 3, 0, 253, 254, 255]),
    mix: new Uint16Array(0),
    times: null,
    appendRate: 1.5,
    fetchRate: 0,
    markers: [{ group: 0, member: 1, position: 8, committed: -1, rate: 3 }],
    ...over,
  };
}
