// @vitest-environment node
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CLASS_COLD, CLASS_GAP, type FrameView, hueOf, readFrame } from "./frame";

/** Frames that the core wrote, and what is in them: crates/wasm/src/frames_test.rs keeps them fresh. */
const bytesOf = (name: string): ArrayBuffer => {
  const bytes = readFileSync(new URL(`./examples/frame-${name}.bin`, import.meta.url));
  return Uint8Array.from(bytes).buffer;
};
const toldOf = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`./examples/frame-${name}.json`, import.meta.url), "utf8"));

/** A frame as JSON has it. */
const plain = (frame: FrameView): unknown =>
  JSON.parse(
    JSON.stringify(frame, (_, value) => (ArrayBuffer.isView(value) ? [...(value as never)] : value)),
  );

test.each(["cells", "counts", "mixed"])(
  "a frame of the core reads as what the core put into it: %s",
  (name) => {
    expect(plain(readFrame(bytesOf(name)))).toEqual(toldOf(name));
  },
);

test("what is no whole frame is refused", () => {
  expect(() => readFrame(new ArrayBuffer(8))).toThrow(RangeError);
  expect(() => readFrame(new ArrayBuffer(64))).toThrow(RangeError);
  expect(() => readFrame(bytesOf("cells").slice(0, 200))).toThrow(RangeError);
});

test("six hues repeat, and what is no record has none", () => {
  expect([0, 1, 6, 7, 252, CLASS_COLD, CLASS_GAP].map(hueOf)).toEqual([0, 1, 6, 1, 6, 0, 0]);
});
