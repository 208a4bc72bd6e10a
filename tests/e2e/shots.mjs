// Takes a picture of every state of the page, in both themes, on a desk and on a phone:
//   node tests/e2e/shots.mjs FOLDER [URL]
// They are for eyes, not for a test; the folder should lie outside the repository.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { chromium } from "@playwright/test";

const [folder, url = "http://127.0.0.1:4173/"] = process.argv.slice(2);
if (!folder) {
  console.error("usage: node tests/e2e/shots.mjs FOLDER [URL]");
  process.exit(2);
}
mkdirSync(folder, { recursive: true });

const DESK = { viewport: { width: 1440, height: 900 } };
const PHONE = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

const address = (query) => url + (url.includes("?") ? "&" : "?") + query;
const by = (page, id) => page.getByTestId(id);
const enter = async (page, line) => {
  await by(page, "terminal-input").fill(line);
  await by(page, "terminal-input").press("Enter");
};
const appended = (page) =>
  page.evaluate(async () => {
    const { topics } = await window.brooklet.snapshot();
    return topics.flatMap((t) => t.partitions).reduce((all, p) => all + Number(p.logEndOffset), 0);
  });
async function until(is) {
  const late = Date.now() + 20_000;
  while (!(await is())) if (Date.now() > late) throw new Error("this state did not come");
}

async function opened(browser, options, query = "lesson=01-a-log-remembers") {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.on("pageerror", (error) => console.log(`  page error: ${error.message}`));
  await page.goto(address(query));
  await by(page, "stage").waitFor();
  await page.evaluate(() => window.brooklet.ready);
  await until(async () => (await appended(page)) > 36);
  return page;
}

async function put(page, opener, form) {
  await by(page, opener).click();
  await by(page, form).waitFor();
}

/** What each picture shows, in the order in which one page goes through them. */
const ON_A_DESK = {
  open: async () => {},
  record: async (page) => {
    await by(page, "lane-orders-1").focus();
    for (const key of ["ArrowLeft", "ArrowLeft", "Enter"]) await page.keyboard.press(key);
    await by(page, "bytes").waitFor();
  },
  lag: async (page) => {
    await put(page, "add-group", "new-group-apply");
    await by(page, "new-group-apply").click();
    await by(page, "knob-group-billing").focus();
    await page.keyboard.press("Home");
    await by(page, "knob-producer-checkout").focus();
    for (let i = 0; i < 5; i++) await page.keyboard.press("ArrowRight");
    await page.evaluate(() => window.brooklet.speed(5));
    const from = await appended(page);
    await until(async () => (await appended(page)) > from + 60);
    await page.evaluate(() => window.brooklet.speed(1));
  },
  terminal: async (page) => {
    await enter(page, "kafka-consumer-groups --bootstrap-server b1:9092 --describe --group billing");
    await page.getByText("CURRENT-OFFSET").first().waitFor();
  },
  producer: async (page) => put(page, "edit-producer-checkout", "producer-editor-apply"),
  group: async (page) => {
    await page.keyboard.press("Escape");
    await put(page, "group-billing", "add-member");
  },
  topic: async (page) => {
    await page.keyboard.press("Escape");
    await put(page, "edit-topic-orders", "topic-editor-apply");
  },
  refusal: async (page) => {
    await page.keyboard.press("Escape");
    await put(page, "add-topic", "new-topic-apply");
    await by(page, "new-topic-name").fill("not a name!");
    await by(page, "new-topic-apply").click();
    await by(page, "new-topic-error").waitFor();
  },
  events: async (page) => {
    await page.keyboard.press("Escape");
    await by(page, "events-tab").click();
  },
  table: async (page) => by(page, "table-orders").click(),
  workspaces: async (page) => {
    await by(page, "table-orders").click();
    await put(page, "workspaces", "open-sandbox");
  },
  past: async (page) => {
    await page.keyboard.press("Escape");
    await page.evaluate(async () => {
      await window.brooklet.seek(Number((await window.brooklet.snapshot()).worldTime) / 2);
    });
    await by(page, "to-now").waitFor();
  },
  fast: async (page) => {
    await by(page, "to-now").click();
    await put(page, "edit-topic-orders", "topic-editor-apply");
    await by(page, "topic-editor-partitions").fill("6");
    await by(page, "topic-editor-apply").click();
    await by(page, "lane-orders-5").waitFor();
    await by(page, "knob-producer-checkout").focus();
    await page.keyboard.press("End");
    const from = await appended(page);
    await until(async () => (await appended(page)) > from + 20_000);
  },
};

const ON_A_PHONE = {
  open: async () => {},
  inspect: async (page) => {
    await by(page, "lane-orders-0").focus();
    await page.keyboard.press("Enter");
    await by(page, "bytes").waitFor();
  },
  producer: async (page) => put(page, "edit-producer-checkout", "producer-editor-apply"),
  terminal: async (page) => {
    await page.keyboard.press("Escape");
    await by(page, "panel-terminal").click();
    await enter(page, "kafka-topics --bootstrap-server b1:9092 --describe --topic orders");
    await page.getByText("PartitionCount").first().waitFor();
  },
  events: async (page) => by(page, "panel-events").click(),
};

async function shoot(browser, name, options, states) {
  const page = await opened(browser, options);
  for (const [state, reach] of Object.entries(states)) {
    try {
      await reach(page);
    } catch (why) {
      console.log(`  ${name}-${state}: ${String(why).split("\n")[0]}`);
    }
    // Two frames, so that what has just come is painted.
    await page.evaluate(
      () => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next))),
    );
    await page.screenshot({ path: join(folder, `${name}-${state}.png`) });
  }
  await page.context().close();
}

const browser = await chromium.launch({
  ...(process.env.CHROME_PATH ? { executablePath: process.env.CHROME_PATH } : {}),
  args: process.getuid?.() === 0 ? ["--no-sandbox", "--disable-gpu"] : [],
});
for (const colorScheme of ["light", "dark"]) {
  console.log(colorScheme);
  await shoot(browser, `desk-${colorScheme}`, { ...DESK, colorScheme }, ON_A_DESK);
  await shoot(browser, `phone-${colorScheme}`, { ...PHONE, colorScheme }, ON_A_PHONE);
}
await browser.close();
