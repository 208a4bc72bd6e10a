/** Appends arrive: for 180 ms a lane's cells slide left by what was added. Nothing else on the stage moves by itself. */

import type { Scene } from "./draw";
import type { Geometry } from "./geometry";

const TAKES = 180;

export class Slides {
  lanes: { px: number; from: number }[] = [];
  private last = 0;

  see(before: Scene | null, after: Scene, g: Geometry, until: (number | null)[], past: boolean) {
    const still = past || g.align !== "newest" || g.size !== 1 || calm();
    this.lanes = after.lanes.map((lane, i) => {
      const old = before?.lanes[i];
      const slide = this.lanes[i] ?? { px: 0, from: 0 };
      const added = old ? lane.logEnd - old.logEnd : 0;
      if (still || added < 0 || added > 3 || (until[i] ?? null) !== null) return { px: 0, from: lane.logEnd };
      if (added === 0) return slide;
      return {
        px: Math.min(slide.px + added * g.cellWidth, 3 * g.cellWidth),
        from: slide.px > 0 ? slide.from : lane.logEnd - added,
      };
    });
  }

  /** Moves on to `now`; whether anything still moves. */
  step(now: number): boolean {
    const dt = Math.min(now - this.last, 50);
    this.last = now;
    let moving = false;
    for (const slide of this.lanes) {
      if (slide.px <= 0) continue;
      slide.px = Math.max(0, slide.px - Math.max(0.6, (slide.px / TAKES) * dt * 2.4));
      if (slide.px < 0.3) slide.px = 0;
      moving ||= slide.px > 0;
    }
    return moving;
  }
}

let motion: MediaQueryList | null = null;

/** Asked once: the list that answers keeps itself up to date. */
function calm(): boolean {
  if (typeof matchMedia !== "function") return false;
  motion ??= matchMedia("(prefers-reduced-motion: reduce)");
  return motion.matches;
}
