// Mounts the page.

import { mount } from "svelte";
import { type BrookletApi, brookletApi } from "./engine/api";
import { connectEngine } from "./engine/client";
import { deliver } from "./engine/core";
import type { FrameView } from "./engine/frame";
import Page from "./screens/Page.svelte";
import { App, wanted } from "./state/app.svelte";
import { isKept } from "./state/kept";
import { errorText, learnErrors, words } from "./words";

declare global {
  interface Window {
    brooklet: BrookletApi;
  }
}

const query = new URLSearchParams(location.search);

/** How long after the first record is seen the first picture is complete, and how long at most to wait for one. */
const SETTLED_MS = 250;
const PATIENCE_MS = 2_000;

/** Settles when there is something to see: what a visitor need not wait for is loaded then. */
let show = () => {};
const shown = new Promise<void>((resolve) => {
  show = resolve;
});

function engine() {
  return connectEngine(() => {
    const name = `brooklet-worker ${Date.now()} ${Math.random()}`;
    const worker = new Worker(new URL("./engine/worker.ts", import.meta.url), { type: "module", name });
    // The worker holds the lock of its name before it says anything: whoever gets it after that outlives it.
    const gone = () => worker.dispatchEvent(new ErrorEvent("error", { message: words.gone }));
    worker.addEventListener("message", () => void navigator.locks?.request(name, gone), { once: true });
    // Who comes back has logs to recover, which is in the rest.
    void deliver(worker, isKept(wanted(query)) ? "now" : shown);
    return worker;
  });
}

/** The first frame that is as wanted. */
function framed(app: App, wanted: (frame: FrameView) => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = app.world.frames((frame) => {
      if (!wanted(frame)) return;
      stop();
      resolve();
    });
  });
}

async function start() {
  const client = engine();
  const app = new App(client);
  const opened = app.openWorkspace(wanted(query));
  window.brooklet = brookletApi(client, opened);
  const target = document.getElementById("app");
  if (!target) return;
  // The page is built behind the first paint while the broker starts, and shown when it has something to show.
  const firstPaint = target.querySelector(".first-paint");
  const living = framed(app, () => true);
  void framed(app, ({ lanes }) => lanes.some(({ logEnd }) => logEnd > 0)).then(() =>
    setTimeout(show, SETTLED_MS),
  );
  // Behind the rest of the core, which is on its way by then.
  void shown.then(() =>
    setTimeout(() => {
      app.settled = true;
      // Without them the worker's own sentences are shown.
      void learnErrors().catch(() => {});
    }),
  );
  mount(Page, { target, props: { app } });
  await opened
    .then(({ owner }) => (owner ? living : undefined))
    .catch((why: unknown) => {
      // A worker that fails says so in a notice of its own.
      if (!["trap", "restarted"].includes((why as { code?: string }).code ?? ""))
        app.failure = errorText(why);
    });
  firstPaint?.remove();
  setTimeout(show, PATIENCE_MS);
}

void start();
