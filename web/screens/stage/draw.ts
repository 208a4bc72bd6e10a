/** Draws a topic's lanes. Pure: the same scene and view give the same picture; no DOM, no clock. */

import { CLASS_COLD, CLASS_GAP, HUES, hueOf, type LaneView, type Marker } from "../../engine/frame";
import { drawMarkers, drawOwners } from "./drawMarkers";
import { anchorOf, cellTop, type Geometry, laneTop, xOf } from "./geometry";
import type { Palette } from "./palette";

export interface Scene {
  lanes: LaneView[];
  worldTime: number;
  /** Groups that read this topic, in rail order, as indexes into the layout. */
  groups: number[];
  /** Their symbols. */
  marks: number[];
  /** For each lane and rail: where the group is, if it has anything to do with the lane. */
  markers: (Marker | undefined)[][];
  /** For each lane and rail: number of the owning member in its group, 0 = none. */
  owners: number[][];
}

export interface Spot {
  lane: number;
  offset: number;
}

export interface View {
  geometry: Geometry;
  palette: Palette;
  until: (number | null)[];
  hover: Spot | null;
  selected: Spot | null;
  /** A part that a word in the lesson points at. */
  pointed: "hw" | "slot" | null;
  /** Which rail's position dims the cells; -1 = none. */
  reader: number;
  /** Per lane: how many pixels the cells still have to slide left, and which records are arriving. */
  slides: { px: number; from: number }[];
  /** Which part of the picture can be seen, from top to bottom. */
  seen: { from: number; to: number };
  /** Device pixels per pixel. */
  dpr: number;
  /** Pictures of full cells, once cells hold many records. */
  strips: import("./strips").Strips | null;
  /** What draws "align time", once it is there. */
  times: typeof import("./times") | null;
  words: Labels;
}

export interface Labels {
  hw: string;
  lag(n: number): string;
  deleted: string;
  noMarkers: string;
  count(n: number): string;
  clock(ms: number): string;
}

export type Ctx = CanvasRenderingContext2D;

export const SANS = 'system-ui, "DejaVu Sans", sans-serif';
export const MONO = 'ui-monospace, "Liberation Mono", monospace';

export interface LaneDrawing {
  ctx: Ctx;
  scene: Scene;
  view: View;
  g: Geometry;
  p: Palette;
  lane: LaneView;
  index: number;
  y: number;
  x(offset: number): number;
  /** Pixels that the lane still has to slide. */
  slide: number;
}

export function draw(ctx: Ctx, scene: Scene, view: View) {
  const g = view.geometry;
  ctx.fillStyle = view.palette.surface;
  const { from, to } = view.seen;
  ctx.fillRect(0, from, g.width, to - from);
  if (g.align === "time" && from < g.axis) view.times?.drawRuler(ctx, scene, view);
  scene.lanes.forEach((lane, index) => {
    const top = laneTop(g, index);
    if (top + g.laneHeight < from || top > to) return;
    const anchor = anchorOf(g, lane, scene.lanes, view.until[index] ?? null);
    const slide = view.slides[index]?.px ?? 0;
    const x = (offset: number) => xOf(g, anchor, offset) + slide;
    const y = cellTop(g, index);
    const d: LaneDrawing = { ctx, scene, view, g, p: view.palette, lane, index, y, x, slide };
    drawGutter(d);
    if (g.align !== "time") drawOwners(d);
    within(d, 3, () => {
      drawDeleted(d);
      if (g.align === "time") view.times?.drawTimes(d);
      else if (g.size === 1) drawRecords(d);
      else drawBins(d);
      if (g.align !== "time") drawEnd(d);
    });
    // A marker in front of the first cell shown is whole.
    if (g.align !== "time") within(d, 10, () => drawMarkers(d));
    drawEndNumber(d);
  });
}

/** Draws into the lane's window alone, and so many pixels left of it. */
function within({ ctx, g, index }: LaneDrawing, before: number, draw: () => void) {
  ctx.save();
  ctx.beginPath();
  ctx.rect(g.left - before, laneTop(g, index), g.width - g.left + before, g.laneHeight);
  ctx.clip();
  draw();
  ctx.restore();
}

/** What of a marker tells read from unread: its position, or what is committed where nobody owns it. */
export function readUpTo(marker: Marker | undefined): number {
  if (!marker) return -1;
  return marker.position >= 0 ? marker.position : marker.committed;
}

function drawGutter({ ctx, g, p, index, y }: LaneDrawing) {
  ctx.font = `600 12.5px ${SANS}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillStyle = p.ink;
  ctx.fillText(`P${index}`, g.phone ? 10 : 14, y + g.cellHeight / 2);
}

/** Left of the log start: records that retention has removed, hatched, with the edge they were cut at. */
function drawDeleted({ ctx, g, p, lane, y, x, view }: LaneDrawing) {
  if (lane.logStart === 0 || g.align === "time") return;
  const edge = x(lane.logStart) - 2;
  if (edge <= g.left) return;
  ctx.strokeStyle = p.hair;
  ctx.lineWidth = 1;
  hatch(ctx, g.left, y, Math.min(edge, g.width) - g.left - 3, g.cellHeight, 7);
  ctx.fillStyle = p.muted;
  ctx.fillRect(edge - 1, y - 4, 2, g.cellHeight + 8);
  if (edge - g.left < 90) return;
  ctx.font = `10.5px ${SANS}`;
  const width = ctx.measureText(view.words.deleted).width + 10;
  const middle = (g.left + edge) / 2;
  ctx.fillStyle = p.surface;
  ctx.fillRect(middle - width / 2, y + g.cellHeight / 2 - 8, width, 16);
  ctx.fillStyle = p.muted;
  ctx.textAlign = "center";
  ctx.fillText(view.words.deleted, middle, y + g.cellHeight / 2);
}

/** One cell per record: neutral, its number, a stripe in its key's hue. Batched by fill style. */
function drawRecords(d: LaneDrawing) {
  const { ctx, g, p, lane, scene, view } = d;
  const read = readUpTo(scene.markers[d.index]?.[view.reader]);
  const w = g.cellWidth - 2;
  const [old, fresh]: [Cell[], Cell[]] = [[], []];
  const begin = Math.max(lane.logStart, lane.first);
  for (let offset = begin; offset < lane.first + lane.cells; offset++) {
    const keyClass = lane.classes[offset - lane.first] ?? CLASS_GAP;
    const x = d.x(offset);
    if (keyClass === CLASS_GAP || x < g.left - g.cellWidth || x > g.width) continue;
    const cell = { offset, x, y: d.y + drop(d, offset), keyClass };
    if (offset < read) old.push(cell);
    else fresh.push(cell);
  }
  for (const some of [old, fresh]) {
    if (some.length === 0) continue;
    ctx.fillStyle = some === old ? p.cellRead : p.cell;
    ctx.beginPath();
    for (const c of some) ctx.roundRect(c.x, c.y, w, g.cellHeight, 4);
    ctx.fill();
  }
  if (lane.highWatermark < lane.logEnd) drawUnreadable(d, [...old, ...fresh], w);
  drawStripes(d, old, fresh, w);
  drawNumbers(d, old, w, p.numberRead);
  drawNumbers(d, fresh, w, p.number);
  for (const spot of [view.hover, view.selected]) {
    if (spot?.lane !== d.index) continue;
    const cell = [...old, ...fresh].find((c) => c.offset === spot.offset);
    if (cell) outline(d, cell.x, cell.y, spot === view.selected);
  }
}

/** From the high watermark on nobody may read yet. */
function drawUnreadable({ ctx, g, p, lane }: LaneDrawing, cells: Cell[], w: number) {
  ctx.strokeStyle = p.muted;
  ctx.lineWidth = 1;
  ctx.globalAlpha = 0.45;
  for (const c of cells) if (c.offset >= lane.highWatermark) hatch(ctx, c.x, c.y, w, g.cellHeight, 5);
  ctx.globalAlpha = 1;
}

interface Cell {
  offset: number;
  x: number;
  y: number;
  keyClass: number;
}

/** An arriving record comes down into its place while the lane slides. */
function drop({ view, index, g }: LaneDrawing, offset: number): number {
  const slide = view.slides[index];
  if (!slide || slide.px <= 0 || offset < slide.from) return 0;
  return -Math.min(1, slide.px / g.cellWidth) * 9;
}

/** Read ones are faint; so are those of other keys while a record is pointed at. One path for each colour. */
function drawStripes({ ctx, g, p, view, scene }: LaneDrawing, old: Cell[], fresh: Cell[], w: number) {
  const hovered = hoveredClass(scene, view);
  const paths: Cell[][] = Array.from({ length: 2 * HUES }, () => []);
  for (const some of [old, fresh]) {
    for (const cell of some) {
      const hue = hueOf(cell.keyClass);
      if (hue === 0) continue;
      const faint = some === old || (hovered !== 0 && cell.keyClass !== hovered);
      paths[(faint ? 0 : HUES) + hue - 1]?.push(cell);
    }
  }
  paths.forEach((some, path) => {
    if (some.length === 0) return;
    ctx.globalAlpha = path < HUES ? 0.42 : 1;
    ctx.fillStyle = p.keys[path % HUES] ?? p.muted;
    ctx.beginPath();
    for (const c of some) ctx.roundRect(c.x, c.y + g.cellHeight - 5, w, 5, [0, 0, 4, 4]);
    ctx.fill();
  });
  ctx.globalAlpha = 1;
}

/** Pointing at a record dims the stripes of every other key. */
function hoveredClass(scene: Scene, view: View): number {
  const lane = view.hover ? scene.lanes[view.hover.lane] : undefined;
  if (!lane || !view.hover) return 0;
  const keyClass = lane.classes[view.hover.offset - lane.first] ?? 0;
  return keyClass >= CLASS_COLD ? 0 : keyClass;
}

function drawNumbers({ ctx, g }: LaneDrawing, cells: Cell[], w: number, colour: string) {
  ctx.font = `${g.cellHeight < 26 ? 10.5 : 11}px ${MONO}`;
  ctx.textAlign = "center";
  ctx.textBaseline = "middle";
  ctx.fillStyle = colour;
  for (const c of cells) ctx.fillText(String(c.offset), c.x + w / 2, c.y + g.cellHeight / 2 - 2);
}

function outline({ ctx, g, p }: LaneDrawing, x: number, y: number, strong: boolean) {
  ctx.strokeStyle = strong ? p.accent : p.muted;
  ctx.lineWidth = strong ? 2 : 1;
  ctx.beginPath();
  ctx.roundRect(x - 1, y - 1, g.cellWidth, g.cellHeight + 2, 5);
  ctx.stroke();
}

/** Many records per cell: keys stacked by share; only the last cell is still filling, like a glass. */
function drawBins(d: LaneDrawing) {
  const { ctx, g, p, lane, scene, view } = d;
  const read = readUpTo(scene.markers[d.index]?.[view.reader]);
  const spots = [view.hover, view.selected].filter((spot) => spot?.lane === d.index);
  const cells = (upto: number) => Math.min(lane.cells, Math.max(0, Math.floor((upto - lane.first) / g.size)));
  const kept = view.strips?.draw(d, cells(lane.logEnd), cells(read), (on, i, x) => drawMix(on, i, x, true));
  for (let i = kept ? cells(lane.logEnd) : 0; i < lane.cells; i++) {
    const first = lane.first + i * g.size;
    const x = d.x(first);
    if (x < g.left - g.cellWidth || x > g.width) continue;
    const full = first + g.size <= lane.logEnd;
    ctx.globalAlpha = first + g.size <= read ? 0.38 : 0.92;
    drawMix(d, i, x, full);
    ctx.globalAlpha = 1;
    if (full) continue;
    ctx.strokeStyle = p.muted;
    ctx.lineWidth = 1;
    ctx.setLineDash([3, 3]);
    ctx.beginPath();
    ctx.roundRect(x + 0.5, d.y + 0.5, g.cellWidth - 3, g.cellHeight - 1, 4);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  for (const spot of spots) {
    const first = Math.floor((spot?.offset ?? -1) / g.size) * g.size;
    if (first >= 0 && first < lane.logEnd) outline(d, d.x(first), d.y, spot === view.selected);
  }
}

/** One cell's shares, from the bottom; the outer corners are round. */
function drawMix({ ctx, g, p, lane, y }: LaneDrawing, cell: number, x: number, full: boolean) {
  const w = g.cellWidth - 2;
  let last = 7;
  while (last > 0 && (lane.mix[cell * 8 + last] ?? 0) === 0) last--;
  let bottom = y + g.cellHeight;
  let low = 4;
  for (let hue = 0; hue <= last; hue++) {
    const count = lane.mix[cell * 8 + hue] ?? 0;
    if (count === 0) continue;
    const h = (count / g.size) * g.cellHeight;
    const high = full && hue === last ? 4 : 0;
    bottom -= h;
    ctx.fillStyle = hue === 0 || hue === 7 ? p.muted : (p.keys[hue - 1] ?? p.muted);
    if (low + high === 0) {
      // Most shares are neither first nor last, and a plain rectangle costs a third of a path.
      ctx.fillRect(x, bottom, w, h);
    } else {
      ctx.beginPath();
      ctx.roundRect(x, bottom, w, h, [high, high, low, low]);
      ctx.fill();
    }
    low = 0;
  }
}

/** The dashed slot where the next record will go, and the high watermark, up to which records can be read. */
function drawEnd({ ctx, g, p, lane, y, x, slide, view, index }: LaneDrawing) {
  const slot = x(Math.floor(lane.logEnd / g.size) * g.size) - slide;
  if (lane.logEnd % g.size === 0 && slot <= g.right + 1) {
    ctx.setLineDash([3, 3]);
    ctx.strokeStyle = view.pointed === "slot" ? p.accent : p.muted;
    ctx.lineWidth = view.pointed === "slot" ? 2 : 1;
    ctx.beginPath();
    ctx.roundRect(slot + 0.5, y + 0.5, g.cellWidth - 3, g.cellHeight - 1, 4);
    ctx.stroke();
    ctx.setLineDash([]);
  }
  const at = Math.round(x(lane.highWatermark)) - 2;
  if (at > g.right + g.cellWidth) return;
  const pointed = view.pointed === "hw";
  ctx.fillStyle = pointed ? p.accent : p.ink;
  ctx.fillRect(at - (pointed ? 1 : 0), y - 5, pointed ? 4 : 2, g.cellHeight + 10);
  if (index > 0 && !pointed && lane.highWatermark === lane.logEnd) return;
  ctx.font = `10px ${SANS}`;
  ctx.textAlign = "center";
  ctx.fillText(view.words.hw, at + 1, y - 10);
}

function drawEndNumber({ ctx, g, p, lane, y, view, index }: LaneDrawing) {
  ctx.font = `12px ${MONO}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillStyle = p.muted;
  const behind = (view.until[index] ?? null) !== null;
  const text = view.words.count(lane.logEnd) + (behind ? " ›" : "");
  ctx.fillText(text, g.right + (g.align === "time" ? 8 : g.cellWidth + 5), y + g.cellHeight / 2);
}

/** Diagonal lines, clipped to the rectangle by arithmetic: no clip region per cell. */
export function hatch(ctx: Ctx, x: number, y: number, w: number, h: number, step: number) {
  if (w <= 0) return;
  ctx.beginPath();
  for (let q = -h; q < w; q += step) {
    const from = Math.max(0, q);
    const to = Math.min(w, q + h);
    if (to <= from) continue;
    ctx.moveTo(x + from, y + h - (from - q));
    ctx.lineTo(x + to, y + h - (to - q));
  }
  ctx.stroke();
}
