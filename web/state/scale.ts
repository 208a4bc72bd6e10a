/** How lanes are scaled and lined up. */

/** By what lanes line up: their ends, equal offsets, equal times. */
export type Align = "newest" | "offset" | "time";

export const DECADE_MAX = 4;

/** What a topic's scale is chosen by. */
export interface Load {
  /** New records a second in the busiest lane, as the eye sees them; null while time stands still. */
  rate: number | null;
  /** Records in the fullest lane. */
  records: number;
  /** Cells that a lane has room for; 0 while that is not known. */
  cells: number;
}

/**
 * The decade to draw a topic at: the calm one, but none at which a wide stage would stand bare.
 *
 * Calm is the smallest with at most about eight new cells a second in the busiest lane. Cells that hold ten
 * times as much are ten times fewer, so a larger decade waits until the fullest lane has records enough to
 * fill three quarters of its room with the larger cells; until then the smaller one stays, and its lanes are
 * full. Both fall back only well below where they rise, so that nothing flickers near an edge.
 */
export function decadeFor(load: Load, present: number): number {
  const calm = load.rate === null ? present : calmDecade(load.rate, present);
  return Math.min(calm, fullDecade(load, present));
}

function calmDecade(rate: number, present: number): number {
  let decade = 0;
  while (decade < DECADE_MAX && rate / 10 ** decade > 8) decade++;
  return decade === present - 1 && rate / 10 ** decade > 5 ? present : decade;
}

/** The largest decade that leaves at most a quarter of the fullest lane bare. */
function fullDecade({ records, cells }: Load, present: number): number {
  let decade = DECADE_MAX;
  const share = (at: number) => records / 10 ** at / Math.max(1, cells);
  while (decade > 0 && share(decade) < (decade === present ? 0.5 : 0.75)) decade--;
  return decade;
}
