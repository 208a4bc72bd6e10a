// What a person does to a whole workspace can be undone, and the page comes back to where it was.

import type { Page } from "@playwright/test";
import {
  appended,
  by,
  cli,
  createTopic,
  eventually,
  expect,
  LESSON,
  open,
  PATIENT,
  quieten,
  ready,
  records,
  SANDBOX,
  snapshot,
  test,
  withoutStorage,
} from "./page.ts";

const names = async (page: Page) => (await snapshot(page)).topics.map((topic) => topic.name);
const hasTopic = (page: Page, name: string) => eventually(page, (s) => s.topics.some((t) => t.name === name));
const databases = (page: Page) =>
  page.evaluate(async () => (await indexedDB.databases()).map(({ name }) => name ?? "").sort());
const undo = (page: Page) => by(page, "undo").click();

for (const [where, prepare] of [
  ["", async () => {}],
  [" where the browser stores nothing, too", withoutStorage],
] as const) {
  test(`starting over is undone and done again${where}`, async ({ page }) => {
    await prepare(page);
    await open(page);
    await createTopic(page, "mine", 1);
    await quieten(page);
    const before = await records(page, "orders");
    await by(page, "start-over").click();
    await hasTopic(page, "mine").toBe(false);
    await expect(by(page, "did")).toHaveText("started over");
    await createTopic(page, "other", 1);
    // First what was done in the new world, then the new world itself.
    await undo(page);
    await hasTopic(page, "other").toBe(false);
    await hasTopic(page, "mine").toBe(false);
    await expect(by(page, "undo")).toHaveAttribute("title", "Undo: started over");
    await undo(page);
    await hasTopic(page, "mine").toBe(true);
    expect(await records(page, "orders")).toEqual(before);
    await by(page, "redo").click();
    await hasTopic(page, "mine").toBe(false);
    await page.locator("body").press("Control+z");
    await hasTopic(page, "mine").toBe(true);
    // A deed in the old world leaves the new one behind.
    await createTopic(page, "third", 1);
    await expect(by(page, "redo")).toBeDisabled();
  });
}

test("starting over is undone after a reload, and only the last time", async ({ page }) => {
  await open(page);
  for (const name of ["first", "second"]) {
    await createTopic(page, name, 1);
    await by(page, "start-over").click();
    await hasTopic(page, name).toBe(false);
  }
  await page.reload();
  await ready(page);
  await undo(page);
  await hasTopic(page, "second").toBe(true);
  expect(await names(page)).not.toContain("first");
  await expect(by(page, "undo")).toBeDisabled();
  await page.reload();
  await ready(page);
  await hasTopic(page, "second").toBe(true);
  await by(page, "redo").click();
  await hasTopic(page, "second").toBe(false);
  // What the first time left behind goes.
  await expect
    .poll(async () => (await databases(page)).filter((name) => name.startsWith("brooklet:")), PATIENT)
    .toEqual(["brooklet:sandbox~1", "brooklet:sandbox~2"]);
});

test("a tab that waits takes over the world that was started over, and its undo", async ({
  page,
  context,
}) => {
  await open(page);
  const second = await context.newPage();
  await second.goto(`./?${SANDBOX}`);
  await by(second, "notice-not-owner").waitFor(PATIENT);
  await createTopic(page, "mine", 1);
  await by(page, "start-over").click();
  await hasTopic(page, "mine").toBe(false);
  await createTopic(page, "new", 1);
  // It waits on: starting over does not give the workspace away.
  await expect(by(second, "notice-took-over")).toHaveCount(0);
  await page.close();
  await ready(second);
  await hasTopic(second, "new").toBe(true);
  expect(await names(second)).not.toContain("mine");
  await undo(second);
  await hasTopic(second, "mine").toBe(true);
});

test("a tab that waits starts nothing over, says why, and who owns the workspace", async ({
  page,
  context,
}) => {
  await open(page);
  await createTopic(page, "mine", 1);
  const second = await context.newPage();
  await second.goto(`./?${SANDBOX}`);
  await by(second, "notice-not-owner").waitFor(PATIENT);
  await by(second, "start-over").click();
  await expect(by(second, "failure")).toContainText("is using the workspace");
  const status = await second.evaluate(() => window.brooklet.status());
  expect(status).toEqual({
    workspace: "sandbox",
    owner: false,
    ownedBy: expect.stringMatching(/^A tab opened at/),
    past: false,
  });
  expect(await page.evaluate(() => window.brooklet.status())).toMatchObject({ owner: true, ownedBy: null });
  const refused = await second.evaluate(() =>
    window.brooklet.snapshot().catch((why: { code: string; message: string }) => [why.code, why.message]),
  );
  expect(refused).toEqual(["not-owner", expect.stringContaining(status.ownedBy ?? "?")]);
  await page.close();
  await ready(second);
  expect(await second.evaluate(() => window.brooklet.status())).toMatchObject({ owner: true });
  expect(await names(second)).toContain("mine");
});

test("a workspace that another tab has open is neither renamed nor deleted", async ({ page, context }) => {
  await open(page);
  const second = await context.newPage();
  await open(second, LESSON);
  await by(second, "workspaces").click();
  await by(second, "rename-sandbox").click();
  await by(second, "workspace-name").fill("stolen");
  await by(second, "workspace-name-apply").click();
  await expect(by(second, "failure")).toContainText("is open in another tab");
  await by(second, "delete-sandbox").click();
  await expect(by(second, "workspace-deleted")).toHaveCount(0);
  await expect(by(second, "open-sandbox")).not.toContainText("stolen");
});

test("deleting a workspace is undone, and is for good when the page is loaded again", async ({ page }) => {
  await open(page);
  await createTopic(page, "mine", 1);
  await open(page, LESSON);
  const remove = async () => {
    await by(page, "workspaces").click();
    await by(page, "delete-sandbox").click();
    await expect(by(page, "workspace-deleted")).toContainText("is deleted");
    await expect(by(page, "delete-sandbox")).toHaveCount(0);
  };
  await remove();
  await by(page, "undelete").click();
  await expect(by(page, "delete-sandbox")).toBeVisible();
  await by(page, "open-sandbox").click();
  await hasTopic(page, "mine").toBe(true);
  await expect(by(page, "notice-dropped")).toHaveCount(0);

  await by(page, "workspaces").click();
  await by(page, "open-lesson-01-a-log-remembers").click();
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(0);
  await remove();
  await page.reload();
  await ready(page);
  await expect.poll(() => databases(page), PATIENT).not.toContain("brooklet:sandbox");
  await open(page);
  expect(await names(page)).not.toContain("mine");
  await expect(by(page, "notice-dropped")).toHaveCount(0);
});

test("a workspace that is opened again after its deletion begins anew, and undo brings back what it held", async ({
  page,
}) => {
  await open(page);
  await createTopic(page, "mine", 1);
  await open(page, LESSON);
  await by(page, "workspaces").click();
  await by(page, "delete-sandbox").click();
  await by(page, "workspace-deleted").waitFor();
  await by(page, "open-sandbox").click();
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(0);
  expect(await names(page)).not.toContain("mine");
  await undo(page);
  await hasTopic(page, "mine").toBe(true);
});

test("the workspace that was open is open again, wherever it was chosen", async ({ page }) => {
  const title = () => page.evaluate(() => window.brooklet.status().then(({ workspace }) => workspace));
  await open(page, "");
  expect(await title()).toBe("lesson-01-a-log-remembers");
  await by(page, "workspaces").click();
  await by(page, "open-sandbox").click();
  await expect.poll(title, PATIENT).toBe("sandbox");
  expect(new URL(page.url()).search).toBe("?free");
  await page.reload();
  await ready(page);
  expect(await title()).toBe("sandbox");
  // Without a wish, what was open last.
  await open(page, "");
  expect(await title()).toBe("sandbox");
  await open(page, LESSON);
  await open(page, "");
  expect(await title()).toBe("lesson-01-a-log-remembers");
  await open(page, "free");
  expect(await title()).toBe("sandbox");
});

test("a pause and the speed survive a reload, and a paused world gains no time by it", async ({ page }) => {
  await open(page);
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(36);
  await page.evaluate(async () => {
    await window.brooklet.speed(0.25);
    await window.brooklet.pause();
  });
  const seen = async () => {
    const { worldTime, running, speed } = await snapshot(page);
    return { worldTime, running, speed };
  };
  const before = await seen();
  expect(before).toMatchObject({ running: false, speed: 0.25 });
  for (let n = 0; n < 2; n++) {
    await page.reload();
    await ready(page);
    expect(await seen()).toEqual(before);
  }
  await page.evaluate(() => window.brooklet.resume());
  await eventually(page, (s) => Number(s.worldTime)).toBeGreaterThan(Number(before.worldTime));
  await page.reload();
  await ready(page);
  expect(await seen()).toMatchObject({ running: true, speed: 0.25 });
});

test("a workspace's size is what it takes, when the list is looked at", async ({ page }) => {
  const size = (id: string) =>
    page.evaluate(async (name) => {
      const settled = <T>(request: IDBRequest<T>) =>
        new Promise<T>((resolve) => {
          request.onsuccess = () => resolve(request.result);
        });
      let bytes = 0;
      for (const { name: found = "" } of await indexedDB.databases()) {
        if (found !== name && !found.startsWith(`${name}~`)) continue;
        const db = await settled(indexedDB.open(found));
        for (const store of db.objectStoreNames) {
          const all = await settled(db.transaction(store).objectStore(store).getAll());
          for (const value of all) bytes += value.byteLength ?? 0;
        }
        db.close();
      }
      return bytes;
    }, `brooklet:${id}`);
  const shown = async (id: string) => {
    await by(page, "workspaces").click();
    const text = (await by(page, `open-${id}`).locator("small").textContent()) ?? "";
    await page.keyboard.press("Escape");
    const [, n, unit] = /([\d.]+) (B|KiB|MiB)/.exec(text) ?? [];
    return Number(n) * (unit === "B" ? 1 : unit === "KiB" ? 1024 : 1048576);
  };
  await open(page);
  await quieten(page);
  const fill = (topic: string) =>
    cli(page, `kafka-console-producer --topic ${topic}`, `${"x".repeat(1_000)}\n`.repeat(300));
  await createTopic(page, "big", 1);
  await fill("big");
  await page.evaluate(() => window.brooklet.pause());
  const near = async () => {
    const [is, says] = [await size("sandbox"), await shown("sandbox")];
    return says > is * 0.9 && says < is * 1.1 + 4_096 ? "near" : `${says} for ${is}`;
  };
  await expect.poll(near, PATIENT).toBe("near");
  expect(await shown("sandbox")).toBeGreaterThan(300_000);
  // What is kept so that a deletion can be undone takes room, too.
  await page.evaluate(() => window.brooklet.resume());
  await cli(page, "kafka-topics --delete --topic big");
  await page.evaluate(() => window.brooklet.pause());
  await expect.poll(near, PATIENT).toBe("near");
  // And so does what is kept so that starting over can be.
  await by(page, "start-over").click();
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(0);
  await page.evaluate(() => window.brooklet.pause());
  await expect.poll(near, PATIENT).toBe("near");
});
