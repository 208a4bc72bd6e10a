import { expect, test } from "vitest";
import { CLASS_COLD, CLASS_GAP, type FrameView, hueOf, readFrame, writeFrame } from "./frame";
import { lane } from "./lane.fixture";

const frame: FrameView = {
  layout: 7,
  worldTime: 1234.5,
  journalLength: 99,
  decade: 0,
  running: true,
  past: false,
  speed: 0.25,
  lanes: [lane(), lane({ logEnd: 2 ** 40, times: Float64Array.from([1, 2, 3, 4, 5, 6, Number.NaN]) })],
  producers: [{ sent: 12, rate: 4 }],
};

test("a frame reads back as it was written", () => {
  expect(readFrame(writeFrame(frame))).toEqual(frame);
});

test("cells of a higher decade are counts per hue", () => {
  const mix = Uint16Array.from([0, 5, 5, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 9]);
  const binned = {
    ...frame,
    decade: 1,
    lanes: [lane({ cells: 2, first: 0, mix, classes: new Uint8Array(0) })],
  };
  expect(readFrame(writeFrame(binned)).lanes[0]?.mix).toEqual(mix);
});

test("anything else is refused", () => {
  expect(() => readFrame(new ArrayBuffer(8))).toThrow(RangeError);
  expect(() => readFrame(new ArrayBuffer(64))).toThrow(RangeError);
  const cut = writeFrame(frame).slice(0, 200);
  expect(() => readFrame(cut)).toThrow(RangeError);
});

test("six hues repeat, and what is no record has none", () => {
  expect([0, 1, 6, 7, 252, CLASS_COLD, CLASS_GAP].map(hueOf)).toEqual([0, 1, 6, 1, 6, 0, 0]);
});
