import { expect, test } from "vitest";
import { CLASS_GAP } from "../../engine/frame";
import { lane } from "../../engine/lane.fixture";
import { words } from "../../words";
import { existing, outcome } from "./ghost";
import { lagOf } from "./lag";

const log = lane({
  logStart: 5,
  first: 4,
  cells: 10,
  classes: new Uint8Array(10).fill(1),
  highWatermark: 14,
  logEnd: 16,
});
const at = (position: number) => ({ group: 0, member: 1, position, committed: 6, rate: 0 });

test("what will be read again is counted from where the position is now", () => {
  expect(outcome("position", 8, log, at(12))).toBe(words.stage.again(4));
  expect(outcome("position", 8, log, at(14))).toBe(words.stage.again(6));
  expect(outcome("position", 8, log, at(8))).toBe(words.stage.same);
});

test("only records that exist and can be read are counted", () => {
  expect(existing(log, 0, 100)).toBe(9);
  const classes = new Uint8Array(10).fill(1);
  classes.set([CLASS_GAP, CLASS_GAP], 3);
  expect(outcome("position", 6, { ...log, classes }, at(12))).toBe(words.stage.again(4));
  expect(outcome("position", 16, log, at(12))).toBe(words.stage.skipped(2));
});

test("cells that hold many records are counted by what is in them", () => {
  const mix = new Uint16Array(3 * 8);
  mix.set([10, 0, 0, 0, 0, 0, 0, 0, 4, 3, 0, 0, 0, 0, 0, 0, 10]);
  const binned = lane({ decade: 1, first: 0, cells: 3, mix, highWatermark: 30, logEnd: 30 });
  expect(existing(binned, 0, 30)).toBe(27);
  expect(existing(binned, 5, 9)).toBe(4);
});

test("a committed offset says the lag that it will leave", () => {
  expect(outcome("committed", 9, log, at(12))).toBe(words.stage.commitHere(9, 5));
});

test("a group that has committed nothing has no lag, not a lag of 0", () => {
  const text = (lags: (string | null)[]) => {
    const { known, all } = lagOf(lags.map((lag) => ({ lag })));
    return words.stage.lagSum(known, all);
  };
  expect(text([])).toBe("lag –");
  expect(text([null, null])).toBe("lag –");
  expect(text(["0", "0"])).toBe("lag 0");
  expect(text(["12", null])).toBe("lag ≥ 12");
});
