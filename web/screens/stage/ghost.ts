/** A marker in a hand: what letting it go would do, as of now, and its picture. Loaded when a hand takes one. */

import { CLASS_GAP, type LaneView, type Marker } from "../../engine/frame";
import { words } from "../../words";
import { type Ctx, SANS, type Scene, type View } from "./draw";
import { ring, shape } from "./drawMarkers";
import { anchorOf, cellTop, clamp, railTop, xOf } from "./geometry";
import type { Grip } from "./hit";

/** How many records there are from one offset to before another: where the lane's cells are known, only those
    that exist count (compaction and control batches leave offsets without a record). */
export function existing(lane: LaneView, from: number, to: number): number {
  const [begin, end] = [Math.max(from, lane.logStart), Math.min(to, lane.highWatermark)];
  if (end <= begin) return 0;
  const size = 10 ** lane.decade;
  let missing = 0;
  for (let cell = 0; cell < lane.cells; cell++) {
    const first = lane.first + cell * size;
    if (first >= end || first + size <= begin) continue;
    if (size === 1) missing += lane.classes[cell] === CLASS_GAP ? 1 : 0;
    // Part of a cell is not counted out: its records may be any of it.
    else if (first >= begin && first + size <= end) missing += size - held(lane, cell);
  }
  return end - begin - missing;
}

function held(lane: LaneView, cell: number): number {
  let sum = 0;
  for (let hue = 0; hue < 8; hue++) sum += lane.mix[cell * 8 + hue] ?? 0;
  return sum;
}

/** In words. The position moves on while a hand holds the marker: what counts is where it is now. */
export function outcome(
  what: Grip["what"],
  offset: number,
  lane: LaneView,
  marker: Marker | undefined,
): string {
  const w = words.stage;
  if (what === "committed") return w.commitHere(offset, Math.max(0, lane.highWatermark - offset));
  const from = marker?.position ?? offset;
  if (offset === from) return w.same;
  return offset < from ? w.again(existing(lane, offset, from)) : w.skipped(existing(lane, from, offset));
}

export interface Drag {
  lane: number;
  rail: number;
  what: "position" | "committed";
  offset: number;
  /** What letting go now would do, in words. */
  ghost: string;
}

export function drawGhost(ctx: Ctx, scene: Scene, view: View, drag: Drag) {
  const g = view.geometry;
  const lane = scene.lanes[drag.lane];
  if (!lane) return;
  const anchor = anchorOf(g, lane, scene.lanes, view.until[drag.lane] ?? null);
  const x = xOf(g, anchor, drag.offset) - 1;
  const y = railTop(g, drag.lane, drag.rail);
  const p = view.palette;
  ctx.strokeStyle = p.accent;
  ctx.lineWidth = 1;
  ctx.setLineDash([3, 3]);
  ctx.beginPath();
  ctx.moveTo(x, cellTop(g, drag.lane) - 6);
  ctx.lineTo(x, y);
  ctx.stroke();
  ctx.setLineDash([]);
  if (drag.what === "position") shape(ctx, scene.marks[drag.rail] ?? 0, x, y, p.accent);
  else ring(ctx, p, x, y, p.accent);
  ctx.font = `600 11.5px ${SANS}`;
  const width = ctx.measureText(drag.ghost).width + 16;
  const left = clamp(x - width / 2, 4, g.width - width - 4);
  const top = y + 11 + 22 > g.height ? cellTop(g, drag.lane) - 30 : y + 11;
  ctx.fillStyle = p.accent;
  ctx.beginPath();
  ctx.roundRect(left, top, width, 21, 6);
  ctx.fill();
  ctx.fillStyle = p.surface;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillText(drag.ghost, left + 8, top + 11);
}
