// axe finds nothing to complain about, on a desk and on a phone, in the light and in the dark.

import { createRequire } from "node:module";
import type { Page } from "@playwright/test";
import type { AxeResults, run } from "axe-core";
import { appended, by, eventually, expect, LESSON, open, test, type } from "./page.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

async function violations(page: Page): Promise<string[]> {
  const results: AxeResults = await page.evaluate(() =>
    (window as unknown as { axe: { run: typeof run } }).axe.run(document),
  );
  return results.violations.map(
    ({ id, nodes }) => `${id}: ${nodes.map((n) => n.html.slice(0, 160)).join(" | ")}`,
  );
}

async function openWithAxe(page: Page) {
  await open(page, LESSON);
  await page.route("**/axe-of-the-test.js", (route) =>
    route.fulfill({ contentType: "text/javascript", path: AXE }),
  );
  await page.addScriptTag({ url: "axe-of-the-test.js" });
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(36);
}

const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

for (const colorScheme of ["light", "dark"] as const) {
  test.describe(`on a desk, ${colorScheme}`, () => {
    test.use({ colorScheme, viewport: { width: 1440, height: 900 } });

    test(`axe finds no violation on a desk, ${colorScheme}`, async ({ page }) => {
      await openWithAxe(page);
      expect(await violations(page), "as it opens").toEqual([]);
      await by(page, "lane-orders-0").focus();
      await page.keyboard.press("Enter");
      await expect(by(page, "bytes")).toBeVisible();
      await type(page, "kafka-topics --bootstrap-server b1:9092 --describe");
      await expect(by(page, "terminal-log")).toContainText("orders");
      await by(page, "add-terminal").click();
      expect(await violations(page), "inspector and terminals").toEqual([]);
      for (const [opener, form] of [
        ["edit-producer-checkout", "producer-editor-apply"],
        ["group-billing", "add-member"],
        ["edit-topic-orders", "topic-editor-apply"],
        ["add-producer", "new-producer-apply"],
        ["add-group", "new-group-apply"],
        ["workspaces", "open-sandbox"],
      ] as const) {
        await by(page, opener).click();
        await expect(by(page, form)).toBeVisible();
        expect(await violations(page), opener).toEqual([]);
        await page.keyboard.press("Escape");
        await expect(by(page, form)).toBeHidden();
      }
      await by(page, "table-orders").click();
      await expect(by(page, "topic-table-orders")).toBeVisible();
      await by(page, "events-tab").click();
      await expect(by(page, "events")).toBeVisible();
      expect(await violations(page), "table and events").toEqual([]);
    });
  });

  test.describe(`on a phone, ${colorScheme}`, () => {
    test.use({ colorScheme, ...PHONE });

    test(`axe finds no violation on a phone, ${colorScheme}`, async ({ page }) => {
      await openWithAxe(page);
      for (const panel of ["learn", "inspect", "terminal", "events"]) {
        await by(page, `panel-${panel}`).click();
        await expect(by(page, `panel-${panel}`)).toHaveAttribute("aria-pressed", "true");
        expect(await violations(page), panel).toEqual([]);
      }
      await by(page, "panel-inspect").click();
      await by(page, "lane-orders-0").focus();
      await page.keyboard.press("Enter");
      await expect(by(page, "bytes")).toBeVisible();
      expect(await violations(page), "a record").toEqual([]);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
    });
  });
}
