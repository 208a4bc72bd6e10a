import { beforeEach, expect, test, vi } from "vitest";
import { Marks, markText, SHAPES, unmarked } from "./marks";
import { planOf } from "./plan";

beforeEach(() => {
  const kept = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => kept.get(key) ?? null,
    setItem: (key: string, value: string) => kept.set(key, value),
    removeItem: (key: string) => kept.delete(key),
  });
});

const open = (first: string[] = [], fresh = false) => {
  const marks = new Marks();
  marks.open("w", first, fresh);
  return marks;
};

test("a group keeps its symbol whatever groups come before it by name", () => {
  const marks = open(["billing"]);
  marks.see(["billing"]);
  marks.see(["audit", "billing"]);
  expect(markText(marks.of("billing"))).toBe("▲");
  expect(markText(marks.of("audit"))).toBe("◆");
  marks.see(["billing", "search"]);
  marks.see(["audit", "billing", "search"]);
  expect(["audit", "billing", "search"].map((group) => markText(marks.of(group)))).toEqual(["◆", "▲", "●"]);
});

test("the first group of a scenario is ▲, and symbols outlive a reload, but not a new beginning", () => {
  open(["search", "audit"]).see(["audit", "more", "search"]);
  const again = open(["search", "audit"]);
  again.see(["audit", "more", "search"]);
  expect(["search", "audit", "more"].map((group) => again.of(group))).toEqual([0, 1, 2]);
  const fresh = open(["audit"], true);
  fresh.see(["audit", "more"]);
  expect([fresh.of("audit"), fresh.of("more")]).toEqual([0, 1]);
});

test("no two groups that are alive look alike, however many there are", () => {
  const marks = open();
  const groups: string[] = [];
  for (let n = 0; n < 30; n++) {
    groups.push(`g${n}`);
    marks.see(groups);
  }
  expect(new Set(groups.map((group) => markText(marks.of(group)))).size).toBe(30);
  expect(new Set(SHAPES).size).toBeGreaterThanOrEqual(8);
  expect(markText(marks.of("g4"))).not.toContain("▲");
});

test("a plain shape of a group that is gone is given away before letters are needed", () => {
  const marks = open();
  for (let n = 0; n < 40; n++) marks.see(["billing", `console-consumer-${n}`]);
  expect(marks.of("billing")).toBe(0);
  expect(marks.of("console-consumer-39")).toBeLessThan(SHAPES.length);
});

test("a text loses the symbol it begins with, and nothing else", () => {
  expect([unmarked("▲ billing"), unmarked("billing ▲")]).toEqual(["billing", "billing ▲"]);
});

test("rails lie in the order of the symbols, and members are counted in their group", () => {
  const layout = {
    id: 1,
    lanes: [
      { topic: "a", partition: 0 },
      { topic: "b", partition: 0 },
      { topic: "b", partition: 1 },
    ],
    groups: ["audit", "billing"],
    producers: [],
    members: [
      { groupId: "audit", name: "a1" },
      { groupId: "billing", name: "b1" },
      { groupId: "billing", name: "b2" },
    ],
  };
  const plan = planOf(layout, (group) => (group === "billing" ? 0 : 3));
  expect(plan.lanes.get("b")).toEqual([1, 2]);
  expect(plan.order).toEqual([1, 0]);
  expect(plan.members).toEqual([0, 1, 1, 2]);
});
