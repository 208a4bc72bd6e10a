import { expect, test } from "vitest";
import { CHARS_MAX, LINES_MAX, Scrollback } from "./scrollback";

const texts = (log: Scrollback) => log.rows(log.first, log.end).map((row) => row.text);

test("the lines kept are bounded, by number and by length, and the newest stay", () => {
  const log = new Scrollback();
  for (let i = 0; i < 3 * LINES_MAX; i++) log.add("out", `line ${i}`);
  expect(log.length).toBe(LINES_MAX);
  expect(log.trimmed).toBe(true);
  expect(log.end - log.first).toBe(LINES_MAX);
  expect(log.rows(log.end - 1, log.end)[0]?.text).toBe(`line ${3 * LINES_MAX - 1}`);
  expect(log.rows(log.first, log.first + 1)[0]?.text).toBe(`line ${2 * LINES_MAX}`);
  for (let i = 0; i < LINES_MAX; i++) log.add("out", "x".repeat(3000));
  expect(log.length).toBeLessThanOrEqual(CHARS_MAX / 3000);
  expect(log.text().length).toBeLessThan(1.01 * CHARS_MAX);
});

test("prose is broken where the window ends, columns are not", () => {
  const log = new Scrollback();
  log.wrapAt(20);
  log.add("err", "a".repeat(45));
  log.add("out", "b".repeat(45));
  expect(texts(log)).toEqual(["a".repeat(20), "a".repeat(20), "a".repeat(5), "b".repeat(45)]);
  expect(log.rows(log.first + 1, log.first + 2)).toMatchObject([{ text: "a".repeat(20), more: true }]);
  log.wrapAt(40);
  expect(texts(log)).toEqual(["a".repeat(40), "a".repeat(5), "b".repeat(45)]);
  log.clear();
  expect(texts(log)).toEqual([]);
});

test("prose is broken behind a word where it can be", () => {
  const log = new Scrollback();
  log.wrapAt(20);
  log.add("err", "the message is larger than what is allowed");
  expect(texts(log)).toEqual(["the message is ", "larger than what is ", "allowed"]);
});

test("a sign of two code units is not torn apart", () => {
  const log = new Scrollback();
  log.wrapAt(20);
  log.add("err", `${"a".repeat(19)}😀b`);
  expect(texts(log)).toEqual([`${"a".repeat(19)}😀`, "b"]);
});
