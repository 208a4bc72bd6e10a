import { expect, test } from "vitest";
import { decadeFor } from "./scale";

/** A log so long that only the rate counts. */
const long = (rate: number | null) => ({ rate, records: 1e9, cells: 40 });

test("a cell holds so much that at most eight a second appear", () => {
  const rates = [0, 8, 9, 80, 833, 8000, 1e9];
  expect(rates.map((rate) => decadeFor(long(rate), 0))).toEqual([0, 0, 1, 1, 3, 3, 4]);
});

test("a rate near the edge does not flicker between decades", () => {
  expect(decadeFor(long(7), 1)).toBe(1);
  expect(decadeFor(long(4), 1)).toBe(0);
});

test("raising the rate does not collapse a lane to a few cells", () => {
  expect(decadeFor({ rate: 833, records: 36, cells: 40 }, 0)).toBe(0);
  expect(decadeFor({ rate: 833, records: 290, cells: 40 }, 0)).toBe(0);
});

test.each([300, 4_000, 50_000, 3_000_000])(
  "with %i records at most a quarter of a lane is bare",
  (records) => {
    for (const cells of [12, 40, 90]) {
      const decade = decadeFor({ rate: 10_000, records, cells }, 0);
      expect(records / 10 ** decade).toBeGreaterThanOrEqual(0.75 * cells);
      // And the cells are as large as they may be.
      if (decade < 4) expect(records / 10 ** (decade + 1)).toBeLessThan(0.75 * cells);
    }
  },
);

test("what retention takes away does not make a topic flicker", () => {
  const load = (records: number) => ({ rate: 833, records, cells: 40 });
  expect(decadeFor(load(25_000), 3)).toBe(3);
  expect(decadeFor(load(15_000), 3)).toBe(2);
  expect(decadeFor(load(25_000), 2)).toBe(2);
});

test("while time stands still cells do not shrink, but a shorter past is seen whole", () => {
  expect(decadeFor(long(null), 3)).toBe(3);
  expect(decadeFor({ rate: null, records: 100, cells: 40 }, 3)).toBe(0);
});
