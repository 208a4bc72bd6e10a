/** From a frame to a topic's scene, and from a point on it to what is there. Pure. */

import type { FrameView } from "../../engine/frame";
import type { Layout } from "../../engine/rpc";
import { markerOf, type Scene, type Spot } from "./draw";
import { anchorOf, cellTop, clamp, type Geometry, offsetAt, railTop, xOf, xOfTime } from "./geometry";

export interface Grip {
  lane: number;
  rail: number;
  what: "position" | "committed";
  from: number;
}

export function sceneOf(frame: FrameView, layout: Layout, topic: string): Scene {
  const lanes = frame.lanes.filter((_, i) => layout.lanes[i]?.topic === topic);
  const groups = [...new Set(lanes.flatMap((lane) => lane.markers.map((m) => m.group)))].sort(
    (a, b) => a - b,
  );
  const owners = lanes.map((lane) =>
    groups.map((group) => memberNumber(layout, lane.markers.find((m) => m.group === group)?.member ?? 0)),
  );
  return { lanes, groups, owners, worldTime: frame.worldTime };
}

/** 1 for the first member of its group; 0 for none. */
function memberNumber(layout: Layout, member: number): number {
  const owner = layout.members[member - 1];
  if (!owner) return 0;
  return layout.members.slice(0, member).filter((m) => m.groupId === owner.groupId).length;
}

export function spotAt(
  g: Geometry,
  scene: Scene,
  until: (number | null)[],
  x: number,
  y: number,
): Spot | null {
  const lane = Math.floor(y / g.laneHeight);
  const view = scene.lanes[lane];
  const top = cellTop(g, lane);
  if (!view || y < top - 4 || y > top + g.cellHeight + 4 || x < g.left - 4) return null;
  if (g.align === "time") return timeSpot(g, scene, lane, x);
  const anchor = anchorOf(g, view, scene.lanes, until[lane] ?? null);
  const offset = offsetAt(g, anchor, x);
  const first = Math.max(view.logStart, Math.floor(offset / g.size) * g.size);
  return first < view.logEnd && offset >= view.logStart - g.size ? { lane, offset: first } : null;
}

function timeSpot(g: Geometry, scene: Scene, lane: number, x: number): Spot | null {
  const view = scene.lanes[lane];
  let best: { offset: number; away: number } | null = null;
  view?.times?.forEach((t, i) => {
    const away = Math.abs(xOfTime(g, scene.worldTime, t) - x);
    if (away < (best?.away ?? 8)) best = { offset: view.first + i * g.size, away };
  });
  return best === null ? null : { lane, offset: (best as { offset: number }).offset };
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
  const lane = Math.floor(y / g.laneHeight);
  const view = scene.lanes[lane];
  if (!view || g.align === "time") return null;
  const anchor = anchorOf(g, view, scene.lanes, until[lane] ?? null);
  for (const what of ["position", "committed"] as const) {
    for (let rail = 0; rail < scene.groups.length; rail++) {
      const from = markerOf(scene, view, rail)?.[what] ?? -1;
      const away = Math.abs(y - railTop(g, lane, rail));
      const near = away <= Math.max(reach * 0.64, g.railStep / 2);
      // Left of the window it can be taken by the hint at the edge.
      const at = clamp(xOf(g, anchor, from) - 1, g.left + 8, g.width);
      const rim = Math.hypot(away, at - x) > reach / 2;
      if (what === "position" && rim && markerOf(scene, view, rail)?.committed === from) continue;
      if (from >= 0 && near && Math.abs(at - x) <= reach) return { lane, rail, what, from };
    }
  }
  return null;
}

/** The nearest boundary between records: where a marker may be put. */
export function offsetOf(g: Geometry, anchor: number, x: number): number {
  return Math.round(((x - g.right) / g.cellWidth + anchor) * g.size);
}
