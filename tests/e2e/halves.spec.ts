// The core comes in two halves: what is called before the second one is there.

import { test as base, type Page } from "@playwright/test";
import { appended, by, cli, eventually, expect, open, SANDBOX, test } from "./page.ts";

const REST = "**/brooklet_wasm_rest*.wasm";

/** The page's own request for the second half never ends; what the worker asks for itself goes on. */
async function lateRest(page: Page, worker: (kind: string) => boolean) {
  const asked: string[] = [];
  await page.route(REST, async (route) => {
    const kind = route.request().resourceType();
    asked.push(kind);
    if (kind === "fetch") return;
    await (worker(kind) ? route.continue() : route.abort());
  });
  return asked;
}

test("what needs the second half of the core before it is there has it loaded at once", async ({ page }) => {
  const asked = await lateRest(page, () => true);
  await open(page);
  await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(0);
  const { stdout, code } = await cli(page, "kafka-topics --bootstrap-server localhost:9092 --list");
  expect({ stdout, code }).toEqual({ stdout: expect.stringContaining("orders\n"), code: 0 });
  expect(asked.filter((kind) => kind !== "fetch")).toHaveLength(1);
});

// The console says more than a quiet page may.
base("a second half that cannot be loaded is said in words", async ({ page }) => {
  await lateRest(page, () => false);
  await page.goto(`./?${SANDBOX}`);
  await page.waitForFunction(() => window.brooklet !== undefined);
  await by(page, "stage").waitFor();
  void cli(page, "kafka-topics --bootstrap-server localhost:9092 --list").catch(() => {});
  await expect(page.getByText("the rest of the core could not be loaded").first()).toBeVisible();
});
