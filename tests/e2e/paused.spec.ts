// A world that stands still says so where something waits for it.

import { by, expect, open, PATIENT, test, type } from "./page.ts";

test("a command in a paused world says what it waits for, and goes on with time", async ({ page }) => {
  await open(page);
  await page.evaluate(() => window.brooklet.pause());
  await type(page, "kafka-console-consumer --topic orders --from-beginning --max-messages 3");
  await expect(by(page, "terminal-paused")).toBeVisible(PATIENT);
  await page.evaluate(() => window.brooklet.resume());
  await expect(by(page, "terminal-log")).toContainText("customer", PATIENT);
  await expect(by(page, "terminal-paused")).toBeHidden();
});
