// The page for everyone: small windows, large letters, own colours, no mouse, no eyes.

import type { Locator } from "@playwright/test";
import {
  addGroup,
  addProducer,
  appended,
  by,
  cli,
  createTopic,
  drop,
  eventually,
  expect,
  groupOf,
  LESSON,
  open,
  PATIENT,
  quieten,
  snapshot,
  test,
  type,
} from "./page.ts";

const LONG = `orders.${"of-the-european-branch-office.".repeat(4)}v2`;

/** The part of an element that is in the window and that nothing else covers, as seen at five points of it. */
async function uncovered(locator: Locator): Promise<boolean> {
  await expect(locator).toBeInViewport({ ratio: 0.98 });
  return locator.evaluate((el) => {
    // What lies on a canvas for keys and ears lets the pointer through to it.
    const canvas = el.parentElement?.parentElement?.querySelector("canvas") ?? null;
    const { left, top, width, height } = el.getBoundingClientRect();
    return [
      [0.5, 0.5],
      [0.05, 0.1],
      [0.95, 0.1],
      [0.05, 0.9],
      [0.95, 0.9],
    ].every(([x = 0, y = 0]) => {
      const at = document.elementFromPoint(left + x * width, top + y * height);
      return at !== null && (at === canvas || el.contains(at) || at.contains(el));
    });
  });
}

/** Texts that are cut off without a sign of it, or so far that nothing is left. */
const cut = (locator: Locator) =>
  locator.evaluate((el) =>
    [el, ...el.querySelectorAll<HTMLElement>("*")]
      .filter((each) => each.childElementCount === 0 && each.textContent !== "" && each.checkVisibility())
      .filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 1)
      .map((each) => each.textContent),
  );

const overlapping = (locator: Locator) =>
  locator.evaluate((el) => {
    const parts = [...el.children]
      .filter((each) => each.checkVisibility() && !each.matches(".space"))
      .map((each) => each.getBoundingClientRect());
    return parts.some((a, i) =>
      parts
        .slice(i + 1)
        .some(
          (b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1,
        ),
    );
  });

for (const [name, use] of [
  ["1280 px", { viewport: { width: 1280, height: 800 } }],
  ["1024 px", { viewport: { width: 1024, height: 768 } }],
  ["800 px", { viewport: { width: 800, height: 1000 } }],
  ["200 % zoom", { viewport: { width: 720, height: 450 }, deviceScaleFactor: 2 }],
  ["200 % zoom of a small desk", { viewport: { width: 640, height: 400 }, deviceScaleFactor: 2 }],
  ["a phone", { viewport: { width: 390, height: 844 } }],
  ["a phone on its side", { viewport: { width: 844, height: 390 } }],
] as const) {
  test.describe(`at ${name}`, () => {
    test.use(use);

    test(`the lanes are seen and nothing covers anything at ${name}`, async ({ page }) => {
      await open(page, LESSON);
      await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(36);
      expect(await uncovered(by(page, "lane-orders-0"))).toBe(true);
      const header = by(page, "topic-orders").locator("header");
      expect(await cut(header)).toEqual([]);
      expect(await overlapping(header)).toBe(false);
      await expect(header).toContainText("3 partitions");
      for (const control of [
        "edit-topic-orders",
        "scale",
        "table-orders",
        "pause",
        "step",
        "speed",
        "world-time",
      ])
        expect(await uncovered(by(page, control)), control).toBe(true);
      const least = await by(page, "playhead").evaluate((el) => el.clientWidth);
      expect(least).toBeGreaterThan(150);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(
        use.viewport.width,
      );
    });
  });
}

test.describe("with long names", () => {
  test.use({ viewport: { width: 1024, height: 768 } });

  test("a long name is shortened in the middle, and the whole is in reach", async ({ page }) => {
    await open(page);
    await createTopic(page, LONG, 1);
    await addProducer(page, `${LONG}-writer`, LONG);
    await addGroup(page, `${LONG}-reader`, LONG, 1);
    await by(page, "workspaces").click();
    await by(page, "rename-sandbox").click();
    await by(page, "workspace-name").fill("A workspace with quite a long name, of the spring of last year");
    await by(page, "workspace-name-apply").click();
    await page.keyboard.press("Escape");
    for (const [id, ending] of [
      [`edit-topic-${LONG}`, "v2"],
      [`edit-producer-${LONG}-writer`, "-writer"],
      [`group-${LONG}-reader`, "-reader"],
      ["workspaces", "st year"],
    ] as const) {
      const control = by(page, id);
      const name = control.locator("[title]").last();
      expect(await control.evaluate((el) => el.getBoundingClientRect().width), id).toBeLessThan(420);
      // The end is seen, the whole is in the title, and what is read aloud is the whole.
      await expect(name.locator(".tail")).toBeInViewport({ ratio: 1 });
      const tail = await name.locator(".tail").evaluate((el) => getComputedStyle(el, "::before").content);
      expect(tail).toContain(ending);
      expect(await name.locator(".head").evaluate((el) => el.scrollWidth > el.clientWidth)).toBe(true);
      const whole = (await name.getAttribute("title")) ?? "";
      expect(whole.endsWith(ending)).toBe(true);
      expect(await control.ariaSnapshot(), id).toContain(whole);
    }
    expect(await overlapping(by(page, `topic-${LONG}`).locator("header"))).toBe(false);
  });

  test("what adds a producer or a group is in sight however many there are", async ({ page }) => {
    await open(page);
    for (let i = 1; i <= 5; i++) await addProducer(page, `writer-number-${i}`, "orders");
    for (let i = 1; i <= 5; i++) await addGroup(page, `reader-number-${i}`, "orders", 0);
    expect(await uncovered(by(page, "add-producer"))).toBe(true);
    expect(await uncovered(by(page, "add-group"))).toBe(true);
  });
});

test.describe("with a finger", () => {
  test.use({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });

  test("the steps of a marker are whole, and Escape puts them away", async ({ page }) => {
    await open(page, LESSON);
    await eventually(page, (s) => Number(groupOf(s, "billing")?.offsets[2]?.position)).toBeGreaterThan(10);
    for (const partition of [0, 2]) {
      const marker = await by(page, `marker-billing-orders-${partition}-position`).boundingBox();
      if (!marker) throw new Error("there is no marker");
      await page.touchscreen.tap(marker.x + marker.width / 2, marker.y + marker.height / 2);
      await expect(by(page, "marker-steps")).toBeInViewport({ ratio: 1 });
      expect(await uncovered(by(page, "step-apply"))).toBe(true);
      await page.keyboard.press("Escape");
      await expect(by(page, "marker-steps")).toBeHidden();
      await expect(by(page, `lane-orders-${partition}`)).toBeFocused();
    }
  });

  test("the inspected record comes before the cards", async ({ page }) => {
    await open(page, LESSON);
    await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(36);
    await by(page, "lane-orders-0").focus();
    await page.keyboard.press("Enter");
    await expect(by(page, "inspector-heading")).toBeInViewport({ ratio: 1 });
    const top = (id: string) => by(page, id).evaluate((el) => el.getBoundingClientRect().top);
    expect(await top("inspector-heading")).toBeLessThan(await top("add-producer"));
  });
});

test.describe("in colours of one's own", () => {
  for (const size of [
    { width: 1440, height: 900 },
    { width: 390, height: 844 },
  ])
    test(`what is chosen can be told apart at ${size.width} px`, async ({ page }) => {
      await page.setViewportSize(size);
      await page.emulateMedia({ forcedColors: "active" });
      await open(page, LESSON);
      const ground = (locator: Locator) => locator.evaluate((el) => getComputedStyle(el).backgroundColor);
      const pairs =
        size.width > 700
          ? [
              ["align-newest", "align-time"],
              ["terminal-tab-1", "events-tab"],
            ]
          : [["panel-learn", "panel-terminal"]];
      for (const [chosen = "", other = ""] of pairs) {
        expect(await ground(by(page, chosen)), chosen).not.toBe(await ground(by(page, other)));
        await by(page, other).click();
        await expect.poll(() => ground(by(page, other))).not.toBe(await ground(by(page, chosen)));
      }
      const toggle = by(page, "table-orders");
      const off = await ground(toggle);
      await toggle.click();
      await page.mouse.move(0, 0);
      await expect.poll(() => ground(toggle)).not.toBe(off);
      await by(page, "workspaces").click();
      const lesson = by(page, "open-lesson-01-a-log-remembers");
      await expect(lesson).toBeVisible();
      expect(await ground(lesson)).not.toBe(await ground(by(page, "open-sandbox")));
    });
});

test("what can be dragged shows a hand, and a closed one while it is dragged", async ({ page }) => {
  await open(page, LESSON);
  await eventually(page, (s) => Number(groupOf(s, "billing")?.offsets[0]?.position)).toBeGreaterThan(10);
  await page.evaluate(() => window.brooklet.pause());
  const cursor = () =>
    page.evaluate(() => {
      const [hovered] = [...document.querySelectorAll(":hover")].slice(-1);
      return hovered ? getComputedStyle(hovered).cursor : "";
    });
  const marker = await by(page, "marker-billing-orders-0-position").boundingBox();
  if (!marker) throw new Error("there is no marker");
  const [x, y] = [marker.x + marker.width / 2, marker.y + marker.height / 2];
  const canvas = by(page, "lanes-orders");
  await page.mouse.move(x - 60, y);
  expect(await cursor()).toBe("default");
  await page.mouse.move(x, y);
  await expect.poll(cursor).toBe("grab");
  await page.mouse.down();
  await expect(canvas).toHaveCSS("cursor", "grabbing");
  await page.mouse.up();
  await page.keyboard.press("Escape");
  for (const id of ["knob-producer-checkout", "playhead"]) {
    await by(page, id).hover();
    await expect(by(page, id)).toHaveCSS("cursor", "grab");
    await page.mouse.down();
    await expect(by(page, id)).toHaveCSS("cursor", "grabbing");
    await page.mouse.up();
  }
});

test("quick steps on a number all count, and show at once", async ({ page }) => {
  await open(page, LESSON);
  const knob = by(page, "knob-producer-checkout");
  await expect(knob).toHaveAttribute("aria-valuenow", "1");
  await knob.focus();
  const shown = await knob.evaluate((el) => {
    const seen: (string | null)[] = [];
    for (let i = 0; i < 5; i++) {
      el.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, cancelable: true }));
    }
    return new Promise<(string | null)[]>((done) =>
      requestAnimationFrame(() => {
        seen.push(el.getAttribute("aria-valuenow"));
        done(seen);
      }),
    );
  });
  expect(shown).toEqual(["6"]);
  await eventually(page, (s) => s.producers.find((p) => p.name === "checkout")?.rate).toBe(6);
  for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowLeft");
  await eventually(page, (s) => s.producers.find((p) => p.name === "checkout")?.rate).toBe(3);
  await expect(knob).toHaveAttribute("aria-valuenow", "3");
  await by(page, "undo").click();
  await expect(knob).not.toHaveAttribute("aria-valuenow", "3");
});

test.describe("by keyboard", () => {
  test("focus goes back to what opened an editor, however it is closed", async ({ page }) => {
    await open(page);
    await createTopic(page, "clicks", 1);
    await expect(by(page, "add-topic")).toBeFocused();
    for (const [opener, form] of [
      ["edit-producer-checkout", "producer-editor"],
      ["group-billing", "group-editor"],
      ["edit-topic-clicks", "topic-editor"],
    ] as const) {
      for (const way of ["Escape", "apply", "outside"]) {
        await by(page, opener).press("Enter");
        await expect(by(page, form)).toBeVisible();
        if (way === "Escape") await page.keyboard.press("Escape");
        else if (way === "apply") await by(page, `${form}-apply`).press("Enter");
        else await page.mouse.click(700, 2);
        await expect(by(page, form)).toBeHidden();
        await expect(by(page, opener), `${opener} after ${way}`).toBeFocused();
      }
    }
    await by(page, "workspaces").press("Enter");
    await expect(by(page, "workspace-menu")).toBeVisible();
    await page.keyboard.press("Escape");
    await expect(by(page, "workspaces")).toBeFocused();
  });

  test("who removes what they stand on comes to stand on its neighbour", async ({ page }) => {
    await open(page);
    await createTopic(page, "clicks", 1);
    await createTopic(page, "views", 1);
    const remove = async (opener: string, form: string) => {
      await by(page, opener).press("Enter");
      await by(page, `${form}-remove`).press("Enter");
      await expect(by(page, opener)).toBeHidden(PATIENT);
    };
    await remove("edit-topic-clicks", "topic-editor");
    await expect(by(page, "edit-topic-orders")).toBeFocused();
    await remove("edit-topic-views", "topic-editor");
    await expect(by(page, "add-topic")).toBeFocused();
    await addProducer(page, "mobile", "orders");
    await remove("edit-producer-checkout", "producer-editor");
    await expect(by(page, "edit-producer-mobile")).toBeFocused();
    await remove("edit-producer-mobile", "producer-editor");
    await expect(by(page, "add-producer")).toBeFocused();
    await by(page, "add-terminal").press("Enter");
    await by(page, "close-terminal-2").press("Enter");
    await expect(by(page, "close-terminal-2")).toBeHidden();
    expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("BUTTON");
  });

  test("who stands in an editor whose subject goes comes to stand on the subject's neighbour", async ({
    page,
  }) => {
    await open(page);
    await createTopic(page, "clicks", 1);
    await by(page, "edit-topic-clicks").press("Enter");
    await expect(by(page, "topic-editor")).toBeVisible();
    // The world is quicker than its answer: what is removed is gone while its button is still at work.
    await by(page, "topic-editor-remove").focus();
    await by(page, "topic-editor-remove").evaluate((button: HTMLButtonElement) => {
      button.disabled = true;
    });
    await expect(by(page, "topic-editor-remove")).not.toBeFocused();
    await cli(page, "kafka-topics --delete --topic clicks");
    await expect(by(page, "topic-editor")).toBeHidden(PATIENT);
    await expect(by(page, "edit-topic-orders")).toBeFocused();
  });

  test("a lane is one stop of Tab, and its markers are reached from it", async ({ page }) => {
    await open(page, LESSON);
    await quieten(page);
    await by(page, "lane-orders-0").focus();
    await page.keyboard.press("Tab");
    await expect(by(page, "lane-orders-1")).toBeFocused();
    await page.keyboard.press("Shift+Tab");
    await expect(by(page, "lane-orders-0")).toBeFocused();
    await expect(by(page, "lane-orders-0")).toHaveAttribute("title", /\[ and \].*markers/);
    const focused = () => page.evaluate(() => document.activeElement?.getAttribute("data-testid"));
    await page.keyboard.press("]");
    const first = await focused();
    await page.keyboard.press("]");
    const second = await focused();
    expect([first, second].sort()).toEqual([
      "marker-billing-orders-0-committed",
      "marker-billing-orders-0-position",
    ]);
    await page.keyboard.press("Escape");
    await expect(by(page, "lane-orders-0")).toBeFocused();

    // Arrows move the marker: three records are read a second time, slowly enough to be seen.
    await page.evaluate(() => window.brooklet.speed(0.1));
    await by(page, "marker-billing-orders-0-position").focus();
    const position = (s: Awaited<ReturnType<typeof snapshot>>) =>
      Number(groupOf(s, "billing")?.offsets.find((o) => o.partition === 0)?.position);
    const before = position(await snapshot(page));
    for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowLeft");
    await eventually(page, position).toBeLessThan(before);
  });

  test("a refusal is put away by Escape, and the marker has the keyboard again", async ({ page }) => {
    await open(page);
    await quieten(page);
    await by(page, "marker-billing-orders-0-committed").press("Home");
    await expect(by(page, "refusal")).toContainText("Kafka refuses this");
    await expect(by(page, "refusal")).toBeInViewport({ ratio: 1 });
    await page.keyboard.press("Escape");
    await expect(by(page, "refusal")).toBeHidden();
    await expect(by(page, "marker-billing-orders-0-committed")).toBeFocused();
  });
});

test.describe("for ears", () => {
  /** Notes what the page's live regions say and when; runs before the page. */
  function listen() {
    const heard: { at: number; text: string }[] = [];
    (window as unknown as { heard: typeof heard }).heard = heard;
    const polite = "[role=status], [role=log], [aria-live=polite], output";
    new MutationObserver((changes) => {
      const regions = new Set(
        changes
          .map(({ target }) => (target instanceof Element ? target : target.parentElement)?.closest(polite))
          .filter((region) => region && region.getAttribute("aria-live") !== "off"),
      );
      for (const region of regions) heard.push({ at: performance.now(), text: region?.textContent ?? "" });
    }).observe(document, { subtree: true, childList: true, characterData: true });
  }

  test("the page says at most a sentence in two seconds, and in time all that matters", async ({ page }) => {
    await page.addInitScript(listen);
    await open(page, LESSON);
    await page.reload();
    await by(page, "live").waitFor({ state: "attached" });
    await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(36);
    await by(page, "lane-orders-0").focus();
    await page.keyboard.press("Enter");
    await addProducer(page, "voice", "orders");
    await type(page, "kafka-topics --bootstrap-server b1:9092 --list");
    const heard = () =>
      page.evaluate(() => (window as unknown as { heard: { at: number; text: string }[] }).heard);
    const all = async () => (await heard()).map(({ text }) => text).join(" | ");
    await expect.poll(all, PATIENT).toContain("Producer voice added");
    await expect.poll(all, PATIENT).toContain("1 of");
    await expect.poll(all, PATIENT).toContain("history begins here");
    await expect.poll(all, PATIENT).toContain("orders");
    const times = (await heard()).map(({ at }) => at);
    for (const [i, at] of times.entries())
      if (i > 0) expect(at - (times[i - 1] ?? 0), await all()).toBeGreaterThan(1_900);
  });

  test("notices that only inform go by themselves, not while they are read", async ({ page }) => {
    await page.clock.install();
    await open(page, LESSON);
    await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(36);
    await page.reload();
    const notice = by(page, "notice-history-begins");
    await expect(notice).toBeVisible(PATIENT);
    await notice.hover();
    await page.clock.fastForward(60_000);
    await expect(notice).toBeVisible();
    await page.mouse.move(5, 5);
    await page.clock.fastForward(60_000);
    await expect(notice).toBeHidden();
  });
});

test("a failure is told, and can be dismissed", async ({ page }) => {
  await open(page, LESSON);
  await by(page, "edit-producer-checkout").click();
  await by(page, "producer-editor-remove").waitFor();
  // Turned by who has not seen yet that it is gone.
  await page.evaluate(() => {
    const at = (id: string) => document.querySelector<HTMLElement>(`[data-testid="${id}"]`);
    at("producer-editor-remove")?.click();
    at("knob-producer-checkout")?.dispatchEvent(
      new KeyboardEvent("keydown", { key: "ArrowRight", bubbles: true, cancelable: true }),
    );
  });
  await expect(by(page, "failure")).toContainText("checkout");
  await by(page, "dismiss-failure").click();
  await expect(by(page, "failure")).toBeHidden();
});

test("the bytes open at the record's own, and all of a large batch are there", async ({ page }) => {
  await open(page, LESSON);
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(36);
  await by(page, "lane-orders-0").focus();
  await page.keyboard.press("Home");
  for (let i = 0; i < 9; i++) await page.keyboard.press("ArrowRight");
  await page.keyboard.press("Enter");
  const list = by(page, "bytes");
  await expect(by(page, "inspector-heading")).toContainText("offset 9");
  await expect(list).toHaveAccessibleName(/All \d+ bytes/);
  const seen = (which: string) =>
    list.evaluate((el, which) => {
      const byte = el.querySelector(which)?.getBoundingClientRect();
      const box = el.getBoundingClientRect();
      return byte !== undefined && byte.top >= box.top - 1 && byte.bottom <= box.bottom + 1;
    }, which);
  await expect.poll(() => seen(".byte.record")).toBe(true);

  await createTopic(page, "films", 1);
  await addProducer(page, "studio", "films");
  const size = 1_000_000;
  await drop(page, "studio", "film.txt", "x".repeat(size));
  await eventually(page, (s) => appended(s, "films")).toBe(1);
  await by(page, "lane-films-0").focus();
  await page.keyboard.press("Enter");
  await expect(by(page, "inspector-heading")).toContainText("films");
  const total = async () => Number((await list.getAttribute("aria-label"))?.replace(/\D/g, ""));
  await expect.poll(total).toBeGreaterThan(size);
  await list.focus();
  await page.keyboard.press("End");
  const last = (await total()) - 1;
  await expect.poll(() => seen(`[data-at="${last}"]`)).toBe(true);
  expect(await list.locator(".byte").count()).toBeLessThan(2_000);
});
