// Measures the stage: twelve partitions, 10,000 records a second arriving, frames a second and what one costs.
//   cargo xtask bench-page          builds the page, serves it and runs this
//   node tests/e2e/frames.mjs URL   against a page that is served already
// "drawing" is all that runs on the page's thread for a frame: taking it in, and painting it on the canvas.

import { chromium } from "@playwright/test";

const url = process.argv[2] ?? process.env.BROOKLET_URL ?? "http://127.0.0.1:4173/";
const SECONDS = 10;
const RATE = 10_000;
const PARTITIONS = 12;

/** Runs before the page: notes how long whatever belongs to a frame takes, and how often a frame comes. */
function spy() {
  const notes = { frames: [], paints: [], messages: [], on: false };
  window.notes = notes;
  const ask = window.requestAnimationFrame.bind(window);
  window.requestAnimationFrame = (work) =>
    ask((at) => {
      const began = performance.now();
      work(at);
      if (notes.on) notes.paints.push([at, performance.now() - began]);
    });
  const { Worker: Original } = window;
  window.Worker = class extends Original {
    set onmessage(listen) {
      super.onmessage = (event) => {
        const began = performance.now();
        listen(event);
        if (notes.on && event.data.push === "frame") notes.messages.push(performance.now() - began);
      };
    }
  };
  const beat = (at) => {
    if (notes.on) notes.frames.push(at);
    ask(beat);
  };
  ask(beat);
}

async function prepare(page) {
  await page.goto(`${url}?lesson=none`);
  await page.getByTestId("stage").waitFor();
  await page.evaluate(() => window.brooklet.ready);
  for (const id of ["edit-producer-checkout", "producer-editor-remove"]) await page.getByTestId(id).click();
  await page.getByTestId("edit-topic-orders").click();
  await page.getByTestId("topic-editor-partitions").fill(String(PARTITIONS));
  await page.getByTestId("topic-editor-apply").click();
  await page.getByTestId(`lane-orders-${PARTITIONS - 1}`).waitFor();
  await page.getByTestId("add-producer").click();
  await page.getByTestId("new-producer-rate").fill(String(RATE));
  await page.getByTestId("new-producer-key-count").fill("120");
  await page.getByTestId("new-producer-apply").click();
  await page.getByTestId("new-producer-apply").waitFor({ state: "hidden" });
  const appended = () =>
    page.evaluate(async () => {
      const { topics } = await window.brooklet.snapshot();
      return topics.flatMap((t) => t.partitions).reduce((all, p) => all + Number(p.logEndOffset), 0);
    });
  const late = Date.now() + 60_000;
  while ((await appended()) < 2 * RATE)
    if (Date.now() > late) throw new Error(`no ${2 * RATE} records came within a minute`);
  return appended;
}

async function measure(page, appended) {
  const [before, began] = [await appended(), Date.now()];
  await page.evaluate((seconds) => {
    const { notes } = window;
    notes.on = true;
    return new Promise((done) =>
      setTimeout(() => {
        notes.on = false;
        done();
      }, seconds * 1000),
    );
  }, SECONDS);
  const seconds = (Date.now() - began) / 1000;
  const notes = await page.evaluate(() => window.notes);
  // Several canvases and elements may ask for the same frame: it costs what they take together.
  const painted = new Map();
  for (const [at, ms] of notes.paints) painted.set(at, (painted.get(at) ?? 0) + ms);
  const costs = [...painted.values()].sort((a, b) => a - b);
  const at = (share) => costs[Math.min(costs.length - 1, Math.floor(costs.length * share))] ?? 0;
  const decoding = notes.messages.reduce((all, ms) => all + ms, 0) / Math.max(1, costs.length);
  return {
    frames_per_second: notes.frames.length / SECONDS,
    sent_per_second: notes.messages.length / SECONDS,
    drawn_per_second: costs.length / SECONDS,
    draw_ms_median: at(0.5) + decoding,
    draw_ms_p95: at(0.95) + decoding,
    records_per_second: ((await appended()) - before) / seconds,
  };
}

const browser = await chromium.launch({
  ...(process.env.CHROME_PATH ? { executablePath: process.env.CHROME_PATH } : {}),
  args: process.getuid?.() === 0 ? ["--no-sandbox", "--disable-gpu"] : [],
});
try {
  const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
  await page.addInitScript(spy);
  const found = await measure(page, await prepare(page));
  const text = Object.entries(found).map(([name, value]) => `${name.padEnd(20)} ${value.toFixed(2)}`);
  console.log(text.join("\n"));
} finally {
  await browser.close();
}
