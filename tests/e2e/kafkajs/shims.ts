// The little of Node.js that KafkaJS touches, for the browser of the tests alone.

import { Buffer } from "buffer";

Object.assign(globalThis, {
  Buffer,
  global: globalThis,
  process: {
    env: {},
    pid: 1,
    nextTick: (run: (...args: unknown[]) => void, ...args: unknown[]) => queueMicrotask(() => run(...args)),
    hrtime(since: [number, number] = [0, 0]): [number, number] {
      const micros = Math.round(performance.now() * 1000) - (since[0] * 1_000_000 + since[1] / 1000);
      return [Math.floor(micros / 1_000_000), (micros % 1_000_000) * 1000];
    },
    on() {},
    once() {},
  },
});
