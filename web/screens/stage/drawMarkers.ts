/** Draws what groups hold: committed ring, position, and the lag between the ring and the high watermark. */

import { letterOf, markText, SHAPES } from "../../state/marks";
import { type Ctx, type LaneDrawing, MONO, SANS, type Scene } from "./draw";
import { railTop } from "./geometry";
import type { Palette } from "./palette";

/** In the gutter: which member of each group owns the partition. */
export function drawOwners(d: LaneDrawing) {
  d.scene.groups.forEach((_, rail) => {
    drawOwner(d, rail, railTop(d.g, d.index, rail), inkOf(d.scene, d.p, rail));
  });
}

/** The first group is in full ink, on its card too; a group keeps its shape in every topic. */
function inkOf(scene: Scene, p: Palette, rail: number): string {
  return (scene.marks[rail] ?? 0) === 0 ? p.ink : p.muted;
}

export function drawMarkers(d: LaneDrawing) {
  d.scene.groups.forEach((_, rail) => {
    drawRail(d, rail);
  });
}

function drawRail(d: LaneDrawing, rail: number) {
  const { ctx, g, p, lane, scene } = d;
  const marker = scene.markers[d.index]?.[rail];
  if (!marker) return;
  const y = railTop(g, d.index, rail);
  const ink = inkOf(scene, p, rail);
  const kind = scene.marks[rail] ?? 0;
  const [committed, position] = [marker.committed, marker.position];
  const hw = d.x(lane.highWatermark) - 1;
  const from = committed >= 0 ? d.x(committed) - 1 : Number.NaN;
  const to = position >= 0 ? d.x(position) - 1 : Number.NaN;
  if (committed >= 0 && position >= 0 && from !== to) {
    ctx.strokeStyle = ink;
    ctx.lineWidth = 3;
    ctx.lineCap = "round";
    line(ctx, from, to, y);
  }
  drawLag(d, rail, y, Math.max(Number.isNaN(to) ? -1e9 : to, Number.isNaN(from) ? -1e9 : from), hw);
  if (committed >= 0 && committed === position) bothAt(ctx, kind, to, y, ink);
  else {
    if (committed >= 0) ring(ctx, p, from, y, ink);
    if (position >= 0) shape(ctx, kind, to, y, ink);
  }
  drawEdgeHint(d, rail, y, Number.isNaN(to) ? from : to);
}

/** From the marker to the high watermark, dotted, with the number where it fits. Lag counts from the ring. */
function drawLag(
  { ctx, g, p, lane, index, scene, view }: LaneDrawing,
  rail: number,
  y: number,
  from: number,
  hw: number,
) {
  const marker = scene.markers[index]?.[rail];
  if (!marker || marker.committed < 0) return;
  const lag = Math.max(0, lane.highWatermark - marker.committed);
  const start = Math.max(from + 8, g.left);
  const end = Math.min(hw - 2, g.right);
  if (end > start) {
    ctx.globalAlpha = 0.6;
    ctx.strokeStyle = p.muted;
    ctx.lineWidth = 1;
    ctx.setLineDash([2, 4]);
    line(ctx, start, end, y);
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
  }
  if (lag === 0) return;
  const text = view.words.lag(lag);
  ctx.font = `10.5px ${SANS}`;
  const width = ctx.measureText(text).width + 10;
  ctx.textBaseline = "middle";
  if (end - start > width + 12) {
    const middle = (start + end) / 2;
    ctx.fillStyle = p.surface;
    ctx.fillRect(middle - width / 2, y - 7, width, 14);
    ctx.textAlign = "center";
    ctx.fillStyle = p.muted;
    ctx.fillText(text, middle, y + 0.5);
  } else {
    ctx.textAlign = "left";
    ctx.fillStyle = p.muted;
    ctx.fillText(text, Math.max(end, from) + 12, y + 0.5);
  }
}

/** A marker left of the window: a small arrow at the edge, so that it is never simply gone. */
function drawEdgeHint({ ctx, g, p, scene }: LaneDrawing, rail: number, y: number, at: number) {
  if (!(at < g.left - 4)) return;
  ctx.fillStyle = p.muted;
  ctx.font = `10px ${SANS}`;
  ctx.textAlign = "left";
  ctx.fillText(`‹ ${markText(scene.marks[rail] ?? 0)}`, g.left, y);
}

function drawOwner({ ctx, g, index, scene }: LaneDrawing, rail: number, y: number, ink: string) {
  const owner = scene.owners[index]?.[rail] ?? 0;
  const x = g.phone ? 12 : 16;
  if (owner === 0) return;
  smallShape(ctx, scene.marks[rail] ?? 0, x + 4, y, ink);
  ctx.font = `10px ${MONO}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillStyle = ink;
  ctx.fillText(String(owner), x + 11, y + 0.5);
}

function line(ctx: Ctx, from: number, to: number, y: number) {
  ctx.beginPath();
  ctx.moveTo(from, y);
  ctx.lineTo(to, y);
  ctx.stroke();
}

export function ring(ctx: Ctx, p: Palette, x: number, y: number, ink: string) {
  ctx.beginPath();
  ctx.arc(x, y, 4.5, 0, 7);
  ctx.fillStyle = p.surface;
  ctx.fill();
  ctx.lineWidth = 2;
  ctx.strokeStyle = ink;
  ctx.stroke();
}

/** The position: its tip points at the next record to be read. */
export function shape(ctx: Ctx, kind: number, x: number, y: number, ink: string) {
  ctx.fillStyle = ink;
  outlineShape(ctx, kind, x, y, 7);
  ctx.fill();
  letter(ctx, kind, x, y, 7);
}

/** All that was read is committed: the position in its ring. */
function bothAt(ctx: Ctx, kind: number, x: number, y: number, ink: string) {
  ctx.beginPath();
  ctx.arc(x, y, 8, 0, 7);
  ctx.lineWidth = 1.5;
  ctx.strokeStyle = ink;
  ctx.stroke();
  smallShape(ctx, kind, x, y, ink);
}

function smallShape(ctx: Ctx, kind: number, x: number, y: number, ink: string) {
  ctx.fillStyle = ink;
  outlineShape(ctx, kind, x, y, 4);
  ctx.fill();
  letter(ctx, kind, x, y, 4);
}

/** Tells groups of the same shape apart. */
function letter(ctx: Ctx, kind: number, x: number, y: number, r: number) {
  const text = letterOf(kind);
  if (text === "") return;
  ctx.font = `600 9px ${SANS}`;
  ctx.textAlign = "left";
  ctx.textBaseline = "middle";
  ctx.fillText(text, x + r + 1, y - r);
}

/** Corners in units of the radius; a number is the radius of a disc. */
const OUTLINES: Record<(typeof SHAPES)[number], number | [number, number][]> = {
  "▲": [
    [0, -1.1],
    [1, 0.6],
    [-1, 0.6],
  ],
  "◆": [
    [0, -1],
    [0.85, 0],
    [0, 1],
    [-0.85, 0],
  ],
  "●": 0.8,
  "■": [
    [-0.75, -0.75],
    [0.75, -0.75],
    [0.75, 0.75],
    [-0.75, 0.75],
  ],
  "▼": [
    [-1, -0.6],
    [1, -0.6],
    [0, 1.1],
  ],
  "★": Array.from({ length: 10 }, (_, i): [number, number] => {
    const reach = i % 2 === 0 ? 1.15 : 0.48;
    return [reach * Math.sin((i * Math.PI) / 5), -reach * Math.cos((i * Math.PI) / 5)];
  }),
  "✚": [
    [-0.32, -1],
    [0.32, -1],
    [0.32, -0.32],
    [1, -0.32],
    [1, 0.32],
    [0.32, 0.32],
    [0.32, 1],
    [-0.32, 1],
    [-0.32, 0.32],
    [-1, 0.32],
    [-1, -0.32],
    [-0.32, -0.32],
  ],
  "▬": [
    [-1.1, -0.4],
    [1.1, -0.4],
    [1.1, 0.4],
    [-1.1, 0.4],
  ],
};

function outlineShape(ctx: Ctx, kind: number, x: number, y: number, r: number) {
  const outline = OUTLINES[SHAPES[kind % SHAPES.length] ?? "●"];
  ctx.beginPath();
  if (typeof outline === "number") ctx.arc(x, y, r * outline, 0, 7);
  else for (const [dx, dy] of outline) ctx.lineTo(x + dx * r, y + dy * r);
  ctx.closePath();
}
