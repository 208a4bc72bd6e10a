import { expect, test } from "vitest";
import { spanFor, ticksFor } from "./times";

test("a span of time holds what shall be seen, and stays while it does well", () => {
  expect([0, 4_000, 12_000, 70_000].map((age) => spanFor(age, 0))).toEqual([5_000, 5_000, 20_000, 120_000]);
  expect(spanFor(9_000, 20_000)).toBe(20_000);
  expect(spanFor(5_000, 20_000)).toBe(5_000);
  expect(spanFor(21_000, 20_000)).toBe(60_000);
});

test("a ruler's labels are round moments of the world, never before its beginning", () => {
  expect(ticksFor(12_480, 20_000, 0.12)).toEqual([10_000, 5_000, 0]);
  expect(ticksFor(61_500, 5_000, 0.12)).toEqual([61_000, 60_000, 59_000, 58_000, 57_000]);
});
