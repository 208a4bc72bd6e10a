import { expect, test } from "vitest";
import { lane } from "../../engine/lane.fixture";
import { anchorOf, cellsFor, geometry, laneAt, laneTop, offsetAt, xOf } from "./geometry";

const base = {
  width: 770,
  room: 360,
  lanes: 6,
  groups: 2,
  digits: 2,
  decade: 0,
  align: "newest",
  span: 20_000,
  phone: false,
} as const;

test("the log end slot of every followed lane stands at the same place", () => {
  const g = geometry(base);
  const lanes = [lane({ logEnd: 44 }), lane({ logEnd: 7 })];
  const ends = lanes.map((l) => xOf(g, anchorOf(g, l, lanes, null), l.logEnd));
  expect(ends).toEqual([g.right, g.right]);
});

test("aligned by offset, an offset stands at the same place in every lane", () => {
  const g = geometry({ ...base, align: "offset" });
  const lanes = [lane({ logEnd: 44 }), lane({ logEnd: 7 })];
  const xs = lanes.map((l) => xOf(g, anchorOf(g, l, lanes, null), 5));
  expect(xs[0]).toBe(xs[1]);
});

test.each([0, 1, 3])("a point in a cell of decade %i is an offset in it", (decade) => {
  const g = geometry({ ...base, decade });
  const l = lane({ logEnd: 83_214 });
  const anchor = anchorOf(g, l, [l], null);
  const offset = Math.floor(83_000 / g.size) * g.size;
  const x = xOf(g, anchor, offset);
  expect(offsetAt(g, anchor, x + 0.01)).toBe(offset);
  expect(offsetAt(g, anchor, x + g.cellWidth - 0.01)).toBe(offset + g.size - 1);
});

test("cells fill the lane, and long offsets get wide ones", () => {
  const narrow = geometry(base);
  const wide = geometry({ ...base, digits: 8 });
  expect(cellsFor(narrow) * narrow.cellWidth).toBeGreaterThanOrEqual(narrow.right - narrow.left);
  expect(wide.cellWidth).toBeGreaterThan(8 * 6.6);
  expect(wide.right + wide.cellWidth + 8 * 7).toBeLessThan(base.width);
});

test("lined up by time, the lanes make room for a ruler above them", () => {
  const [without, with_] = [geometry(base), geometry({ ...base, align: "time" })];
  expect(laneTop(without, 0)).toBe(0);
  expect(laneTop(with_, 0)).toBeGreaterThan(15);
  expect(laneAt(with_, laneTop(with_, 3) + 1)).toBe(3);
  expect(with_.height).toBe(laneTop(with_, base.lanes) + 6);
});
