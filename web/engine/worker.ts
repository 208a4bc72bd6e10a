/**
 * The worker: starts the wasm module and hands messages through. It decides nothing.
 *
 * The page compiles the module while this worker is still being loaded, and sends it as the first message.
 * `web/wasm/` is built by `cargo xtask`; its bindings export `init` (default) and
 *
 *   class Host {
 *     constructor(post: (message: FromWorker, transfer: Transferable[]) => void)
 *     call(call: Call): void        // answers by posting a Reply
 *   }
 *
 * The host schedules its own turns. Whatever it throws is a trap: the page discards this worker.
 */

import { NO_CORE, type Start } from "./core";
import type { Call, FromWorker } from "./rpc";

interface HostModule {
  default(options: { module_or_path: WebAssembly.Module }): Promise<unknown>;
  Host: new (post: (message: FromWorker, transfer: Transferable[]) => void) => { call(call: Call): void };
}

/** A glob, so that the page's own checks need no build of the core. */
const bindings = import.meta.glob<HostModule>("../wasm/brooklet_wasm.js", { eager: true });

const scope = globalThis as unknown as {
  postMessage(message: FromWorker, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<Call | Start>) => void) | null;
};
const post = (message: FromWorker, transfer: Transferable[] = []) => scope.postMessage(message, transfer);

let start: (module: WebAssembly.Module) => void = () => {};
let fail: (why: Error) => void = () => {};
const compiled = new Promise<WebAssembly.Module>((resolve, reject) => {
  [start, fail] = [resolve, reject];
});
const host = load();
// Whoever calls is told; until then nobody is.
host.catch(() => {});

async function load() {
  const module = await compiled;
  const [code] = Object.values(bindings);
  if (!code) throw new Error(NO_CORE);
  await code.default({ module_or_path: module });
  return new code.Host(post);
}

scope.onmessage = async ({ data }) => {
  if ("failed" in data) return fail(new Error(data.failed));
  if ("module" in data) return start(data.module);
  try {
    (await host).call(data);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    post({ reply: data.id, ok: false, code: "trap", message, params: {} });
  }
};
