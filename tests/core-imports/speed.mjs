// Measures the simulated world as WebAssembly, trace hash on:  node speed.mjs MODULE.wasm
// `cargo xtask bench-page` builds the module and runs this; `brooklet bench world` is the native twin.
import { readFileSync } from "node:fs";

const WARM_UP = 20_000n;
const EVENTS = 100_000n;
const ROUNDS = 9;

const module = new WebAssembly.Module(readFileSync(process.argv[2]));
const { run_busy } = new WebAssembly.Instance(module, {}).exports;
const ran = (events) => {
  if (run_busy(events) !== events) throw new Error("the world stopped early");
};
ran(WARM_UP);
const rates = Array.from({ length: ROUNDS }, () => {
  const began = performance.now();
  ran(EVENTS);
  return (Number(EVENTS) / (performance.now() - began)) * 1_000;
}).sort((a, b) => a - b);
const shown = (rate) => `${Math.round(rate / 1_000)} k`;
console.log(
  `world in WebAssembly: ${shown(rates[ROUNDS >> 1])} events/s (slowest ${shown(rates[0])}, fastest ${shown(rates[ROUNDS - 1])})`,
);
