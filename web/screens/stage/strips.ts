/**
 * Full cells of many records never change, so each lane's are kept as a picture: a frame copies that and draws
 * what is new. Loaded once cells hold many records; until then they are drawn one by one.
 */

import type { Ctx, LaneDrawing } from "./draw";

/** As many as a frame has of a lane at most. */
const CELLS = 400;

interface Sheet {
  image: CanvasImageSource;
  ctx: Ctx;
}

interface Kept extends Sheet {
  /** What all cells depend on. */
  look: string;
  size: number;
  /** The first cell's offset, how many there are, and what is in them. */
  first: number;
  count: number;
  mix: Uint16Array;
}

/** Draws a cell as if its lane were at height 0. */
export type DrawCell = (d: LaneDrawing, cell: number, x: number) => void;

export class Strips {
  private readonly lanes: (Kept | undefined)[] = [];

  constructor(private readonly make: (width: number, height: number) => Sheet | null = sheet) {}

  /** Draws the lane's first `count` cells, the first `read` of them faint; false where that cannot be. */
  draw(d: LaneDrawing, count: number, read: number, drawCell: DrawCell): boolean {
    const { ctx, g, lane, view } = d;
    const { dpr } = view;
    // Between pixels a copy would be blurred.
    if (!Number.isInteger(dpr) || count === 0) return false;
    const kept = this.renewed(d, count, drawCell);
    if (!kept) return false;
    const [w, h] = [g.cellWidth, g.cellHeight];
    const x = d.x(lane.first);
    const parts = [
      { from: 0, to: read, alpha: 0.38 },
      { from: read, to: count, alpha: 0.92 },
    ];
    for (const { from, to, alpha } of parts) {
      if (to <= from) continue;
      const wide = (to - from) * w;
      ctx.globalAlpha = alpha;
      ctx.drawImage(kept.image, from * w * dpr, 0, wide * dpr, h * dpr, x + from * w, d.y, wide, h);
    }
    ctx.globalAlpha = 1;
    return true;
  }

  private renewed(d: LaneDrawing, count: number, drawCell: DrawCell): Kept | null {
    const { g, lane, view, index } = d;
    const [w, h] = [g.cellWidth, g.cellHeight];
    const look = `${w} ${h} ${g.width} ${view.dpr} ${d.p.surface}`;
    let kept = this.lanes[index];
    let shift = kept ? (lane.first - kept.first) / g.size : 0;
    if (!kept || kept.look !== look || kept.size !== g.size || shift < 0 || shift >= kept.count) {
      const made = kept?.look === look ? kept : this.make(CELLS * w * view.dpr, h * view.dpr);
      if (!made) return null;
      made.ctx.setTransform(view.dpr, 0, 0, view.dpr, 0, 0);
      const { image, ctx } = made;
      kept = { image, ctx, look, size: g.size, first: lane.first, count: 0, mix: new Uint16Array(0) };
      shift = 0;
    }
    const { ctx, image } = kept;
    if (shift > 0) {
      ctx.globalCompositeOperation = "copy";
      ctx.drawImage(image, -shift * w, 0, CELLS * w, h);
      ctx.globalCompositeOperation = "source-over";
    }
    const target = { ...d, ctx, y: 0 };
    for (let cell = 0; cell < count; cell++) {
      if (cell + shift < kept.count && same(lane.mix, cell * 8, kept.mix, (cell + shift) * 8)) continue;
      ctx.clearRect(cell * w, 0, w, h);
      drawCell(target, cell, cell * w);
    }
    this.lanes[index] = { ...kept, first: lane.first, count, mix: lane.mix };
    return kept;
  }
}

function same(a: Uint16Array, at: number, b: Uint16Array, bt: number): boolean {
  for (let hue = 0; hue < 8; hue++) if (a[at + hue] !== b[bt + hue]) return false;
  return true;
}

function sheet(width: number, height: number): Sheet | null {
  if (typeof OffscreenCanvas === "undefined") return null;
  const image = new OffscreenCanvas(Math.ceil(width), Math.ceil(height));
  const ctx = image.getContext("2d");
  return ctx && { image, ctx: ctx as unknown as Ctx };
}
