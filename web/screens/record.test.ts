import { expect, test } from "vitest";
import { fieldOfBytes, SHOWN_MAX, show } from "./record";

const base64 = (text: string) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));

test("JSON is laid out, other text is left alone", () => {
  expect(show(base64('{"a":1}'), true).text).toBe('{\n  "a": 1\n}');
  expect(show(base64("{broken"), true).text).toBe("{broken");
});

test("numbers that would change are not touched", () => {
  expect(show(base64('{"id":12345678901234567890}'), true).text).toBe('{"id":12345678901234567890}');
});

test("what turns text around is shown as its code point", () => {
  const shown = show(base64("pay \u202eeur"), false);
  expect(shown.text).toBe("pay ⟨U+202E⟩eur");
  expect(shown.odd).toBe(true);
});

test("bytes that are no UTF-8 are shown in hex", () => {
  expect(show(btoa("\xff\x00\x10"), true)).toMatchObject({ text: "ff 00 10", binary: true });
});

test("a huge value is cut, and says by how much", () => {
  expect(show(base64("x".repeat(SHOWN_MAX + 5)), true).more).toBe(5);
});

test("every byte knows its field", () => {
  const spans = [
    { name: "a", start: 0, end: 2, part: "batch" as const, value: "" },
    { name: "b", start: 3, end: 4, part: "record" as const, value: "" },
  ];
  expect([...fieldOfBytes(5, spans)]).toEqual([0, 0, -1, 1, -1]);
});
