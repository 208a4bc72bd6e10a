/** From a frame to a topic's scene, and from a point on it to what is there. Pure. */

import type { FrameView, LaneView, Marker } from "../../engine/frame";
import type { Plan } from "../../state/plan";
import type { Scene, Spot } from "./draw";
import { anchorOf, cellTop, clamp, type Geometry, laneAt, offsetAt, railTop, xOf } from "./geometry";

export interface Grip {
  lane: number;
  rail: number;
  what: "position" | "committed";
  from: number;
}

/** A topic's part of a frame; nothing in it is searched for. */
export function sceneOf(frame: FrameView, plan: Plan, topic: string): Scene {
  const indexes = plan.lanes.get(topic) ?? [];
  const lanes: LaneView[] = [];
  const present: boolean[] = [];
  for (const index of indexes) {
    const lane = frame.lanes[index];
    if (!lane) continue;
    lanes.push(lane);
    for (const marker of lane.markers) present[marker.group] = true;
  }
  const groups = plan.order.filter((group) => present[group]);
  const rails: number[] = [];
  groups.forEach((group, rail) => {
    rails[group] = rail;
  });
  const markers = lanes.map((lane) => {
    const row: (Marker | undefined)[] = new Array(groups.length).fill(undefined);
    for (const marker of lane.markers) row[rails[marker.group] ?? 0] = marker;
    return row;
  });
  return {
    lanes,
    groups,
    marks: groups.map((group) => plan.marks[group] ?? 0),
    markers,
    owners: markers.map((row) => row.map((marker) => plan.members[marker?.member ?? 0] ?? 0)),
    worldTime: frame.worldTime,
  };
}

/** Whether two scenes of one topic look the same, but for the time. */
export function sameScene(a: Scene, b: Scene): boolean {
  return (
    a.lanes.length === b.lanes.length &&
    a.groups.length === b.groups.length &&
    a.groups.every((group, rail) => group === b.groups[rail] && a.marks[rail] === b.marks[rail]) &&
    a.lanes.every((lane, i) => sameLane(lane, b.lanes[i] as LaneView))
  );
}

function sameLane(a: LaneView, b: LaneView): boolean {
  return (
    a.logEnd === b.logEnd &&
    a.highWatermark === b.highWatermark &&
    a.logStart === b.logStart &&
    a.first === b.first &&
    a.cells === b.cells &&
    a.decade === b.decade &&
    a.markers.length === b.markers.length &&
    a.markers.every((marker, m) => {
      const other = b.markers[m];
      return (
        marker.group === other?.group &&
        marker.member === other.member &&
        marker.position === other.position &&
        marker.committed === other.committed
      );
    }) &&
    sameBytes(a.classes, b.classes) &&
    sameBytes(a.mix, b.mix)
  );
}

/** Older cells can change, too: they come into memory piece by piece. */
function sameBytes(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

export function spotAt(
  g: Geometry,
  scene: Scene,
  until: (number | null)[],
  x: number,
  y: number,
): Spot | null {
  const lane = laneAt(g, y);
  const view = scene.lanes[lane];
  const top = cellTop(g, lane);
  if (!view || y < top - 4 || y > top + g.cellHeight + 4 || x < g.left - 4) return null;
  const anchor = anchorOf(g, view, scene.lanes, until[lane] ?? null);
  const offset = offsetAt(g, anchor, x);
  const first = Math.max(view.logStart, Math.floor(offset / g.size) * g.size);
  return first < view.logEnd && offset >= view.logStart - g.size ? { lane, offset: first } : null;
}

/** The marker under a point, at most `reach` pixels away. Where the position stands in its ring, its middle is
    the position, its rim the ring. */
export function gripAt(
  g: Geometry,
  scene: Scene,
  until: (number | null)[],
  x: number,
  y: number,
  reach: number,
): Grip | null {
  const lane = laneAt(g, y);
  const view = scene.lanes[lane];
  if (!view || g.align === "time") return null;
  const anchor = anchorOf(g, view, scene.lanes, until[lane] ?? null);
  for (const what of ["position", "committed"] as const) {
    for (let rail = 0; rail < scene.groups.length; rail++) {
      const marker = scene.markers[lane]?.[rail];
      const from = marker?.[what] ?? -1;
      const away = Math.abs(y - railTop(g, lane, rail));
      const near = away <= Math.max(reach * 0.64, g.railStep / 2);
      // Left of the window it can be taken by the hint at the edge.
      const at = clamp(xOf(g, anchor, from) - 1, g.left + 8, g.width);
      const rim = Math.hypot(away, at - x) > reach / 2;
      if (what === "position" && rim && marker?.committed === from) continue;
      if (from >= 0 && near && Math.abs(at - x) <= reach) return { lane, rail, what, from };
    }
  }
  return null;
}

/** The nearest boundary between records: where a marker may be put. */
export function offsetOf(g: Geometry, anchor: number, x: number): number {
  return Math.round(((x - g.right) / g.cellWidth + anchor) * g.size);
}
