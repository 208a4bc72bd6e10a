// IndexedDB through the wasm crate's `store` and `owner`, in a real Chromium.
import type { Server } from "node:http";
import { expect, type Page, test } from "@playwright/test";
import { Chromium, call, Drops, hasWitness, leaveWitness, must, type Report, serve } from "./harness.ts";

let url: string;
let server: Server;
let chromium: Chromium;

test.beforeAll(async () => {
  ({ url, server } = await serve());
  chromium = await Chromium.start();
});

test.afterAll(async () => {
  await chromium.dispose();
  server.close();
});

/** What the page was told about owning a workspace, and when. */
const states = (page: Page) =>
  page.evaluate<{ state: string; number: number; at: number }[]>("window.states");

/** Deletes an object store by hand, as a person with the developer tools would. */
const deleteStore = (page: Page, database: string, store: string) =>
  page.evaluate(
    ({ name, gone }) =>
      new Promise<void>((resolve, reject) => {
        const look = indexedDB.open(name);
        look.onsuccess = () => {
          const { version } = look.result;
          look.result.close();
          const request = indexedDB.open(name, version + 1);
          request.onupgradeneeded = () => request.result.deleteObjectStore(gone);
          request.onsuccess = () => {
            request.result.close();
            resolve();
          };
          request.onerror = () => reject(request.error);
        };
      }),
    { name: database, gone: store },
  );

test("what was committed is read back after a reload, and goes on", async () => {
  const page = await chromium.page(url);
  expect(await must(page, "a", "open", "reload")).toBe(1);
  await must(page, "a", "append", "n1-t-0", 300, 1_000);
  await must(page, "a", "append", "n1-t-1", 3, 100_000);
  await must(page, "a", "commit");
  await must(page, "a", "append", "n1-t-0", 1, 1_000);
  await must(page, "a", "commit", true);
  await page.reload();
  await page.waitForFunction("window.loaded");
  expect(await must(page, "a", "open", "reload")).toBe(2);
  const report = await must<Report>(page, "a", "verify");
  expect(report).toMatchObject({ fresh: false, recreated: [], faults: [], bytes: 601_000 });
  expect(report.ends).toEqual({ "n1-t-0": 301, "n1-t-1": 3 });
  expect(report.rows).toEqual({ "r:n1-t-0": "301", "r:n1-t-1": "3" });
  await must(page, "a", "append", "n1-t-0", 5, 1_000);
  await must(page, "a", "commit");
  const more = await must<Report>(page, "a", "verify");
  expect(more).toMatchObject({ faults: [], ends: { "n1-t-0": 306 } });
  await page.close();
});

test("a truncated log loses exactly its end, inside a stored value too", async () => {
  const page = await chromium.page(url);
  await must(page, "a", "open", "truncate");
  await must(page, "a", "append", "log", 200, 1_000);
  await must(page, "a", "commit");
  await must(page, "a", "verify");
  await must(page, "a", "truncate", "log", 70, 1_000);
  await must(page, "a", "append", "log", 2, 1_000);
  await must(page, "a", "commit");
  const report = await must<Report>(page, "a", "verify");
  expect(report).toMatchObject({ faults: [], ends: { log: 72 }, bytes: 72_000 });
  await page.close();
});

test("deleting every store but the logs leaves the logs readable and writable", async () => {
  const page = await chromium.page(url);
  await must(page, "a", "open", "bare");
  await must(page, "a", "append", "log", 10, 1_000);
  await must(page, "a", "commit");
  await deleteStore(page, "brooklet:bare", "meta");
  const stale = await call(page, "a", "commit");
  expect(stale.error?.code).toBe("taken-over");
  expect(await must<number>(page, "b", "open", "bare")).toBeGreaterThan(1_000_000);
  const report = await must<Report>(page, "b", "verify");
  expect(report).toMatchObject({ faults: [], ends: { log: 10 }, rows: {} });
  await must(page, "b", "append", "log", 1, 1_000);
  await must(page, "b", "commit");
  await page.close();
});

test("a missing value is reported as a gap and the rest is read", async () => {
  const page = await chromium.page(url);
  await must(page, "a", "open", "gap");
  await must(page, "a", "append", "log", 180, 1_000);
  await must(page, "a", "commit");
  await page.evaluate(
    () =>
      new Promise<void>((resolve) => {
        const look = indexedDB.open("brooklet:gap");
        look.onsuccess = () => {
          const tx = look.result.transaction("log", "readwrite");
          tx.objectStore("log").delete(["log", 61]);
          tx.objectStore("log").put("text", ["log", 122]);
          tx.oncomplete = () => {
            look.result.close();
            resolve();
          };
        };
      }),
  );
  const report = await must<Report>(page, "a", "verify");
  expect(report.faults).toEqual(['["log",122] holds no bytes']);
  expect(report.ends).toEqual({ log: 61 });
  await page.close();
});

test("who lost the workspace cannot commit any more, and is told", async () => {
  const page = await chromium.page(url);
  expect(await must(page, "a", "open", "fence")).toBe(1);
  await must(page, "a", "append", "log", 1, 1_000);
  await must(page, "a", "commit");
  expect(await must(page, "b", "open", "fence")).toBe(2);
  await must(page, "a", "append", "log", 1, 1_000);
  const refused = await call(page, "a", "commit");
  expect(refused.error).toMatchObject({ code: "taken-over", workspace: "fence" });
  const report = await must<Report>(page, "b", "verify");
  expect(report).toMatchObject({ faults: [], ends: { log: 1 }, rows: { "r:log": "1" } });
  await page.close();
});

test("a second tab waits and gets the workspace within a second of the first one's death", async () => {
  const first = await chromium.page(url);
  const second = await chromium.page(url);
  const since = Date.now();
  expect(await must(first, "a", "acquire", "tabs")).toBe(1);
  const taken = must<number>(second, "b", "acquire", "tabs");
  await second.waitForFunction("window.states.length > 0");
  const [waiting] = await states(second);
  expect(waiting?.state).toBe("waiting");
  expect(Math.abs((waiting?.number ?? 0) - since)).toBeLessThan(5_000);
  expect((await call(second, "c", "remove", "tabs")).error?.code).toBe("in-use");
  const closed = Date.now();
  await first.close();
  expect(await taken).toBe(2);
  const [, owner] = await states(second);
  expect(owner?.state).toBe("owner");
  expect((owner?.at ?? Number.POSITIVE_INFINITY) - closed).toBeLessThan(1_000);
  await second.close();
});

test("a full quota refuses the turn in words, keeps what was stored, and ends when there is room", async () => {
  test.setTimeout(120_000);
  // A browser of its own: what Chromium remembers of the room that is left is of this test alone.
  const small = await Chromium.start();
  const page = await small.page(url);
  const session = await page.context().newCDPSession(page);
  const origin = new URL(url).origin;
  await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: 8_000_000 });
  await must(page, "a", "open", "quota");
  await must(page, "a", "append", "log", 1, 1_000);
  await must(page, "a", "commit");
  // Chromium answers from what it once found free for up to half a minute.
  let refused: Awaited<ReturnType<typeof call>> | undefined;
  const turn = async () => {
    await must(page, "a", "append", "log", 20, 50_000);
    refused = await call(page, "a", "commit");
    return refused.error?.code;
  };
  await expect.poll(turn, { timeout: 60_000, intervals: [...Array<number>(40).fill(20), 500] }).toBe("quota");
  expect(refused?.error?.sentence).toContain("not stored");
  const report = await must<Report>(page, "a", "verify");
  expect(report.faults).toEqual([]);
  expect(report.rows["r:log"]).toBe(String(report.ends.log));
  await session.send("Storage.overrideQuotaForOrigin", { origin });
  await must(page, "a", "append", "log", 1, 1_000);
  await must(page, "a", "commit");
  await small.dispose();
});

test("workspaces are listed, named, measured and deleted, each for itself", async () => {
  const page = await chromium.page(url);
  await must(page, "a", "open", "one");
  await must(page, "a", "append", "log", 1, 1_000);
  await must(page, "a", "commit");
  await must(page, "b", "rename", "one", "My first");
  await must(page, "b", "recordUse", "one", 1_000);
  const find = async () => (await must<{ id: string }[]>(page, "b", "list")).find(({ id }) => id === "one");
  expect(await find()).toMatchObject({ title: "My first", bytes: 1_000, stored: true });
  await must(page, "b", "remove", "one");
  expect(await find()).toBeUndefined();
  // It was hidden, and can come back until it is swept.
  await must(page, "b", "sweep");
  const late = await call(page, "a", "commit");
  expect(late.error?.code).toBe("wiped");
  expect(await find()).toBeUndefined();
  await page.close();
});

test("SIGKILL at random moments loses nothing that was acknowledged and tears nothing", async () => {
  const kills = Number(process.env.BROOKLET_KILLS ?? 5);
  test.setTimeout(60_000 + kills * 20_000);
  const drops = new Drops(kills);
  let victim = await Chromium.start();
  try {
    for (let trial = 0; trial < kills; trial++) {
      const page = await victim.page(url);
      await leaveWitness(page);
      const workspace = `kill-${trial}`;
      let acknowledged = [0, 0, 0, 0];
      let turns = 0;
      const enough = 1 + Math.floor(Math.random() * 120);
      const reached = new Promise<void>((resolve) => {
        page.exposeFunction("acknowledge", (ends: number[]) => {
          acknowledged = ends;
          if (++turns === enough) resolve();
        });
      });
      await must(page, "a", "open", workspace);
      void call(page, "a", "stream").catch(() => {});
      await reached;
      await victim.kill();
      victim = await Chromium.start(victim.profile);
      const after = await victim.page(url);
      if (!(await hasWitness(after))) {
        drops.count();
        trial--;
        await after.close();
        continue;
      }
      await must(after, "a", "open", workspace);
      const report = await must<Report>(after, "a", "verify");
      expect(report.faults).toEqual([]);
      acknowledged.forEach((end, log) => {
        // Killed before its first acknowledgement, a log may not be there at all.
        if (end === 0 && report.ends[`log-${log}`] === undefined) return;
        expect(report.ends[`log-${log}`]).toBeGreaterThanOrEqual(end);
        expect(report.rows[`r:log-${log}`]).toBe(String(report.ends[`log-${log}`]));
      });
      await after.close();
    }
  } finally {
    await victim.dispose();
  }
});

// A measurement, not a claim: it prints figures when it is asked for.
if (process.env.BROOKLET_STORE_BENCH) {
  test("bulk and group commits beside puts by hand", async () => {
    test.setTimeout(120_000);
    const page = await chromium.page(url);
    for (const kind of ["bulk", "group", "bulk", "group"]) {
      await must(page, kind, "open", `bench-${kind}-${Math.random()}`);
      console.log(kind, JSON.stringify(await must(page, kind, "bench", kind)));
    }
    await page.close();
  });
}
