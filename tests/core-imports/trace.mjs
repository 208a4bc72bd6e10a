// Loads the core as a WebAssembly module that gets nothing from its host, lets it run its scenario
// and prints the hash after each event:  node trace.mjs MODULE.wasm MILLIS
import { readFileSync } from "node:fs";

const [path, millis] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(path));
const imports = WebAssembly.Module.imports(module);
for (const { module: from, name } of imports) console.log(`the core imports ${from}.${name}`);
if (imports.length > 0) process.exit(1);

const { run_scenario, hash_after } = new WebAssembly.Instance(module, {}).exports;
const events = run_scenario(BigInt(millis)) >>> 0;
const lines = [];
for (let event = 0; event < events; event++) {
  const hash = BigInt.asUintN(64, hash_after(event));
  lines.push(`event ${hash.toString(16).padStart(16, "0")}`);
}
console.log(lines.join("\n"));
