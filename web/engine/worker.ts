/**
 * The worker: loads the wasm module and hands messages through. It decides nothing.
 *
 * `web/wasm/` is built by `cargo xtask`; the module exports `init` (default) and
 *
 *   class Host {
 *     constructor(post: (message: FromWorker, transfer: Transferable[]) => void)
 *     call(call: Call): void        // answers by posting a Reply
 *   }
 *
 * The host schedules its own turns. Whatever it throws is a trap: the page discards this worker.
 */

import type { Call, FromWorker } from "./rpc";

interface HostModule {
  default(options: { module_or_path: string }): Promise<unknown>;
  Host: new (post: (message: FromWorker, transfer: Transferable[]) => void) => { call(call: Call): void };
}

const modules = import.meta.glob<HostModule>("../wasm/brooklet_wasm.js");
const binaries = import.meta.glob<string>("../wasm/brooklet_wasm_bg.wasm", {
  query: "?url",
  import: "default",
});

const scope = globalThis as unknown as {
  postMessage(message: FromWorker, transfer: Transferable[]): void;
  onmessage: ((event: MessageEvent<Call>) => void) | null;
};
const post = (message: FromWorker, transfer: Transferable[] = []) => scope.postMessage(message, transfer);

async function load() {
  const [module] = Object.values(modules);
  const [binary] = Object.values(binaries);
  if (!module || !binary) throw new Error("this build has no web/wasm: run cargo xtask play");
  const [code, url] = await Promise.all([module(), binary()]);
  await code.default({ module_or_path: url });
  return new code.Host(post);
}

const host = load();

scope.onmessage = async ({ data }) => {
  try {
    (await host).call(data);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    post({ reply: data.id, ok: false, code: "trap", message, params: {} });
  }
};
