/** Where things are: offsets to pixels and back. Pure, in CSS pixels. */

import type { LaneView } from "../../engine/frame";
import type { Align } from "../../state/scale";

export interface Geometry {
  width: number;
  height: number;
  left: number;
  /** Where the log end slot of a followed lane begins. */
  right: number;
  cellWidth: number;
  cellHeight: number;
  top: number;
  /** Height of the ruler of time above the lanes; 0 where there is none. */
  axis: number;
  laneHeight: number;
  railStep: number;
  /** Records per cell. */
  size: number;
  align: Align;
  /** World milliseconds across the lane in "align time". */
  span: number;
  phone: boolean;
}

export interface Sizing {
  width: number;
  /** Room there is; the lanes may need more, and scroll then. */
  room: number;
  lanes: number;
  groups: number;
  /** Digits of the largest offset that will be written into a cell. */
  digits: number;
  decade: number;
  align: Align;
  span: number;
  phone: boolean;
}

const CELL = 26;
const GAP = 2;
const AXIS = 22;

export function geometry(s: Sizing): Geometry {
  const rails = Math.max(1, s.groups);
  const least = 17 + 22 + 9 + rails * 12 + 3;
  const most = 23 + 38 + 12 + rails * 16 + 14;
  const axis = s.align === "time" ? AXIS : 0;
  const laneHeight = clamp(Math.floor((s.room - 6 - axis) / Math.max(1, s.lanes)), least, most);
  const spare = (laneHeight - least) / (most - least);
  const wide = s.phone ? 24 : CELL + Math.round(spare * 6);
  const cellWidth = s.decade > 0 ? wide : Math.max(wide, Math.ceil(s.digits * 6.7) + 6 + GAP);
  const left = s.phone ? 40 : 52;
  const tail = (s.phone ? 12 : 22) + Math.max(3, s.digits) * 7.4 + cellWidth;
  return {
    width: s.width,
    height: axis + laneHeight * s.lanes + 6,
    left,
    right: Math.floor(Math.max(left + cellWidth, s.width - tail)),
    cellWidth,
    cellHeight: Math.round(22 + spare * 16),
    top: Math.round(17 + spare * 6),
    axis,
    laneHeight,
    railStep: Math.round(12 + spare * 4),
    size: 10 ** s.decade,
    align: s.align,
    span: s.span,
    phone: s.phone,
  };
}

/** Cells that a lane can show left of the slot, the slot included, one spare for what slides in. */
export function cellsFor(g: Geometry): number {
  return Math.min(400, Math.ceil((g.right - g.left) / g.cellWidth) + 2);
}

/** The cell that stands at `right`. */
export function anchorOf(g: Geometry, lane: LaneView, lanes: LaneView[], until: number | null): number {
  if (until !== null) return Math.floor(until / g.size) + 1;
  const end = g.align === "offset" ? Math.max(...lanes.map((l) => l.logEnd)) : lane.logEnd;
  return Math.floor(end / g.size);
}

/** The left edge of a record's place; whole cells from `anchor`, so part of a cell when a cell holds many. */
export function xOf(g: Geometry, anchor: number, offset: number): number {
  return g.right + (offset / g.size - anchor) * g.cellWidth;
}

export function offsetAt(g: Geometry, anchor: number, x: number): number {
  return Math.floor(((x - g.right) / g.cellWidth + anchor) * g.size);
}

export function laneTop(g: Geometry, lane: number): number {
  return g.axis + lane * g.laneHeight;
}

/** The lane at a height; may be one that is not there. */
export function laneAt(g: Geometry, y: number): number {
  return Math.floor((y - g.axis) / g.laneHeight);
}

export function cellTop(g: Geometry, lane: number): number {
  return laneTop(g, lane) + g.top;
}

export function railTop(g: Geometry, lane: number, rail: number): number {
  return cellTop(g, lane) + g.cellHeight + Math.round(Math.max(9, g.cellHeight / 3.2)) + rail * g.railStep;
}

export function clamp(n: number, least: number, most: number): number {
  return Math.min(Math.max(n, least), most);
}
