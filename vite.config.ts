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

/** What the page may do, as xtask's server says it in a header; only there can it say who may frame the page. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "object-src 'none'",
].join("; ");

/** The policy stands in the built page itself, so that it holds wherever the page is put. */
function contentSecurityPolicy(): Plugin {
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: {
      order: "post",
      handler: () => [
        {
          tag: "meta",
          attrs: { "http-equiv": "Content-Security-Policy", content: POLICY },
          // Before anything that it is about.
          injectTo: "head-prepend",
        },
      ],
    },
  };
}

export default defineConfig({
  plugins: [lessons(), svelte(), preloadCore(), contentSecurityPolicy()],
  // Relative, so that the page also works below a path of a static host.
  base: "./",
  publicDir: "web/public",
  build: {
    target: "es2022",
    outDir: "dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // One style sheet: a part whose own could not be fetched would come without it when it is tried again.
    cssCodeSplit: false,
    // Browsers old enough to need it cannot run the core either.
    modulePreload: { polyfill: false },
    // What the first picture needs is one file, which packs better than its pieces.
    rolldownOptions: { output: { codeSplitting: { groups: [{ name: "first", test: /web\/main\.ts$/ }] } } },
  },
  worker: { format: "es" },
  // Tests see the browser's half of Svelte, not its server half.
  resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
  test: { environment: "happy-dom", include: ["web/**/*.test.ts"] },
});
