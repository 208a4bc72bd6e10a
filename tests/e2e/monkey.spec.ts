// A monkey with two tabs: it clicks, types, seeks, reloads and closes at random, from a seed.
//
// BROOKLET_MONKEY_SECONDS says how long (a minute by default), BROOKLET_MONKEY_SEED which one. What it does is
// printed when something does not hold, so that the same seed shows it again; with BROOKLET_MONKEY_TELLS as it
// goes.

import type { BrowserContext, Page } from "@playwright/test";
import { ALONE, by, expect, open, type Read, ready, records, SANDBOX, snapshot, test } from "./page.ts";

const SECONDS = Number(process.env.BROOKLET_MONKEY_SECONDS ?? 60);
const SEED = Number(process.env.BROOKLET_MONKEY_SEED ?? 20_261_130);
/** Whether each deed is printed when it begins. */
const TELLS = process.env.BROOKLET_MONKEY_TELLS !== undefined;
/** Longest that one deed may take, milliseconds: loading the page is the longest. */
const DEED_MAX = 30_000;
/** Longest that the page may be busy with one thing, milliseconds. */
const BUSY_MAX = 200;
/** After a page was loaded, this long nobody expects it to be quick. */
const SETTLES_MS = 3_000;

/** Chance from a seed (mulberry32). */
function chance(seed: number) {
  let state = seed >>> 0;
  return (below: number) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

type Busy = { longest: number };

/** Notes how long the page's longest task took; runs before the page. */
function watch(settles: number) {
  const busy: Busy = { longest: 0 };
  (window as unknown as { busy: Busy }).busy = busy;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries())
      if (entry.startTime > settles) busy.longest = Math.max(busy.longest, entry.duration);
  }).observe({ type: "longtask", buffered: true });
}

class Monkey {
  readonly did: string[] = [];
  /** Values that Kafka has acknowledged and nobody has taken back. */
  private kept = new Set<string>();
  private sent = 0;
  private longest = 0;
  private readonly below: (n: number) => number;

  constructor(
    private readonly context: BrowserContext,
    private owner: Page,
    private waiting: Page,
    seed: number,
  ) {
    this.below = chance(seed);
  }

  /** What it may do: more often what people do more often. */
  private readonly deeds: [number, string, () => Promise<void>][] = [
    [6, "sends", () => this.send()],
    [3, "creates a topic and takes it back", () => this.createAndUndo()],
    [3, "pauses or runs", () => by(this.owner, "pause").click()],
    [2, "steps", () => by(this.owner, "step").click()],
    [2, "changes the speed", () => this.speed()],
    [3, "looks at the past and comes back", () => this.look()],
    [3, "clicks on the timeline", () => this.clickTime()],
    [3, "does something in the past and takes it back", () => this.branch()],
    [4, "clicks around", () => this.click()],
    [3, "types into a terminal", () => this.type()],
    [2, "zooms and aligns", () => this.zoom()],
    [2, "reloads", () => this.reload(this.owner)],
    [1, "reloads the tab that waits", () => this.reload(this.waiting)],
    [1, "closes the tab", () => this.close()],
  ];

  async live(seconds: number) {
    const until = Date.now() + seconds * 1000;
    await this.send();
    while (Date.now() < until) {
      const all = this.deeds.reduce((sum, [weight]) => sum + weight, 0);
      let at = this.below(all);
      const deed = this.deeds.find(([weight]) => {
        at -= weight;
        return at < 0;
      });
      if (!deed) continue;
      this.did.push(deed[1]);
      if (TELLS) console.log(`monkey: ${deed[1]}`);
      await this.inTime(deed[2]());
      await this.inTime(this.judge());
    }
    await this.noteBusy(this.owner);
  }

  /** Whatever it does comes to an end; what does not is named. */
  private async inTime(deed: Promise<void>) {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((_, fail) => {
      timer = setTimeout(() => fail(new Error(this.story("this did not end"))), DEED_MAX);
    });
    await Promise.race([deed, late]).finally(() => clearTimeout(timer));
  }

  /** Nothing acknowledged is lost. */
  private async judge() {
    const busy = await this.isPast();
    if (busy) return;
    const there = new Set((await this.ledger()).map(({ value }) => value));
    const lost = [...this.kept].filter((value) => !there.has(value));
    expect(lost, this.story("acknowledged and lost")).toEqual([]);
  }

  private story = (what: string) => `${what}; seed ${SEED}: ${this.did.slice(-40).join(", ")}`;

  private async ledger(): Promise<Read[]> {
    const { topics } = await snapshot(this.owner);
    return topics.some(({ name }) => name === "ledger") ? records(this.owner, "ledger") : [];
  }

  private isPast = () => this.owner.evaluate(async () => (await window.brooklet.status()).past);

  private async toNow() {
    if (!(await this.isPast())) return;
    // What plays gets to the newest moment by itself; then there is nothing left to click.
    await by(this.owner, "to-now")
      .click({ timeout: 3_000 })
      .catch(() => undefined);
    await expect.poll(this.isPast, this.story("there is no way back to now")).toBe(false);
  }

  private async run() {
    await this.toNow();
    await this.owner.evaluate(() => window.brooklet.resume());
  }

  /** A line through Kafka's own producer: its exit status says that it was acknowledged. */
  private async send() {
    await this.run();
    const value = `line ${++this.sent}`;
    const { code } = await this.owner.evaluate(
      (line) =>
        window.brooklet.cli("kafka-console-producer --topic ledger --command-property acks=all", `${line}\n`),
      value,
    );
    expect(code, this.story("the producer failed")).toBe(0);
    this.kept.add(value);
  }

  /** Undo always leads back: what is placed afterwards is what was placed before. */
  private async createAndUndo() {
    await this.toNow();
    const before = await this.placed();
    const name = `topic-${this.did.length}`;
    await this.owner.evaluate(
      (name) => window.brooklet.cli(`kafka-topics --create --topic ${name} --partitions 2`),
      name,
    );
    expect(await this.placed()).toEqual([...before, name].sort());
    await by(this.owner, "undo").click();
    await expect.poll(() => this.placed(), this.story("undo did not lead back")).toEqual(before);
  }

  private async placed(): Promise<string[]> {
    const { topics } = await snapshot(this.owner);
    return topics.map(({ name }) => name).sort();
  }

  private async speed() {
    const speeds = ["0.5", "1", "2", "5"];
    const speed = Number(speeds[this.below(speeds.length)]);
    await this.owner.evaluate((x) => window.brooklet.speed(x), speed);
  }

  private async look() {
    const { worldTime } = await snapshot(this.owner);
    const to = this.below(Number(worldTime) + 1);
    await this.owner.evaluate((t) => window.brooklet.seek(t), to);
    await this.owner.evaluate(() => window.brooklet.cli("kafka-topics --list"));
    if (this.below(2) === 0) await this.toNow();
  }

  private async clickTime() {
    const box = await by(this.owner, "playhead").boundingBox();
    if (box) await this.owner.mouse.click(box.x + 8 + this.below(Math.floor(box.width - 16)), box.y + 30);
  }

  /** Whoever does something in the past leaves the future aside, and undo brings it back. */
  private async branch() {
    await this.toNow();
    const { worldTime } = await snapshot(this.owner);
    const before = await this.placed();
    await this.owner.evaluate((t) => window.brooklet.seek(t), Math.floor(Number(worldTime) / 2));
    if (!(await this.isPast())) return;
    const name = `branch-${this.did.length}`;
    await this.owner.evaluate(
      (name) => window.brooklet.cli(`kafka-topics --create --topic ${name} --partitions 1`),
      name,
    );
    await by(this.owner, "undo").click();
    await expect(by(this.owner, "to-now"), this.story("undo did not lead back")).toBeVisible();
    await this.toNow();
    await expect.poll(() => this.placed(), this.story("undo did not lead back")).toEqual(before);
  }

  /** Anything that is a button and takes nothing away. */
  private async click() {
    const safe = [
      "events-tab",
      "terminal-tab-1",
      "theme",
      "drawer-fold",
      "table-orders",
      "edit-topic-orders",
      "edit-producer-checkout",
      "group-billing",
      "workspaces",
      "pause-producer-checkout",
      "add-terminal",
    ];
    const id = safe[this.below(safe.length)] ?? "theme";
    // A deed: in the past it begins a branch, as `branch` does.
    if (id === "pause-producer-checkout") await this.toNow();
    const button = by(this.owner, id).first();
    if (await button.isVisible()) await button.click({ timeout: 5_000 });
    await this.owner.keyboard.press("Escape");
  }

  private async type() {
    if (!(await by(this.owner, "terminal-input").first().isVisible())) return;
    const lines = [
      "kafka-topics --list",
      "kafka-topics --describe",
      "kafka-consumer-groups --describe --all-groups",
      "kafka-console-consumer --topic orders --max-messages 5 --from-beginning",
      "kafka-topics | grep x",
      "nonsense",
      "kafka-get-offsets --topic orders",
    ];
    const line = lines[this.below(lines.length)] ?? "";
    // It joins a group, which is a deed.
    if (line.startsWith("kafka-console-consumer")) await this.toNow();
    const input = by(this.owner, "terminal-input").first();
    await input.fill(line);
    await input.press(this.below(8) === 0 ? "Control+c" : "Enter");
    await input.press("Tab");
  }

  private async zoom() {
    for (const id of ["zoom-out", "zoom-in", "align-time", "align-newest"]) {
      const button = by(this.owner, id).first();
      if (this.below(2) === 0 && (await button.isVisible()) && (await button.isEnabled()))
        await button.click({ timeout: 5_000 });
    }
  }

  private async reload(page: Page) {
    await this.noteBusy(page);
    await page.reload();
    if (page === this.waiting) return;
    // Whoever waits may have taken over meanwhile.
    const other = this.waiting;
    const [first] = await Promise.race([ready(page).then(() => [page]), ready(other).then(() => [other])]);
    if (first === other) [this.owner, this.waiting] = [other, page];
    await this.owner.bringToFront();
  }

  private async close() {
    await this.noteBusy(this.owner);
    await this.owner.close();
    this.owner = this.waiting;
    await ready(this.owner);
    this.waiting = await this.context.newPage();
    await this.waiting.goto(`./?${SANDBOX}`);
    await this.owner.bringToFront();
  }

  private async noteBusy(page: Page) {
    const { longest } = await page.evaluate(() => (window as unknown as { busy: Busy }).busy);
    this.longest = Math.max(this.longest, longest);
  }

  get busiest() {
    return this.longest;
  }
}

test("a monkey in two tabs loses nothing, freezes nothing and always finds the way back", {
  tag: ALONE,
}, async ({ page, context }) => {
  test.setTimeout((SECONDS * 2 + 120) * 1000);
  await context.addInitScript(watch, SETTLES_MS);
  await open(page);
  const second = await context.newPage();
  await second.goto(`./?${SANDBOX}`);
  await page.bringToFront();
  const monkey = new Monkey(context, page, second, SEED);
  await monkey.live(SECONDS);
  console.log(`monkey: ${monkey.did.length} deeds, longest task ${Math.round(monkey.busiest)} ms`);
  expect(monkey.busiest).toBeLessThan(BUSY_MAX);
});
