// A Chromium of its own, on a profile of its own, that can be killed; and the page of the tests.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Browser, chromium, type Page } from "@playwright/test";

/** What a worker's method answered. */
export type Answer<T> = { value: T; error?: undefined } | { value?: undefined; error: Failure };

/** A store's failure as the page sees it. */
export type Failure = { code: string; workspace: string; detail: string; sentence: string };

/** What reading everything back found. */
export type Report = {
  fresh: boolean;
  recreated: string[];
  ends: Record<string, number>;
  rows: Record<string, string>;
  faults: string[];
  bytes: number;
};

const here = import.meta.dirname;
const root = join(here, "../../..");

/** Where `cargo xtask test` lays the `store-test` build of the wasm crate and its bindings. */
export const wasm = process.env.BROOKLET_STORE_TEST ?? join(root, "target/store-test");

const types: Record<string, string> = {
  html: "text/html",
  js: "text/javascript",
  wasm: "application/wasm",
};

/** Serves the page, the worker and the module on a free port. */
export async function serve(): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    const name = (request.url ?? "/").replace(/\?.*$/, "");
    const file = name.startsWith("/wasm/")
      ? join(wasm, name.slice(6))
      : join(here, name === "/" ? "page.html" : name.slice(1));
    if (!existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader("content-type", types[file.split(".").at(-1) ?? ""] ?? "text/plain");
    response.end(readFileSync(file));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://localhost:${(server.address() as AddressInfo).port}/`, server };
}

/** Whether a process of a group still runs: one that has ended and only waits to be taken note of does not. */
function runs(group: number): boolean {
  if (!existsSync("/proc/self/stat")) {
    try {
      return process.kill(-group, 0);
    } catch {
      return false;
    }
  }
  return readdirSync("/proc").some((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      // The fields after the name, which may hold anything: state, parent, group.
      const [state = "", , of] =
        readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
      return Number(of) === group && !"ZX".includes(state);
    } catch {
      return false;
    }
  });
}

/** A running Chromium on a profile that outlives it. */
export class Chromium {
  private constructor(
    private readonly process: ChildProcess,
    readonly browser: Browser,
    readonly profile: string,
  ) {}

  static async start(profile = mkdtempSync(join(tmpdir(), "brooklet-store-"))): Promise<Chromium> {
    const program = process.env.CHROME_PATH ?? "/usr/bin/chromium";
    rmSync(join(profile, "DevToolsActivePort"), { force: true });
    const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"];
    const ours = ["--remote-debugging-port=0", `--user-data-dir=${profile}`];
    const started = spawn(program, [...flags, ...ours, "about:blank"], {
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
    });
    const endpoint = await new Promise<string>((resolve, reject) => {
      let said = "";
      started.stderr?.on("data", (bytes) => {
        said += bytes;
        const found = /DevTools listening on (ws:\S+)/.exec(said);
        if (found?.[1]) resolve(found[1]);
      });
      started.on("exit", (code) => reject(new Error(`Chromium ended with ${code}: ${said}`)));
    });
    return new Chromium(started, await chromium.connectOverCDP(endpoint), profile);
  }

  /** A new tab with the tests' page. */
  async page(url: string): Promise<Page> {
    const [context] = this.browser.contexts();
    if (!context) throw new Error("Chromium has no window");
    const page = await context.newPage();
    await page.goto(url);
    await page.waitForFunction("window.loaded");
    return page;
  }

  /** SIGKILL to every process of it, until none is left: the one that stores may still be writing. */
  async kill(): Promise<void> {
    const ended = new Promise((resolve) => this.process.once("exit", resolve));
    const { pid } = this.process;
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
    await ended;
    // Where ended orphans cannot be told from living ones, and nobody takes note of them, they never go.
    const late = Date.now() + 5_000;
    while (pid !== undefined && runs(pid) && Date.now() < late)
      await new Promise((resolve) => setTimeout(resolve, 5));
    await this.browser.close().catch(() => {});
  }

  /** Ends it and removes its profile. */
  async dispose(): Promise<void> {
    await this.kill();
    rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Calls a method in the page's worker `name`. */
export function call<T = void>(
  page: Page,
  name: string,
  method: string,
  ...args: unknown[]
): Promise<Answer<T>> {
  const script = ([worker, ...rest]: unknown[]) =>
    (window as unknown as { call: (...all: unknown[]) => Promise<never> }).call(worker, ...rest);
  return page.evaluate(script, [name, method, ...args]);
}

/** The same, for calls that must succeed. */
export async function must<T = void>(
  page: Page,
  name: string,
  method: string,
  ...args: unknown[]
): Promise<T> {
  const answer = await call<T>(page, name, method, ...args);
  if (answer.error) throw new Error(`${method}: ${JSON.stringify(answer.error)}`);
  return answer.value as T;
}

/** Leaves a database that none of our code knows, to tell later whether the browser kept this site's storage. */
export const leaveWitness = (page: Page): Promise<void> =>
  page.evaluate(
    () =>
      new Promise<void>((resolve, reject) => {
        const request = indexedDB.open("witness");
        request.onupgradeneeded = () => request.result.createObjectStore("seen");
        request.onsuccess = () => {
          request.result.close();
          resolve();
        };
        request.onerror = () => reject(request.error);
      }),
  );

/**
 * Whether the witness is still there. Chromium that is killed within seconds of its start now and then comes
 * back without anything that the site had stored, whoever stored it: nothing that a page does can help that.
 * On the way there it may fail to open what it has, a few times.
 */
export const hasWitness = (page: Page): Promise<boolean> =>
  page.evaluate(async () => {
    for (let again = 5; ; again--) {
      const found = await indexedDB.databases().catch((why) => {
        if (again === 0) throw why;
      });
      if (found) return found.some(({ name }) => name === "witness");
    }
  });

/** Counts the times that Chromium itself dropped everything, and fails when they are not rare. */
export class Drops {
  private times = 0;
  constructor(private readonly kills: number) {}

  count(): void {
    this.times++;
    console.log(
      `Chromium dropped all that the site had stored, a database of nobody's included: ${this.times}`,
    );
    if (this.times > 3 + this.kills / 10)
      throw new Error("Chromium drops all storage too often to test anything");
  }
}
