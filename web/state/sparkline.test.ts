import { expect, test } from "vitest";
import { sparkline } from "./sparkline";

const points = (path: string) =>
  path
    .split(/[ML]/)
    .filter(Boolean)
    .map((point) => point.split(" ").map(Number));

test("a burst stands over the time in which it came", () => {
  // Ten seconds; records came in the seventh.
  const rates = [0, 0, 0, 0, 0, 0, 50, 0, 0, 0];
  const path = points(sparkline({ start: 20_000, end: 30_000, rates }, (t) => t / 100, 30, 20));
  const [highest] = path.toSorted((a, b) => (a[1] ?? 0) - (b[1] ?? 0));
  expect(highest).toEqual([265, 10]);
});

test("what a world begins with has no rate, and the last slice is not over", () => {
  const rates = [900, 4, 4, 4, 1];
  const path = points(sparkline({ start: 0, end: 5_000, rates }, (t) => t / 100, 30, 20));
  expect(path.map(([x]) => x)).toEqual([15, 25, 35]);
  expect(new Set(path.map(([, y]) => y)).size).toBe(1);
});
