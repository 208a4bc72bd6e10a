// Runs a wasm32-wasip1 program, such as a test binary, in Node.js: node wasi.mjs FILE [ARGUMENT…]
// It sees the whole file system, as a native test would.

import { readFile } from "node:fs/promises";
import { WASI } from "node:wasi";

const [file, ...rest] = process.argv.slice(2);
const wasi = new WASI({
  version: "preview1",
  args: [file, ...rest],
  env: { ...process.env, PWD: process.cwd() },
  preopens: { "/": "/" },
  returnOnExit: true,
});
const module = await WebAssembly.compile(await readFile(file));
const instance = await WebAssembly.instantiate(module, wasi.getImportObject());
try {
  process.exitCode = wasi.start(instance);
} catch (error) {
  console.error(`${file} was trapped: ${error.stack ?? error}`);
  process.exitCode = 101;
}
