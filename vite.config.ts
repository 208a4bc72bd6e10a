import { svelte } from "@sveltejs/vite-plugin-svelte";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";
import { lessons } from "./web/lessons/plugin.ts";

/** The core's first half is asked for as soon as the page's head is read, not only when its script runs. */
function preloadCore(): Plugin {
  return {
    name: "preload-core",
    transformIndexHtml: {
      order: "post",
      handler: (_, { bundle }) =>
        Object.keys(bundle ?? {})
          .filter((file) => /brooklet_wasm_bg.*\.wasm$/.test(file))
          .map((file) => ({
            tag: "link",
            attrs: { rel: "preload", as: "fetch", crossorigin: "", href: `./${file}` },
            injectTo: "head",
          })),
    },
  };
}

export default defineConfig({
  plugins: [lessons(), svelte(), preloadCore()],
  // Relative, so that the page also works below a path of a static host.
  base: "./",
  publicDir: "web/public",
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // Browsers old enough to need it cannot run the core either.
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
  // Tests see the browser's half of Svelte, not its server half.
  resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
  test: { environment: "happy-dom", include: ["web/**/*.test.ts"] },
});
