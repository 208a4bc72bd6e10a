// A part of the page that cannot be fetched, offline or because its version is gone, says so.

import { expect, test } from "@playwright/test";
import { by, LESSON, open, SANDBOX } from "./page.ts";

test("an editor that cannot be fetched says so and is tried again", async ({ page }) => {
  await open(page);
  await page.route(/TopicEditor-[^/]*\.js/, (route) => route.abort());
  await by(page, "edit-topic-orders").click();
  await expect(by(page, "lazy-trouble")).toContainText("could not be fetched");
  await expect(by(page, "lazy-trouble")).toBeInViewport({ ratio: 1 });
  await expect(by(page, "lazy-reload")).toBeHidden();
  await by(page, "lazy-again").click();
  // A second failure may be the browser's memory of the first, or the part is gone with its version.
  await expect(by(page, "lazy-reload")).toBeVisible();
  await page.unroute(/TopicEditor-[^/]*\.js/);
  await by(page, "lazy-again").click();
  await expect(by(page, "topic-editor")).toBeVisible();
  await expect(by(page, "lazy-trouble")).toBeHidden();
});

test("who does without a part that cannot be fetched goes on", async ({ page }) => {
  await open(page);
  await page.route(/ProducerEditor-[^/]*\.js/, (route) => route.abort());
  await by(page, "edit-producer-checkout").click();
  await by(page, "lazy-close").click();
  await expect(by(page, "lazy-trouble")).toBeHidden();
  await by(page, "edit-topic-orders").click();
  await expect(by(page, "topic-editor")).toBeVisible();
});

for (const [part, chunk, query, reach] of [
  ["the terminal", /TerminalPane-[^/]*\.js/, LESSON, null],
  ["what there is to tell", /Telling-[^/]*\.js/, LESSON, null],
  ["the events", /EventsPane-[^/]*\.js/, SANDBOX, "events-tab"],
  ["the table", /TopicTable-[^/]*\.js/, SANDBOX, "table-orders"],
  ["the workspaces", /WorkspaceList-[^/]*\.js/, SANDBOX, "workspaces"],
  ["a new group's editor", /GroupEditor-[^/]*\.js/, SANDBOX, "add-group"],
  ["a new topic's editor", /TopicEditor-[^/]*\.js/, SANDBOX, "add-topic"],
] as const) {
  test(`${part} can be tried again`, async ({ page }) => {
    await page.route(chunk, (route) => route.abort());
    await open(page, query);
    if (reach) await by(page, reach).click();
    await expect(by(page, "lazy-again")).toBeVisible();
    await by(page, "lazy-again").click();
    await expect(by(page, "lazy-reload")).toBeVisible();
  });
}
