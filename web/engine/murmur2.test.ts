import { expect, test } from "vitest";
import { murmur2 } from "./murmur2";

const hash = (key: string) => murmur2(new TextEncoder().encode(key));

// Keys of every length modulo four, as Kafka's own client hashes them.
test.each([
  ["", 275646681],
  ["a", -1563381124],
  ["ab", 316155434],
  ["abc", 479470107],
  ["abcd", -1323649548],
  ["21", -973932308],
])("murmur2 of %j is Kafka's", (key, expected) => {
  expect(hash(key)).toBe(expected);
});
