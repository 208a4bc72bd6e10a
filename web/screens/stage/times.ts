/** "Align time": cells where their time is, and the ruler that says when that was. Loaded when it is asked for. */

import { hueOf, type LaneView } from "../../engine/frame";
import { type Ctx, type LaneDrawing, readUpTo, SANS, type Scene, type Spot, type View } from "./draw";
import { cellTop, type Geometry, laneAt } from "./geometry";

/** Pixels between two labels of the ruler at least. */
const APART = 84;

/** World time above the lanes; a line goes down through them at every label. */
export function drawRuler(ctx: Ctx, scene: Scene, view: View) {
  const { geometry: g, palette: p, words } = view;
  ctx.font = `10.5px ${SANS}`;
  ctx.textBaseline = "middle";
  ctx.fillStyle = p.muted;
  let least = g.left;
  if (scene.groups.length > 0) {
    ctx.textAlign = "left";
    ctx.fillText(words.noMarkers, g.left, 12);
    least += ctx.measureText(words.noMarkers).width + 34;
  }
  ctx.textAlign = "center";
  for (const t of ticksFor(scene.worldTime, g.span, APART / Math.max(APART, g.right - g.left))) {
    const x = Math.round(xOfTime(g, scene.worldTime, t));
    ctx.fillStyle = p.hair;
    ctx.fillRect(x, g.axis - 3, 1, g.height - g.axis);
    ctx.fillStyle = p.muted;
    if (x > least) ctx.fillText(words.clock(t), x, 12);
  }
}

/** "Align time": each cell where its first record's timestamp is. */
export function drawTimes(d: LaneDrawing) {
  const { ctx, g, p, lane, scene, view } = d;
  const read = readUpTo(scene.markers[d.index]?.[view.reader]);
  ctx.fillStyle = p.hair;
  ctx.fillRect(g.left, d.y + g.cellHeight + 3, g.right - g.left, 1);
  for (let i = 0; i < lane.cells; i++) {
    const offset = lane.first + i * g.size;
    const x = xOfTime(g, scene.worldTime, lane.times?.[i] ?? Number.NaN);
    if (!(x > g.left) || offset < lane.logStart) continue;
    const hue = g.size === 1 ? hueOf(lane.classes[i] ?? 0) : commonHue(lane, i);
    ctx.globalAlpha = offset < read ? 0.42 : 1;
    ctx.fillStyle = hue === 0 ? p.muted : (p.keys[hue - 1] ?? p.muted);
    ctx.beginPath();
    ctx.roundRect(x - 2.5, d.y, 5, g.cellHeight, 2.5);
    ctx.fill();
    ctx.globalAlpha = 1;
    if (view.selected?.lane === d.index && view.selected.offset === offset) {
      ctx.strokeStyle = p.accent;
      ctx.lineWidth = 2;
      ctx.strokeRect(x - 5, d.y - 2, 10, g.cellHeight + 4);
    }
  }
}

/** The hue that most records of a cell have. */
function commonHue(lane: LaneView, cell: number): number {
  const counts = Array.from(lane.mix.subarray(cell * 8, cell * 8 + 7));
  return counts.indexOf(Math.max(...counts));
}

export function xOfTime(g: Geometry, now: number, t: number): number {
  return g.right - ((now - t) / g.span) * (g.right - g.left);
}

/** The cell under a point: the nearest mark of its lane. */
export function timeSpotAt(g: Geometry, scene: Scene, x: number, y: number): Spot | null {
  const lane = laneAt(g, y);
  const top = cellTop(g, lane);
  if (y < top - 4 || y > top + g.cellHeight + 4) return null;
  const view = scene.lanes[lane];
  let best: { offset: number; away: number } | null = null;
  view?.times?.forEach((t, i) => {
    const away = Math.abs(xOfTime(g, scene.worldTime, t) - x);
    if (away < (best?.away ?? 8)) best = { offset: view.first + i * g.size, away };
  });
  return best === null ? null : { lane, offset: (best as { offset: number }).offset };
}

/** How old the mark is that is as many marks from the end as there is room for, in the lane where that is least. */
export function newestAge(scene: Scene, room: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (const { times } of scene.lanes) {
    if (!times || times.length === 0) continue;
    let at = Math.max(0, times.length - room);
    while (at < times.length && Number.isNaN(times[at])) at++;
    const age = scene.worldTime - (times[at] ?? Number.NaN);
    if (age < least) least = age;
  }
  return Number.isFinite(least) ? least : 0;
}

/** Spans of time that a lane may show, in milliseconds. */
const SPANS = [
  5_000, 10_000, 20_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000, 10_800_000, 43_200_000,
  86_400_000, 604_800_000,
];

/** The time to show so that what is `age` old can just be seen; the present span stays while it does well. */
export function spanFor(age: number, present: number): number {
  if (age <= present && age > present * 0.3) return present;
  return SPANS.find((span) => span >= age) ?? SPANS.at(-1) ?? present;
}

const STEPS = [
  1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000, 3_600_000,
  10_800_000, 21_600_000, 86_400_000,
];

/** Moments to write on a ruler that ends at `now`, at least `apart` of its span from each other. */
export function ticksFor(now: number, span: number, apart: number): number[] {
  const step = STEPS.find((each) => each >= span * apart) ?? span;
  const ticks: number[] = [];
  for (let t = Math.floor(now / step) * step; t >= 0 && t > now - span; t -= step) ticks.push(t);
  return ticks;
}
