import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { lessons } from "./web/lessons/plugin.ts";

export default defineConfig({
  plugins: [lessons(), svelte()],
  // Relative, so that the page also works below a path of a static host.
  base: "./",
  publicDir: "web/public",
  build: { target: "es2022", outDir: "dist", emptyOutDir: true, assetsInlineLimit: 0 },
  worker: { format: "es" },
  // Tests see the browser's half of Svelte, not its server half.
  resolve: process.env.VITEST ? { conditions: ["browser"] } : {},
  test: { environment: "happy-dom", include: ["web/**/*.test.ts"] },
});
