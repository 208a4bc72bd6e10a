/** The rate of appends over the timeline's own time. Pure. */

import type { Timeline } from "../engine/rpc";

/**
 * A path whose points stand over the middles of the slices they count. What is usual fills two thirds of the
 * height; a burst, such as a dropped file, is cut off at the top. What a world begins with has no rate, and the last
 * slice is not over.
 */
export function sparkline(
  { start, end, rates }: Pick<Timeline, "start" | "end" | "rates">,
  xOf: (t: number) => number,
  base: number,
  height: number,
): string {
  const first = start === 0 ? 1 : 0;
  const shown = rates.slice(first, -1);
  const sorted = shown.toSorted((a, b) => a - b);
  const usual = sorted[Math.ceil(sorted.length * 0.8) - 1] ?? 0;
  const top = Math.max(1, Math.min(sorted.at(-1) ?? 0, usual * 1.5));
  const slice = (end - start) / Math.max(1, rates.length);
  return shown
    .map((rate, i) => {
      const x = xOf(start + (i + first + 0.5) * slice).toFixed(1);
      return `${i === 0 ? "M" : "L"}${x} ${(base - Math.min(1, rate / top) * height).toFixed(1)}`;
    })
    .join("");
}
