import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { clock, duration, errorText, learnErrors, words } from ".";
import * as editors from "./editors";
import { number } from "./en";
import { errors } from "./en.errors";
import * as record from "./record";
import * as telling from "./telling";
import * as terminal from "./terminal";

/** The string literals between two marks of a file, so that a new code without words fails here. */
function codes(file: string, from: string, to: string, pattern: RegExp): string[] {
  const text = readFileSync(`web/engine/${file}`, "utf8");
  const part = text.slice(text.indexOf(from), text.indexOf(to, text.indexOf(from)));
  return [...part.matchAll(pattern)].map((match) => match[1] ?? "");
}

test("every notice has words", () => {
  const notice = /\| ['"]([\w-]+)['"]/g;
  const all = [
    ...codes("generated/messages.ts", "export type NoticeCode", "export interface", notice),
    ...codes("rpc.ts", "export type NoticeCode", "export interface", notice),
  ];
  expect(all.length).toBeGreaterThan(10);
  expect(all.filter((code) => !telling.notices[code]?.({}))).toEqual([]);
});

test("every command has words, as an event and as something to undo", () => {
  const all = codes("generated/messages.ts", "export type Command", "export interface", /do: ['"](\w+)['"]/g);
  expect(all.length).toBeGreaterThan(12);
  expect(all.filter((code) => !words.actions[code] || !telling.events[code]?.({}))).toEqual([]);
});

test("no word is empty", () => {
  const empty: string[] = [];
  const look = (value: unknown, path: string) => {
    if (typeof value === "string" && value.trim() === "") empty.push(path);
    else if (typeof value === "object" && value !== null) {
      for (const [name, inner] of Object.entries(value)) look(inner, `${path}.${name}`);
    }
  };
  for (const catalogue of [words, editors, { errors }, record, telling, terminal])
    look({ ...catalogue }, "words");
  expect(empty).toEqual([]);
});

test("numbers, clocks and durations read well", () => {
  expect(number(83214)).toBe("83\u202f214");
  expect(number(999)).toBe("999");
  expect(clock(84_860)).toBe("01:24.860");
  expect(clock(3_661_005)).toBe("1:01:01.005");
  expect([12, 12_400, 75_000].map(duration)).toEqual(["12 ms", "12.4 s", "1 min 15 s"]);
});

test("a refusal is told in our words once they are there, an unknown one in its own", async () => {
  const refused = { code: "TOPIC_ALREADY_EXISTS", message: "Topic 'orders' already exists.", params: {} };
  expect(errorText(refused)).toBe("Topic 'orders' already exists.");
  await learnErrors();
  expect(errorText({ code: "TOPIC_ALREADY_EXISTS", params: { topic: "orders" } })).toBe(
    "A topic named orders already exists.",
  );
  expect(errorText({ code: "SOMETHING_ELSE", message: "as the broker says" })).toBe("as the broker says");
});
