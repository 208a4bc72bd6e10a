// Builds the entry into one script and gives it to a page from the page's own origin, as its policy asks.

import { join } from "node:path";
import type { Page } from "@playwright/test";
import { build } from "vite";

const here = import.meta.dirname;
let built: Promise<string> | undefined;

async function bundle(): Promise<string> {
  const node = join(here, "node.ts");
  const result = await build({
    configFile: false,
    logLevel: "error",
    root: here,
    resolve: {
      alias: [
        { find: /^(crypto|zlib|util|assert|net|tls)$/, replacement: node },
        { find: /^(buffer|events)$/, replacement: `${"$1"}/` },
      ],
    },
    build: {
      write: false,
      minify: false,
      target: "es2022",
      rolldownOptions: {
        input: join(here, "main.ts"),
        output: { format: "iife" },
      },
    },
  });
  const [first] = Array.isArray(result) ? result : [result];
  const chunk = first && "output" in first ? first.output[0] : undefined;
  if (chunk?.type !== "chunk") throw new Error("vite built no script");
  return chunk.code;
}

/** Makes `window.kafkajs` in the page. */
export async function loadKafkaJs(page: Page, base = "") {
  built ??= bundle();
  const body = await built;
  await page.route("**/kafkajs-of-the-test.js", (route) =>
    route.fulfill({ contentType: "text/javascript", body }),
  );
  await page.addScriptTag({ url: `${base}kafkajs-of-the-test.js` });
}
