/** How lanes are scaled and lined up. */

/** By what lanes line up: their ends, equal offsets, equal times. */
export type Align = "newest" | "offset" | "time";

/**
 * The decade to draw at: the smallest with at most about eight new cells a second in the busiest lane.
 * It falls back only well below that, so that a rate near the edge does not flicker.
 */
export function decadeFor(rate: number, present: number): number {
  let decade = 0;
  while (decade < 4 && rate / 10 ** decade > 8) decade++;
  if (decade === present - 1 && rate / 10 ** decade > 5) return present;
  return decade;
}
