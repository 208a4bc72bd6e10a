// The Content-Security-Policy is in the page itself: any static server gives it.

import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { extname } from "node:path";
import { expect, test } from "@playwright/test";
import { appended, eventually, LESSON, open } from "./page.ts";

const DIST = new URL("../../dist/", import.meta.url);
const KINDS: Record<string, string> = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".wasm": "application/wasm",
  ".svg": "image/svg+xml",
};

/** A server that knows nothing of headers. */
async function plain(): Promise<{ url: string; server: Server }> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? "/", "http://any").pathname.slice(1) || "index.html";
    readFile(new URL(path, DIST)).then(
      (body) => {
        response.writeHead(200, { "content-type": KINDS[extname(path)] ?? "application/octet-stream" });
        response.end(body);
      },
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, server };
}

test("on a server without headers the page works and runs or fetches nothing foreign", async ({ page }) => {
  const [{ url, server }, other] = [await plain(), await plain()];
  try {
    const complaints: string[] = [];
    page.on("console", (message) => {
      if (message.type() === "error") complaints.push(message.text());
    });
    await open(page, LESSON, url);
    await eventually(page, (s) => appended(s, "orders")).toBeGreaterThan(36);
    expect(complaints).toEqual([]);
    const blocked = await page.evaluate(async (foreign) => {
      const violations: string[] = [];
      document.addEventListener("securitypolicyviolation", (event) => {
        violations.push(event.effectiveDirective);
      });
      const script = document.createElement("script");
      script.textContent = "window.ran = true";
      document.body.append(script);
      const image = document.createElement("img");
      image.src = `${foreign}icon.svg`;
      document.body.append(image);
      const fetched = await fetch(`${foreign}icon.svg`).then(
        () => true,
        () => false,
      );
      await new Promise((next) => requestAnimationFrame(() => setTimeout(next)));
      return { ran: "ran" in window, fetched, violations: violations.toSorted() };
    }, other.url);
    expect(blocked.ran).toBe(false);
    expect(blocked.fetched).toBe(false);
    expect(blocked.violations).toEqual(["connect-src", "img-src", "script-src-elem"]);
  } finally {
    server.close();
    other.server.close();
  }
});

test("the page and the header of xtask's server say the same", async ({ page }) => {
  const response = await page.goto("./");
  const header = (await response?.headerValue("content-security-policy")) ?? "";
  const inPage = await page.locator('meta[http-equiv="Content-Security-Policy"]').getAttribute("content");
  expect(header).toContain("frame-ancestors");
  const directives = (policy: string) =>
    policy
      .split(";")
      .map((each) => each.trim())
      .filter((each) => !each.startsWith("frame-ancestors"));
  expect(directives(inPage ?? "")).toEqual(directives(header));
});
