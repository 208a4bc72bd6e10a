/** A group's lag over its partitions: what of it is known, and whether that is all of it. */
export function lagOf(offsets: { lag: string | null }[]): { known: number | null; all: boolean } {
  const known = offsets.flatMap(({ lag }) => (lag === null ? [] : [Number(lag)]));
  const sum = known.reduce((all, lag) => all + lag, 0);
  return { known: known.length > 0 ? sum : null, all: known.length === offsets.length };
}
