import { expect, test } from "vitest";
import type { FrameView, LaneView } from "../../engine/frame";
import { lane } from "../../engine/lane.fixture";
import type { Plan } from "../../state/plan";
import { shortClock, words } from "../../words";
import { type Ctx, draw, type Scene, type View } from "./draw";
import { geometry } from "./geometry";
import { drawGhost } from "./ghost";
import { gripAt, sameScene, sceneOf, spotAt } from "./hit";
import { DARK, LIGHT } from "./palette";
import { Strips } from "./strips";
import * as times from "./times";

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

const lanes = [
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
];
const plan: Plan = {
  lanes: new Map([["orders", [0, 1]]]),
  groups: ["billing", "audit"],
  marks: [0, 1],
  order: [0, 1],
  members: [0, 1, 1],
};
const frameOf = (lanes: LaneView[], worldTime = 0): FrameView => ({
  layout: 1,
  worldTime,
  journalLength: 0,
  running: true,
  past: false,
  speed: 1,
  lanes,
  producers: [],
});
const scene: Scene = sceneOf(frameOf(lanes), plan, "orders");

const SIZING = {
  width: 770,
  room: 300,
  lanes: 2,
  groups: 2,
  digits: 2,
  decade: 0,
  align: "newest",
  span: 20_000,
  phone: false,
} as const;

function view(over: Partial<View> = {}): View {
  return {
    geometry: geometry(SIZING),
    palette: LIGHT,
    until: [null, null],
    hover: null,
    selected: null,
    pointed: null,
    reader: 0,
    slides: [],
    dpr: 1,
    strips: null,
    times,
    seen: { from: 0, to: 1_000 },
    words: {
      hw: words.stage.hw,
      lag: words.stage.lag,
      deleted: words.stage.deleted,
      noMarkers: words.stage.noMarkers,
      count: words.number,
      clock: shortClock,
    },
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
  const binned: Scene = {
    ...scene,
    lanes: scene.lanes.map((l) => ({ ...l, decade: 1, cells: 5, first: 0, mix })),
  };
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
        span: 20_000,
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
  const ghost = "4 records will be read again";
  drawGhost(r.ctx, scene, view(), { lane: 0, rail: 0, what: "position", offset: 31, ghost });
  expect(r.texts()).toContain(ghost);
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

test("lined up by time there is a ruler, and it says that markers are not there", () => {
  const marks = Float64Array.from({ length: 14 }, (_, i) => 3_000 + i * 500);
  const timed = sceneOf(
    frameOf(
      lanes.map((l) => (l.cells > 0 ? { ...l, times: marks } : l)),
      12_000,
    ),
    plan,
    "orders",
  );
  const g = geometry({ ...SIZING, align: "time" });
  const r = recorder();
  draw(r.ctx, timed, view({ geometry: g }));
  expect(r.texts()).toEqual(expect.arrayContaining([words.stage.noMarkers, "00:10"]));
  expect(times.newestAge(timed, 4)).toBe(12_000 - 8_000);
  expect(times.newestAge(timed, 100)).toBe(9_000);
});

test("lanes that cannot be seen cost nothing", () => {
  const r = recorder();
  const { geometry: g } = view();
  draw(r.ctx, scene, view({ seen: { from: g.laneHeight + 1, to: g.height } }));
  expect(r.texts()).not.toContain("P0");
  expect(r.texts()).toContain("P1");
});

test("each group has its symbol, in the order of the symbols", () => {
  const changed = sceneOf(frameOf(lanes), { ...plan, marks: [5, 2], order: [1, 0] }, "orders");
  expect([changed.groups, changed.marks]).toEqual([
    [1, 0],
    [2, 5],
  ]);
  expect(changed.markers[0]?.[1]?.position).toBe(35);
  expect(changed.owners[0]).toEqual([1, 1]);
});

test("a picture is drawn again only when something in it has changed", () => {
  expect(sameScene(scene, sceneOf(frameOf(lanes, 99), plan, "orders"))).toBe(true);
  const [first, second] = lanes as [LaneView, LaneView];
  const changes: Partial<LaneView>[] = [
    { logEnd: 45 },
    { logStart: 1 },
    { classes: new Uint8Array(14).fill(3) },
    { markers: [] },
  ];
  for (const change of changes)
    expect(sameScene(scene, sceneOf(frameOf([{ ...first, ...change }, second]), plan, "orders"))).toBe(false);
});

test("full cells are drawn once, and then only copied", () => {
  const g = geometry({ ...SIZING, decade: 1 });
  const [page, kept] = [recorder(), recorder()];
  const strips = new Strips(() => ({ image: {} as CanvasImageSource, ctx: kept.ctx }));
  const binned = (logEnd: number, first: number) => {
    const cells = Math.ceil((logEnd - first) / 10);
    const mix = Uint16Array.from({ length: cells * 8 }, (_, i) => (first / 10 + Math.floor(i / 8)) % 5);
    const one = lane({ decade: 1, first, cells, mix, logEnd, highWatermark: logEnd, markers: [] });
    return sceneOf(frameOf([one, one]), plan, "orders");
  };
  const drawn = (scene: Scene) => {
    kept.calls.length = page.calls.length = 0;
    draw(page.ctx, scene, view({ geometry: g, strips, seen: { from: 0, to: g.laneHeight - 1 } }));
    return kept.calls.filter(([name]) => name === "clearRect").length;
  };
  expect(drawn(binned(104, 0))).toBe(10);
  expect(drawn(binned(108, 0))).toBe(0);
  expect(page.calls.some(([name]) => name === "drawImage")).toBe(true);
  // Two more are full, two have left the window.
  expect(drawn(binned(121, 20))).toBe(2);
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
