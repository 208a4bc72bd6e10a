// The built page in a real browser. `cargo xtask test` serves it and names it in BROOKLET_URL;
// run by hand, the playground is built and served first.

import { defineConfig } from "@playwright/test";

const served = process.env.BROOKLET_URL;
const executablePath = process.env.CHROME_PATH;
const isRoot = process.getuid?.() === 0;

export default defineConfig({
  testDir: ".",
  outputDir: "../../test-results",
  forbidOnly: true,
  fullyParallel: false,
  workers: 1,
  retries: 0,
  timeout: 60_000,
  use: {
    baseURL: served ?? "http://127.0.0.1:4173/",
    // Without pictures: they cost more than the tests themselves.
    trace: { mode: "retain-on-failure", screenshots: false },
    launchOptions: {
      ...(executablePath ? { executablePath } : {}),
      args: isRoot ? ["--no-sandbox", "--disable-gpu"] : [],
    },
  },
  ...(served
    ? {}
    : {
        webServer: {
          command: "cargo xtask play --no-open --port 4173",
          url: "http://127.0.0.1:4173/",
          timeout: 600_000,
          reuseExistingServer: true,
        },
      }),
});
