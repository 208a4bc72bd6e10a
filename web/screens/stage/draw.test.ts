import { expect, test } from "vitest";
import { lane } from "../../engine/lane.fixture";
import { words } from "../../words";
import { type Ctx, draw, type Scene, type View } from "./draw";
import { geometry } from "./geometry";
import { gripAt, spotAt } from "./hit";
import { DARK, LIGHT } from "./palette";

/** A context that writes down what it is told. */
function recorder() {
  const calls: [string, ...unknown[]][] = [];
  const ctx = new Proxy({} as Record<string, unknown>, {
    get(target, name) {
      if (name in target) return target[name as string];
      return (...args: unknown[]) => {
        calls.push([String(name), ...args]);
        return name === "measureText" ? { width: String(args[0]).length * 6 } : undefined;
      };
    },
  });
  const texts = () => calls.filter(([name]) => name === "fillText").map(([, text]) => text);
  return { ctx: ctx as unknown as Ctx, calls, texts };
}

const scene: Scene = {
  lanes: [
    lane({
      first: 30,
      cells: 14,
      classes: new Uint8Array(14).fill(2),
      logEnd: 44,
      highWatermark: 42,
      markers: [
        { group: 0, member: 1, position: 35, committed: 33, rate: 3 },
        { group: 1, member: 2, position: 42, committed: 42, rate: 3 },
      ],
    }),
    lane({ first: 0, cells: 0, classes: new Uint8Array(0), logEnd: 0, highWatermark: 0, markers: [] }),
  ],
  groups: [0, 1],
  owners: [
    [1, 1],
    [0, 0],
  ],
  worldTime: 0,
};

function view(over: Partial<View> = {}): View {
  return {
    geometry: geometry({
      width: 770,
      room: 300,
      lanes: 2,
      groups: 2,
      digits: 2,
      decade: 0,
      align: "newest",
      phone: false,
    }),
    palette: LIGHT,
    until: [null, null],
    hover: null,
    selected: null,
    drag: null,
    pointed: null,
    reader: 0,
    slides: [],
    words: { hw: words.stage.hw, lag: words.stage.lag, deleted: words.stage.deleted, count: words.number },
    ...over,
  };
}

test("a lane shows its records, its end, its high watermark and the lag from the ring", () => {
  const r = recorder();
  draw(r.ctx, scene, view());
  expect(r.texts()).toEqual(expect.arrayContaining(["P0", "P1", "30", "43", "44", "HW", "lag 9", "0"]));
  expect(r.texts()).not.toContain("lag 7");
});

test("the same scene and view give the same picture", () => {
  const [a, b] = [recorder(), recorder()];
  draw(a.ctx, scene, view());
  draw(b.ctx, scene, view());
  expect(a.calls).toEqual(b.calls);
});

test("save and restore are balanced in every alignment and decade", () => {
  const mix = new Uint16Array(5 * 8).fill(1);
  const binned: Scene = { ...scene, lanes: scene.lanes.map((l) => ({ ...l, cells: 5, first: 0, mix })) };
  for (const align of ["newest", "offset", "time"] as const) {
    for (const decade of [0, 1]) {
      const r = recorder();
      const g = geometry({
        width: 770,
        room: 300,
        lanes: 2,
        groups: 2,
        digits: 2,
        decade,
        align,
        phone: false,
      });
      draw(r.ctx, decade === 0 ? scene : binned, view({ geometry: g }));
      const count = (name: string) => r.calls.filter(([each]) => each === name).length;
      expect(count("save")).toBe(count("restore"));
    }
  }
});

test("dragging shows in words what letting go would do", () => {
  const r = recorder();
  draw(
    r.ctx,
    scene,
    view({ drag: { lane: 0, rail: 0, what: "position", offset: 31, ghost: "4 records will be read again" } }),
  );
  expect(r.texts()).toContain("4 records will be read again");
});

test("a position can be gripped where it is drawn, and a record where its cell is", () => {
  const { geometry: g, until } = view();
  const x = (offset: number) => g.right + (offset - 44) * g.cellWidth;
  const rail = g.top + g.cellHeight + Math.round(Math.max(9, g.cellHeight / 3.2));
  expect(gripAt(g, scene, until, x(35), rail, 11)).toEqual({ lane: 0, rail: 0, what: "position", from: 35 });
  expect(gripAt(g, scene, until, x(33), rail, 11)).toEqual({ lane: 0, rail: 0, what: "committed", from: 33 });
  expect(gripAt(g, scene, until, x(38), rail, 11)).toBeNull();
  expect(spotAt(g, scene, until, x(38) + 4, g.top + 5)).toEqual({ lane: 0, offset: 38 });
  expect(spotAt(g, scene, until, x(44) + 4, g.top + 5)).toBeNull();
});

test("the canvas's colours are those of the page", async () => {
  const { readFileSync } = await import("node:fs");
  const css = readFileSync("web/app.css", "utf8");
  const token = (name: string) =>
    new RegExp(`--${name}: light-dark\\((#\\w+), (#\\w+)\\)`).exec(css)?.slice(1);
  const pairs: [string, string, string][] = [
    ["surface", LIGHT.surface, DARK.surface],
    ["ink", LIGHT.ink, DARK.ink],
    ["muted", LIGHT.muted, DARK.muted],
    ["hair", LIGHT.hair, DARK.hair],
    ["accent", LIGHT.accent, DARK.accent],
    ["cell", LIGHT.cell, DARK.cell],
    ["cell-read", LIGHT.cellRead, DARK.cellRead],
    ["number", LIGHT.number, DARK.number],
    ["number-read", LIGHT.numberRead, DARK.numberRead],
    ...LIGHT.keys.map((hue, i): [string, string, string] => [`key-${i + 1}`, hue, DARK.keys[i] ?? ""]),
  ];
  for (const [name, light, dark] of pairs) expect([name, token(name)]).toEqual([name, [light, dark]]);
});
